"""A recipe with everything it names read in: nothing is looked up after this, and its hash says what it is."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from core.blueprint import Blueprint
from core.distributions import Distribution
from core.errors import RecipeError
from core.files import sha256_json
from core.material import Material
from core.models import FileModel, load, parse
from flawsmith.captured import is_capture, part_sha256
from flawsmith.recipe import Recipe, whole
from recon.save import REPORT
from scenes import library
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.stations import Station
from scenes.viewpoints import Viewpoint

M = TypeVar("M", bound=FileModel)

WITHOUT = {"name", "images", "seed", "exports", "route", "paint", "refine"}
"""Not part of a recipe's hash: they change how many images there are or which copies of the labels, never an image.
`refine` and what it paints with are added where it is asked for."""


@dataclass(frozen=True)
class WeightedBlueprint:
    """count: exactly so many on every image with marks; None: drawn by weight."""

    blueprint: Blueprint
    weight: float
    count: Distribution | None


@dataclass(frozen=True, eq=False)
class Resolved:
    """content: the recipe as JSON with the contents of every file it names. sha256: of that and of the part's file."""

    recipe: Recipe
    part_path: Path
    materials: tuple[Material, ...]
    blueprints: tuple[WeightedBlueprint, ...]
    stations: tuple[Station, ...]
    cameras: tuple[CameraSpec, ...]
    viewpoints: tuple[Viewpoint, ...]
    backdrops: tuple[BackdropSpec, ...]
    content: dict[str, Any]
    sha256: str

    def draw_blueprints(self, rng: np.random.Generator) -> tuple[Blueprint, ...]:
        """See the function of this name."""
        return draw_blueprints(self.recipe, self.blueprints, rng)


def draw_blueprints(
    recipe: Recipe, blueprints: tuple[WeightedBlueprint, ...], rng: np.random.Generator
) -> tuple[Blueprint, ...]:
    """The blueprints of one specimen: none for a good one, else the counted ones and then those drawn by weight."""
    if rng.random() < recipe.good_fraction:
        return ()
    chosen: list[Blueprint] = []
    for entry in blueprints:
        if entry.count is not None:
            chosen += [entry.blueprint] * whole(entry.count, entry.count.sample(rng))
    drawn = [e for e in blueprints if e.count is None]
    if drawn:
        number = whole(recipe.defects_per_image, recipe.defects_per_image.sample(rng))
        weights = np.array([e.weight for e in drawn])
        picks = rng.choice(len(drawn), number, p=weights / weights.sum())
        chosen += [drawn[i].blueprint for i in picks]
    return tuple(chosen)


def weighted_blueprints(recipe: Recipe) -> tuple[WeightedBlueprint, ...]:
    """The blueprints that a recipe names, read in."""
    return tuple(
        WeightedBlueprint(_named(recipe, Blueprint, "blueprints", b.name), b.weight, b.count) for b in recipe.blueprints
    )


def resolve(recipe: Recipe, kinds: Callable[[str], object] | None = None) -> Resolved:
    """Read every file that the recipe names. RecipeError for an unknown name, a missing file or a wrong content.

    kinds: called with the name of each blueprint's kind; KeyError from it means that there is no such kind.
    """
    part_path = _part_file(recipe)
    blueprints = weighted_blueprints(recipe)
    if kinds is not None:
        refuse_unknown_kinds(blueprints, kinds)
    if recipe.most_defects > 255:
        raise RecipeError(
            f"up to {recipe.most_defects} defects on one image", "at most 255", "lower defects_per_image or the counts"
        )
    parts: dict[str, tuple[Any, ...]] = {
        "material": _entries(recipe, Material, "materials", recipe.material),
        "station": _entries(recipe, Station, "stations", recipe.station),
        "camera": _entries(recipe, CameraSpec, "cameras", recipe.camera),
        "backdrop": _entries(recipe, BackdropSpec, "backdrops", recipe.backdrop),
    }
    content = recipe.model_dump(mode="json", exclude=WITHOUT, exclude_none=True)
    content |= {name: [v.model_dump(mode="json", exclude_none=True) for v in values] for name, values in parts.items()}
    for written, entry in zip(content["blueprints"], blueprints, strict=True):
        written["name"] = entry.blueprint.model_dump(mode="json", exclude_none=True)
    content["part"]["path"] = part_path.name
    content["outputs"] = list(recipe.recorded_outputs)
    return Resolved(
        recipe=recipe,
        part_path=part_path,
        materials=parts["material"],
        blueprints=blueprints,
        stations=parts["station"],
        cameras=parts["camera"],
        viewpoints=recipe.viewpoint,
        backdrops=parts["backdrop"],
        content=content,
        sha256=sha256_json({"recipe": content, "part": part_sha256(part_path)}),
    )


def _part_file(recipe: Recipe) -> Path:
    """The part's file; of a folder made by `reconstruct`, its report. RecipeError for a capture."""
    place = recipe.place(recipe.part.path, "part")
    if is_capture(place):
        raise RecipeError(
            f"part '{recipe.part.path}' is a capture that was not reconstructed yet",
            "a part file, or a folder made by flawsmith reconstruct",
            "use flawsmith run, which reconstructs it first",
        )
    return place / REPORT if place.is_dir() else recipe.file(recipe.part.path, "part")


def refuse_unknown_kinds(entries: tuple[WeightedBlueprint, ...], kinds: Callable[[str], object]) -> None:
    for entry in entries:
        try:
            kinds(entry.blueprint.kind)
        except KeyError as error:
            raise RecipeError(
                f"blueprint '{entry.blueprint.name}' has the kind '{entry.blueprint.kind}'",
                "a kind of defect that is known",
                "see docs/blueprints.md",
            ) from error


def library_names(folder: str) -> tuple[str, ...]:
    """Names in one folder of the shipped library, sorted."""
    return tuple(sorted(p.stem for p in library.folder(folder).glob("*.yaml")))


def _entries(recipe: Recipe, model: type[M], folder: str, entries: tuple[str | dict[str, Any], ...]) -> tuple[M, ...]:
    values = tuple(
        _named(recipe, model, folder, e) if isinstance(e, str) else _inline(model, folder, e, i)
        for i, e in enumerate(entries, 1)
    )
    names = [v.name for v in values]  # type: ignore[attr-defined]
    twice = [n for n in names if names.count(n) > 1]
    if twice:
        raise RecipeError(
            f"two entries of {folder[:-1]} have the name '{twice[0]}'", "a name for each", "rename or remove one"
        )
    return values


def _inline(model: type[M], folder: str, written: dict[str, Any], number: int) -> M:
    """What is written out in a recipe needs no name and no version."""
    filled = {"name": f"inline_{number}", "version": 1, "text": ""} | written
    known = {k: v for k, v in filled.items() if k in model.model_fields or k in written}
    return parse(model, known, f"recipe ({folder[:-1]})")


def _named(recipe: Recipe, model: type[M], folder: str, name: str) -> M:
    """A path has a suffix or a slash; anything else names a file of the library."""
    if name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        return load(model, recipe.file(name, folder[:-1]))
    names = library_names(folder)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        do = f"did you mean '{near[0]}'" if near else "give a file"
        raise RecipeError(
            f"{folder[:-1]} '{name}' is not in the library", f"one of {', '.join(names) or 'none'}, or a .yaml file", do
        )
    return load(model, library.folder(folder) / f"{name}.yaml")
