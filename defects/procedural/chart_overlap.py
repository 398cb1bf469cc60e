"""Places that a chart covers twice: a surface that winds round over itself, like the flank of a thread."""

from __future__ import annotations

import numpy as np

from defects.procedural.chart_patch import Patch

CHUNK = 4_000_000


def covered_twice(patch: Patch, uv: np.ndarray, good: np.ndarray, detour: np.ndarray, radius: float) -> np.ndarray:
    """(k,) bool: faces that lie over others in the chart and that no straight line from the site reaches.

    Where every face is upright, the number of faces over a point is the winding number of the chart's border about it.
    If two sheets overlap, the border of one lies over the other; so the faces along the border tell.
    """
    result = np.zeros(len(good), bool)
    bent = good & (detour > 1e-6 * radius)
    if not bent.any():
        return result
    face = np.flatnonzero(good)
    half = (3 * face[:, None] + np.arange(3)).ravel()
    far = patch.twin[half]
    rim = half[(far < 0) | ~good[far // 3]]
    p, q = uv.ravel()[rim], uv[rim // 3, (rim % 3 + 1) % 3]
    if (winding(uv[np.unique(rim // 3)].mean(axis=1), p, q) < 1.5).all():
        return result
    suspects = np.flatnonzero(bent)
    result[suspects] = winding(uv[suspects].mean(axis=1), p, q) > 1.5
    return result


def winding(points: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """(n,) how often the closed curves made of the segments p..q (complex) run round each point."""
    total = np.zeros(len(points))
    step = max(1, CHUNK // max(len(p), 1))
    for at in range(0, len(points), step):
        here = points[at : at + step, None]
        total[at : at + step] = np.angle((q - here) * np.conj(p - here)).sum(axis=1) / (2 * np.pi)
    return total
