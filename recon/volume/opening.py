"""The start of a fit, opened where the light says that it is hollow.

The visual hull is exact where outlines touch the part, and closed over every pocket that no outline shows. Stereo digs
where photographs have something to recognise; on an even surface it is blind, and shading is not: a pocket's floor and
walls are lit as a plane over it would never be. The grid of `recon.volume` moves by shading and may change its genus,
but is coarse. So its surface is taken where it lies behind the start, and the start is kept elsewhere. An albedo as
coarse would take dark paint for hollows on a part with marks all over: there it is a hash grid's, pixel by pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import distance_transform_edt

from core.errors import GeometryError
from recon.capture.model import Capture
from recon.descent import Diverged
from recon.fit.optimise import Progress
from recon.fit.reconstruct import Closed
from recon.fit.seen import marked_share
from recon.isosurface import isosurface, largest_piece, signed_distances, volume
from recon.plain import MARKED
from recon.raster.protocol import Rasterizer
from recon.volume.fit import begin, topology
from recon.volume.settings import VolumeSettings

BEHIND, ABOUT = 0.25, 2.0
"""Cells of the grid that its surface must lie behind the start to be believed, and the reach about such places within
which it is followed, so that no step is left."""
FINER = 3
"""Samples that the result has for each cell of the grid."""
HELD = 0.8
"""Share of the part's volume that the grid must be able to hold: a thinner part is left as it is."""


def opened(
    capture: Capture,
    start: Closed,
    settings: VolumeSettings,
    seed: int = 0,
    progress: Progress | None = None,
    rasterizer: Rasterizer | None = None,
    device: str = "cpu",
    deadline: float | None = None,
) -> tuple[Closed, str]:
    """start: closed mesh, vertices (n, 3) in the capture's frame and faces (m, 3) -> the same, hollowed, and a word on
    what was done. deadline: see `topology`.

    The start comes back as it is where it is thinner than the grid's cells, and where the grid loses the part: then
    diffuse shading does not explain the photographs (bare metal).
    """
    if marked_share(capture, *start, settings.loss.turning_light, device) > MARKED:
        settings = settings.for_paint()
    own = as_held(capture, settings, start, device)
    if own is None or volume(*own) < HELD * volume(*start):
        return start, "left as it was: thinner than the grid's cells"
    try:
        found = topology(capture, settings, seed, start, progress, rasterizer, device, deadline)
    except Diverged:
        raise
    except GeometryError as error:
        return start, f"left as it was: the grid lost the part ({error.given})"
    cell = float((start[0].max(0) - start[0].min(0)).max()) / settings.cells
    result = hollowed(start, found, own, cell)
    return result, "nothing found" if result is start else "opened"


def as_held(capture: Capture, settings: VolumeSettings, start: Closed, device: str) -> Closed | None:
    """The start as the grid holds it before it is fitted; None where all of it falls between the samples."""
    fit = begin(capture, settings, start, device)
    try:
        vertices, faces = fit.mesh()
    except GeometryError:
        return None
    return fit.frame.part(vertices), faces


def hollowed(start: Closed, found: Closed, own: Closed, cell: float) -> Closed:
    """The start, cut back to what was `found` about every place where that lies BEHIND cells or more inside it. own:
    the start as the grid could hold it: a wall that it could not is not one that it has opened."""
    step = cell / FINER
    lower = start[0].min(0) - 3 * step
    count = np.ceil((start[0].max(0) + 3 * step - lower) / step).astype(int) + 1
    first, second, third = (signed_distances(*mesh, lower, step, count) for mesh in (start, found, own))
    clearly = (second > 0) & (third < 0) & (first < -BEHIND * cell)
    if not clearly.any():
        return start
    away: Any = distance_transform_edt(~clearly)
    field = np.where(away <= ABOUT * FINER, np.maximum(first, second), first)
    return largest_piece(*isosurface(field, lower, lower + (count - 1) * step))
