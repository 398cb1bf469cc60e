"""A capture fitted as its preset asks: the vertex solver, and the pass with maps where the preset has one."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from recon.capture.model import Capture
from recon.fit import Settings, reconstruct
from recon.fit.optimise import Progress
from recon.raster.protocol import Rasterizer
from recon.result import Reconstruction


def solve(
    capture: Capture,
    settings: Settings,
    seed: int = 0,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    checkpoint: Path | None = None,
) -> Reconstruction:
    """`recon.fit.reconstruct`, then `recon.finish.finished` where `settings.finish` is set and time is left. The
    checkpoint covers the first."""
    began = time.monotonic()
    found = reconstruct(
        capture, settings, seed, progress, rasterizer=rasterizer, device=device, checkpoint=checkpoint
    )  # fmt: skip
    if settings.finish is None or found.facts["stopped_early"]:
        return found
    from recon.finish import finished

    deadline = None if settings.minutes is None else began + 60 * settings.minutes
    last = finished(capture, found, settings.finish, seed, progress, rasterizer, device, deadline)
    return replace(last, facts={**last.facts, "seconds": time.monotonic() - began})
