"""Pieces of surface that may be one plane or one cylinder: CAD faces, or what grows from the mesh without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.mesh import Mesh
from parts.topology import Edges, by_appearance, components, edges_of

COPLANAR_RAD = np.deg2rad(0.2)
LOOKS, FAILURES = 20_000, 60
"""Edges of one patch looked at, and grown in vain, before the rest of it counts as curved."""
LEAST_PLANE = 5e-4
"""A plane inside a curved patch covers at least this part of it."""
LEAST_ARC_RAD = np.deg2rad(20.0)


def segments(mesh: Mesh) -> np.ndarray:
    """(m,) segment of each face: the CAD face where known; elsewhere the smooth patches, cut into cylinders (grown
    over facets whose corners lie on one), planes (coplanar facets large beside their patch's others) and the rest.
    """
    cad_face, patch = mesh.face.get("cad_face"), mesh.face["patch"]
    if cad_face is None or (cad_face < 0).all():
        return _grown(mesh)
    return by_appearance(np.where(cad_face >= 0, cad_face, cad_face.max() + 1 + patch.astype(np.int64)))


@dataclass(frozen=True, eq=False)
class _Field:
    """The mesh with its smooth edges: dihedral (p,) radians, facet (m,) coplanar group."""

    mesh: Mesh
    edges: Edges
    pairs: np.ndarray
    facet: np.ndarray
    tolerance: float


def _grown(mesh: Mesh) -> np.ndarray:
    edges = edges_of(mesh.faces)
    patch = mesh.face["patch"]
    inside = patch[edges.pairs[:, 0]] == patch[edges.pairs[:, 1]]
    normals = mesh.face_normals
    across = np.linalg.norm(np.cross(normals[edges.pairs[:, 0]], normals[edges.pairs[:, 1]]), axis=1)
    level = inside & edges.agree & (across < np.sin(COPLANAR_RAD))
    field = _Field(
        mesh, edges, edges.pairs[inside], components(edges.pairs[level], len(patch)), 1e-6 * float(np.ptp(mesh.bounds))
    )
    result = np.full(len(patch), -1, np.int64)
    bent = np.flatnonzero(inside & ~level)
    length = np.linalg.norm(np.diff(mesh.vertices[edges.ends[bent]], axis=1)[:, 0], axis=1)
    bent = bent[np.argsort(-length, kind="stable")]
    first = edges.pairs[bent, 0]
    next_label = 0
    for number in np.unique(patch[first]).tolist():
        faces = np.flatnonzero(patch == number)
        next_label = _cylinders(field, bent[patch[first] == number], faces, result, next_label)
    _planes(field, result, next_label)
    return by_appearance(result)


def _cylinders(field: _Field, seeds: np.ndarray, faces: np.ndarray, result: np.ndarray, label: int) -> int:
    """Label the cylinders of one patch in `result`; the next free label."""
    local = np.full(len(result), -1)
    local[faces] = np.arange(len(faces))
    pairs = field.pairs[local[field.pairs[:, 0]] >= 0]
    failures = 0
    for edge in seeds[:LOOKS].tolist():
        pair = field.edges.pairs[edge]
        if (result[pair] >= 0).any():
            continue
        tube = _tube(field, edge)
        near = np.unique(_near(field, pair))
        near = near[(local[near] >= 0) & ~np.isin(field.facet[near], field.facet[pair])]
        if tube is None or not tube.holds(field.mesh, near, field.tolerance).any():
            continue
        members = _around(field, tube, pair, faces, pairs, local, result)
        if members is None:
            failures += 1
            if failures >= FAILURES:
                break
            continue
        result[members] = label
        label += 1
    return label


def _near(field: _Field, pair: np.ndarray) -> np.ndarray:
    """The faces up to two edges away from a pair of faces."""
    ring = field.mesh.neighbours[pair].ravel()
    ring = ring[ring >= 0]
    further = field.mesh.neighbours[ring].ravel()
    return np.r_[ring, further[further >= 0]]


@dataclass(frozen=True, eq=False)
class _Tube:
    """A cylinder: an origin on the mesh, its axis, a frame (3, 2) square to it, centre (2,) in the frame, radius."""

    origin: np.ndarray
    axis: np.ndarray
    frame: np.ndarray
    centre: np.ndarray
    radius: float

    def holds(self, mesh: Mesh, faces: np.ndarray, tolerance: float) -> np.ndarray:
        """(k,) bool: all corners of a face lie on the cylinder and the face runs along it."""
        flat = (mesh.triangles[faces] - self.origin) @ self.frame
        gap = np.abs(np.linalg.norm(flat - self.centre, axis=2) - self.radius).max(1)
        along = np.abs(mesh.face_normals[faces] @ self.axis) < np.sin(np.deg2rad(1.0))
        return along & (gap < 1e-3 * self.radius + tolerance)


def _tube(field: _Field, edge: int) -> _Tube | None:
    """The cylinder on which both faces at a bent edge are chords, the edge along its axis."""
    mesh, pair, ends = field.mesh, field.edges.pairs[edge], field.edges.ends[edge]
    axis = np.cross(mesh.face_normals[pair[0]], mesh.face_normals[pair[1]])
    axis /= np.linalg.norm(axis)
    u = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
    u /= np.linalg.norm(u)
    frame = np.stack([u, np.cross(axis, u)], 1)
    origin = mesh.vertices[ends[0]]
    far = [mesh.vertices[next(v for v in mesh.faces[p].tolist() if v not in ends)] for p in pair]
    centre, radius = _through((far[0] - origin) @ frame, np.zeros(2), (far[1] - origin) @ frame)
    return _Tube(origin, axis, frame, centre, radius) if np.isfinite(radius) else None


def _around(
    field: _Field,
    tube: _Tube,
    pair: np.ndarray,
    faces: np.ndarray,
    pairs: np.ndarray,
    local: np.ndarray,
    taken: np.ndarray,
) -> np.ndarray | None:
    """The free faces on `tube` that hang together with `pair`; None when under four facets or a sliver."""
    on = tube.holds(field.mesh, faces, field.tolerance) & (taken[faces] < 0)
    if not on[local[pair]].all():
        return None
    held = pairs[on[local[pairs[:, 0]]] & on[local[pairs[:, 1]]]]
    piece = components(local[held], len(faces))
    members = faces[on & (piece == piece[local[pair[0]]])]
    if len(np.unique(field.facet[members])) < 4:
        return None
    radial = (field.mesh.triangles[members].mean(1) - tube.origin) @ tube.frame - tube.centre
    turn = np.sort(np.arctan2(radial[:, 1], radial[:, 0]))
    gaps = np.diff(np.r_[turn, turn[0] + 2 * np.pi])
    return members if 2 * np.pi - gaps.max() >= LEAST_ARC_RAD else None


def _through(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the circle through three points of the plane; infinite when they are in line."""
    p, q = b - a, c - a
    cross = 2 * (p[0] * q[1] - p[1] * q[0])
    if abs(cross) < 1e-9 * (p @ p + q @ q):
        return np.full(2, np.nan), np.inf
    centre = np.array([q[1] * (p @ p) - p[1] * (q @ q), p[0] * (q @ q) - q[0] * (p @ p)]) / cross
    return a + centre, float(np.linalg.norm(centre))


def _planes(field: _Field, result: np.ndarray, label: int) -> None:
    """Label what is left: coplanar facets that are a whole patch or eight times the patch's median, then the rest."""
    patch, facet = field.mesh.face["patch"].astype(np.int64), field.facet
    free = result < 0
    area = np.bincount(facet[free], field.mesh.areas[free], facet.max() + 1)
    home = np.zeros(facet.max() + 1, np.int64)
    home[facet] = patch
    flat = np.zeros(len(area), bool)
    present = np.flatnonzero(area > 0)
    for group in np.split(
        present[np.argsort(home[present], kind="stable")],
        np.cumsum(np.unique(home[present], return_counts=True)[1])[:-1],
    ):
        large = np.maximum(8 * np.median(area[group]), LEAST_PLANE * area[group].sum())
        flat[group] = (len(group) == 1) | (area[group] > large)
    level = free & flat[facet]
    result[level] = label + facet[level]
    rest = np.flatnonzero(result < 0)
    local = np.full(len(result), -1)
    local[rest] = np.arange(len(rest))
    held = field.pairs[(local[field.pairs] >= 0).all(1)]
    result[rest] = label + len(area) + components(local[held], len(rest))
