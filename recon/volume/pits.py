"""What stands in a pit of a signed grid, where photographs may only not have reached.

Photographs that look into a bore over its rim, all from one height, see far walls, each along rays that cross above the
middle: what they free is a ring, and a cone is left in it that no ray passed. On it the walls behind are painted, which
shading does not undo in small steps. Whether it is there is a question to be put to the photographs, with it taken out
(`recon.volume.explained`).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import ConvexHull, KDTree

from recon.volume.flexicubes import Grid
from recon.volume.regions import labelled, removable

LEAST = 27
"""Samples of a pit, and of what stands in it."""
LARGEST = 0.3
"""Of the part's volume."""
SEEN, MOSTLY = 0.5, 0.5
"""Pixels that have to show a vertex, and the share of what stands in a pit that has such a one next to it."""


def standing(
    values: torch.Tensor, grid: Grid, outside: np.ndarray, points: np.ndarray, pixels: np.ndarray
) -> list[np.ndarray]:
    """(samples,) bool, one a piece: of the part what lies between the walls of a pit, that is in the convex hull of
    what was dug out of the masks' hull, where photographs show it and the rest hangs together without it. values:
    signed distances; outside: (samples,) distances out of the masks' hull; points (n, 3), pixels (n,): the surface's
    vertices, and how many pixels show them."""
    field = values.detach().cpu().numpy().reshape(grid.shape)
    between = _between_walls(field, outside.reshape(grid.shape), grid)
    if not between.any():
        return []
    found = removable(values, grid, between, (LEAST, LARGEST), handle=False)
    tree, at = KDTree(points), grid.points().numpy()
    return [one for one in found if (pixels[tree.query(at[one])[1]] >= SEEN).mean() > MOSTLY]


def _between_walls(field: np.ndarray, outside: np.ndarray, grid: Grid) -> np.ndarray:
    """Samples (in space) of the part in the convex hull of a pit: of a region in the part's own convex hull that the
    masks' hull would fill."""
    part, between = np.argwhere(field < 0), np.zeros(grid.shape, bool)
    if _flat(part):
        return between
    dug = np.argwhere((field > 0) & (outside < -grid.step))
    pits, count = labelled(_put(dug[_within(dug, part)], grid), corners=False)
    for number in range(1, count + 1):
        pit = np.argwhere(pits == number)
        if len(pit) >= LEAST and not _flat(pit):
            between |= _put(part[_within(part, pit)], grid)
    return between


def _flat(points: np.ndarray) -> bool:
    """All in a plane, or none."""
    return len(points) == 0 or bool(np.linalg.matrix_rank(points - points[0]) < 3)


def _within(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) bool: points (n, 3) in the convex hull of others (m, 3), which are not all in a plane."""
    within = ((points >= others.min(axis=0)) & (points <= others.max(axis=0))).all(axis=1)
    planes = ConvexHull(others).equations
    within[within] = (points[within] @ planes[:, :3].T + planes[:, 3] < 1e-9).all(axis=1)
    return within


def _put(samples: np.ndarray, grid: Grid) -> np.ndarray:
    """(in space) bool: those of indices (n, 3)."""
    mask = np.zeros(grid.shape, bool)
    mask[tuple(samples.T)] = True
    return mask
