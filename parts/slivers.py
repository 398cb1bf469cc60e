"""Triangles without area, removed so that no gap opens where they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parts.raw import Raw, keep_faces
from parts.topology import Edges, edges_of


def without_slivers(raw: Raw, diagonal: float) -> Raw:
    """Drop triangles with two equal corners or no height; a flat triangle of three distinct corners is flipped away."""
    f = raw.faces
    collapsed = (f[:, 0] == f[:, 1]) | (f[:, 1] == f[:, 2]) | (f[:, 2] == f[:, 0])
    if collapsed.any():
        raw = keep_faces(raw, ~collapsed)
    for _ in range(4):
        flat = np.flatnonzero(_heights(raw) <= 1e-10 * diagonal)
        if not len(flat):
            return raw
        raw = _flipped_away(raw, flat)
    return raw


def _heights(raw: Raw) -> np.ndarray:
    """(m,) height of each triangle over its longest side."""
    t = raw.vertices[raw.faces]
    sides = np.linalg.norm(t - np.roll(t, -1, axis=1), axis=2).max(1)
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    return np.divide(area, sides, out=np.zeros_like(area), where=sides > 0)


def _flipped_away(raw: Raw, flat: np.ndarray) -> Raw:
    """Let the neighbour across a flat triangle's longest side take its middle vertex, so that no gap opens.

    A flat triangle without such a neighbour is dropped. One pass; neighbours of a changed face wait for the next.
    """
    edges = edges_of(raw.faces)
    faces, parent, drop, busy = raw.faces.copy(), [], [], set()
    extra: list[list[int]] = []
    neighbour = _neighbours(edges, flat)
    for face in flat.tolist():
        if face in busy:
            continue
        corners = faces[face]
        t = raw.vertices[corners]
        j = int(np.linalg.norm(t - np.roll(t, -1, axis=0), axis=1).argmax())
        a, b, middle = int(corners[j]), int(corners[(j + 1) % 3]), int(corners[(j + 2) % 3])
        other = neighbour.get((face, min(a, b), max(a, b)))
        drop.append(face)
        if other is None or other in busy:
            continue
        ring = faces[other].tolist()
        k = next(k for k in range(3) if {ring[k], ring[(k + 1) % 3]} == {a, b})
        p, q, far = ring[k], ring[(k + 1) % 3], ring[(k + 2) % 3]
        faces[other] = [p, middle, far]
        extra.append([middle, q, far])
        parent.append(other)
        busy.update((face, other))
    keep = np.setdiff1d(np.arange(len(faces)), drop)
    rows = np.r_[keep, np.array(parent, int)]
    grown = keep_faces(replace(raw, faces=faces), rows)
    if not extra:
        return grown
    return replace(grown, faces=np.concatenate([faces[keep], np.array(extra)]))


def _neighbours(edges: Edges, flat: np.ndarray) -> dict[tuple[int, int, int], int]:
    """(face, low vertex, high vertex) -> the face across that edge, for the faces in `flat`."""
    table = {}
    touched = np.isin(edges.pairs, flat).any(1)
    for (f, g), (a, b) in zip(edges.pairs[touched].tolist(), edges.ends[touched].tolist(), strict=True):
        table[f, min(a, b), max(a, b)] = g
        table[g, min(a, b), max(a, b)] = f
    return table
