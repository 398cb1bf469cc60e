"""Working faces of a refinement, and splitting their edges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Pool:
    """The faces under work. corners: (w, 3, 3) metres; parent: row of the input mesh; density: 1/m^2."""

    corners: np.ndarray
    faces: np.ndarray
    parent: np.ndarray
    density: np.ndarray
    vertices: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        """(w, 3) metres, of the edge from corner j to j+1."""
        return np.linalg.norm(np.roll(self.corners, -1, axis=1) - self.corners, axis=2)

    @property
    def double_areas(self) -> np.ndarray:
        """(w,) square metres."""
        c = self.corners
        return np.linalg.norm(np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]), axis=1)

    def replaced(self, vertices: np.ndarray, faces: np.ndarray, source: np.ndarray) -> Pool:
        """Other faces over more vertices; `source` (q,) is the face of this pool that each lies in. In its order."""
        order = np.argsort(source, kind="stable")
        faces, source = faces[order], source[order]
        return Pool(vertices[faces], faces, self.parent[source], self.density[source], vertices)


def edge_keys(faces: np.ndarray, n: int) -> np.ndarray:
    """(w, 3) int64: one number for the edge from corner j to j+1, the same from both sides."""
    start, end = faces.astype(np.int64), np.roll(faces, -1, axis=1).astype(np.int64)
    return np.minimum(start, end) * n + np.maximum(start, end)


def split(pool: Pool, base: np.ndarray, share: np.ndarray, carried: np.ndarray) -> tuple[Pool, np.ndarray]:
    """Split edges in every face that has them; also returns per-face values `carried` (w,) for the new faces.

    base: (w,) corner at which a face's chosen edge starts, -1 for none. share: (w,) where along that edge, from its
    lower to its higher vertex number; where two faces choose one edge, the first one's share counts.
    """
    n, w = len(pool.vertices), len(pool.faces)
    key = edge_keys(pool.faces, n)
    rows = np.flatnonzero(base >= 0)
    chosen, first_row = np.unique(key[rows, base[rows]], return_index=True)
    slot = np.minimum(np.searchsorted(chosen, key), len(chosen) - 1)
    marked = chosen[slot] == key
    low, high = np.divmod(chosen, n)
    t = share[rows[first_row]][:, None]
    vertices = np.concatenate([pool.vertices, (1 - t) * pool.vertices[low] + t * pool.vertices[high]])
    middle = np.where(marked, n + slot, -1)

    hit = np.flatnonzero(marked.any(axis=1))
    first = np.where(marked[hit], pool.lengths[hit], -1.0).argmax(axis=1)
    turn = (first[:, None] + np.arange(3)) % 3
    v, m = np.take_along_axis(pool.faces[hit], turn, 1), np.take_along_axis(middle[hit], turn, 1)
    (v0, v1, v2), (m01, m12, m20) = v.T, m.T
    far, near = m12 >= 0, m20 >= 0
    pieces, owner = [], []
    for rows, corners in (
        (~near, (v0, m01, v2)),
        (near, (v0, m01, m20)),
        (near, (m20, m01, v2)),
        (~far, (m01, v1, v2)),
        (far, (m01, v1, m12)),
        (far, (m01, m12, v2)),
    ):
        pieces.append(np.stack(corners, axis=1)[rows])
        owner.append(hit[rows])
    whole = np.ones(w, bool)
    whole[hit] = False
    source = np.concatenate([np.flatnonzero(whole), *owner])
    faces = np.concatenate([pool.faces[whole], *pieces])
    return pool.replaced(vertices, faces, source), carried[np.sort(source, kind="stable")]


def triangle_distance(triangles: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Distance from one point (3,) to every triangle (n, 3, 3) -> (n,) metres."""
    a = triangles - point
    edge = np.roll(a, -1, axis=1) - a
    t = np.clip(-(a * edge).sum(2) / np.maximum((edge**2).sum(2), 1e-300), 0.0, 1.0)
    rim = np.sqrt(((a + t[:, :, None] * edge) ** 2).sum(2)).min(axis=1)
    normal = np.cross(edge[:, 0], edge[:, 1])
    size = np.linalg.norm(normal, axis=1)
    inside = (np.einsum("nck,nk->nc", np.cross(edge, -a), normal) >= 0).all(axis=1) & (size > 0)
    height = np.abs(np.einsum("nk,nk->n", a[:, 0], normal)) / np.maximum(size, 1e-300)
    return np.where(inside, height, rim)
