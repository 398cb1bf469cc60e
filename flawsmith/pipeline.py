"""The main job on one page: a recipe in, an exactly labelled dataset out.

part -> specimen (defects on it) -> scene (station, camera, pose) -> job -> frame -> dataset. Everything that is drawn
hangs on the image's or specimen's own seed, so neither order, count, interruption nor worker changes a pixel.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

import parts
from core.camera import as_matrix
from core.defect import DefectedPart
from core.errors import PlacementError, RenderError
from core.frame import Frame
from core.job import RenderJob
from core.material import Material
from core.mesh import Mesh
from core.part import Part
from core.record import DatasetHeader, DatasetSummary, ImageFacts, PartRecord, Rejected
from core.seeds import child, child_seed
from defects.procedural.apply import defect_part
from defects.procedural.kinds import KINDS
from flawsmith import finish as finishing
from flawsmith.dataset import DatasetWriter
from flawsmith.recipe import Recipe
from flawsmith.resolve import Resolved, resolve
from flawsmith.sight import Sight
from flawsmith.versions import versions
from parts.lay import with_lay
from render.client import Renderer
from render.frames import read_frame, read_ids
from render.jobs import build_job
from scenes.compose import Scene, compose
from scenes.viewpoints import LookAtDefect

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""Called with images done and images in all."""
PLACEMENTS = 24
"""Placements tried per try; they cost no render."""


@dataclass(frozen=True, eq=False)
class Stock:
    """What all images of a run share: the recipe's contents and the part, in every finish."""

    resolved: Resolved
    seed: int
    part: Part
    meshes: Mapping[str, Mesh]
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


@dataclass
class Reasons:
    """Why tries for one image were thrown away."""

    counts: Counter[str] = field(default_factory=Counter)

    def rejected(self) -> tuple[Rejected, ...]:
        return tuple(Rejected(reason=r, count=n) for r, n in sorted(self.counts.items()))


def run(
    recipe: Recipe,
    out: Path | str,
    *,
    images: int | None = None,
    seed: int | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
    blender: Path | None = None,
) -> DatasetSummary:
    """Make the dataset of `recipe` in `out`, or go on with it. images, seed: instead of the recipe's.

    device: cpu, auto, optix, cuda, hip or metal. blender: an executable to render with, instead of the bpy wheel.
    Any FlawsmithError leaves the images made so far whole, and the same call goes on from there.
    """
    started = time.monotonic()
    out = Path(out)
    stock = load_stock(recipe, seed)
    count = recipe.images if images is None else images
    writer = DatasetWriter(out, header(stock))
    todo = [i for i in range(count) if i not in writer.finished]
    with Renderer(device, blender) as renderer:
        for done, index in enumerate(todo, count - len(todo)):
            if progress:
                progress(done, count)
            frame, facts, defected = make_image(stock, index, count, renderer)
            writer.add(frame, facts, defected.defects)
    if progress:
        progress(count, count)
    summary = writer.finish(time.monotonic() - started)
    notes = finishing.finish(out, recipe.exports)
    return summary.model_copy(update={"notes": tuple(notes)})


def load_stock(recipe: Recipe, seed: int | None = None) -> Stock:
    """Read everything that the recipe names; lay the finish's tool marks on the part once per material."""
    resolved = resolve(recipe, KINDS.__getitem__)
    choice = recipe.part
    part = parts.load(
        resolved.part_path, unit=choice.unit, tolerance_mm=choice.tolerance_mm, smooth_angle_deg=choice.smooth_angle_deg
    )
    meshes = {m.name: with_lay(part.mesh, m.lay) for m in resolved.materials}
    sights = {name: Sight(mesh) for name, mesh in meshes.items()}
    allowed = part.select(*choice.regions) if choice.regions else None
    return Stock(resolved, recipe.seed if seed is None else seed, part, meshes, sights, allowed)


def header(stock: Stock) -> DatasetHeader:
    recipe = stock.resolved.recipe
    return DatasetHeader(
        name=recipe.name or stock.part.name,
        recipe_sha256=stock.resolved.sha256,
        seed=stock.seed,
        recipe=stock.resolved.content,
        part=_part_record(stock, stock.resolved.materials[0]),
        categories=tuple(sorted({b.blueprint.kind for b in stock.resolved.blueprints})),
        outputs=recipe.recorded_outputs,
        exports=recipe.exports,
        twin=recipe.twin,
        versions=versions(),
    )


