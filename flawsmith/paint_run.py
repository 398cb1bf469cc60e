"""The photo route on one page: a recipe in, the captured photographs with painted defects out, as the same Dataset.

capture or photographs -> ground (depth, normals, scale) -> marks (masks in mm) -> painter -> Frame -> dataset.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.blueprint import Blueprint
from core.camera import Sensor, as_matrix
from core.colour import linear_from_srgb
from core.defect import Defect
from core.errors import NothingVisible, PlacementError, RecipeError
from core.files import sha256_bytes, sha256_json
from core.frame import Frame
from core.record import DatasetHeader, DatasetSummary, ImageFacts, Output, PartRecord, Rejected
from core.seeds import child, child_seed
from defects.generative.augment import Example
from defects.generative.crop import bounds
from defects.generative.examples import read_examples
from defects.generative.paint import Painted, paint_photo
from defects.generative.painter import GOOD, Painter
from defects.generative.photo import photos_in, read_photo
from defects.procedural.kinds import KINDS
from flawsmith import finish as finishing
from flawsmith.dataset import DatasetWriter
from flawsmith.paint_choice import damage_for, painter_of, torch_device
from flawsmith.paint_ground import PhotoGround, averaged_down, captured_ground, flat_ground, hull_of
from flawsmith.paint_masks import draw_mark, example_mark, refuse_solid
from flawsmith.recipe import Recipe
from flawsmith.resolve import WITHOUT, WeightedBlueprint, draw_blueprints, refuse_unknown_kinds, weighted_blueprints
from flawsmith.versions import versions
from parts.units import metres_of
from recon import capture as captures

OUTPUTS: tuple[Output, ...] = ("clean", "parts", "coverage", "amodal", "depth", "normals")
RENDERED = {"material", "station", "camera", "viewpoint", "backdrop", "views_per_part", "samples", "denoise", "twin",
            "size_px", "min_visibility"}  # fmt: skip
"""Keys of a recipe that say nothing to photographs."""


@dataclass(frozen=True, eq=False)
class PhotoStock:
    """What all images of a run share. grounds: called with a photograph's number."""

    recipe: Recipe
    seed: int
    blueprints: tuple[WeightedBlueprint, ...]
    part: PartRecord
    names: tuple[str, ...]
    ground: Callable[[int], PhotoGround]
    painter: Painter
    damage: dict[str, str]
    examples: tuple[Example, ...]
    content: dict[str, Any]


def paint_dataset(
    recipe: Recipe,
    out: Path,
    *,
    images: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    painter: Painter | None = None,
    said: tuple[str, ...] = (),
) -> DatasetSummary:
    """Make the dataset of a recipe whose part is painted in its photographs, or go on with it.

    painter: instead of the recipe's backend. said: why it is painted, where the recipe asks for something else first.
    RecipeError, InputError: nothing was written yet.
    """
    started = time.monotonic()
    stock = load_photo_stock(recipe, seed, painter or painter_of(recipe.paint, recipe.folder, torch_device(device)))
    count = recipe.images if images is None else images
    writer = DatasetWriter(out, _header(stock).model_copy(update={"notes": said}))
    todo = [i for i in range(count) if i not in writer.finished]
    try:
        for done, index in enumerate(todo, count - len(todo)):
            if progress:
                progress(done, count)
            writer.add(*painted_image(stock, index))
    except BaseException:
        writer.leave()
        raise
    if progress:
        progress(count, count)
    summary = writer.finish(time.monotonic() - started)
    notes = finishing.finish(out, recipe.exports)
    return summary.model_copy(update={"notes": (*said, *notes)})


