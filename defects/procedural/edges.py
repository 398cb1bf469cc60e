"""Sharp convex edges of a part as paths with a frame: what chips and burrs grow along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import PlacementError
from core.mesh import NORMAL, Mesh

SHARP_RAD = np.deg2rad(30.0)
TURN_RAD = np.deg2rad(40.0)


@dataclass(frozen=True, eq=False)
class EdgePath:
    """A stretch of a sharp convex edge, parametrised by arc length s (metres) with s = 0 at the site.

    s: (k,) increasing. points: (k, 3) part frame. left, right: (k, 3) unit outward normals of the two faces, left
    being the one whose interior lies to the left of the direction of travel seen from outside.
    """

    s: np.ndarray
    points: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def at(self, s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """At arc lengths (n,): origin, tangent t, unit directions into the left and the right face, (n, 3) each.

        Beyond the ends the edge is continued straight.
        """
        s = np.asarray(s, float)
        held = np.clip(s, self.s[0], self.s[-1])
        origin, left, right = (
            np.stack([np.interp(held, self.s, a[:, k]) for k in range(3)], axis=1)
            for a in (self.points, self.left, self.right)
        )
        left /= np.linalg.norm(left, axis=1, keepdims=True)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        t = np.cross(left, right)
        t /= np.linalg.norm(t, axis=1, keepdims=True)
        return origin + (s - held)[:, None] * t, t, np.cross(left, t), np.cross(t, right)

    @property
    def opening_rad(self) -> float:
        """Angle of the solid wedge at the site (pi/2 at a square edge)."""
        _, _, into_left, into_right = self.at(np.zeros(1))
        return float(np.arccos(np.clip(np.dot(into_left[0], into_right[0]), -1.0, 1.0)))

    @property
    def length_m(self) -> float:
        return float(self.s[-1] - self.s[0])


def sharp_convex(mesh: Mesh, angle_rad: float = SHARP_RAD) -> np.ndarray:
    """(m, 3) bool: the edge from corner j to j+1 is convex and turns by more than `angle_rad`."""
    other = mesh.neighbours
    n, mine = mesh.face_normals, np.arange(len(mesh.faces))[:, None]
    turn = np.einsum("mk,mjk->mj", n, n[other])
    centre = mesh.triangles.mean(axis=1)
    falls = np.einsum("mk,mjk->mj", n, centre[other] - centre[mine]) < 0
    return (other >= 0) & (turn < np.cos(angle_rad)) & falls


def edge_path(mesh: Mesh, face: int, point: np.ndarray, half_m: float) -> EdgePath:
    """The sharp convex edge nearest to `point` (within the solid of `face`), followed `half_m` to both sides.

    PlacementError when there is none within `half_m`. The path stops at corners that turn by more than 40 degrees.
    """
    sharp = sharp_convex(mesh)
    if "solid" in mesh.face:
        sharp &= (mesh.face["solid"] == mesh.face["solid"][face])[:, None]
    f, j = np.nonzero(sharp)
    start, end = mesh.faces[f, j], mesh.faces[f, (j + 1) % 3]
    a, b = mesh.vertices[start], mesh.vertices[end]
    along = np.clip(np.einsum("ij,ij->i", point - a, b - a) / np.maximum(((b - a) ** 2).sum(1), 1e-300), 0, 1)
    gap = np.linalg.norm(a + along[:, None] * (b - a) - point, axis=1)
    if len(gap) == 0 or gap.min() > half_m:
        raise PlacementError("the site has no sharp convex edge near it", "an edge of the part", "place it 'on: edge'")
    least = np.flatnonzero(gap <= gap.min() + 1e-12)
    seed = int(least[0])
    middle = a[seed] + along[seed] * (b[seed] - a[seed])
    by_start: dict[int, list[int]] = {}
    for k, v in enumerate(start):
        by_start.setdefault(int(v), []).append(k)
    by_end: dict[int, list[int]] = {}
    for k, v in enumerate(end):
        by_end.setdefault(int(v), []).append(k)
    unit = (b - a) / np.linalg.norm(b - a, axis=1, keepdims=True)
    ahead = _walk(seed, float(np.linalg.norm(b[seed] - middle)), half_m, end, by_start, unit, a, b)
    behind = _walk(seed, float(np.linalg.norm(a[seed] - middle)), half_m, start, by_end, unit, a, b)
    chain = [*reversed(behind), seed, *ahead]
    return _framed(mesh, chain, f, j, middle, chain.index(seed))


def _walk(
    seed: int,
    gone: float,
    half: float,
    tip: np.ndarray,
    following: dict,
    unit: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
) -> list[int]:
    """Edges after `seed` in one direction until `half` metres are covered, the edge ends, turns sharply or closes."""
    chain, current = [], seed
    while gone < half:
        choices = [k for k in following.get(int(tip[current]), []) if k != seed and k not in chain[-1:]]
        best = max(choices, key=lambda k: float(unit[k] @ unit[current]), default=None)
        if best is None or unit[best] @ unit[current] < np.cos(TURN_RAD) or best in chain:
            break
        chain.append(best)
        gone += float(np.linalg.norm(b[best] - a[best]))
        current = best
    return chain


def _framed(mesh: Mesh, chain: list[int], f: np.ndarray, j: np.ndarray, middle: np.ndarray, seed: int) -> EdgePath:
    """Points and normals along the chain; normals of neighbouring edges are averaged at their common vertex."""
    normal = mesh.corner.get(NORMAL)
    if normal is None:
        normal = np.repeat(mesh.face_normals[:, None], 3, axis=1)
    face, corner = f[chain], j[chain]
    other = mesh.neighbours[face, corner]
    start, end = mesh.faces[face, corner], mesh.faces[face, (corner + 1) % 3]
    at_start = np.argmax(mesh.faces[other] == start[:, None], axis=1)
    at_end = np.argmax(mesh.faces[other] == end[:, None], axis=1)
    left = _joined(normal[face, corner], normal[face, (corner + 1) % 3])
    right = _joined(normal[other, at_start], normal[other, at_end])
    points = np.concatenate([mesh.vertices[start], mesh.vertices[end[-1:]]])
    s = np.r_[0.0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))]
    return EdgePath(s - s[seed] - np.linalg.norm(middle - points[seed]), points, left, right)


def _joined(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Normals at the ends of k edges in a row -> (k + 1, 3) at their vertices."""
    result = np.concatenate([first[:1], first[1:] + last[:-1], last[-1:]])
    return result / np.linalg.norm(result, axis=1, keepdims=True)


