"""Outward orientation: one sense within each connected component, then each component the right way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parts.raw import Raw
from parts.topology import Edges, components, edges_of, sorted_groups

VOTES = 256
"""Faces of an open component that look for the open sky."""


def oriented(raw: Raw) -> tuple[Raw, int]:
    """Faces counter-clockwise seen from outside, and how many were flipped.

    Closed components get positive volume, except one that lies inside another of the same solid and was already
    inside out: a cavity. Open components are turned so that most faces see the open; no clear majority, no change.
    """
    edges = edges_of(raw.faces)
    label = components(edges.pairs, len(raw.faces))
    flip = _consistent(edges, label) if not edges.agree.all() else np.zeros(len(raw.faces), bool)
    faces = np.where(flip[:, None], raw.faces[:, ::-1], raw.faces)
    leaky = np.zeros(label.max() + 1, bool)
    leaky[label[edges.open_faces]] = True
    leaky[label[edges.crowded_faces]] = True
    turn = _inside_out(raw, faces, label, leaky)
    flip ^= turn[label]
    if not flip.any():
        return raw, 0
    faces = np.where(flip[:, None], raw.faces[:, ::-1], raw.faces)
    normals = raw.normals
    if normals is not None:
        normals = np.where(flip[:, None, None], normals[:, ::-1], normals)
    return replace(raw, faces=faces, normals=normals), int(flip.sum())


def _consistent(edges: Edges, label: np.ndarray) -> np.ndarray:
    """(m,) faces to flip so that neighbours agree; in each component the smaller side is flipped.

    Each face stands in a graph twice, as it is and flipped; agreeing neighbours link like with like, others crosswise.
    The two copies of a component fall apart when it can be oriented, and hang together on a Moebius strip, which is
    left as it is.
    """
    count = len(label)
    f, g = edges.pairs.T
    cross = np.where(edges.agree, 0, count)
    side = components(np.r_[np.c_[f, g + cross], np.c_[f + count, g + count - cross]], 2 * count)
    first = np.unique(label, return_index=True)[1]
    flip = side[:count] != side[first][label]
    flip &= side[:count] != side[count:]
    minority = np.bincount(label, flip) * 2 > np.bincount(label)
    return flip ^ (minority[label] & (side[:count] != side[count:]))


def _inside_out(raw: Raw, faces: np.ndarray, label: np.ndarray, leaky: np.ndarray) -> np.ndarray:
    """(components,) bool: to be turned."""
    triangles = raw.vertices[faces]
    groups = sorted_groups(label)
    volumes = np.array([_volume(triangles[g]) for g in groups])
    turn = ~leaky & (volumes < 0)
    for k in np.flatnonzero(turn):
        others = [
            g for j, g in enumerate(groups) if j != k and not leaky[j] and raw.solid[g[0]] == raw.solid[groups[k][0]]
        ]
        point = triangles[groups[k][0]].mean(0)
        turn[k] = not any(_encloses(triangles[g], point) for g in others)
    open_groups = [int(k) for k in np.flatnonzero(leaky)]
    if open_groups:
        turn[open_groups] = _see_nothing(raw, faces, [groups[k] for k in open_groups])
    return turn


def _volume(triangles: np.ndarray) -> float:
    t = triangles - triangles.reshape(-1, 3).mean(0)
    return float(np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])).sum() / 6)


def _encloses(triangles: np.ndarray, point: np.ndarray) -> bool:
    """Whether a closed component winds round a point (sum of solid angles, Van Oosterom and Strackee 1983)."""
    low, high = triangles.reshape(-1, 3).min(0), triangles.reshape(-1, 3).max(0)
    if (point < low).any() or (point > high).any():
        return False
    a, b, c = np.moveaxis(triangles - point, 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    top = np.einsum("ij,ij->i", a, np.cross(b, c))
    bottom = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return bool(abs(np.arctan2(top, bottom).sum()) > np.pi)


def _see_nothing(raw: Raw, faces: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """For each open component, whether its back sides see the open clearly more often than its front sides."""
    import trimesh

    triangles = raw.vertices[faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(cross, axis=1)
    most = max(VOTES // 8, min(VOTES, 200_000 // len(groups)))
    picks = [_evenly(area[g], most) for g in groups]
    chosen = np.concatenate([g[p] for g, p in zip(groups, picks, strict=True)])
    owner = np.repeat(np.arange(len(groups)), [len(p) for p in picks])
    normal, centre = cross[chosen] / area[chosen, None], triangles[chosen].mean(1)
    lift = 1e-5 * float(np.linalg.norm(np.ptp(raw.vertices, axis=0)))
    front, back = np.zeros(len(chosen), bool), np.zeros(len(chosen), bool)
    for solid in np.unique(raw.solid[chosen]).tolist():
        caster = trimesh.Trimesh(raw.vertices, faces[raw.solid == solid], process=False).ray
        mine = raw.solid[chosen] == solid
        start, way = centre[mine], normal[mine]
        front[mine] = ~caster.intersects_any(start + lift * way, way)
        back[mine] = ~caster.intersects_any(start - lift * way, -way)
    seen = [np.bincount(owner, area[chosen] * side, len(groups)) for side in (front, back)]
    return seen[1] > 1.2 * seen[0]


def _evenly(area: np.ndarray, count: int) -> np.ndarray:
    """Up to `count` faces at equal steps of the summed area: evenly spread, without chance."""
    if len(area) <= count:
        return np.arange(len(area))
    steps = (np.arange(count) + 0.5) / count * area.sum()
    return np.unique(np.searchsorted(np.cumsum(area), steps).clip(0, len(area) - 1))
