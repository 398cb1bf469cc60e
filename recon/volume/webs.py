"""Thin webs of a signed grid that may be a hole not yet broken through.

Where shading deepens a dent from both sides and no outline shows a hole, the fit stops at a web about two cells
thick: no photograph pulls on what neither side sees. Whether it is a hole is then a question to be put to the
photographs, with the web taken out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import ndimage

from core.errors import GeometryError
from recon.volume.flexicubes import Grid, extract

HALF_THICKNESS = 1.0
"""Cells."""
LARGEST = 0.05
"""Of the part's volume: more than this is a wall, not a web."""


def webs(values: torch.Tensor, grid: Grid) -> list[np.ndarray]:
    """(samples,) bool, one a web: inside samples that a ball of HALF_THICKNESS cells does not reach from within, whose
    removal gives the surface a handle and no new piece. values: signed distances."""
    field = values.detach().cpu().numpy().reshape(grid.shape)
    inside = field < 0
    deep = field < -HALF_THICKNESS * grid.step
    if not deep.any():
        return []
    away = np.asarray(ndimage.distance_transform_edt(~deep), np.float64)
    thin = np.logical_and(inside, np.greater(away, HALF_THICKNESS + np.sqrt(3)))
    # a web is surrounded by the thick part; its rim goes with it
    label, count = _regions(np.logical_and(ndimage.binary_dilation(thin, iterations=1), inside), True)
    whole = euler_and_pieces(values, grid)
    found = []
    for number in range(1, count + 1):
        web = (label == number).reshape(-1)
        if web.sum() > LARGEST * inside.sum():
            continue
        try:
            after = euler_and_pieces(without(values, web, grid), grid)
        except GeometryError:
            continue
        if after[0] < whole[0] and after[1] <= whole[1]:
            found.append(web)
    return found


def without(values: torch.Tensor, web: np.ndarray, grid: Grid) -> torch.Tensor:
    """The values with a web's samples half a cell outside."""
    mask = torch.as_tensor(web, device=values.device)
    return torch.where(mask, values.detach().clamp(min=0.5 * grid.step), values.detach())


def euler_and_pieces(values: torch.Tensor, grid: Grid) -> tuple[int, int]:
    """Of the surface: vertices - edges + faces, and the number of connected inside regions."""
    dual = extract(values.detach(), grid)
    _, pieces = _regions((values.detach().cpu().numpy() < 0).reshape(grid.shape), False)
    return len(dual.vertices) - len(dual.faces) // 2, pieces


def _regions(mask: np.ndarray, diagonal: bool) -> tuple[np.ndarray, int]:
    """A number for each connected region from 1, and how many there are."""
    found: Any = ndimage.label(mask, np.ones((3, 3, 3)) if diagonal else None)
    return found[0], int(found[1])
