"""Charts: the exponential map of a surface about a point, in metres, by geodesic polar coordinates.

Distance and angle travel over the vertices in order of distance; each is unfolded into the plane of the triangle
that brings it, about the virtual source that the other two vertices' distances imply. This is the method of Melvaer and
Reimers, "Geodesic polar coordinates on polygonal meshes", Computer Graphics Forum 31(8), 2012. It is exact on planes
and on developable ground within one geodesic window; elsewhere its error falls with the square of the edge length,
which `refine` bounds.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

import numpy as np

from core.defect import Site
from core.mesh import Mesh
from defects.procedural.refine import triangle_distance

SHARP_RAD = math.radians(30.0)
STRETCH = (0.6, 1.7)
"""Principal stretches of a face between surface and chart; beyond, the chart is no use there (cut locus, fold)."""


@dataclass(frozen=True, eq=False)
class Unfolding:
    """uv_m: (m, 3, 2) corner coordinates over the mesh's faces, metres, NaN where not valid. valid: (m,) bool.

    reached_m: up to which geodesic distance every face of the connected ground is valid.
    """

    uv_m: np.ndarray
    valid: np.ndarray
    reached_m: float


def unfold(
    mesh: Mesh, site: Site, radius_m: float, cross_edges: bool = False, sharp_rad: float = SHARP_RAD
) -> Unfolding:
    """The chart about `site` (a point inside face `site.face` of this mesh) out to `radius_m`; u runs along
    `site.direction`, v to its left seen from outside."""
    point = np.asarray(site.point_m, float)
    faces = _ground(mesh, site.face, point, radius_m, None if cross_edges else sharp_rad)
    used, local = np.unique(mesh.faces[faces], return_inverse=True)
    triangles = local.reshape(-1, 3)
    polar = _polar(mesh.vertices[used], triangles, int(np.flatnonzero(faces == site.face)[0]), point, site)
    uv = polar[triangles]
    good = _faithful(uv, mesh.triangles[faces])
    nearest = _origin_distance(uv)
    good &= nearest < radius_m
    good = _connected(mesh, faces, good, site.face, None if cross_edges else sharp_rad)
    bad = ~good & (nearest < radius_m)
    result = np.full((len(mesh.faces), 3, 2), np.nan)
    result[faces[good]] = uv[good]
    valid = np.zeros(len(mesh.faces), bool)
    valid[faces[good]] = True
    return Unfolding(result, valid, float(nearest[bad].min()) if bad.any() else radius_m)


def _ground(mesh: Mesh, start: int, point: np.ndarray, radius: float, sharp: float | None) -> np.ndarray:
    """Faces reached from `start` over edges that are not sharp, within `radius` of the point. Sorted indices."""
    near = np.flatnonzero(triangle_distance(mesh.triangles, point) < radius * 1.05)
    near = np.union1d(near, [start])
    allowed = np.zeros(len(mesh.faces), bool)
    allowed[near] = True
    reached = np.zeros(len(mesh.faces), bool)
    reached[start] = True
    front = np.array([start])
    while len(front):
        other = mesh.neighbours[front]
        ok = (other >= 0) & allowed[other] & ~reached[other]
        if sharp is not None:
            turn = np.einsum("fk,fjk->fj", mesh.face_normals[front], mesh.face_normals[other])
            ok &= turn > math.cos(sharp)
        front = np.unique(other[ok])
        reached[front] = True
    return np.flatnonzero(reached)


def _polar(vertices, triangles, start: int, point, site: Site) -> np.ndarray:
    """(n, 2) chart position of every vertex; NaN where not reached."""
    u_axis = np.asarray(site.direction, float)
    a, b, c = vertices[triangles[start]]
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal)
    u_axis = u_axis - (u_axis @ normal) * normal
    u_axis /= np.linalg.norm(u_axis)
    v_axis = np.cross(normal, u_axis)
    around: list[list[tuple[int, int]]] = [[] for _ in vertices]
    for i, j, k in triangles.tolist():
        around[i].append((j, k))
        around[j].append((k, i))
        around[k].append((i, j))
    xyz = [tuple(p) for p in vertices.tolist()]
    distance = [math.inf] * len(xyz)
    angle = [0.0] * len(xyz)
    heap: list[tuple[float, int]] = []
    for i in triangles[start].tolist():
        d = vertices[i] - point
        x, y = float(d @ u_axis), float(d @ v_axis)
        distance[i], angle[i] = math.hypot(x, y), math.atan2(y, x)
        heapq.heappush(heap, (distance[i], i))
    while heap:
        d, i = heapq.heappop(heap)
        if d > distance[i]:
            continue
        # Label-correcting: in obtuse triangles a better value may arrive after a vertex was first taken.
        for j, k in around[i]:
            for other, tip, hand in ((j, k, 1.0), (k, j, -1.0)):
                if math.isfinite(distance[other]):
                    found = _unfolded(
                        xyz[i], xyz[other], xyz[tip], d, distance[other], angle[i], angle[other], hand
                    )
                else:
                    found = d + math.dist(xyz[i], xyz[tip]), angle[i]
                if found[0] < distance[tip] * (1 - 1e-9):
                    distance[tip], angle[tip] = found
                    heapq.heappush(heap, (found[0], tip))
    r, t = np.array(distance), np.array(angle)
    r[~np.isfinite(r)] = np.nan
    return np.stack([r * np.cos(t), r * np.sin(t)], axis=1)


def _unfolded(pj, pk, pi, uj: float, uk: float, tj: float, tk: float, hand: float) -> tuple[float, float]:
    """Distance and angle of vertex i across the edge jk, whose ends have distances uj, uk and angles tj, tk.

    hand: 1 when j, k, i run counter-clockwise, else -1; it tells a half turn to the left from one to the right.
    """
    ex, ey, ez = pk[0] - pj[0], pk[1] - pj[1], pk[2] - pj[2]
    ix, iy, iz = pi[0] - pj[0], pi[1] - pj[1], pi[2] - pj[2]
    length = math.sqrt(ex * ex + ey * ey + ez * ez)
    if length == 0.0:
        return uj + math.sqrt(ix * ix + iy * iy + iz * iz), tj
    px = (ex * ix + ey * iy + ez * iz) / length
    reach = ix * ix + iy * iy + iz * iz
    py = math.sqrt(max(reach - px * px, 0.0))
    sx = (uj * uj - uk * uk + length * length) / (2 * length)
    sy = -math.sqrt(max(uj * uj - sx * sx, 0.0))
    if py - sy > 0:
        cross = sx + (px - sx) * (-sy) / (py - sy)
        if -1e-9 * length <= cross <= length * (1 + 1e-9):
            to_j = math.atan2(-sy, -sx)
            whole = math.remainder(math.atan2(-sy, length - sx) - to_j, 2 * math.pi)
            part = math.remainder(math.atan2(py - sy, px - sx) - to_j, 2 * math.pi)
            turn = hand * whole + math.remainder(tk - tj - hand * whole, 2 * math.pi)
            share = part / whole if abs(whole) > 1e-15 else 0.0
            return math.hypot(px - sx, py - sy), tj + share * turn
    by_j, by_k = uj + math.sqrt(reach), uk + math.hypot(px - length, py)
    return (by_j, tj) if by_j < by_k else (by_k, tk)


def _origin_distance(uv: np.ndarray) -> np.ndarray:
    """(f,) distance of every chart triangle from the site; inf where a corner was not reached."""
    known = np.isfinite(uv).all(axis=(1, 2))
    flat = np.concatenate([uv[known], np.zeros((int(known.sum()), 3, 1))], axis=2)
    result = np.full(len(uv), np.inf)
    result[known] = triangle_distance(flat, np.zeros(3))
    return result


def _faithful(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Faces that the chart keeps upright and not over-stretched (singular values of the map within STRETCH)."""
    e1, e2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    a, b, c = (e1 * e1).sum(1), (e1 * e2).sum(1), (e2 * e2).sum(1)
    f1, f2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    upright = f1[:, 0] * f2[:, 1] - f1[:, 1] * f2[:, 0] > 0
    la = np.sqrt(np.maximum(a, 1e-300))
    y = np.sqrt(np.maximum(c - b * b / np.maximum(a, 1e-300), 1e-300))
    with np.errstate(invalid="ignore", divide="ignore"):
        j1 = f1 / la[:, None]
        j2 = (f2 - (b / la)[:, None] * j1) / y[:, None]
        p, q, r = (j1 * j1).sum(1), (j1 * j2).sum(1), (j2 * j2).sum(1)
        half, gap = (p + r) / 2, np.sqrt(np.maximum(((p - r) / 2) ** 2 + q * q, 0))
        least, most = np.sqrt(np.maximum(half - gap, 0)), np.sqrt(half + gap)
        return upright & np.isfinite(most) & (least > STRETCH[0]) & (most < STRETCH[1])


def _connected(mesh: Mesh, faces: np.ndarray, good: np.ndarray, start: int, sharp: float | None) -> np.ndarray:
    """The good faces that hang together with the start face."""
    keep = np.zeros(len(mesh.faces), bool)
    keep[faces[good]] = True
    reached = np.zeros(len(mesh.faces), bool)
    if not keep[start]:
        return np.zeros(len(faces), bool)
    reached[start] = True
    front = np.array([start])
    while len(front):
        other = mesh.neighbours[front]
        ok = (other >= 0) & keep[other] & ~reached[other]
        if sharp is not None:
            turn = np.einsum("fk,fjk->fj", mesh.face_normals[front], mesh.face_normals[other])
            ok &= turn > math.cos(sharp)
        front = np.unique(other[ok])
        reached[front] = True
    return reached[faces]
