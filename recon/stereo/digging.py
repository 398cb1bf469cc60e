"""The hull with its pockets dug out, as far as photographs agree on how deep they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recon.capture.model import View
from recon.isosurface import isosurface, largest_piece, signed_distances
from recon.stereo.depths import DepthMap, depth_maps

TRUST = 3.0
"""Planes before a depth over which a sample counts as more and more open."""
LEAST_VIEWS = 3
"""That must have looked into a pocket: one alone may be taken in by a highlight."""


def dug(
    views: Sequence[View], vertices: np.ndarray, faces: np.ndarray, cells: int = 96
) -> tuple[np.ndarray, np.ndarray]:
    """vertices (n, 3) float64, faces (m, 3): the hull, part frame -> the same without what was seen to be open."""
    maps = depth_maps(views, vertices, faces)
    return carved(maps, vertices, faces, cells)


def carved(
    maps: Sequence[DepthMap], vertices: np.ndarray, faces: np.ndarray, cells: int
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances of the hull on a grid, raised by the mean of what depths say (a fusion of truncated distances
    after Curless and Levoy, 1996), where enough of them say that the hull is open."""
    step = float((vertices.max(0) - vertices.min(0)).max()) / cells
    lower = vertices.min(0) - 3 * step
    count = np.ceil((vertices.max(0) + 3 * step - lower) / step).astype(int) + 1
    field = signed_distances(vertices, faces, lower, step, count)
    inside = np.argwhere(field < step)
    points = lower + inside * step
    total, weight, behind = (np.zeros(len(points)) for _ in range(3))
    for one in maps:
        value, known, deep = said(one, points, TRUST * max(one.spacing, step))
        total += np.where(known, value, 0)
        weight += known
        behind += deep
    opened = np.full(field.shape, -np.inf)
    opened[tuple(inside.T)] = np.where(behind >= LEAST_VIEWS, total / np.maximum(weight, 1), -np.inf)
    return largest_piece(*isosurface(np.maximum(field, opened), lower, lower + (count - 1) * step))


def said(one: DepthMap, points: np.ndarray, trust: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) how far points stand before the depth seen on their ray, at most `trust`; (n,) bool, whether the view can
    tell: it has a depth there, and the point is not behind it; (n,) bool, whether that depth is clearly behind the
    hull. Where it is not, a view takes nothing away: outlines are finer than pixels."""
    at = points @ one.photo.pixels[:, :3].T + one.photo.pixels[:, 3]
    x, y = np.floor(at[:, 0] / at[:, 2]).astype(int), np.floor(at[:, 1] / at[:, 2]).astype(int)
    h, w = one.depth.shape
    good = (x >= 0) & (y >= 0) & (x < w) & (y < h)
    depth, deep = np.full(len(points), np.nan), np.zeros(len(points), bool)
    depth[good], deep[good] = one.depth[y[good], x[good]], one.deep[y[good], x[good]]
    before = depth - at[:, 2]
    known = np.isfinite(before) & (before > -trust)
    value = np.clip(np.where(known, before, 0), -trust, trust)
    return np.where(deep, value, np.minimum(value, 0)), known, known & deep
