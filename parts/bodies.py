"""A bag of faces taken apart into the bodies it was written from, where they touch and share edges.

Writers put the faces of a body one after the other, so a body ends where every edge begun has been closed. Bodies that
touch then get vertices and a solid of their own: no edge has four faces, no two faces the same corners.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parts.raw import Raw, distinct
from parts.topology import edges_of


def separated(raw: Raw) -> tuple[Raw, int]:
    """Every solid with edges of more than two faces split into its closed bodies, and how many bodies came of it.

    raw: welded. A solid stays whole when its faces do not fall into closed bodies in the order of the file.
    """
    crowded = edges_of(raw.faces).crowded_faces
    names, made = list(raw.solid_names), 0
    solid = raw.solid.copy()
    groups = {n: list(s) for n, s in raw.groups.items()}
    for k in np.unique(raw.solid[crowded]).tolist():
        rows = np.flatnonzero(raw.solid == k)
        body = _bodies(raw.faces[rows], raw.vertices)
        if body is None:
            continue
        solid[rows] = np.where(body == 0, k, len(names) - 1 + body)
        added = int(body.max())
        for group in groups.values():
            if k in group:
                group += range(len(names), len(names) + added)
        names += [names[k]] * added
        made += added + 1
    if not made:
        return raw, 0
    corners, inverse = np.unique(np.c_[np.repeat(solid, 3), raw.faces.ravel()], axis=0, return_inverse=True)
    split = replace(
        raw,
        vertices=raw.vertices[corners[:, 1]],
        faces=inverse.reshape(-1, 3),
        solid=solid,
        solid_names=distinct(names),
        groups={n: tuple(s) for n, s in groups.items()},
    )
    return split, made


def _bodies(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray | None:
    """(m,) number of the closed body of each face, in the order of the file; None when there is no such order."""
    low, high = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2), axis=1).T
    edge = np.unique(low * len(vertices) + high, return_inverse=True)[1]
    order = np.argsort(edge, kind="stable")
    first = np.r_[0, np.flatnonzero(np.diff(edge[order])) + 1]
    use = np.empty(len(edge), np.int64)
    use[order] = np.arange(len(edge)) - np.repeat(first, np.diff(np.r_[first, len(edge)]))
    begun = np.cumsum(np.where(use % 2 == 0, 1, -1))[2::3]
    ends = np.flatnonzero(begun == 0)
    if len(ends) < 2 or ends[-1] != len(faces) - 1:
        return None
    body = np.searchsorted(ends, np.arange(len(faces)))
    uses = np.unique(np.c_[np.repeat(body, 3), edge], axis=0, return_counts=True)[1]
    if (uses != 2).any() or _written_twice(faces, body):
        return None
    return _with_cavities(body, vertices[faces])


def _written_twice(faces: np.ndarray, body: np.ndarray) -> bool:
    """Whether all faces of some body are those of another one too."""
    _, which, uses = np.unique(np.sort(faces, axis=1), axis=0, return_inverse=True, return_counts=True)
    return bool(np.logical_and.reduceat(uses[which.ravel()] > 1, np.r_[0, np.flatnonzero(np.diff(body)) + 1]).any())


def _with_cavities(body: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """A shell that lies wholly inside the box of the one before it belongs to that body."""
    starts = np.r_[0, np.flatnonzero(np.diff(body)) + 1]
    low = np.minimum.reduceat(triangles.min(axis=1), starts)
    high = np.maximum.reduceat(triangles.max(axis=1), starts)
    number = np.zeros(len(starts), np.int64)
    outer = 0
    for k in range(1, len(starts)):
        inside = (low[k] > low[outer]).all() and (high[k] < high[outer]).all()
        number[k] = number[k - 1] if inside else number[k - 1] + 1
        outer = outer if inside else k
    return number[body]
