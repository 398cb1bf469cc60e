"""Polygons to triangles, for the formats that store more than three corners a face."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def triangulated(polygons: Sequence[Sequence[int]], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(t, 3) vertex indices and (t,) the polygon of each triangle. Concave polygons are cut by ears."""
    faces: list[Sequence[int]] = []
    owner: list[int] = []
    for i, ring in enumerate(polygons):
        cut = [ring] if len(ring) == 3 else _ears(ring, points)
        faces.extend(cut)
        owner.extend([i] * len(cut))
    return np.array(faces, np.int64).reshape(-1, 3), np.array(owner, np.int64)


def _ears(ring: Sequence[int], points: np.ndarray) -> list[tuple[int, int, int]]:
    """Ear clipping in the polygon's mean plane (Newell's normal)."""
    left = list(ring)
    corners = points[left]
    if not np.isfinite(corners).all():
        return [(left[0], left[i], left[i + 1]) for i in range(1, len(left) - 1)]
    normal = np.cross(corners - corners[0], np.roll(corners, -1, axis=0) - corners[0]).sum(0)
    axis = int(np.abs(normal).argmax())
    flat = np.delete(points[left], axis, axis=1) * (1 if normal[axis] * (1, -1, 1)[axis] > 0 else [-1, 1])
    where = dict(enumerate(flat))
    order = list(range(len(left)))
    result: list[tuple[int, int, int]] = []
    while len(order) > 3:
        k = next((k for k in range(len(order)) if _is_ear(order, k, where)), 0)
        a, b, c = order[k - 1], order[k], order[(k + 1) % len(order)]
        result.append((left[a], left[b], left[c]))
        del order[k]
    result.append((left[order[0]], left[order[1]], left[order[2]]))
    return result


def _is_ear(order: list[int], k: int, where: dict[int, np.ndarray]) -> bool:
    ia, ib, ic = order[k - 1], order[k], order[(k + 1) % len(order)]
    a, b, c = where[ia], where[ib], where[ic]
    if _turn(a, b, c) <= 0:
        return False
    inside = (where[i] for i in order if i not in (ia, ib, ic))
    return not any(_turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0 for p in inside)


def _turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