def grid_body(
    path: EdgePath, s: np.ndarray, b: np.ndarray, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A closed body between two heights over (s, b) along an edge: vertices (n, 3), faces, outward oriented.

    low, high: (len(s), len(b)) along the outward bisector of the wedge, low < high; b runs from right to left.
    PlacementError when the edge bends so tightly that the body would fold.
    """
    origin, t, into_left, into_right = path.at(s)
    across = into_left - into_right
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(t, across)
    up *= np.sign(-np.einsum("ij,ij->i", up, into_left + into_right))[:, None]
    base = origin[:, None] + b[None, :, None] * across[:, None]
    floor, roof = (base + h[..., None] * up[:, None] for h in (low, high))
    for sheet in (floor, roof):
        run = np.einsum("ijk,ijk->ij", np.diff(sheet, axis=0), (t[1:] + t[:-1])[:, None])
        if (run <= 0).any():
            raise PlacementError("the edge bends too tightly for this size", "a larger radius", "make it smaller")
    rows, columns = low.shape
    number = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], axis=2).reshape(-1, 4)
    down = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    rim = np.concatenate([number[:-1, 0], number[-1, :-1], number[:0:-1, -1], number[0, :0:-1]])
    after, lift = np.roll(rim, -1), rows * columns
    walls = np.concatenate(
        [np.stack([rim, after, after + lift], axis=1), np.stack([rim, after + lift, rim + lift], axis=1)]
    )
    faces = np.concatenate([down, down[:, ::-1] + lift, walls[:, ::-1]])
    vertices = np.concatenate([floor.reshape(-1, 3), roof.reshape(-1, 3)])
    return vertices, outward(vertices, faces)


def outward(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The faces of a closed body, turned round if they point inwards."""
    corner = vertices[faces] - vertices[0]
    signed = np.einsum("ij,ij->i", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])).sum()
    return faces if signed > 0 else faces[:, ::-1]
