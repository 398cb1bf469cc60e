"""What a label measures, from its signed distance: area, and the least rectangle about it."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from core.layers import Layers


def label_size(layers: Layers) -> dict[str, float]:
    """`label_area_mm2`, `length_mm` >= `width_mm` of the rectangle of least area about the label; zeros if empty."""
    rim = rim_points(layers)
    if len(rim) < 3:
        return {"label_area_mm2": 0.0, "length_mm": 0.0, "width_mm": 0.0}
    length, width = least_rectangle(rim)
    return {"label_area_mm2": label_area(layers) * 1e6, "length_mm": length * 1e3, "width_mm": width * 1e3}


def label_area(layers: Layers) -> float:
    """Square metres where the signed distance is negative.

    Each cell between four texel centres is cut into four triangles about its middle, on which the distance is linear;
    the part of each that lies below zero is exact.
    """
    d = layers.sdf_m.astype(np.float64)
    corners = np.stack([a.ravel() for a in (d[:-1, :-1], d[:-1, 1:], d[1:, 1:], d[1:, :-1])])
    below = (corners < 0).sum(axis=0)
    whole = 4.0 * float((below == 4).sum())
    corners = corners[:, (below > 0) & (below < 4)]
    middle = corners.mean(axis=0)
    for a, b in zip(corners, (*corners[1:], corners[0]), strict=True):
        whole += float(_share_below_zero(np.stack([a, b, middle])).sum())
    return whole / 4 * layers.pitch_m**2


def _share_below_zero(values: np.ndarray) -> np.ndarray:
    """(n,) share of each triangle, with corner values (3, n), on which the linear interpolant is negative."""
    a, b, c = np.sort(values, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = a * a / ((a - b) * (a - c))
        two = 1 - c * c / ((c - a) * (c - b))
    return np.where(c < 0, 1.0, np.where(b < 0, two, np.where(a < 0, one, 0.0)))


def rim_points(layers: Layers) -> np.ndarray:
    """(n, 2) chart positions (metres) where the signed distance crosses zero between neighbouring texel centres."""
    d = layers.sdf_m.astype(np.float64)
    found = []
    for axis in (0, 1):
        a, b = (d[:-1], d[1:]) if axis == 0 else (d[:, :-1], d[:, 1:])
        r, c = np.nonzero((a < 0) != (b < 0))
        t = a[r, c] / (a[r, c] - b[r, c])
        v, u = (r + t, c) if axis == 0 else (r, c + t)
        found.append(np.stack([u, v], axis=1))
    return (np.concatenate(found) + 0.5) * layers.pitch_m + np.asarray(layers.origin_m)


def least_rectangle(points: np.ndarray) -> tuple[float, float]:
    """Long and short side of the rectangle of least area about points (n, 2); it lies along one side of their hull."""
    try:
        hull = points[ConvexHull(points).vertices]
    except QhullError:
        span = points - points.mean(axis=0)
        along = span @ np.linalg.svd(span, full_matrices=False)[2][0]
        return float(np.ptp(along)), 0.0
    side = np.roll(hull, -1, axis=0) - hull
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    along = hull @ side.T
    across = hull @ np.stack([-side[:, 1], side[:, 0]])
    a, b = np.ptp(along, axis=0), np.ptp(across, axis=0)
    k = int(np.argmin(a * b))
    return float(max(a[k], b[k])), float(min(a[k], b[k]))


def bounding_zone(points: np.ndarray) -> tuple[float, float, float, float]:
    """Centre and radius of a sphere that holds points (n, 3): about the middle of their box."""
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    radius = float(np.linalg.norm(points - centre, axis=1).max(initial=0.0))
    return float(centre[0]), float(centre[1]), float(centre[2]), radius
