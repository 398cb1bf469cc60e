"""A capture fitted as its preset asks: a start that is hollow where the part is, the vertex solver, and the pass with
maps where the preset has one."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from recon.capture.model import Capture
from recon.fit import Settings, reconstruct
from recon.fit.optimise import Progress
from recon.fit.reconstruct import Closed
from recon.fit.reconstruct import beginning as hull_dug
from recon.raster import fastest
from recon.raster.protocol import Rasterizer
from recon.result import Reconstruction
from recon.volume import VolumeSettings, opened
from recon.workers import workers


def solve(
    capture: Capture,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
    preview: Path | None = None,
    light: np.ndarray | None = None,
) -> Reconstruction:
    """`recon.fit.reconstruct` from `beginning`, then `recon.finish.finished` where `settings.finish` is set and time is
    left. The checkpoint covers the first. rasterizer: None for the fastest on the device. preview: a PNG of the fit as
    it stands, written after every stage. light: of the room, from `recon.probe`; it is kept.

    On a CPU it works with as many threads as torch has (OMP_NUM_THREADS, torch.set_num_threads), to the same result.
    """
    rasterizer = rasterizer or fastest(device)
    with workers(device):
        began = time.monotonic()
        deadline = None if settings.minutes is None else began + 60 * settings.minutes
        start, hull, said = beginning(capture, settings, seed, progress, rasterizer, device, deadline)
        left = None if deadline is None else max(deadline - time.monotonic(), 0.0) / 60
        found = reconstruct(
            capture, settings.with_minutes(left), seed, progress, start, rasterizer, device, checkpoint, hull, preview,
            light,
        )  # fmt: skip
        facts = {**found.facts, "settings": asdict(settings), "opening": said, "seconds": time.monotonic() - began}
        found = replace(found, facts=facts)
        if settings.finish is None or found.facts["stopped_early"]:
            return found
        from recon.finish import finished

        finish = settings.finish if light is None else replace(settings.finish, light_rate=0.0)
        last = finished(capture, found, finish, seed, progress, rasterizer, device, deadline)
        return replace(last, facts={**last.facts, "seconds": time.monotonic() - began})


def beginning(
    capture: Capture,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    deadline: float | None = None,
) -> tuple[Closed, Closed, str]:
    """The visual hull with the pockets that stereo and shading show, and without: vertices (n, 3) in the capture's
    frame and faces; and what shading did."""
    start, hull = hull_dug(capture, settings)
    if not settings.opening_cells:
        return start, hull, "not asked for"
    if deadline is not None and time.monotonic() > deadline:
        return start, hull, "left out: no time"
    grid = VolumeSettings(cells=settings.opening_cells)
    grid = replace(grid, loss=replace(grid.loss, turning_light=settings.turning_light))
    found, said = opened(capture, start, grid, seed, progress, rasterizer, device, deadline)
    return found, hull, said
