"""The table under a part: masks of cameras that look down leave a cone of nothing beneath it, which the table cuts off.

A turntable's axis is the normal of its top. Where walls that cameras see end sharply, there the part stands on it. A
part whose sides turn under (a sphere) shows no such end and keeps its cone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recon.capture.model import Capture, View

SQUARE = 0.35
"""A face counts as seen from this cosine; the cone's own faces have none towards the lowest camera, by construction."""
SECTORS = 24
CONTACTS = 3
"""A part stands on three points at least."""
UPRIGHT = 0.5
"""A wall's normal points away from the part by more than this, and up or down by less."""
ROUNDED = 2.5
"""Spacings by which what cameras see may reach below a wall before the wall counts as turning under."""
LEAST_CUT = 4.0
"""Spacings below the table that the hull must reach for a cut to be worth it."""


class Plane(NamedTuple):
    """normal: (3,) unit, upwards, part frame. height: of the plane along it."""

    normal: np.ndarray
    height: float


def table_under(capture: Capture, vertices: np.ndarray, faces: np.ndarray, spacing: float) -> Plane | None:
    """Where the table's top must be, by a hull (vertices (n, 3), faces (m, 3)) of such sample spacing. None where the
    part was turned over or its underside was photographed, nothing turned, or the hull shows no end of its walls."""
    session = capture.sessions[0]
    if len(capture.sessions) != 1 or session.axis is None:
        return None
    up = session.axis / np.linalg.norm(session.axis)
    views, middle = capture.training, vertices.mean(0)
    ways = np.array([v.centre - middle for v in views])
    rise = (ways / np.linalg.norm(ways, axis=1, keepdims=True)) @ up
    if (np.abs(rise) < 1e-3).any() or abs(np.sign(rise).sum()) != len(rise):
        return None  # some camera stands no higher than the part, or they stand on both sides
    up = up * np.sign(rise[0])
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(normals, axis=1)
    normals = normals / np.maximum(area, 1e-300)[:, None]
    centres = corners.mean(1)
    height, outward = centres @ up, (centres - middle) - ((centres - middle) @ up)[:, None] * up
    away = np.einsum("ij,ij->i", normals, outward) / np.maximum(np.linalg.norm(outward, axis=1), 1e-300)
    seen = (away > 0) & _seen(centres, normals, views)
    sector = _sector(outward, up)
    ends = _lowest(height, sector, seen)
    walls = _lowest(height, sector, seen & (away > UPRIGHT) & (np.abs(normals @ up) < UPRIGHT))
    standing = np.sort(walls[np.isfinite(walls) & (walls - ends < ROUNDED * spacing)])
    if len(standing) < CONTACTS:
        return None
    table = float(standing[CONTACTS - 1])
    if ends.min() < table - ROUNDED * spacing or table - float((vertices @ up).min()) < LEAST_CUT * spacing:
        return None
    return Plane(up, float(ends.min()) - 0.5 * spacing)


def _lowest(height: np.ndarray, sector: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(SECTORS,) the lowest of the chosen heights in each, infinite where there is none."""
    found = np.full(SECTORS, np.inf)
    np.minimum.at(found, sector[chosen], height[chosen])
    return found


def _seen(centres: np.ndarray, normals: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """(m,) bool: faces turned towards two views or more."""
    count = np.zeros(len(centres), int)
    for view in views:
        way = view.centre - centres
        count += np.einsum("ij,ij->i", way, normals) > SQUARE * np.linalg.norm(way, axis=1)
    return count >= 2


def _sector(ways: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(m,) number of the sector round the axis that each way (m, 3) points into."""
    first = np.linalg.svd(up[None])[2][1]
    azimuth = np.arctan2(ways @ np.cross(up, first), ways @ first)
    return np.minimum(((azimuth / (2 * np.pi) + 0.5) * SECTORS).astype(int), SECTORS - 1)
