"""The fit, from top to bottom."""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import KDTree

from core.errors import GeometryError
from core.seeds import child
from recon.capture.model import Capture
from recon.fit.checkpoint import key_of, load, save
from recon.fit.optimise import LIFT, Fit, Progress, run_stage
from recon.fit.picture import picture
from recon.fit.poses import refined, with_poses
from recon.fit.preview import write_preview
from recon.fit.problem import Target, UnitFrame, targets
from recon.fit.seen import colours_seen, marked_share, mean_colour
from recon.fit.settings import Settings
from recon.fit.summary import measures, sees, settled, summary
from recon.fit.table import put_on_table
from recon.fit.unknowns import Unknowns
from recon.hull import standing_hull
from recon.isosurface import remesh
from recon.light import FINE, upright
from recon.plain import MARKED, MOST_LOST_DB, colour_of, evened, one_coloured
from recon.probe import on_grid
from recon.raster.protocol import Rasterizer
from recon.raster.warp_backend import WarpRasterizer
from recon.result import Reconstruction
from recon.standing import stands_flat
from recon.stereo import dug
from recon.workers import each

EXPLAINED_DB = 20.0
"""To which the first stage must meet the photographs for the start's pockets to be believed: stereo follows highlights.
Turned steel is met to 17.6 dB, gloss paint to 22, matt parts to 24 and more."""

Closed = tuple[np.ndarray, np.ndarray]


def reconstruct(
    capture: Capture,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
    start: Closed | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    hull: Closed | None = None,
    preview: Path | None = None,
    light: np.ndarray | None = None,
) -> Reconstruction:
    """Fit the training views of a capture. On the CPU the same seed gives the same mesh, unless `settings.minutes`
    stopped it early.

    start: vertices (n, 3) and faces (m, 3) in the capture's frame instead of what `beginning` finds. hull: from which
    the shape begins again where the first stage cannot explain the photographs; a start without one goes on.
    checkpoint: file that is written after every stage and read at the start, so that an interrupted fit of the same
    photographs, settings and seed goes on there; the caller deletes it when it has the result. preview: PNG that is
    written after every stage, photographs over the fit's pictures of them. light: (h, 2 h, 3) of the room, where
    `recon.probe` has read it; it is then not fitted, whatever `settings` says.
    GeometryError when more than 1 % of the steps had to be skipped because they were not finite.
    """
    rasterizer = rasterizer or WarpRasterizer()
    began = time.monotonic()
    deadline = None if settings.minutes is None else began + 60 * settings.minutes
    if start is None:
        start, hull = beginning(capture, settings)
    vertices, faces = start
    known = None
    if light is not None:
        settings = replace(settings, light_rate=0.0)
        known = torch.as_tensor(on_grid(light, upright(capture.room_up)), device=device)
    frame = UnitFrame.of(vertices)
    unit = frame.unit(vertices)
    flat = stands_flat(capture, vertices, faces)
    fit: Fit | None = None
    done, key = 0, key_of(capture, settings, seed, vertices, light)
    kept = None if checkpoint is None else load(checkpoint, key, device)
    if kept is not None:
        fit, done, poses = kept
        capture = with_poses(capture, poses)
        unit, faces = fit.vertices.cpu().numpy().astype(np.float64), fit.faces
    for number, stage in enumerate(settings.stages):
        if number < done:
            continue
        views = targets(capture, frame, stage.side_px, settings.turning_light, device)
        training = [t for t in views if not capture.views[t.number].held_out]
        unit, faces = remesh(unit, faces, stage.cell_for(surface_area(unit, faces)))
        fit = _begin(unit, faces, training, len(views), device, known) if fit is None else _carried(fit, unit, faces)
        rng = child(seed, "fit", number)
        run_stage(fit, training, stage, settings, rasterizer, rng, progress, deadline)
        if number + 1 < len(settings.stages) and not fit.tally.stopped_early:
            put_on_table(fit, capture, training, frame, stage.cell, rasterizer, flat=False)
            misled = number == settings.on_first_mesh and _misled(fit, capture, training, frame, settings, rasterizer)
            if misled and hull is not None and hull is not start:
                fit = replace(_carried(fit, frame.unit(hull[0]), hull[1]), began_again=True)
        if preview is not None:
            write_preview(preview, fit, views, settings, rasterizer)
        unit, faces = fit.vertices.cpu().numpy().astype(np.float64), fit.faces
        if fit.tally.stopped_early:
            break
        if settings.pose_rounds and number + 1 < len(settings.stages):
            capture = refined(
                capture, settled(fit, fit.topology(), training, settings), training, fit.topology(), frame, rasterizer,
                settings.pose_rounds,
            )  # fmt: skip
        if checkpoint is not None:
            save(checkpoint, fit, number + 1, key, capture)
    if fit is None:
        raise GeometryError("a preset without stages", "at least one", "choose another preset")
    fit.tally.refuse_skipped("check the capture's poses and masks, or lower the rates")
    views = targets(capture, frame, settings.stages[-1].side_px, settings.turning_light, device)
    training = [t for t in views if not capture.views[t.number].held_out]
    put_on_table(fit, capture, training, frame, settings.stages[-1].cell, rasterizer, flat)
    unit = fit.vertices.cpu().numpy().astype(np.float64)
    if settings.pose_rounds:
        apart = [t for t in views if capture.views[t.number].held_out]
        capture = refined(
            capture, settled(fit, fit.topology(), views, settings), apart, fit.topology(), frame, rasterizer,
            settings.pose_rounds, common=True,
        )  # fmt: skip
        views = targets(capture, frame, settings.stages[-1].side_px, settings.turning_light, device)
    marks = marked_share(capture, frame.part(unit), faces, settings.turning_light, device)
    plain = False
    if marks <= MARKED:
        apart = [t for t in views if not capture.views[t.number].held_out]
        plain = _one_colour(fit, apart, settings, rasterizer, seed, progress, deadline)
    facts = {
        "settings": asdict(settings),
        "seed": seed,
        "device": device,
        "machine": platform.machine(),
        "torch": torch.__version__,
        "rasterizer": rasterizer.name,
        "steps": fit.tally.steps,
        "steps_asked": sum(s.steps for s in settings.stages),
        "skipped_steps": fit.tally.skipped,
        "marked_share": marks,
        "one_colour": plain,
        "light_probe": light is not None,
        "began_again_from_hull": fit.began_again,
        "stopped_early": fit.tally.stopped_early,
        "seconds": time.monotonic() - began,
        "unit": "m" if capture.metric else "unknown",
    }
    return summary(fit, capture, views, frame, settings, rasterizer, facts)


