"""The footprint of a defect, and random candidates for its site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.blueprint import Placement
from core.defect import Site, unit
from core.errors import PlacementError
from core.mesh import Mesh
from defects.procedural.chart_patch import crosses_box
from defects.procedural.placement_ground import Ground
from defects.procedural.sharp import to_segments

MM = 1e-3
INSIDE = 0.01
"""Least barycentric coordinate of a site: strictly inside its face."""


@dataclass(frozen=True)
class Footprint:
    """A disc (along == across == radius) or, when long, a rectangle of half lengths along and across the direction.

    rim_min, rim_max: allowed distance from its rim to the nearest sharp edge. All metres.
    """

    along: float
    across: float
    long: bool
    rim_min: float
    rim_max: float

    @classmethod
    def of(cls, reach_m: float, half_extent_m: tuple[float, float] | None, rule: Placement) -> Footprint:
        limit = rule.edge_distance_mm
        low = (limit.min or 0.0) * MM
        high = np.inf if limit.max is None else limit.max * MM
        along, across = half_extent_m or (reach_m, reach_m)
        if not (np.isfinite([along, across, reach_m]).all() and along > 0 and across > 0 and reach_m > 0):
            raise PlacementError(f"a reach of {reach_m} m and half extents {half_extent_m}", "lengths", "correct it")
        return cls(along, across, half_extent_m is not None, low, high)

    @property
    def window(self) -> tuple[float, tuple[float, float] | None]:
        """Radius and half extents of a chart that can judge the footprint and its edge distance."""
        if not self.long:
            return self.across + self.rim_min, None
        beyond = 1e-9 + (self.rim_max if np.isfinite(self.rim_max) else self.rim_min)
        half = self.along + beyond, self.across + beyond
        return float(np.hypot(*half)), half

    def gap(self, stops_m: np.ndarray) -> float:
        """Distance from the rectangle to chart segments (s, 2, 2), metres; 0 where one touches it, inf without any."""
        if len(stops_m) == 0:
            return np.inf
        a, b = stops_m[:, 0], stops_m[:, 1]
        if crosses_box(a @ [1, 1j], b @ [1, 1j], (self.along, self.across)).any():
            return 0.0
        half = np.array([self.along, self.across])
        outside = np.minimum(*(np.linalg.norm(np.maximum(np.abs(p) - half, 0), axis=1) for p in (a, b)))
        corners = half * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
        near = [to_segments(np.broadcast_to(c, a.shape), a, b) for c in corners]
        return float(min(outside.min(), np.min(near)))


def candidates(
    ground: Ground, mesh: Mesh, faces: np.ndarray, count: int, rule: Placement, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random places, uniform over the area of `faces`: face (count,), point (count, 3) strictly inside it, and a unit
    tangent (count, 3) as the rule's alignment has it. Where a surface has no lay or no edge, any direction will do."""
    area = np.cumsum(mesh.areas[faces])
    face = faces[np.minimum(np.searchsorted(area, rng.uniform(0, area[-1], count), side="right"), len(faces) - 1)]
    s, r = np.sqrt(rng.uniform(size=count)), rng.uniform(size=count)
    bary = np.stack([1 - s, s * (1 - r), s * r], axis=1) * (1 - 3 * INSIDE) + INSIDE
    point = np.einsum("nc,nck->nk", bary, mesh.triangles[face])
    anywhere = rng.uniform(0, 2 * np.pi, count)
    scatter = np.deg2rad(rule.spread_deg) * rng.uniform(-1, 1, count)
    flipped = np.where(rng.uniform(size=count) < 0.5, np.pi, 0.0)
    normal = mesh.face_normals[face]
    guide = np.zeros((count, 3))
    if rule.align == "along_edge":
        _, row = ground.edge_gap(face, point, rough=True)
        guide[row >= 0] = ground.edges.tangent[row[row >= 0]]
    elif rule.align == "down":
        guide, flipped = np.cross(normal, downwards(rule)), np.zeros(count)
    elif rule.align != "any" and "lay_tangent" in mesh.corner:
        guide = np.einsum("nc,nck->nk", bary, mesh.corner["lay_tangent"][face])
    guide -= np.einsum("nk,nk->n", guide, normal)[:, None] * normal
    length = np.linalg.norm(guide, axis=1)
    known = length > 0.1
    axis = np.where(known[:, None], guide / np.maximum(length, 1e-12)[:, None], tangents(normal))
    quarter = np.pi / 2 if rule.align == "across_lay" else 0.0
    return face, point, turned(axis, normal, np.where(known, scatter + flipped + quarter, anywhere))


def downwards(rule: Placement) -> np.ndarray:
    """(3,) unit: gravity in the part's frame while what runs down ran."""
    down = np.asarray(rule.down, float)
    return down / np.linalg.norm(down)


def tangents(normals: np.ndarray) -> np.ndarray:
    """(n, 3) some unit vector at right angles to each normal."""
    helper = np.where(np.abs(normals[:, :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tangent = np.cross(normals, helper)
    return tangent / np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-12)


def turned(tangent: np.ndarray, normal: np.ndarray, angle_rad: np.ndarray) -> np.ndarray:
    """Unit tangents (n, 3) turned about their normals, counter-clockwise seen from outside."""
    return np.cos(angle_rad)[:, None] * tangent + np.sin(angle_rad)[:, None] * np.cross(normal, tangent)


def clear_of(
    point: np.ndarray,
    direction: np.ndarray,
    shape: Footprint,
    taken: Sequence[tuple[Sequence[float] | np.ndarray, float]],
    spacing_m: float,
) -> np.ndarray:
    """(n,) bool: the footprint keeps `spacing_m` from every sphere. A rectangle is taken as the straight line along its
    direction, thickened by half its width; on curved ground that is a little too near the sphere's side or too far."""
    free = np.ones(len(point), bool)
    run = (shape.along if shape.long else 0.0) * direction
    for centre, radius in taken:
        c = np.broadcast_to(np.asarray(centre, float), point.shape)
        free &= to_segments(c, point - run, point + run) >= radius + shape.across + spacing_m
    return free


def site_at(mesh: Mesh, face: int, point: np.ndarray, direction: np.ndarray) -> Site:
    """The site at a point of a face, its direction made tangent."""
    normal = mesh.face_normals[face]
    u = unit(direction - (direction @ normal) * normal)
    x, y, z = (tuple(float(a) for a in v) for v in (point, u, normal))
    return Site(face, x, y, z)  # type: ignore[arg-type]
