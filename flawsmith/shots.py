"""What one image shows, drawn before anything is rendered: specimen, scene, and a defect that the camera can see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from core.blueprint import Blueprint
from core.defect import DefectedPart, Site
from core.errors import InputError, PlacementError, RecipeError
from core.material import Material
from core.mesh import CAPTURED, Mesh
from core.part import Part
from core.seeds import child, child_seed
from defects.procedural.apply import defect_part
from defects.procedural.catalogue import check
from defects.procedural.placement_ground import Ground
from defects.procedural.workpiece import Workpiece
from flawsmith.captured import load_part, offered
from flawsmith.recipe import Recipe
from flawsmith.resolve import Resolved, resolve
from flawsmith.sight import Sight
from parts.lay import with_lay
from scenes.compose import Scene, compose
from scenes.viewpoints import LookAtDefect

T = TypeVar("T")
PLACEMENTS = 24
"""Placements tried per try of an image; they cost no render."""


@dataclass(frozen=True, eq=False)
class Stock:
    """What all images of a run share: the recipe's contents and the part, in every finish."""

    resolved: Resolved
    seed: int
    part: Part
    meshes: Mapping[str, Mesh]
    works: Mapping[str, Workpiece]
    sights: Mapping[str, Sight]
    allowed: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Shot:
    """One image before it is rendered. must_show: a label; a turning part may turn its defects away."""

    index: int
    seed: int
    specimen: int
    material: Material
    defected: DefectedPart
    scene: Scene
    names: Mapping[str, str]
    station_version: int
    must_show: bool


def load_stock(recipe: Recipe, seed: int | None = None) -> Stock:
    """Read everything that the recipe names; lay the finish's tool marks on the part once per material."""
    resolved = resolve(recipe)
    _refuse_impossible(resolved)
    choice = recipe.part
    part = load_part(resolved.part_path, choice)
    _refuse_uncaptured(part, resolved)
    meshes = {m.name: with_lay(part.mesh, m.lay) for m in resolved.materials}
    ground = Ground(part.mesh)
    works = {name: Workpiece.of(part, mesh, ground) for name, mesh in meshes.items()}
    sights = {name: Sight(mesh) for name, mesh in meshes.items()}
    regions = offered(part, choice.regions)
    allowed = part.select(*regions) if regions else None
    if allowed is not None and not allowed.any():
        filled = [name for name, region in part.regions.items() if region.mask.any()]
        raise InputError(
            f"the regions {list(regions)} hold no face of part '{part.name}'",
            f"regions with surface, such as {', '.join(filled[:12])}",
            "correct `regions` under `part`; flawsmith import lists what the part has",
        )
    return Stock(resolved, recipe.seed if seed is None else seed, part, meshes, works, sights, allowed)


def _refuse_uncaptured(part: Part, resolved: Resolved) -> None:
    """RecipeError for the part's own finish on a part that has none, or of whose images one cannot be read."""
    for material in resolved.materials:
        if not material.captured:
            continue
        if CAPTURED[0] not in part.mesh.corner:
            raise RecipeError(
                f"material '{material.name}' on {part.source}, which has no materials of its own",
                "a part reconstructed from photographs, or a glTF or OBJ file with materials",
                "choose another finish of `flawsmith list materials`",
            )
        if faults := part.report.get("map_faults"):
            raise RecipeError(
                f"material '{material.name}' on {part.source}: {faults[0]}", "every image of the part's materials",
                "put it right, or choose another finish of `flawsmith list materials`",
            )  # fmt: skip


def _refuse_impossible(resolved: Resolved) -> None:
    """InputError for a blueprint that cannot exist on one of the finishes, before anything is made."""
    for entry in resolved.blueprints:
        kind = check(entry.blueprint, f"blueprint '{entry.blueprint.name}'")
        values = kind.parameters(entry.blueprint.sample(child(0, "possible")), entry.blueprint.name)
        for material in resolved.materials:
            kind.check(values, material)


def refuse_unplaceable(stock: Stock) -> None:
    """PlacementError for a blueprint that an image may draw and that finds no place on the part, alone on it, in as
    many tries as an image has: said before the first image rather than in the middle of a run."""
    recipe, material = stock.resolved.recipe, stock.resolved.materials[0]
    for entry in stock.resolved.blueprints:
        most = recipe.defects_per_image if entry.count is None else entry.count
        if recipe.good_fraction == 1 or entry.weight == 0 or most.bounds()[1] < 1:
            continue
        for attempt in range(recipe.tries):
            try:
                defect_part(
                    stock.part, (entry.blueprint,), material=material, seed=child_seed(0, "possible", attempt),
                    allowed=stock.allowed, prepared=stock.works[material.name],
                )  # fmt: skip
                break
            except PlacementError:
                if attempt == recipe.tries - 1:
                    raise


