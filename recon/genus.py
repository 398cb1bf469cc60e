"""Tunnels of a closed surface."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def handles(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Tunnels through a closed surface in one piece, from Euler's characteristic."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1).astype(np.int64)
    edges = len(np.unique(ends[:, 0] * len(vertices) + ends[:, 1]))
    return max(0, 1 - (len(vertices) - edges + len(faces)) // 2)


def tangles(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Tunnels of all pieces of a closed surface together, and pieces beyond the first (voids, or loose crumbs)."""
    used = np.unique(faces)
    both = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    ends = np.sort(both, axis=1)
    edges = len(np.unique(ends[:, 0] * len(vertices) + ends[:, 1]))
    graph = coo_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(len(vertices),) * 2)
    _, label = connected_components(graph, directed=False)
    pieces = len(np.unique(label[used]))
    return max(0, pieces - (len(used) - edges + len(faces)) // 2) + pieces - 1
