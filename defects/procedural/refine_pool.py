"""Working faces of a refinement: splitting edges at midpoints, and cutting needles across before that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Pool:
    """The faces under work. corners: (w, 3, 3) metres; parent: row of the input mesh; density: 1/m^2."""

    corners: np.ndarray
    faces: np.ndarray
    parent: np.ndarray
    density: np.ndarray
    vertices: np.ndarray


def split(pool: Pool, base: np.ndarray) -> Pool:
    """Split the chosen edges at their midpoints in every face that has them."""
    n, w = len(pool.vertices), len(pool.faces)
    start, end = pool.faces.astype(np.int64), np.roll(pool.faces, -1, axis=1).astype(np.int64)
    key = np.minimum(start, end) * n + np.maximum(start, end)
    chosen = np.unique(key[base >= 0, base[base >= 0]])
    slot = np.minimum(np.searchsorted(chosen, key), len(chosen) - 1)
    marked = chosen[slot] == key
    low, high = np.divmod(chosen, n)
    vertices = np.concatenate([pool.vertices, 0.5 * (pool.vertices[low] + pool.vertices[high])])
    middle = np.where(marked, n + slot, -1)

    hit = np.flatnonzero(marked.any(axis=1))
    length = np.linalg.norm(np.roll(pool.corners[hit], -1, axis=1) - pool.corners[hit], axis=2)
    first = np.where(marked[hit], length, -1.0).argmax(axis=1)
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
    order = np.argsort(source, kind="stable")
    faces, source = faces[order], source[order]
    return Pool(vertices[faces], faces, pool.parent[source], pool.density[source], vertices)


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
