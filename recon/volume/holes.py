"""Where a signed grid is closed and the part may have a hole.

Through some holes photographs see a slit of the backdrop, a few pixels, too little to carve a grid. Through others
they see none: shading deepens a dent from both sides or from one and stops, at a web that no photograph pulls on, or at
a lid that no small step makes better, though the photographs show something else there. All are candidates. Whether
one is a hole is a question to be put to the photographs, with it taken out (`recon.volume.explained`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial import KDTree

from recon.volume.flexicubes import Grid
from recon.volume.regions import labelled, removable

HALF_THICKNESS = (1.0, 1.5, 2.0, 2.5)
"""Cells, of a web; the thinnest that there are, are asked about."""
UNSURE = 3**0.5 / 2
"""Cells by which a sample may lie off the depth that it stands for."""
LARGEST_WEB, LARGEST_LID = 0.05, 0.3
"""Of the part's volume: a larger web is a wall, and a larger lid most of the part."""
REACH = 1.5
"""Cells about a vertex over which its error is averaged."""
UNEXPLAINED = (3.0, 4.0, 6.0)
"""An error of so many times the surface's median is not noise of the fit; the first by which something is found."""
SEEN = 0.5
"""Pixels that have to show a place for its error to count."""
AGREEING = 2
"""Photographs that have to show the backdrop where a sample is: one mask may be wrong."""


def candidates(
    values: torch.Tensor, grid: Grid, points: np.ndarray, errors: np.ndarray, pixels: np.ndarray, through: np.ndarray
) -> list[np.ndarray]:
    """(samples,) bool, one a candidate: what the backdrop shows through, what lies beneath unexplained surface, and
    thin webs, whose removal gives a handle. They do not touch. values: signed distances. points (n, 3), errors
    (n,), pixels (n,): vertices of their surface, what the photographs' errors at them come to and of how many pixels.
    through: (samples,) photographs that show the backdrop there."""
    field = values.detach().cpu().numpy().reshape(grid.shape)
    inside = field < 0
    ratio = np.zeros(grid.shape)
    nearest = KDTree(points).query(grid.points().numpy()[inside.reshape(-1)])[1]
    ratio[inside] = _by_median(points, errors, pixels, REACH * grid.step)[nearest]
    found: list[np.ndarray] = []
    shown = [tunnels(through, values, grid).reshape(grid.shape)]
    for sources, largest in (
        (shown, LARGEST_LID), ([ratio > times for times in UNEXPLAINED], LARGEST_LID), (_webs(field, grid), LARGEST_WEB)
    ):  # fmt: skip
        taken = np.any(found, axis=0).reshape(grid.shape) if found else np.zeros(grid.shape, bool)
        taken = ndimage.binary_dilation(taken, iterations=2).reshape(-1)
        for samples in sources:
            # a hole that is a little too narrow would close again, and a web's rim goes with it
            wider = np.logical_and(ndimage.binary_dilation(samples, iterations=1), inside)
            apart = [
                one for one in removable(values, grid, wider, (1, largest), handle=True) if not (one & taken).any()
            ]
            if apart:
                found += apart
                break
    return found


def tunnels(through: np.ndarray, values: torch.Tensor, grid: Grid) -> np.ndarray:
    """(samples,) bool: what is inside though photographs show the backdrop there, as far as it hangs together with what
    AGREEING of them show."""
    inside = values.detach().cpu().numpy() < 0
    label, count = labelled((inside & (through > 0)).reshape(grid.shape), corners=True)
    label, sure = label.reshape(-1), np.zeros(count + 1, bool)
    sure[label[inside & (through >= AGREEING)]] = True
    return sure[label]


def _webs(field: np.ndarray, grid: Grid) -> Iterator[np.ndarray]:
    """Samples of a field (in space) that are surrounded by the thick part, by rising thickness."""
    for half in HALF_THICKNESS:
        deep = field < -half * grid.step
        if not deep.any():
            return
        away = np.asarray(ndimage.distance_transform_edt(~deep), np.float64)
        yield np.logical_and(field < 0, np.greater(away, half + UNSURE))


def _by_median(points: np.ndarray, errors: np.ndarray, pixels: np.ndarray, reach: float) -> np.ndarray:
    """(n,) mean error within reach, by its median over the surface; 0 where no photograph shows it."""
    near = KDTree(points).query_ball_point(points, reach)
    error, count = (np.array([values[i].sum() for i in near]) for values in (errors, pixels))
    shown = count >= SEEN
    mean = np.where(shown, error / np.maximum(count, SEEN), 0.0)
    return mean / max(float(np.median(mean[shown])), 1e-12) if shown.any() else mean