def load_photo_stock(recipe: Recipe, seed: int | None, painter: Painter) -> PhotoStock:
    """Read everything that the recipe names, and check that every blueprint can be painted."""
    blueprints = weighted_blueprints(recipe)
    refuse_unknown_kinds(blueprints, KINDS.__getitem__)
    for entry in blueprints:
        if recipe.paint.masks is None:
            refuse_solid(entry.blueprint)
    damage = {b.blueprint.name: damage_for(b.blueprint.name, b.blueprint.kind, recipe.paint, painter)
              for b in blueprints}  # fmt: skip
    names, ground, part = _photographs(recipe)
    shapes: tuple[Example, ...] = ()
    if recipe.paint.masks is not None:
        found = read_examples(recipe.place(recipe.paint.masks, "masks"), least=1)
        shapes = tuple(e for e in found if e.damage != GOOD)
    content = recipe.model_dump(mode="json", exclude=(WITHOUT - {"paint", "route"}) | RENDERED, exclude_none=True)
    content["part"]["path"] = Path(recipe.part.path).name
    content |= {"route": "photo", "outputs": list(_outputs(recipe))}
    for written, entry in zip(content["blueprints"], blueprints, strict=True):
        written["name"] = entry.blueprint.model_dump(mode="json", exclude_none=True)
    content["paint"] |= {"painter": painter.name, "facts": dict(painter.facts)}
    root = recipe.seed if seed is None else seed
    return PhotoStock(recipe, root, blueprints, part, names, ground, painter, damage, shapes, content)


def painted_image(stock: PhotoStock, index: int) -> tuple[Frame, ImageFacts, Sequence[Defect]]:
    """One photograph with its painted defects. NothingVisible when nothing that was tried would show."""
    recipe, reasons = stock.recipe, Counter[str]()
    about = child(stock.seed, "specimen", index)
    blueprints = draw_blueprints(recipe, stock.blueprints, about)
    last: Exception | None = None
    for attempt in range(recipe.tries):
        rng = child(stock.seed, "image", index, "scene", attempt)
        view = index % len(stock.names) if attempt == 0 else int(rng.integers(len(stock.names)))
        ground = stock.ground(view)
        try:
            found = _painted(stock, ground, blueprints, index, attempt)
        except (PlacementError, NothingVisible) as error:
            reasons["no placement" if isinstance(error, PlacementError) else "nothing visible"] += 1
            last = error
            continue
        return (*found[:1], _facts(stock, ground, index, view, reasons, found[2]), found[1])
    assert last is not None
    raise last


