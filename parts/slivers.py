"""Triangles without area, removed so that no gap opens where they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parts.raw import Raw, keep_faces
from parts.topology import Edges, edges_of

FLAT = 1e-7
"""A triangle lower than this part of the bounding box diagonal is flat: single-precision files leave such noise."""


def without_slivers(raw: Raw, diagonal: float) -> tuple[Raw, int]:
    """Drop triangles with two equal corners, flip flat ones of three distinct corners away; also how many."""
    f = raw.faces
    collapsed = (f[:, 0] == f[:, 1]) | (f[:, 1] == f[:, 2]) | (f[:, 2] == f[:, 0])
    dropped = int(collapsed.sum())
    if dropped:
        raw = keep_faces(raw, ~collapsed)
    for last in (False,) * 7 + (True,):
        flat = np.flatnonzero(_heights(raw) <= FLAT * diagonal)
        if not len(flat):
            break
        raw, gone = (
            (keep_faces(raw, np.delete(np.arange(len(raw.faces)), flat)), len(flat))
            if last
            else _flipped_away(raw, flat)
        )
        dropped += gone
    return raw, dropped


def _heights(raw: Raw) -> np.ndarray:
    """(m,) height of each triangle over its longest side."""
    t = raw.vertices[raw.faces]
    sides = np.linalg.norm(t - np.roll(t, -1, axis=1), axis=2).max(1)
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    return np.divide(area, sides, out=np.zeros_like(area), where=sides > 0)


def _flipped_away(raw: Raw, flat: np.ndarray) -> tuple[Raw, int]:
    """Let the neighbour across a flat triangle's longest side take its middle vertex, so that no gap opens; how many.

    A flat triangle without such a neighbour is dropped. One pass: a neighbour that has just changed is left for the
    next one.
    """
    neighbour = _neighbours(edges_of(raw.faces), flat)
    rows, corners, drop, busy = [], [], [], set()
    for face in flat.tolist():
        a, b, middle = _longest_first(raw, face)
        other = neighbour.get((face, min(a, b), max(a, b)))
        if face in busy or other in busy:
            continue
        drop.append(face)
        if other is None:
            continue
        ring = raw.faces[other].tolist()
        k = next(k for k in range(3) if {ring[k], ring[(k + 1) % 3]} == {a, b})
        p, q, far = ring[k], ring[(k + 1) % 3], ring[(k + 2) % 3]
        rows += [(other, k, 1), (other, k, 0)]
        corners += [[p, middle, far], [middle, q, far]]
        busy.update((face, other))
    changed = np.array([r[0] for r in rows], int)
    keep = np.setdiff1d(np.arange(len(raw.faces)), np.r_[np.array(drop, int), changed])
    result = keep_faces(raw, np.r_[keep, changed])
    faces = np.concatenate([raw.faces[keep], np.array(corners, int).reshape(-1, 3)])
    if raw.normals is None or not rows:
        return replace(result, faces=faces), len(drop)
    halves = np.stack([_half(raw.normals[other], k, new) for other, k, new in rows])
    return replace(result, faces=faces, normals=np.concatenate([raw.normals[keep], halves])), len(drop)


def _longest_first(raw: Raw, face: int) -> tuple[int, int, int]:
    """The vertices of a face, those of its longest side first."""
    corners = raw.faces[face]
    t = raw.vertices[corners]
    j = int(np.linalg.norm(t - np.roll(t, -1, axis=0), axis=1).argmax())
    return int(corners[j]), int(corners[(j + 1) % 3]), int(corners[(j + 2) % 3])


def _half(normals: np.ndarray, k: int, new: int) -> np.ndarray:
    """Corner normals (3, 3) of one half of a face split on its side k -> k+1; `new` is the place of the new corner."""
    p, q, far = normals[k], normals[(k + 1) % 3], normals[(k + 2) % 3]
    mean = (p + q) / max(float(np.linalg.norm(p + q)), 1e-12)
    return np.stack([p, mean, far] if new == 1 else [mean, q, far])


def _neighbours(edges: Edges, flat: np.ndarray) -> dict[tuple[int, int, int], int]:
    """(face, low vertex, high vertex) -> the face across that edge, for the faces in `flat`."""
    table = {}
    touched = np.isin(edges.pairs, flat).any(1)
    for (f, g), (a, b) in zip(edges.pairs[touched].tolist(), edges.ends[touched].tolist(), strict=True):
        table[f, min(a, b), max(a, b)] = g
        table[g, min(a, b), max(a, b)] = f
    return table
