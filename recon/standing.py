"""The table under a part: masks of cameras that look down leave a cone of nothing beneath it, which the table cuts off.

A turntable's axis is the normal of its top. Where walls that cameras see end sharply, there the part stands on it. A
part whose sides turn under (a sphere) shows no such end and keeps its cone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from recon.capture.model import Capture, View
from recon.isosurface import vertex_normals

SQUARE = 0.35
"""A face counts as seen from this cosine; the cone's own faces have none towards the lowest camera, by construction."""
SECTORS = 24
CONTACTS = 3
"""A part stands on three points at least."""
UPRIGHT = 0.4
"""A wall's normal points away from the part by more than this, and up or down by less."""
FRANK = 0.6
"""Cosine at which some view sees a wall: where a round side turns out of sight it is grazed, and ends on no table."""
ROUNDED = 2.5
"""Spacings by which what cameras see may reach below a wall before the wall counts as turning under."""
LEAST_CUT = 4.0
"""Spacings below the table that the hull must reach for a cut to be worth it."""
LEVEL, MOSTLY = 0.98, 0.5
"""Cosine from which a face lies level, and the share of what faces down that makes an underside flat."""
AT_THE_TABLE, NEAR_THE_TABLE = 0.5, 2.0
"""Lengths of an edge above the lowest point: a ball has a quarter of the second's area in the first, a cone less."""
FACES_DOWN = 0.3
"""An unseen vertex belongs to the underside from this cosine on."""
SURE_VIEWS = 3
"""A fitted vertex that fewer views see does not tell where the table is, and may be moved onto it."""


class Plane(NamedTuple):
    """normal: (3,) unit, upwards, part frame. height: of the plane along it."""

    normal: np.ndarray
    height: float


class _Walls(NamedTuple):
    """ends: (SECTORS,) height at which what cameras see ends in each sector round the axis, infinite where nothing is
    seen. standing: (SECTORS,) bool, a wall ends there sharply. lowest: of the standing walls, the CONTACTS-th."""

    ends: np.ndarray
    standing: np.ndarray
    lowest: float


def table_under(capture: Capture, vertices: np.ndarray, faces: np.ndarray, spacing: float) -> Plane | None:
    """Where the table's top must be, by a hull (vertices (n, 3), faces (m, 3)) of such sample spacing. None where the
    part was turned over or its underside was photographed, nothing turned, or the hull shows no end of its walls."""
    up = upwards(capture, vertices)
    if up is None:
        return None
    cosine = _cosines(vertices, faces, capture.training)
    seen = (cosine > SQUARE).sum(0) >= 2
    walls = _walls(vertices, faces, up, spacing, seen, cosine.max(0), corner=False)
    if walls is None or walls.lowest - float((vertices @ up).min()) < LEAST_CUT * spacing:
        return None
    return Plane(up, float(walls.ends.min()) - 0.5 * spacing)