def make_image(stock: Stock, index: int, count: int, renderer: Renderer) -> tuple[Frame, ImageFacts, DefectedPart]:
    """One image that shows what it must, tried again with other placements until it does. RenderError when none did."""
    reasons = Reasons()
    recipe = stock.resolved.recipe
    for attempt in range(recipe.tries):
        try:
            shot = draw_shot(stock, index, count, attempt)
        except PlacementError as error:
            reasons.counts["no placement"] += 1
            last = error
            continue
        frame = shoot(stock, shot, renderer, reasons)
        if frame is not None:
            return frame, facts_of(stock, shot, reasons), shot.defected
        last = None
    if isinstance(last, PlacementError):
        raise last
    told = ", ".join(f"{n} x {r}" for r, n in sorted(reasons.counts.items()))
    raise RenderError(
        f"image {index} showed no usable label in {recipe.tries} tries ({told})",
        f"a label of {recipe.min_label_px} px and visibility {recipe.min_visibility:g}",
        "look at the station, the viewpoint and the placement of the blueprints, or raise `tries`",
    )


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
    mesh, sight = stock.meshes[material.name], stock.sights[material.name]

    def scene_of(focus: DefectedPart | None) -> Scene:
        target = focus.defects[index % views % len(focus.defects)] if focus and focus.defects else None
        return compose(
            station, camera, viewpoint, backdrop, vertices=mesh.vertices, image_size=resolved.recipe.size_px,
            rng=child(root, "image", index, "scene", attempt, "compose"), index=index, count=count,
            focus=target.site if target else None, focus_radius_m=target.zone_m[3] if target else None,
        )  # fmt: skip

    def defects_on(allowed: np.ndarray | None, placement: int) -> DefectedPart:
        tried = (attempt, placement) if views == 1 else (0, 0)  # all views show one and the same specimen
        seed = child_seed(root, "specimen", specimen, *tried)
        return defect_part(stock.part, blueprints, material=material, seed=seed, mesh=mesh, allowed=allowed)

    if isinstance(viewpoint, LookAtDefect):
        defected, scene = _looked_at(stock, blueprints, defects_on, scene_of, sight, root, index, attempt)
    else:
        scene = scene_of(None)
        defected = _placed_in_view(stock, blueprints, defects_on, scene, sight, views)
    names = {"station": station.name, "backdrop": backdrop.name, "lens": camera.name, "viewpoint": viewpoint.kind}
    seed = child_seed(root, "image", index)
    must_show = bool(defected.defects) and (views == 1 or isinstance(viewpoint, LookAtDefect))
    return Shot(index, seed, specimen, material, defected, scene, names, station.version, must_show)


def _placed_in_view(stock: Stock, blueprints, defects_on, scene: Scene, sight: Sight, views: int) -> DefectedPart:
    """Defects on faces that this view shows; with several views of one part, wherever the blueprints allow."""
    if not blueprints or views > 1:
        return defects_on(stock.allowed, 0)
    seen = sight.visible_faces(scene.camera, scene.world_from_part)
    allowed = seen if stock.allowed is None else seen & stock.allowed
    last: PlacementError | None = None
    for placement in range(PLACEMENTS):
        try:
            made = defects_on(allowed, placement)
        except PlacementError as error:
            last = error
            break
        if all(_in_view(sight, scene, d.site) for d in made.defects):
            return made
    raise last or PlacementError(
        f"{PLACEMENTS} placements were all hidden from the camera", "a site in view", "use viewpoint look_at_defect"
    )


def _looked_at(stock: Stock, blueprints, defects_on, scene_of, sight: Sight, root: int, index: int, attempt: int):
    """Defects anywhere, then a camera that looks at one of them; a hidden one is placed anew."""
    if not blueprints:
        return _looked_at_nothing(stock, defects_on, scene_of, root, index, attempt)
    for placement in range(PLACEMENTS):
        made = defects_on(stock.allowed, placement)
        scene = scene_of(made)
        if any(_in_view(sight, scene, d.site) for d in made.defects):
            return made, scene
    raise PlacementError(
        f"{PLACEMENTS} placements were all hidden from the camera", "a site that a camera can see", "widen the regions"
    )


