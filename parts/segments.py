"""Pieces of surface that may be one plane or one cylinder: CAD faces, or what grows from the mesh without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.mesh import Mesh
from parts.topology import Edges, by_appearance, components, edges_of, sorted_groups

COPLANAR_RAD = np.deg2rad(0.2)
LOOKS, FAILURES = 20_000, 60
"""Edges of one patch looked at, and grown in vain, before the rest of it counts as curved."""
LEAST_PLANE = 5e-4
"""A plane inside a curved patch covers at least this part of it."""
LEAST_FACETS = 4
"""A cylinder has at least this many: through fewer there is always one."""
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
    bent = np.flatnonzero(inside & edges.agree & (across >= np.sin(COPLANAR_RAD)))
    length = np.linalg.norm(np.diff(mesh.vertices[edges.ends[bent]], axis=1)[:, 0], axis=1)
    bent = bent[np.argsort(-length, kind="stable")]
    faces_of = sorted_groups(patch.astype(np.int64))
    pairs_of = _by_key(patch[field.pairs[:, 0]], field.pairs)
    local = np.full(len(result), -1)
    next_label = 0
    for number, seeds in _by_key(patch[edges.pairs[bent, 0]], bent).items():
        faces = faces_of[number]
        if len(faces) < LEAST_FACETS:
            continue
        local[faces] = np.arange(len(faces))
        next_label = _cylinders(field, seeds, faces, pairs_of[number], local, result, next_label)
        local[faces] = -1
    _planes(field, result, next_label)
    return by_appearance(result)


def _by_key(keys: np.ndarray, values: np.ndarray) -> dict[int, np.ndarray]:
    """The rows of `values` with each key, in order."""
    order = np.argsort(keys, kind="stable")
    found, start = np.unique(keys[order], return_index=True)
    return dict(zip(found.tolist(), np.split(values[order], start[1:]), strict=False))


def _cylinders(
    field: _Field,
    seeds: np.ndarray,
    faces: np.ndarray,
    pairs: np.ndarray,
    local: np.ndarray,
    result: np.ndarray,
    label: int,
) -> int:
    """Label the cylinders of one patch in `result`; the next free label. local: place of a face in `faces`, or -1."""
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
    """The free faces on `tube` that hang together with `pair`; None when too few facets or a sliver."""
    on = tube.holds(field.mesh, faces, field.tolerance) & (taken[faces] < 0)
    if not on[local[pair]].all():
        return None
    held = pairs[on[local[pairs[:, 0]]] & on[local[pairs[:, 1]]]]
    piece = components(local[held], len(faces))
    members = faces[on & (piece == piece[local[pair[0]]])]
    if len(np.unique(field.facet[members])) < LEAST_FACETS:
        return None
    radial = (field.mesh.triangles[members].mean(1) - tube.origin) @ tube.frame - tube.centre
    turn = np.sort(np.arctan2(radial[:, 1], radial[:, 0]))
    gaps = np.diff(np.r_[turn, turn[0] + 2 * np.pi])
    if 2 * np.pi - gaps.max() < LEAST_ARC_RAD or _is_strip(field, tube, members):
        return None
    return members


def _is_strip(field: _Field, tube: _Tube, members: np.ndarray) -> bool:
    """Whether the faces are one strip of a torus or the like: beyond its ends the surface bends on in equal strips."""
    mesh, inside = field.mesh, np.zeros(len(field.facet), bool)
    inside[members] = True
    leaving = inside[field.edges.pairs[:, 0]] != inside[field.edges.pairs[:, 1]]
    pairs, ends = field.edges.pairs[leaving], field.edges.ends[leaving]
    beyond = np.where(inside[pairs[:, 0]], pairs[:, 1], pairs[:, 0])
    run = np.diff(mesh.vertices[ends], axis=1)[:, 0]
    length = np.linalg.norm(run, axis=1)
    cross = np.abs(run @ tube.axis) < 0.5 * length
    smooth = mesh.face["patch"][beyond] == mesh.face["patch"][members[0]]
    cut = cross & smooth
    if length[cut].sum() <= 0.5 * length[cross].sum():
        return False
    along = np.ptp(mesh.triangles[members].reshape(-1, 3) @ tube.axis)
    further = np.ptp(mesh.triangles[beyond[cut]] @ tube.axis, axis=1)
    return bool(along < 3 * np.median(further))


def _through(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the circle through three points of the plane; infinite when they are in line."""
    p, q = b - a, c - a
    cross = 2 * (p[0] * q[1] - p[1] * q[0])
    if abs(cross) < 1e-9 * (p @ p + q @ q):
        return np.full(2, np.nan), np.inf
    centre = np.array([q[1] * (p @ p) - p[1] * (q @ q), p[0] * (q @ q) - q[0] * (p @ p)]) / cross
    return a + centre, float(np.linalg.norm(centre))


def _planes(field: _Field, result: np.ndarray, label: int) -> None:
    """Label what is left: coplanar facets that are a whole patch or large beside their neighbours, then the rest."""
    facet, areas = field.facet, field.mesh.areas
    count = int(facet.max()) + 1
    area = np.bincount(facet, areas, count)
    home = np.zeros(count, np.int64)
    home[facet] = field.mesh.face["patch"]
    whole = area / np.bincount(home, area)[home]
    typical = _neighbours_area(facet[field.pairs], area)
    flat = (whole > 1 - 1e-9) | ((area > 8 * typical) & (whole > LEAST_PLANE))
    level = (result < 0) & flat[facet]
    result[level] = label + facet[level]
    rest = np.flatnonzero(result < 0)
    local = np.full(len(result), -1)
    local[rest] = np.arange(len(rest))
    held = field.pairs[(local[field.pairs] >= 0).all(1)]
    result[rest] = label + count + components(local[held], len(rest))


def _neighbours_area(pairs: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(facets,) median area of the facets beside each one; infinite where there are none."""
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    here = np.r_[pairs[:, 0], pairs[:, 1]]
    size = area[np.r_[pairs[:, 1], pairs[:, 0]]]
    order = np.lexsort((size, here))
    found, start, count = np.unique(here[order], return_index=True, return_counts=True)
    median = np.full(len(area), np.inf)
    median[found] = size[order][start + count // 2]
    return median
