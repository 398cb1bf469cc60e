"""A fit put onto the table that its photographs show (`recon.standing`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recon.capture.model import Capture
from recon.fit.optimise import LIFT, Fit
from recon.fit.problem import Target, UnitFrame
from recon.fit.summary import sees
from recon.raster.protocol import Rasterizer
from recon.standing import seated

MOST_LOST = 0.005
"""Mean loss of overlap with the masks beyond which what was taken for the table is none."""


@torch.no_grad()
def put_on_table(
    fit: Fit, capture: Capture, training: Sequence[Target], frame: UnitFrame, cell: float, rasterizer: Rasterizer,
    flat: bool,
) -> None:  # fmt: skip
    """In place. cell: of the fit's mesh, bounding radii. flat: as `recon.standing.seated` takes it. Nothing moves where
    the masks would then be met worse: photographs tell against it."""
    count = sees(fit, training, LIFT * cell).sum(0)
    part = frame.part(fit.vertices.cpu().numpy().astype(np.float64))
    moved = seated(capture, part, fit.faces, count, flat)
    if np.array_equal(moved, part):
        return
    before, met = fit.vertices, _overlap(fit, training, rasterizer)
    fit.vertices = torch.as_tensor(frame.unit(moved).astype(np.float32), device=before.device)
    if _overlap(fit, training, rasterizer) < met - MOST_LOST:
        fit.vertices = before


def _overlap(fit: Fit, training: Sequence[Target], rasterizer: Rasterizer) -> float:
    """Intersection over union of part and mask, mean over the views."""
    topology, ratios = fit.topology(), []
    for target in training:
        covered = rasterizer.rasterize(target.project(fit.vertices), topology, target.size).covered
        mask = target.mask[..., 0] > 0.5
        ratios.append(float((covered & mask).sum()) / max(float((covered | mask).sum()), 1.0))
    return float(np.mean(ratios))
