"""Edges of a triangle list: which faces meet where, in which sense, and what hangs together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, eq=False)
class Edges:
    """pairs: (p, 2) faces that share a two-sided edge; ends: (p, 2) its vertices; corners: (p, 2, 2) the corner of each
    face (first axis: which face) at each end. agree: (p,) both faces run the edge in opposite senses, as they should.
    open: (o, 2) vertices of one-sided edges, open_faces: (o,). crowded: (c, 2) vertices of edges with over two faces,
    crowded_uses: (c,) how many, crowded_faces: (k,) the faces at them.
    """

    pairs: np.ndarray
    ends: np.ndarray
    corners: np.ndarray
    agree: np.ndarray
    open: np.ndarray
    open_faces: np.ndarray
    crowded: np.ndarray
    crowded_uses: np.ndarray
    crowded_faces: np.ndarray


def edges_of(faces: np.ndarray) -> Edges:
    """Edges of (m, 3) faces."""
    halves = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    low, high = halves.min(1), halves.max(1)
    order = np.lexsort((high, low))
    changes = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    starts = np.flatnonzero(np.r_[True, changes]) if len(order) else np.zeros(0, int)
    counts = np.diff(np.r_[starts, len(order)])
    first, second = order[starts[counts == 2]], order[starts[counts == 2] + 1]
    single = order[starts[counts == 1]]
    crowded = np.isin(np.repeat(np.arange(len(starts)), counts), np.flatnonzero(counts > 2))
    agree = halves[first, 0] == halves[second, 1]
    a0, a1 = first % 3, (first % 3 + 1) % 3
    b0, b1 = second % 3, (second % 3 + 1) % 3
    corners = np.stack([np.stack([a0, a1], 1), np.stack([np.where(agree, b1, b0), np.where(agree, b0, b1)], 1)], axis=1)
    return Edges(
        pairs=np.stack([first // 3, second // 3], 1),
        ends=halves[first],
        corners=corners,
        agree=agree,
        open=halves[single],
        open_faces=single // 3,
        crowded=halves[order[starts[counts > 2]]],
        crowded_uses=counts[counts > 2],
        crowded_faces=np.unique(order[crowded] // 3),
    )


def components(pairs: np.ndarray, count: int) -> np.ndarray:
    """(count,) label of what hangs together by `pairs` (p, 2), numbered by first appearance."""
    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (count, count))
    return by_appearance(connected_components(links, directed=False)[1])


def by_appearance(labels: np.ndarray) -> np.ndarray:
    """Labels renumbered 0, 1, ... in the order in which they first appear."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def sorted_groups(labels: np.ndarray) -> list[np.ndarray]:
    """The indices of each label 0..n-1, in order."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.cumsum(np.bincount(labels))[:-1]) if len(labels) else []