def beginning(capture: Capture, settings: Settings) -> tuple[Closed, Closed]:
    """The visual hull above the table with the pockets that photographs show, and without; vertices (n, 3) in the
    capture's frame, faces (m, 3)."""
    hull = standing_hull(capture, settings.hull_resolution)
    return (dug(capture.training, *hull, settings.hull_resolution) if settings.stereo else hull), hull


def _misled(
    fit: Fit, capture: Capture, training: list[Target], frame: UnitFrame, settings: Settings, rasterizer: Rasterizer
) -> bool:
    """Whether stereo has followed highlights: the photographs are not explained, and no marks excuse a coarse mesh."""
    if _met(fit, training, settings, rasterizer) >= EXPLAINED_DB:
        return False
    vertices = frame.part(fit.vertices.cpu().numpy().astype(np.float64))
    device = str(fit.vertices.device)
    return marked_share(capture, vertices, fit.faces, settings.turning_light, device) <= MARKED


def _one_colour(
    fit: Fit,
    training: list[Target],
    settings: Settings,
    rasterizer: Rasterizer,
    seed: int,
    progress: Progress | None,
    deadline: float | None,
) -> bool:
    """Even the albedo of a part without marks (`recon.plain`), then let light, gloss and exposures follow it.

    False, and the fit as it was, where photographs are then met much worse: the part has more colours than one.
    """
    count = sees(fit, training, LIFT * settings.stages[-1].cell).sum(0)
    albedo = fit.unknowns.albedo.detach()
    if not one_coloured(albedo, count):
        return False
    before, kept = _met(fit, training, settings, rasterizer), fit.unknowns
    fit.unknowns = fit.unknowns.on(evened(albedo, colour_of(albedo, count)))
    last = replace(settings.stages[-1], steps=settings.settling_steps, still=0, vertex_rate=0.0)
    rng, named = child(seed, "fit", "one colour"), None
    if progress is not None:
        named = partial(_renamed, progress)
    run_stage(fit, training, last, replace(settings, albedo_rate=0.0), rasterizer, rng, named, deadline)
    if _met(fit, training, settings, rasterizer) < before - MOST_LOST_DB:
        fit.unknowns = kept
        return False
    return True


@torch.no_grad()
def _met(fit: Fit, training: list[Target], settings: Settings, rasterizer: Rasterizer) -> float:
    """Decibels to which the photographs are met, mean over the views."""
    topology = fit.topology()
    estimate = settled(fit, topology, training, settings)

    def decibels(target: Target) -> float:
        with torch.no_grad():
            return measures(picture(estimate, target, topology, rasterizer)[0], target)["psnr_db"]

    return float(np.mean(each(decibels, training)))


def _renamed(progress: Progress, _: str, step: int, steps: int, losses: dict[str, float]) -> None:
    progress("one colour", step, steps, losses)


def surface_area(vertices: np.ndarray, faces: np.ndarray) -> float:
    t = vertices[faces]
    return float(np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum() / 2)


def _begin(
    vertices: np.ndarray, faces: np.ndarray, views: list[Target], view_count: int, device: str,
    radiance: torch.Tensor | None = None,
) -> Fit:  # fmt: skip
    """A first guess: the albedo that the photographs show under even light of radiance one, or a known one."""
    points = torch.as_tensor(vertices.astype(np.float32), device=device)
    triangles = torch.as_tensor(faces, device=device)
    albedo = mean_colour(colours_seen(points, triangles, views)).clamp(0.02, 0.9)
    return Fit(points, faces, Unknowns.start(albedo, FINE[0] * FINE[1], view_count, radiance))


def _carried(fit: Fit, vertices: np.ndarray, faces: np.ndarray) -> Fit:
    """The fit on a new mesh of the same surface: albedo from the three nearest old vertices."""
    distance, near = KDTree(fit.vertices.cpu().numpy()).query(vertices, k=3)
    weights = torch.as_tensor((1 / (distance + 1e-9)).astype(np.float32))
    weights = weights / weights.sum(1, keepdim=True)
    old = fit.unknowns.albedo.detach()
    albedo = (old[torch.as_tensor(near)] * weights.to(old)[..., None]).sum(1)
    points = torch.as_tensor(vertices.astype(np.float32), device=old.device)
    return replace(fit, vertices=points, faces=faces, unknowns=fit.unknowns.on(albedo))
