"""A triangle mesh with per-corner and per-face attributes that survive refinement and booleans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from core.arrays import frozen

NORMAL = "normal"
CAPTURED = ("captured_albedo", "captured_gloss")


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in metres, part frame, counter-clockwise seen from outside.

    vertices: (n, 3) float64.  faces: (m, 3) int32, welded (shared edges share vertex indices).
    corner: name -> (m, 3, k) float64, linear inside each face; "normal" (k=3, unit) is the shading normal,
    smooth inside a smooth patch and split at sharp edges; "chart_<id>" (k=2, metres, NaN where the face is not
    in the chart); "lay" (see `parts.lay`); "captured_albedo" (k=3, linear) and "captured_gloss" (k=3: roughness,
    metallic, confidence) of a part that was reconstructed from photographs or whose file has materials; "uv" (k=2,
    see `core.texture`).
    face: name -> (m,) int32: "patch" (smooth patch), "solid", "cad_face" (-1 unknown), "colour",
    "texture" (index into the part's maps, -1: none), "defect_tag" (0, or the id of the defect whose real geometry the
    face belongs to), "bare" (1 on raw metal: fractures, burrs; else 0).
    """

    vertices: np.ndarray
    faces: np.ndarray
    corner: Mapping[str, np.ndarray] = field(default_factory=dict)
    face: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "vertices", frozen(self.vertices, np.float64, (None, 3), "vertices"))
        put(self, "faces", frozen(self.faces, np.int32, (None, 3), "faces"))
        m = len(self.faces)
        corner = {n: frozen(a, np.float64, (m, 3, None), f"corner[{n}]") for n, a in self.corner.items()}
        face = {n: frozen(a, np.int32, (m,), f"face[{n}]") for n, a in self.face.items()}
        put(self, "corner", MappingProxyType(corner))
        put(self, "face", MappingProxyType(face))

    @cached_property
    def triangles(self) -> np.ndarray:
        """(m, 3, 3) corner positions, metres."""
        return self.vertices[self.faces]

    @cached_property
    def _cross(self) -> np.ndarray:
        t = self.triangles
        return np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])

    @cached_property
    def areas(self) -> np.ndarray:
        """(m,) square metres."""
        return 0.5 * np.linalg.norm(self._cross, axis=1)

    @cached_property
    def face_normals(self) -> np.ndarray:
        """(m, 3) unit geometric normals; zero for degenerate faces."""
        length = np.linalg.norm(self._cross, axis=1, keepdims=True)
        return np.divide(self._cross, length, out=np.zeros_like(self._cross), where=length > 0)

    @cached_property
    def bounds(self) -> np.ndarray:
        """(2, 3) least and greatest corner, metres."""
        return np.stack([self.vertices.min(0), self.vertices.max(0)])

    @cached_property
    def volume(self) -> float:
        """Signed volume, cubic metres (meaningful when closed)."""
        t = self.triangles - self.vertices.mean(0)
        return float(np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])).sum() / 6.0)

    @cached_property
    def neighbours(self) -> np.ndarray:
        """(m, 3) int32: the face across edge (corner j, corner j+1); -1 at a border or non-manifold edge."""
        m = len(self.faces)
        edges = np.stack([self.faces, np.roll(self.faces, -1, axis=1)], axis=2).reshape(-1, 2)
        key = np.sort(edges, axis=1)
        order = np.lexsort((key[:, 1], key[:, 0]))
        ranked = key[order]
        starts = np.flatnonzero(np.r_[True, np.any(ranked[1:] != ranked[:-1], axis=1)])
        counts = np.diff(np.r_[starts, len(ranked)])
        pairs = starts[counts == 2]
        first, second = order[pairs], order[pairs + 1]
        result = np.full(3 * m, -1, np.int32)
        result[first], result[second] = second // 3, first // 3
        return result.reshape(m, 3)

    def with_corner(self, **arrays: np.ndarray) -> Mesh:
        return Mesh(self.vertices, self.faces, {**self.corner, **arrays}, self.face)

    def with_face(self, **arrays: np.ndarray) -> Mesh:
        return Mesh(self.vertices, self.faces, self.corner, {**self.face, **arrays})

    def moved(self, vertices: np.ndarray, normals: np.ndarray | None = None) -> Mesh:
        """Same topology, other positions (n, 3) and optionally other corner normals (m, 3, 3)."""
        corner = dict(self.corner) if normals is None else {**self.corner, NORMAL: normals}
        return Mesh(vertices, self.faces, corner, self.face)

    def rebuilt(self, vertices: np.ndarray, faces: np.ndarray, parent: np.ndarray) -> Mesh:
        """A mesh whose face i lies inside face `parent[i]` of this one: every attribute is carried over.

        Corner attributes are interpolated at the new corners' barycentric position in the parent
        (normals are made unit again), face attributes are copied.
        """
        bary = barycentric(self.triangles[parent], vertices[faces])
        corner = {n: np.einsum("fcp,fpk->fck", bary, a[parent]) for n, a in self.corner.items()}
        if NORMAL in corner:
            length = np.linalg.norm(corner[NORMAL], axis=2, keepdims=True)
            corner[NORMAL] = corner[NORMAL] / np.maximum(length, 1e-12)
        return Mesh(vertices, faces, corner, {n: a[parent] for n, a in self.face.items()})

    def subset(self, keep: np.ndarray) -> Mesh:
        """Faces selected by a bool mask or index array (m,), unreferenced vertices dropped."""
        faces = self.faces[keep]
        used, inverse = np.unique(faces, return_inverse=True)
        corner = {n: a[keep] for n, a in self.corner.items()}
        return Mesh(self.vertices[used], inverse.reshape(-1, 3), corner, {n: a[keep] for n, a in self.face.items()})


def concatenate(first: Mesh, second: Mesh) -> Mesh:
    """Both meshes in one, unwelded; only attributes that both have are kept."""
    faces = np.concatenate([first.faces, second.faces + len(first.vertices)])
    corner = {n: np.concatenate([first.corner[n], second.corner[n]]) for n in first.corner if n in second.corner}
    face = {n: np.concatenate([first.face[n], second.face[n]]) for n in first.face if n in second.face}
    return Mesh(np.concatenate([first.vertices, second.vertices]), faces, corner, face)


def barycentric(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Barycentric coordinates of `points` (m, c, 3) in the planes of `triangles` (m, 3, 3) -> (m, c, 3).

    Least squares in the plane, so it is right for sub-millimetre triangles in metres; degenerate parents
    fall back to the nearest corner.
    """
    origin = triangles[:, :1]
    e1, e2 = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    scale = np.sqrt(np.maximum(np.maximum((e1**2).sum(1), (e2**2).sum(1)), 1e-300))[:, None]
    e1, e2, d = e1 / scale, e2 / scale, (points - origin) / scale[:, None]
    a, b, c = (e1 * e1).sum(1), (e1 * e2).sum(1), (e2 * e2).sum(1)
    det = a * c - b * b
    p, q = np.einsum("mck,mk->mc", d, e1), np.einsum("mck,mk->mc", d, e2)
    good = det > 1e-14
    safe = np.where(good, det, 1.0)[:, None]
    v = (c[:, None] * p - b[:, None] * q) / safe
    w = (a[:, None] * q - b[:, None] * p) / safe
    result = np.stack([1.0 - v - w, v, w], axis=2)
    if not good.all():
        bad = np.flatnonzero(~good)
        gap = np.linalg.norm(points[bad][:, :, None] - triangles[bad][:, None], axis=3)
        result[bad] = np.eye(3)[gap.argmin(2)]
    return result