def _painted(
    stock: PhotoStock, ground: PhotoGround, blueprints: Sequence[Blueprint], index: int, attempt: int
) -> tuple[Frame, list[Defect], dict[str, Any]]:
    """Every blueprint painted in turn, each on what the ones before it left."""
    shape, photo, recipe = ground.photo.size, ground.photo, stock.recipe
    taken, ids = np.zeros(shape, bool), np.zeros(shape, np.uint8)
    marks: list[Defect] = []
    told: dict[str, Any] = {}
    strength: dict[int, float] = {}
    asked: dict[int, np.ndarray] = {}
    for number, blueprint in enumerate(blueprints, 1):
        rng = child(stock.seed, "image", index, "mark", number, attempt)
        known = [e for e in stock.examples if e.damage == stock.damage[blueprint.name]] or stock.examples
        mark = (
            example_mark(ground, blueprint, known, rng, taken, recipe.min_label_px)
            if known
            else draw_mark(ground, blueprint, rng, taken, recipe.min_label_px)
        )
        rows, columns = np.nonzero(mark.mask)
        mm = 1e3 * ground.metres_per_px(int(np.median(rows)), int(columns[len(columns) // 2]))
        seed = child_seed(stock.seed, "image", index, "paint", number, attempt)
        painted: Painted = paint_photo(
            photo, mark.mask, stock.damage[blueprint.name], stock.painter, seed, part=ground.part,
            mm_per_px=mm if ground.metric else float("nan"), tries=recipe.paint.tries, look=mark.look,
        )  # fmt: skip
        if painted.label.sum() < recipe.min_label_px:
            raise NothingVisible("a painted label", f"{recipe.min_label_px} px", "use larger defects")
        photo = replace(photo, pixels=painted.image)
        taken |= mark.mask
        ids[painted.label] = number
        asked[number] = painted.requested
        strength[number] = float(painted.facts["strength"])
        marks.append(replace(mark.defect, id=number))
        told[str(number)] = {**painted.facts, "mask": mark.origin}
    changed = (photo.pixels != ground.photo.pixels).any(axis=2)
    assert not (changed & ~taken).any(), "pixels outside the masks changed"
    frame = Frame(
        camera=ground.camera,
        rgb=linear_from_srgb(photo.pixels / np.float32(255)),
        clean=linear_from_srgb(ground.photo.pixels / np.float32(255)),
        depth_m=ground.depth_m,
        normal=ground.normal,
        part=ground.part,
        ids=ids,
        coverage={k: (ids == k).astype(np.float32) for k in asked},
        amodal=asked,
        visibility=strength,
        twin_windows=tuple(_window(m) for m in asked.values()),
        exposure=1.0,
        measured={"pixels_changed_outside": 0},
    )
    return frame, marks, told


def _window(mask: np.ndarray) -> tuple[int, int, int, int]:
    y0, y1, x0, x1 = bounds(mask)
    return x0, y0, x1, y1


def _facts(
    stock: PhotoStock, ground: PhotoGround, index: int, view: int, reasons: Counter[str], told: dict[str, Any]
) -> ImageFacts:
    return ImageFacts(
        index=index,
        image_seed=child_seed(stock.seed, "image", index),
        specimen=index,
        part=stock.part,
        station="photograph",
        viewpoint="photograph",
        backdrop="photograph",
        lens="photograph",
        sensor=Sensor(exposure="fixed", bits=8),
        world_from_part=as_matrix(np.eye(4)),
        sampled={"photograph": stock.names[view]},
        samples=0,
        denoise=False,
        rejected=tuple(Rejected(reason=r, count=n) for r, n in sorted(reasons.items())),
        source="photo",
        paint=told,
    )


def _photographs(recipe: Recipe) -> tuple[tuple[str, ...], Callable[[int], PhotoGround], PartRecord]:
    """Names, grounds and the part: plain photographs where `mm_per_px` is given, else a capture."""
    path, choice = recipe.place(recipe.part.path, "part"), recipe.paint
    kept: dict[int, PhotoGround] = {}
    if choice.mm_per_px is not None:
        files, mm = photos_in(path), choice.mm_per_px
        sha = sha256_bytes("".join(read_photo(f).sha256 for f in files).encode())

        def make(number: int) -> PhotoGround:
            return flat_ground(*averaged_down(read_photo(files[number]), mm, choice.max_px))

        names, size = tuple(f.stem for f in files), (0.0, 0.0, 0.0)
    else:
        capture = captures.load(path, max_side=choice.max_px, light=recipe.part.light)
        unit = recipe.part.unit
        if not capture.metric and unit is None:
            raise RecipeError(
                f"the capture {recipe.part.path} has no scale ({capture.scale_from})", "lengths in metres",
                "photograph a marker board with the part, or give part.unit",
            )  # fmt: skip
        metres = 1.0 if capture.metric else metres_of(unit)[0]  # type: ignore[arg-type]
        hull, sha = hull_of(capture), capture.sha256

        def make(number: int) -> PhotoGround:
            return captured_ground(capture.views[number], hull, metres)

        names = tuple(v.name for v in capture.views)
        extent = np.ptp(hull.vertices, axis=0) * metres * 1e3
        size = (round(float(extent[0]), 3), round(float(extent[1]), 3), round(float(extent[2]), 3))

    def ground(number: int) -> PhotoGround:
        if number not in kept:
            kept.clear()  # one at a time: a photograph with depth and normals is large
            kept[number] = make(number)
        return kept[number]

    return names, ground, PartRecord(name=path.stem, sha256=sha, size_mm=size, material="photograph")


def _header(stock: PhotoStock) -> DatasetHeader:
    recipe = stock.recipe
    return DatasetHeader(
        name=recipe.name or stock.part.name,
        recipe_sha256=sha256_json({"recipe": stock.content, "part": stock.part.sha256}),
        seed=stock.seed,
        recipe=stock.content,
        part=stock.part,
        categories=tuple(sorted({b.blueprint.kind for b in stock.blueprints})),
        outputs=_outputs(recipe),
        exports=recipe.exports,
        twin="windowed",
        versions=versions(),
    )


def _outputs(recipe: Recipe) -> tuple[Output, ...]:
    return tuple(o for o in OUTPUTS if o in recipe.outputs)
