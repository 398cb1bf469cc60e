"""Tunnels of a closed surface."""

from __future__ import annotations

import numpy as np


def handles(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Tunnels through a closed surface in one piece, from Euler's characteristic."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    edges = len(np.unique(ends[:, 0] * len(vertices) + ends[:, 1]))
    return max(0, 1 - (len(vertices) - edges + len(faces)) // 2)