def _looked_at_nothing(stock: Stock, defects_on, scene_of, root: int, index: int, attempt: int):
    """A good image of a look_at_defect run: the camera looks where a defect would have been."""
    rng = child(root, "image", index, "good", attempt)
    blueprint = stock.resolved.blueprints[int(rng.integers(len(stock.resolved.blueprints)))].blueprint
    material = stock.resolved.materials[0]
    ghost = defect_part(
        stock.part, (blueprint,), material=material, seed=int(rng.integers(2**62)), mesh=stock.meshes[material.name],
        allowed=stock.allowed,
    )  # fmt: skip
    return defects_on(None, 0), scene_of(ghost)


def _in_view(sight: Sight, scene: Scene, site) -> bool:
    return sight.sees(scene.camera, scene.world_from_part, np.array(site.point_m), np.array(site.normal))


def shoot(stock: Stock, shot: Shot, renderer: Renderer, reasons: Reasons) -> Frame | None:
    """Render one shot; None, with the reason counted, when its labels are not what an image must show."""
    recipe = stock.resolved.recipe
    folder = renderer.folder / f"{shot.index:06d}"
    job = job_of(stock, shot, folder)
    marks = shot.defected.defects

    def shows_labels(files: Mapping[str, Path]) -> bool:
        ids = read_ids(job, files)
        return any((ids == d.id).sum() >= recipe.min_label_px for d in marks)

    rendered = renderer.render(job, folder, shows_labels if shot.must_show else None)
    if rendered.skipped:
        reasons.counts["label not visible"] += 1
        return None
    noise = child(stock.seed, "image", shot.index, "camera noise")
    frame = read_frame(job, rendered, shot.scene.sensor, noise)
    shutil.rmtree(folder)
    shown = [d.id for d in marks if (frame.ids == d.id).any()]
    faint = [i for i in shown if frame.visibility.get(i, np.inf) < recipe.min_visibility]
    if faint:
        reasons.counts["label too faint"] += 1
        return None
    return frame


def job_of(stock: Stock, shot: Shot, folder: Path) -> RenderJob:
    recipe, scene = stock.resolved.recipe, shot.scene
    return build_job(
        folder, shot.defected, shot.material, name=f"{shot.index:06d}", seed=shot.seed,
        lay_seed=shot.specimen, camera=scene.camera,
        lights=scene.lights, backdrop=scene.backdrop, world_from_part=scene.world_from_part,
        world_radiance=scene.world_radiance, samples=recipe.samples, denoise=recipe.denoise, twin=recipe.twin,
        coverage_grid=4 if "coverage" in recipe.recorded_outputs else 1, amodal="amodal" in recipe.recorded_outputs,
    )  # fmt: skip


def facts_of(stock: Stock, shot: Shot, reasons: Reasons) -> ImageFacts:
    recipe = stock.resolved.recipe
    return ImageFacts(
        index=shot.index,
        image_seed=shot.seed,
        specimen=shot.specimen,
        view=shot.index % recipe.views_per_part,
        part=_part_record(stock, shot.material),
        station=shot.names["station"],
        station_version=shot.station_version,
        viewpoint=shot.names["viewpoint"],
        backdrop=shot.names["backdrop"],
        lens=shot.names["lens"],
        sensor=shot.scene.sensor,
        world_from_part=as_matrix(shot.scene.world_from_part),
        sampled=shot.scene.sampled,
        samples=recipe.samples,
        denoise=recipe.denoise,
        rejected=reasons.rejected(),
    )


def _part_record(stock: Stock, material: Material) -> PartRecord:
    size = tuple(round(float(s) * 1e3, 6) for s in stock.part.size_m)
    return PartRecord(
        name=stock.part.name, sha256=stock.part.sha256, size_mm=(size[0], size[1], size[2]), material=material.name,
        material_version=material.version,
    )  # fmt: skip


def _one(choices: tuple[T, ...], rng: np.random.Generator) -> T:
    return choices[int(rng.integers(len(choices)))]
