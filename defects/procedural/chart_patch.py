"""The faces around a site, and their placement in the chart's plane by unfolding along straight lines.

Every face is placed rigidly next to a neighbour that lies nearer to the site. The neighbour that the straight
line from the site to the face's centre comes through gives the true geodesic; ways that have to bend around a
hole or a fold go from centre to centre and yield to straight ones. The placement is exact wherever the surface is
developable, whatever its triangles look like, because no distance is ever reconstructed from other distances
(compare geodesic polar coordinates: Melvaer and Reimers 2012, doi 10.1111/j.1467-8659.2012.03187.x; and the windows of
Mitchell, Mount and Papadimitriou 1987, doi 10.1137/0216045).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.defect import Site
from core.errors import GeometryError
from core.mesh import Mesh
from defects.procedural.sharp import folds

FRONTS = 24
"""The front advances by radius / FRONTS at a time: few, large array operations."""
REVISITS = 50
"""How often a face may be placed anew; bounds the work on surfaces that fold back on themselves."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Faces near a site. rows: (k,) in the mesh. faces: (k, 3) local vertices. triangles: (k, 3, 3) metres, about the
    site. twin: (3k,) half-edge across half-edge 3f+j (from corner j to j+1), -1 none. stop: (3k,) bool, the surface
    ends there for the chart: a sharp edge or a border. start: the site's face, local.
    """

    rows: np.ndarray
    faces: np.ndarray
    triangles: np.ndarray
    twin: np.ndarray
    stop: np.ndarray
    start: int

    @classmethod
    def around(cls, mesh: Mesh, site: Site, radius_m: float, sharp_rad: float | None) -> Patch:
        """Faces whose box comes within the radius. sharp_rad: None to run over sharp edges."""
        point = np.asarray(site.point_m, float)
        used = mesh.triangles
        near = ((used.min(axis=1) <= point + radius_m) & (used.max(axis=1) >= point - radius_m)).all(axis=1)
        near &= mesh.areas > 0
        if not 0 <= site.face < len(near) or not near[site.face]:
            raise GeometryError(
                f"the site's point lies {'far from' if 0 <= site.face < len(near) else 'on no'} face {site.face}",
                "a site of this mesh",
                "pass the mesh the site was placed on, or `refine.located`",
            )
        rows = np.flatnonzero(near)
        local = np.unique(mesh.faces[rows], return_inverse=True)[1].reshape(-1, 3)
        triangles = used[rows] - point
        twin = _twins(local)
        stop = _stops(mesh, rows, triangles, twin, sharp_rad)
        return cls(rows, local, triangles, np.where(stop, -1, twin), stop, int(np.searchsorted(rows, site.face)))

    @cached_property
    def normals(self) -> np.ndarray:
        """(k, 3) unit."""
        t = self.triangles
        cross = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
        return cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)

    @cached_property
    def apex(self) -> np.ndarray:
        """(3k,) complex: where the opposite corner lies from a half-edge that is laid on 0..1."""
        t = self.triangles
        edge = np.roll(t, -1, axis=1) - t
        tip = np.roll(t, -2, axis=1) - t
        square = np.maximum((edge**2).sum(2), 1e-300)
        height = np.linalg.norm(np.cross(edge, tip), axis=2)
        return (((edge * tip).sum(2) + 1j * height) / square).ravel()

    def laid(self, site: Site) -> np.ndarray:
        """(3,) complex: the site's own face in the chart, u along the site's direction."""
        normal = self.normals[self.start]
        u = np.asarray(site.direction, float)
        u = u - (u @ normal) * normal
        length = np.linalg.norm(u)
        if not length > 1e-6:
            raise GeometryError("the site's direction is normal to its face", "a tangent", "correct the site")
        u = u / length
        corners = self.triangles[self.start]
        return corners @ u + 1j * (corners @ np.cross(normal, u))


@dataclass(frozen=True)
class Window:
    """What of the chart is wanted: a disc and, for long thin defects, only a rectangle in it. half: its half extents
    along u and v. All metres."""

    radius: float
    half: tuple[float, float] | None = None

    def wider(self, share: float) -> Window:
        """Larger by a share of the radius on all sides."""
        more = (share - 1) * self.radius
        return Window(self.radius + more, self.half and (self.half[0] + more, self.half[1] + more))

    def touches(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        """(n,) bool: whether segments p..q (complex) come inside."""
        near = gap_to_origin(p, q) < self.radius
        return near if self.half is None else near & crosses_box(p, q, self.half)

    def holds(self, place: np.ndarray) -> np.ndarray:
        """(n,) bool: whether triangles (n, 3) complex overlap it."""
        p, q = place, np.roll(place, -1, axis=1)
        around = ((np.conj(q - p) * (0 - p)).imag >= 0).all(axis=1)
        return around | self.touches(p.ravel(), q.ravel()).reshape(-1, 3).any(axis=1)


@dataclass(frozen=True, eq=False)
class Placed:
    """place: (k, 3) complex, metres. cost: (k,) length of the way to the face's centre, inf where not reached.
    detour: (k,) by how much that way is longer than a straight line.
    """

    place: np.ndarray
    cost: np.ndarray
    detour: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        return np.isfinite(self.cost)


def place_faces(patch: Patch, site: Site, window: Window, max_turn_rad: float) -> Placed:
    """Place every face that overlaps the window, outwards from the site. Faces whose normal turns by more than
    `max_turn_rad` from the site's are left out: the far side of a thin wall with a rounded rim is another place."""
    radius_m = window.radius
    k = len(patch.faces)
    place, cost, detour = np.zeros((k, 3), complex), np.full(k, np.inf), np.zeros(k)
    place[patch.start], cost[patch.start] = patch.laid(site), 0.0
    facing = patch.normals @ patch.normals[patch.start] > np.cos(max_turn_rad)
    pending, taken = np.zeros(k, bool), np.zeros(k, int)
    pending[patch.start], taken[patch.start] = True, REVISITS
    corners = np.arange(3)
    while True:
        front = np.flatnonzero(pending)
        if len(front) == 0:
            return Placed(place, cost, detour)
        front = front[cost[front] <= cost[front].min() + radius_m / FRONTS]
        pending[front] = False
        half = (3 * front[:, None] + corners).ravel()
        p, q = place[front].ravel(), np.roll(place[front], -1, axis=1).ravel()
        far = patch.twin[half]
        go = (far >= 0) & window.touches(p, q)
        go &= facing[far // 3]
        half, far, p, q = half[go], far[go], p[go], q[go]
        tip = q + (p - q) * patch.apex[far]
        centre, face, source = (p + q + tip) / 3, far // 3, half // 3
        before = place[source].mean(axis=1)
        ahead = np.abs(centre) + detour[source]
        total = np.where(_straight(p, q, centre), ahead, np.maximum(cost[source] + np.abs(centre - before), ahead))
        better = np.flatnonzero((total < cost[face] - 1e-9 * radius_m) & (taken[face] < REVISITS))
        order = better[np.lexsort((far[better], total[better], face[better]))]
        first = order[np.r_[True, np.diff(face[order]) > 0]] if len(order) else order
        face, at = face[first], far[first] % 3
        taken[face] += 1
        cost[face], detour[face], pending[face] = total[first], total[first] - np.abs(centre[first]), True
        place[face, at], place[face, (at + 1) % 3], place[face, (at + 2) % 3] = q[first], p[first], tip[first]


def _straight(p: np.ndarray, q: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Whether the straight line from the site to `centre` comes through the gate p..q (q to its left)."""
    slack = 1e-12 * np.abs(centre) ** 2
    return ((np.conj(centre) * p).imag <= slack) & ((np.conj(centre) * q).imag >= -slack)


def gap_to_origin(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Distance from 0 to the segments p..q (complex)."""
    d = q - p
    t = np.clip(-(np.conj(d) * p).real / np.maximum(np.abs(d) ** 2, 1e-300), 0.0, 1.0)
    return np.abs(p + t * d)


def crosses_box(p: np.ndarray, q: np.ndarray, half: tuple[float, float]) -> np.ndarray:
    """(n,) bool: whether segments p..q (complex) touch the rectangle -half..half about 0."""
    a, b, box = np.stack([p.real, p.imag]), np.stack([q.real, q.imag]), np.array(half)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.stack([(-box - a) / (b - a), (box - a) / (b - a)])
    within = np.abs(a) <= box
    enter = np.where(a == b, np.where(within, -np.inf, np.inf), t.min(axis=0)).max(axis=0)
    leave = np.where(a == b, np.where(within, np.inf, -np.inf), t.max(axis=0)).min(axis=0)
    return (enter <= leave) & (enter <= 1) & (leave >= 0)


def _twins(faces: np.ndarray) -> np.ndarray:
    """(3k,) the half-edge that runs the other way, -1 where there is none or more than one."""
    n = int(faces.max(initial=0)) + 1
    start, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    key = np.minimum(start, end) * n + np.maximum(start, end)
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(key[order]) > 0])
    pairs = first[np.diff(np.r_[first, len(key)]) == 2]
    a, b = order[pairs], order[pairs + 1]
    opposed = start[a] == end[b]
    twin = np.full(len(key), -1)
    twin[a[opposed]], twin[b[opposed]] = b[opposed], a[opposed]
    return twin


