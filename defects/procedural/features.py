"""Holes and bosses of a closed mesh, found by topology: what lies inside the inner rim of a flat face.

A flat face with a hole or a boss on it has an inner boundary loop there. Cutting the surface along all such loops
leaves the body and the features; taking a feature away and closing its rims with flat caps gives the part as if that
feature had never been made, without a boolean: every other face stays as it is.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

import manifold3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.errors import PlacementError
from core.mesh import Mesh

FLAT_RAD = 1e-4
"""Neighbouring faces that turn by less are one plane."""


@dataclass(frozen=True, eq=False)
class Feature:
    """kind: hole when filling it adds material. faces: (k,) rows of the mesh.

    width_m: of the circle with the area of the largest rim; centre_m, axis (unit, outward), radius_m: its middle,
    the normal of its plane and its farthest point. depth_m: extent along the axis. volume_m3: positive.
    """

    kind: Literal["hole", "boss"]
    faces: np.ndarray
    width_m: float
    depth_m: float
    volume_m3: float
    centre_m: np.ndarray
    axis: np.ndarray
    rims: int
    radius_m: float


def find_features(mesh: Mesh) -> tuple[Feature, ...]:
    """All features of the closed shells of `mesh`, in the order of their first face.

    Every piece behind a rim is one, together with what stands on or sinks into its own flat faces (a counterbore comes
    with its hole; the hole below it is a feature by itself as well).
    """
    neighbours, shell, piece, plane_side = _pieces(mesh)
    f, j = np.nonzero(plane_side)
    edges = _edges(mesh)
    onward: dict[int, set[int]] = {}
    for ours, theirs in zip(piece[f].tolist(), piece[neighbours[f, j]].tolist(), strict=True):
        onward.setdefault(ours, set()).add(theirs)
    area = np.bincount(piece, mesh.areas)
    whole = np.bincount(shell, mesh.areas)
    home = np.zeros(len(area), np.int64)
    home[piece] = shell
    found: dict[tuple[int, ...], Feature] = {}
    for first in sorted(set(piece[neighbours[f, j]].tolist())):
        members = _closure(first, onward)
        if members in found or area[list(members)].sum() > 0.5 * whole[home[first]]:
            continue
        feature = _described(mesh, np.flatnonzero(np.isin(piece, members)), edges)
        if feature is not None:
            found[members] = feature
    return tuple(sorted(found.values(), key=lambda x: (int(x.faces[0]), len(x.faces))))


def _closure(first: int, onward: dict[int, set[int]]) -> tuple[int, ...]:
    """`first` and every piece behind a rim in the flat faces of one that is in."""
    members, todo = {first}, [first]
    while todo:
        fresh = onward.get(todo.pop(), set()) - members
        members |= fresh
        todo.extend(fresh)
    return tuple(sorted(members))


def _pieces(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """neighbours, shell of every face, piece of every face after cutting at inner rims, and (m, 3) bool: edges of flat
    faces that belong to an inner rim, seen from the flat face."""
    neighbours, normals, m = mesh.neighbours, mesh.face_normals, len(mesh.faces)
    linked = neighbours >= 0
    sine = np.linalg.norm(np.cross(normals[:, None], normals[neighbours]), axis=2)
    level = linked & (sine < FLAT_RAD) & (np.einsum("mk,mjk->mj", normals, normals[neighbours]) > 0)
    shell, plane = _labels(neighbours, linked, m), _labels(neighbours, level, m)
    plane_side = _inner_rims(mesh, plane, linked & (plane[neighbours] != plane[:, None]))
    back = np.zeros((m, 3), bool)
    f, j = np.nonzero(plane_side)
    other = neighbours[f, j]
    back[other, np.argmax(neighbours[other] == f[:, None], axis=1)] = True
    return neighbours, shell, _labels(neighbours, linked & ~plane_side & ~back, m), plane_side


def _labels(neighbours: np.ndarray, linked: np.ndarray, m: int) -> np.ndarray:
    i, j = np.nonzero(linked)
    return connected_components(coo_matrix((np.ones(len(i), bool), (i, neighbours[i, j])), shape=(m, m)), False)[1]


def _inner_rims(mesh: Mesh, plane: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """(m, 3) bool: rim edges whose loop runs clockwise about the outward normal of its flat face."""
    result = np.zeros(rim.shape, bool)
    f, j = np.nonzero(rim)
    order = np.argsort(plane[f], kind="stable")
    f, j = f[order], j[order]
    bounds = np.flatnonzero(np.r_[True, np.diff(plane[f]) > 0, True])
    for low, high in itertools.pairwise(bounds):
        rows, corner = f[low:high], j[low:high]
        if high - low < 6:
            continue
        start, end = mesh.faces[rows, corner], mesh.faces[rows, (corner + 1) % 3]
        loops = closed_loops(start, end)
        if loops is None or len(loops) < 2:
            continue
        normal = mesh.face_normals[rows[int(np.argmax(mesh.areas[rows]))]]
        for loop in loops:
            if loop_area(mesh.vertices[start[loop]], normal) < 0:
                result[rows[loop], corner[loop]] = True
    return result


def closed_loops(start: np.ndarray, end: np.ndarray) -> list[np.ndarray] | None:
    """Indices of directed edges in order, loop by loop; None when a vertex begins two edges (a pinch)."""
    following = {int(v): k for k, v in enumerate(start)}
    if len(following) < len(start):
        return None
    seen, loops = np.zeros(len(start), bool), []
    for first in range(len(start)):
        loop, k = [], first
        while not seen[k]:
            seen[k] = True
            loop.append(k)
            k = following.get(int(end[k]), -1)
            if k < 0:
                return None
        if loop:
            loops.append(np.array(loop))
    return loops


def loop_area(points: np.ndarray, normal: np.ndarray) -> float:
    """Signed area of a polygon (n, 3) about `normal`, positive counter-clockwise."""
    d = points - points[0]
    return float(0.5 * np.cross(d[:-1], d[1:]).sum(axis=0) @ normal)


def _described(mesh: Mesh, rows: np.ndarray, edges: np.ndarray) -> Feature | None:
    """None when the rest would fall apart, or the rims cannot be closed by flat caps that nothing passes through."""
    if _parts_the_rest(mesh, rows):
        return None
    try:
        cap = caps(mesh, rows, edges)
    except PlacementError:
        return None
    widest = max(cap, key=lambda c: c.area_m2)
    lid = np.concatenate([c.faces for c in cap])
    plug = Mesh(mesh.vertices, np.concatenate([mesh.faces[rows], lid[:, ::-1]]))
    along = mesh.vertices[np.unique(mesh.faces[rows])] @ widest.normal
    rim = mesh.vertices[widest.loop]
    side = np.linalg.norm(np.roll(rim, -1, axis=0) - rim, axis=1)
    centre = ((rim + np.roll(rim, -1, axis=0)) / 2 * side[:, None]).sum(axis=0) / side.sum()
    radius = float(np.linalg.norm(rim - centre, axis=1).max())
    width = 2 * np.sqrt(widest.area_m2 / np.pi)
    kind: Literal["hole", "boss"] = "hole" if plug.volume < 0 else "boss"
    return Feature(
        kind, rows, float(width), float(np.ptp(along)), abs(plug.volume), centre, widest.normal, len(cap), radius
    )


def _parts_the_rest(mesh: Mesh, rows: np.ndarray) -> bool:
    """Whether the surface falls apart without `rows` (the core of a groove is no boss)."""
    kept = np.ones(len(mesh.faces), bool)
    kept[rows] = False
    around = np.unique(mesh.neighbours[rows])
    around = around[(around >= 0) & kept[around]]
    linked = (mesh.neighbours >= 0) & kept[:, None] & kept[mesh.neighbours]
    return len(np.unique(_labels(mesh.neighbours, linked, len(kept))[around])) > 1


@dataclass(frozen=True, eq=False)
class Cap:
    """A flat lid on one rim. loop: (n,) vertices in order, faces: (q, 3) over the mesh's vertices, outward oriented.

    beside: a face of the plane that the lid carries on.
    """

    loop: np.ndarray
    faces: np.ndarray
    normal: np.ndarray
    area_m2: float
    beside: np.ndarray


def caps(mesh: Mesh, rows: np.ndarray, edges: np.ndarray | None = None) -> list[Cap]:
    """Flat lids on every rim of the patch `rows` (`edges`: `_edges` of the mesh, if at hand).

    PlacementError when a rim is not flat or something passes through.
    """
    taken = np.zeros(len(mesh.faces), bool)
    taken[rows] = True
    other = mesh.neighbours[rows]
    k, j = np.nonzero((other >= 0) & ~taken[other])
    start, end = mesh.faces[rows[k], j], mesh.faces[rows[k], (j + 1) % 3]
    loops = closed_loops(start, end)
    if not loops:
        raise PlacementError("the feature has no clean rim", "a closed loop around it", "choose another feature")
    result = [_cap(mesh, start[loop], other[k[loop], j[loop]]) for loop in loops]
    known = _edges(mesh) if edges is None else edges
    kept = known[~taken[known[:, 2]] & ~taken[known[:, 3]]]
    if any(_pierced(mesh, cap, kept) for cap in result):
        raise PlacementError("something passes through the feature", "a free hole or boss", "choose another feature")
    return result


def _cap(mesh: Mesh, loop: np.ndarray, beside: np.ndarray) -> Cap:
    normal = mesh.face_normals[beside[int(np.argmax(mesh.areas[beside]))]]
    flat = _in_plane(mesh.vertices[loop], mesh.vertices[loop[0]], normal)
    size = float(np.ptp(flat[:, :2], axis=0).max())
    area = loop_area(mesh.vertices[loop], normal)
    if np.abs(flat[:, 2]).max() > 1e-3 * size or area <= 0:
        raise PlacementError("a rim of the feature is not flat", "a rim in one plane", "choose another feature")
    faces = np.asarray(manifold3d.triangulate([np.ascontiguousarray(flat[:, :2] / size)])).astype(np.int64)
    return Cap(loop, loop[faces], normal, area, beside)


def _in_plane(points: np.ndarray, origin: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """(n, 3): two coordinates in the plane, right-handed about `normal`, and the height over it."""
    u = np.cross(normal, [1.0, 0.0, 0.0] if abs(normal[0]) < 0.9 else [0.0, 1.0, 0.0])
    u /= np.linalg.norm(u)
    return (points - origin) @ np.stack([u, np.cross(normal, u), normal], axis=1)


def _edges(mesh: Mesh) -> np.ndarray:
    """(e, 4): the two vertices and the two faces of every edge that has two faces."""
    f, j = np.nonzero(mesh.neighbours > np.arange(len(mesh.faces))[:, None])
    ends = mesh.faces[f, j], mesh.faces[f, (j + 1) % 3]
    return np.stack([*ends, f, mesh.neighbours[f, j]], axis=1)


def _pierced(mesh: Mesh, cap: Cap, edges: np.ndarray) -> bool:
    """Whether any edge goes through the lid's interior (edges that end on the lid's plane do not count)."""
    origin = mesh.vertices[cap.loop[0]]
    flat = _in_plane(mesh.vertices, origin, cap.normal)
    size = float(np.ptp(flat[cap.loop, :2], axis=0).max())
    a, b = flat[edges[:, 0]], flat[edges[:, 1]]
    through = (np.minimum(a[:, 2], b[:, 2]) < -1e-6 * size) & (np.maximum(a[:, 2], b[:, 2]) > 1e-6 * size)
    a, b = a[through], b[through]
    hit = (a + (b - a) * (a[:, 2:] / (a[:, 2:] - b[:, 2:])))[:, :2]
    rim = flat[cap.loop, :2]
    near = ((hit > rim.min(0)) & (hit < rim.max(0))).all(axis=1)
    return bool(_inside(hit[near], rim).any())


def _inside(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """(n,) bool: points (n, 2) in a simple polygon (k, 2), by crossings."""
    p, q = polygon, np.roll(polygon, -1, axis=0)
    y = points[:, None, 1]
    spans = (p[:, 1] > y) != (q[:, 1] > y)
    with np.errstate(divide="ignore", invalid="ignore"):
        x = p[:, 0] + (y - p[:, 1]) * (q[:, 0] - p[:, 0]) / (q[:, 1] - p[:, 1])
    return (spans & (points[:, None, 0] < x)).sum(axis=1) % 2 == 1