def stands_flat(capture: Capture, vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether most of what faces down near the lowest point lies in one plane, as where a table cut a hull off. A cone
    or a ball has little of it there; what hangs over, a wing or a cap, is not asked."""
    up = upwards(capture, vertices)
    if up is None:
        return False
    normals, area = _normals(vertices, faces)
    rise = (vertices[faces].mean(1) @ up - (vertices @ up).min()) / _edge(vertices, faces)
    down = area * np.maximum(-(normals @ up), 0)
    level = (normals @ up < -LEVEL) & (rise < AT_THE_TABLE)
    return bool(down[level].sum() > MOSTLY * down[rise < NEAR_THE_TABLE].sum())


def seated(capture: Capture, vertices: np.ndarray, faces: np.ndarray, count: np.ndarray, flat: bool) -> np.ndarray:
    """(n, 3): a fitted part, its unseen underside put where the table was.

    Where walls that views truly see end, there is the table. Nothing is below it: where a hull's cone hangs on, it is
    pushed up onto it. flat: of what nothing sees and reaches down to the table, all is laid onto it, as a fit drags it
    along with the rim; what hangs over stays. count: (n,) views that see each vertex. Where walls show no end, and
    where `upwards` knows no table, the vertices as they were.
    """
    up, spacing = upwards(capture, vertices), _edge(vertices, faces)
    if up is None:
        return vertices
    cosine = _cosines(vertices, faces, capture.training).max(0)
    walls = _walls(vertices, faces, up, spacing, (count[faces] >= SURE_VIEWS).all(1), cosine, corner=True)
    if walls is None:
        return vertices
    table = float(np.median(walls.ends[walls.standing & (walls.ends < walls.lowest + spacing)]))
    height = vertices @ up
    goal = height
    if height.min() < table - LEAST_CUT * spacing:
        goal = np.where(count < SURE_VIEWS, np.maximum(height, table), height)
    if flat:
        goal = _laid(vertices, faces, up, goal, count == 0, table, spacing)
    return vertices + (goal - height)[:, None] * up


def _laid(
    vertices: np.ndarray, faces: np.ndarray, up: np.ndarray, height: np.ndarray, unseen: np.ndarray, table: float,
    spacing: float,
) -> np.ndarray:  # fmt: skip
    """(n,) heights: at the table where an unseen piece of the underside reaches down to it."""
    under = unseen & (vertex_normals(vertices, faces) @ up < -FACES_DOWN)
    edges = faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    edges = edges[under[edges].all(1)]
    joined = coo_matrix((np.ones(len(edges)), tuple(edges.T)), shape=(len(vertices),) * 2)
    piece: Any = connected_components(joined, directed=False)[1]
    lowest = np.full(piece.max() + 1, np.inf)
    np.minimum.at(lowest, piece[under], height[under])
    return np.where(under & (lowest[piece] < table + 2 * spacing), table, height)


def upwards(capture: Capture, vertices: np.ndarray) -> np.ndarray | None:
    """(3,) unit, the turntable's axis away from the table; None where nothing turned, the part was seated more than
    once, or some camera stands no higher than the part."""
    session = capture.sessions[0]
    if len(capture.sessions) != 1 or session.axis is None:
        return None
    up = session.axis / np.linalg.norm(session.axis)
    ways = np.array([v.centre - vertices.mean(0) for v in capture.training])
    rise = (ways / np.linalg.norm(ways, axis=1, keepdims=True)) @ up
    if (np.abs(rise) < 1e-3).any() or abs(np.sign(rise).sum()) != len(rise):
        return None
    return up * np.sign(rise[0])


def _walls(
    vertices: np.ndarray, faces: np.ndarray, up: np.ndarray, spacing: float, seen: np.ndarray, cosine: np.ndarray,
    corner: bool,
) -> _Walls | None:  # fmt: skip
    """seen: (m,) bool. cosine: (m,) of the angle to the frankest view. corner: a face's height is its lowest corner's,
    not its middle's. None where no walls end on a table."""
    middle = vertices.mean(0)
    normals, _ = _normals(vertices, faces)
    centres = vertices[faces].mean(1)
    height = (vertices[faces] @ up).min(1) if corner else centres @ up
    outward = (centres - middle) - ((centres - middle) @ up)[:, None] * up
    away = np.einsum("ij,ij->i", normals, outward) / np.maximum(np.linalg.norm(outward, axis=1), 1e-300)
    seen = seen & (away > 0)
    sector = _sector(outward, up)
    ends = _lowest(height, sector, seen)
    wall = seen & (away > UPRIGHT) & (np.abs(normals @ up) < UPRIGHT) & (cosine > FRANK)
    walls = _lowest(height, sector, wall)
    standing = np.isfinite(walls) & (walls - np.where(np.isfinite(ends), ends, 0) < ROUNDED * spacing)
    if standing.sum() < CONTACTS:
        return None
    lowest = float(np.sort(walls[standing])[CONTACTS - 1])
    return None if ends.min() < lowest - ROUNDED * spacing else _Walls(ends, standing, lowest)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m, 3) unit normals and (m,) twice the areas."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    return normals / np.maximum(area, 1e-300)[:, None], area


def _edge(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Mean length of an edge."""
    corners = vertices[faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, 1), axis=2).mean())


def _lowest(height: np.ndarray, sector: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(SECTORS,) the lowest of the chosen heights in each, infinite where there is none."""
    found = np.full(SECTORS, np.inf)
    np.minimum.at(found, sector[chosen], height[chosen])
    return found


def _cosines(vertices: np.ndarray, faces: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """(v, m) between each face's normal and the way to each view. What stands in between is not asked."""
    normals, _ = _normals(vertices, faces)
    centres = vertices[faces].mean(1)
    out = np.empty((len(views), len(faces)), np.float32)
    for k, view in enumerate(views):
        way = view.centre - centres
        out[k] = np.einsum("ij,ij->i", way, normals) / np.linalg.norm(way, axis=1)
    return out


def _sector(ways: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(m,) number of the sector round the axis that each way (m, 3) points into."""
    first = np.linalg.svd(up[None])[2][1]
    azimuth = np.arctan2(ways @ np.cross(up, first), ways @ first)
    return np.minimum(((azimuth / (2 * np.pi) + 0.5) * SECTORS).astype(int), SECTORS - 1)