def draw_shot(stock: Stock, index: int, count: int, attempt: int) -> Shot:
    """Everything drawn for one image. Views of one specimen share its draw, its finish and its defects."""
    resolved, root = stock.resolved, stock.seed
    views = resolved.recipe.views_per_part
    specimen = index // views
    about = child(root, "specimen", specimen)
    material = _one(resolved.materials, about)
    blueprints = resolved.draw_blueprints(about)
    rng = child(root, "image", index, "scene", attempt)
    station, backdrop = _one(resolved.stations, rng), _one(resolved.backdrops, rng)
    camera, viewpoint = _one(resolved.cameras, rng), _one(resolved.viewpoints, rng)
    mesh = stock.meshes[material.name]

    def scene_of(focus: DefectedPart | None) -> Scene:
        target = focus.defects[index % views % len(focus.defects)] if focus and focus.defects else None
        return compose(
            station, camera, viewpoint, backdrop, vertices=mesh.vertices, image_size=resolved.recipe.size_px,
            rng=child(root, "image", index, "scene", attempt, "compose"), index=index, count=count,
            focus=target.site if target else None, focus_radius_m=target.zone_m[3] if target else None,
        )  # fmt: skip

    placing = _Placing(stock, material, blueprints, child_seed(root, "specimen", specimen), attempt)
    close = isinstance(viewpoint, LookAtDefect)
    if not blueprints and close:
        defected, scene = placing.made(None, 0), placing.haunted().looked_at(scene_of)[1]
    elif not blueprints:
        defected, scene = placing.made(None, 0), scene_of(None)
    elif views > 1:
        defected = placing.specimen()
        scene = scene_of(defected if close else None)
    elif close:
        defected, scene = placing.looked_at(scene_of)
    else:
        scene = scene_of(None)
        defected = placing.in_view(scene)
    names = {"station": station.name, "backdrop": backdrop.name, "lens": camera.name, "viewpoint": viewpoint.kind}
    must_show = bool(defected.defects) and (views == 1 or close)
    seed = child_seed(root, "image", index)
    return Shot(index, seed, specimen, material, defected, scene, names, station.version, must_show)


@dataclass(frozen=True, eq=False)
class _Placing:
    """Defects put on the part until a camera can see them. seed: of the specimen."""

    stock: Stock
    material: Material
    blueprints: tuple[Blueprint, ...]
    seed: int
    attempt: int

    @property
    def sight(self) -> Sight:
        return self.stock.sights[self.material.name]

    def made(
        self, allowed: np.ndarray | None, *names: int, visible: Callable[[Site], bool] | None = None
    ) -> DefectedPart:
        work = self.stock.works[self.material.name]
        seed = child_seed(self.seed, "placement", *names)
        return defect_part(
            self.stock.part, self.blueprints, material=self.material, seed=seed, allowed=allowed, visible=visible,
            prepared=work,
        )  # fmt: skip

    def haunted(self) -> _Placing:
        """For a good image of a look_at_defect run: the camera looks where a defect would have been seen."""
        rng = child(self.seed, "ghost", self.attempt)
        entry = self.stock.resolved.blueprints[int(rng.integers(len(self.stock.resolved.blueprints)))]
        return _Placing(self.stock, self.material, (entry.blueprint,), self.seed, self.attempt)

    def specimen(self) -> DefectedPart:
        """The same for all views and attempts: the first placement whose every site looks out of the part."""
        for placement in range(PLACEMENTS):
            made = self.made(self.stock.allowed, placement, visible=self._open)
            if all(self._open(d.site) for d in made.defects):
                return made
        raise PlacementError(f"{PLACEMENTS} placements were all inside the part", "an open site", "widen the regions")

    def looked_at(self, scene_of) -> tuple[DefectedPart, Scene]:
        """Defects anywhere, then a camera that looks at one of them; a hidden one is placed anew."""
        for placement in range(PLACEMENTS):
            made = self.made(self.stock.allowed, self.attempt, placement, visible=self._open)
            scene = scene_of(made)
            if any(self._shows(scene, d.site) for d in made.defects):
                return made, scene
        raise PlacementError(
            f"{PLACEMENTS} placements were all hidden from the camera", "a site a camera can see", "widen the regions"
        )

    def in_view(self, scene: Scene) -> DefectedPart:
        """Defects on faces that this scene shows."""
        seen = self.sight.visible_faces(scene.camera, scene.world_from_part)
        allowed = seen if self.stock.allowed is None else seen & self.stock.allowed
        for placement in range(PLACEMENTS):
            made = self.made(allowed, self.attempt, placement, visible=lambda site: self._shows(scene, site))
            if all(self._shows(scene, d.site) for d in made.defects):
                return made
        raise PlacementError(
            f"{PLACEMENTS} placements were all hidden from the camera", "a site in view", "use viewpoint look_at_defect"
        )

    def _open(self, site: Site) -> bool:
        return self.sight.open(np.array(site.point_m), np.array(site.normal))

    def _shows(self, scene: Scene, site: Site) -> bool:
        return self.sight.sees(scene.camera, scene.world_from_part, np.array(site.point_m), np.array(site.normal))


def _one(choices: tuple[T, ...], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
