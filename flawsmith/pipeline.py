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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.camera import as_matrix
from core.defect import DefectedPart
from core.errors import NothingVisible, PlacementError, RenderError
from core.frame import Frame
from core.heap import steady_heap
from core.job import RenderJob
from core.material import Material
from core.record import DatasetHeader, DatasetSummary, ImageFacts, PartRecord, Rejected
from core.seeds import child
from flawsmith import finish as finishing
from flawsmith.dataset import DatasetWriter
from flawsmith.recipe import Recipe
from flawsmith.reconstruction import Progress as Fitting
from flawsmith.reconstruction import RefusedCapture, with_reconstruction
from flawsmith.refine import Refiner, refined_stock, refiner_of
from flawsmith.shots import Shot, Stock, draw_shot, load_stock, refuse_unplaceable
from flawsmith.versions import versions
from render.client import Renderer, blender_version
from render.frames import read_frame, read_ids
from render.jobs import build_job

Progress = Callable[[int, int], None]
"""Called with images done and images in all."""


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
    fitting: Fitting | None = None,
) -> DatasetSummary:
    """Make the dataset of `recipe` in `out`, or go on with it. images, seed: instead of the recipe's.

    device: cpu, auto, optix, cuda, hip or metal; a capture is reconstructed on the GPU, too, where torch has it.
    blender: an executable to render with, instead of the bpy wheel.
    fitting: called as a capture is reconstructed, with stage, step, steps and losses.
    Any FlawsmithError leaves the images made so far whole, and the same call goes on from there.
    """
    started = time.monotonic()
    out = Path(out)
    steady_heap()
    said: list[str] = []
    painted = partial(_painted, recipe, out, images=images, seed=seed, device=device, progress=progress)
    try:
        if recipe.route == "photo":
            return painted()
        refiner = refiner_of(recipe, device)
        made = with_reconstruction(recipe, out, fitting, said.append, device)
        stock = refined_stock(load_stock(made, seed), refiner)
    except RefusedCapture as error:
        if recipe.route == "render":
            raise
        unrefined = "; refine was left out, as nothing is rendered" if recipe.refine != "none" else ""
        why = f"painted into the photographs, as the capture was refused: {error.given}{unrefined}"
        return painted(said=(why,))
    count = recipe.images if images is None else images
    writer = DatasetWriter(out, header(stock, blender, tuple(said)))
    todo = [i for i in range(count) if i not in writer.finished]
    try:
        if not writer.finished:
            refuse_unplaceable(stock)
        with Renderer(device, blender) as renderer:
            for done, index in enumerate(todo, count - len(todo)):
                if progress:
                    progress(done, count)
                frame, facts, defected = make_image(stock, index, count, renderer, refiner)
                writer.add(frame, facts, defected.defects)
    except BaseException:
        writer.leave()
        raise
    if progress:
        progress(count, count)
    summary = writer.finish(time.monotonic() - started)
    notes = finishing.finish(out, recipe.exports)
    return summary.model_copy(update={"notes": (*said, *notes)})


def _painted(recipe: Recipe, out: Path, **chosen: Any) -> DatasetSummary:
    from flawsmith.paint_run import paint_dataset

    return paint_dataset(recipe, out, **chosen)


def header(stock: Stock, blender: Path | None = None, notes: tuple[str, ...] = ()) -> DatasetHeader:
    recipe = stock.resolved.recipe
    software = versions()
    if blender is not None:
        software = software.model_copy(update={"blender": blender_version(blender)})
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
        versions=software,
        notes=notes,
    )


def make_image(
    stock: Stock, index: int, count: int, renderer: Renderer, refiner: Refiner | None = None
) -> tuple[Frame, ImageFacts, DefectedPart]:
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
        last = None
        if frame is None:
            continue
        if refiner is None:
            return frame, facts_of(stock, shot, reasons), shot.defected
        try:
            frame, told = refiner(frame, shot.defected.defects, shot.seed)
        except NothingVisible:
            reasons.counts["nothing visible painted"] += 1
            continue
        facts = facts_of(stock, shot, reasons)
        return frame, facts.model_copy(update={"source": "refined", "paint": told} if told else {}), shot.defected
    if isinstance(last, PlacementError):
        raise last
    told = ", ".join(f"{n} x {r}" for r, n in sorted(reasons.counts.items()))
    raise RenderError(
        f"image {index} showed no usable label in {recipe.tries} tries ({told})",
        f"a label of {recipe.min_label_px} px and visibility {recipe.min_visibility:g}",
        "look at the station, the viewpoint and the placement of the blueprints, or raise `tries`",
    )


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
        maps_folder=folder.parent / "maps",
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