def _stops(
    mesh: Mesh, rows: np.ndarray, triangles: np.ndarray, twin: np.ndarray, sharp_rad: float | None
) -> np.ndarray:
    """(3k,) bool: half-edges at which the surface ends. Edges at the rim of the patch are none."""
    lonely = np.flatnonzero(twin < 0)
    stop = np.zeros(len(twin), bool)
    # a half-edge without a twin is a border only if the whole mesh has no other face there
    elsewhere = np.ones(len(mesh.faces), bool)
    elsewhere[rows] = False
    touched = np.zeros(len(mesh.vertices), bool)
    touched[mesh.faces[elsewhere]] = True
    tip = mesh.faces[rows[lonely // 3], lonely % 3], mesh.faces[rows[lonely // 3], (lonely % 3 + 1) % 3]
    doubtful = touched[tip[0]] & touched[tip[1]]
    stop[lonely] = True
    if doubtful.any():
        n = len(mesh.vertices)
        rim = np.flatnonzero(elsewhere & touched[mesh.faces].all(axis=1))
        rim = rim[np.isin(mesh.faces[rim], np.r_[tip[0][doubtful], tip[1][doubtful]]).sum(axis=1) >= 2]
        a, b = mesh.faces[rim].astype(np.int64), np.roll(mesh.faces[rim], -1, axis=1).astype(np.int64)
        keys = np.unique(np.minimum(a, b) * n + np.maximum(a, b))
        low, high = np.minimum(*tip).astype(np.int64), np.maximum(*tip).astype(np.int64)
        stop[lonely[np.isin(low * n + high, keys)]] = False
    if sharp_rad is not None:
        f, j, other, turn = folds(triangles, np.where(twin >= 0, twin // 3, -1).reshape(-1, 3))
        sharp = (other >= 0) & (np.abs(turn) > sharp_rad)
        half = 3 * f[sharp] + j[sharp]
        stop[half] = True
        stop[twin[half]] = True
    return stop
