"""Exact distances between points and a triangle mesh, and free lines of sight past it, at any scale.

The search runs in single precision on a mesh normalised to a diagonal of one; the distance to the face that it finds is
then computed in double precision, so sub-millimetre triangles in metres lose nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core.errors import GeometryError
from recon import kernels
from recon.warps import wp


class Nearest(NamedTuple):
    """points: (n, 3) on the mesh. face: (n,). distance: (n,), the mesh's unit."""

    points: np.ndarray
    face: np.ndarray
    distance: np.ndarray


class Surface:
    """vertices (n, 3) and faces (m, 3), with a tree over the faces. GeometryError where there is no face, or a value
    that is not finite."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        vertices, faces = np.asarray(vertices, float), np.asarray(faces, np.int64)
        if not len(faces) or not np.isfinite(vertices).all():
            raise GeometryError(
                f"a mesh of {len(vertices)} vertices and {len(faces)} faces", "finite vertices and a face", "repair it"
            )
        self.triangles = vertices[faces]
        cross = np.cross(self.triangles[:, 1] - self.triangles[:, 0], self.triangles[:, 2] - self.triangles[:, 0])
        length = np.linalg.norm(cross, axis=1)
        self.areas = length / 2
        self.normals = cross / np.maximum(length, 1e-300)[:, None]
        used = self.triangles.reshape(-1, 3)
        self.lower, self.upper = used.min(0), used.max(0)
        self.diagonal = float(np.linalg.norm(self.upper - self.lower))
        # faces without area have no nearest point of their own, and their edges are other faces' edges
        kept = np.flatnonzero(length > 1e-12 * self.diagonal**2)
        self._kept = kept if len(kept) else np.arange(len(faces))
        points = self._unit(self.triangles[self._kept].reshape(-1, 3))
        self._mesh = wp.Mesh(points, wp.array(np.arange(3 * len(self._kept), dtype=np.int32), device="cpu"))

    def _unit(self, points: np.ndarray) -> Any:
        scaled = (np.asarray(points, float) - (self.lower + self.upper) / 2) / max(self.diagonal, 1e-300)
        return wp.array(np.ascontiguousarray(scaled, np.float32), dtype=wp.vec3f, device="cpu")

    def closest(self, points: np.ndarray) -> Nearest:
        """points: (n, 3)."""
        points = np.asarray(points, float)
        found: Any = wp.zeros(len(points), dtype=wp.int32, device="cpu")
        wp.launch(kernels.nearest_face, len(points), [self._mesh.id, self._unit(points)], [found], device="cpu")
        face = self._kept[found.numpy()]
        on = nearest_on_triangles(points, self.triangles[face])
        return Nearest(on, face, np.linalg.norm(points - on, axis=1))

    def free(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """(n,) bool: nothing of the mesh lies between two points (n, 3)."""
        out: Any = wp.zeros(len(start), dtype=wp.uint8, device="cpu")
        wp.launch(kernels.free, len(start), [self._mesh.id, self._unit(start), self._unit(end)], [out], device="cpu")
        return out.numpy() > 0

    def samples(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (count, 3) uniform by area, stratified along the faces, and their faces (count,)."""
        share = np.cumsum(self.areas)
        place = (np.arange(count) + rng.random(count)) / count * share[-1]
        face = np.minimum(np.searchsorted(share, place, side="right"), len(share) - 1)
        u, v = rng.random(count), rng.random(count)
        fold = u + v > 1
        u, v = np.where(fold, 1 - u, u), np.where(fold, 1 - v, v)
        a, b, c = self.triangles[face].transpose(1, 0, 2)
        return a + u[:, None] * (b - a) + v[:, None] * (c - a), face


def nearest_on_triangles(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """points (n, 3), triangles (n, 3, 3) -> (n, 3): on each triangle, what is nearest to its point.

    The foot on the plane where it falls inside, else the nearest point of the three edges.
    """
    a, b, c = triangles.transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    square = np.maximum((normal**2).sum(1), 1e-300)
    foot = points - normal * (((points - a) * normal).sum(1) / square)[:, None]
    inside = np.ones(len(points), bool)
    best, least = foot.copy(), np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        edge = end - start
        inside &= (np.cross(edge, foot - start) * normal).sum(1) >= 0
        t = np.clip(((points - start) * edge).sum(1) / np.maximum((edge**2).sum(1), 1e-300), 0, 1)
        on = start + t[:, None] * edge
        away = ((points - on) ** 2).sum(1)
        nearer = away < least
        best[nearer], least[nearer] = on[nearer], away[nearer]
    return np.where(inside[:, None], foot, best)
