"""Sharp edges of a part: where a smooth surface ends. Charts stop at them, placement keeps its distance from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import KDTree

from core.mesh import Mesh

SHARP_RAD = float(np.deg2rad(30.0))

NEEDLE = 1e-6
"""Height over longest edge below which a triangle's normal is rounding noise and says nothing about a fold."""

PIECES = 8_000
"""Pieces that a `Segments` index cuts its segments into, beside one for each."""


@dataclass(frozen=True, eq=False)
class SharpEdges:
    """Edges whose faces meet at more than an angle, and the borders of an open surface.

    segments: (k, 2) int vertex ids, in the order in which the first face runs along the edge.
    faces: (k, 2) int, the faces to the left and right of that direction seen from outside; -1 at a border.
    dihedral_rad: (k,) turn of the outward normal across the edge; positive where the solid is convex, pi at a border.
    tangent: (k, 3) unit, part frame.
    """

    segments: np.ndarray
    faces: np.ndarray
    dihedral_rad: np.ndarray
    tangent: np.ndarray

    @property
    def border(self) -> np.ndarray:
        """(k,) bool: edges of an open or non-manifold surface."""
        return self.faces[:, 1] < 0

    @property
    def convex(self) -> np.ndarray:
        """(k,) bool: edges where material ends on both sides; what a tool can chip."""
        return (self.dihedral_rad > 0) & ~self.border

    def only(self, keep: np.ndarray) -> SharpEdges:
        return SharpEdges(self.segments[keep], self.faces[keep], self.dihedral_rad[keep], self.tangent[keep])


def sharp_edges(mesh: Mesh, angle_rad: float = SHARP_RAD) -> SharpEdges:
    """Every edge of `mesh` with a dihedral angle above `angle_rad`, and every border edge."""
    f, j, other, turn = folds(mesh.triangles, mesh.neighbours)
    keep = (other < 0) | (np.abs(turn) > angle_rad)
    f, j, other, turn = f[keep], j[keep], other[keep], turn[keep]
    ends = np.stack([mesh.faces[f, j], mesh.faces[f, (j + 1) % 3]], axis=1)
    along = mesh.vertices[ends[:, 1]] - mesh.vertices[ends[:, 0]]
    length = np.linalg.norm(along, axis=1, keepdims=True)
    return SharpEdges(ends, np.stack([f, other], axis=1), turn, along / np.maximum(length, 1e-300))


def stops(mesh: Mesh, edges: SharpEdges) -> np.ndarray:
    """(m, 3) bool: which edges of which faces `edges` holds, from both sides; edge j runs from corner j to j+1."""
    result = np.zeros(mesh.faces.shape, bool)
    inner = ~edges.border
    for face, start in (
        (edges.faces[:, 0], edges.segments[:, 0]),
        (edges.faces[inner, 1], edges.segments[inner, 1]),
    ):
        result[face, (mesh.faces[face] == start[:, None]).argmax(axis=1)] = True
    return result


def folds(triangles: np.ndarray, neighbours: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Every edge once: its face, its corner there, the face across (-1: none) and the signed turn of the normal.

    Needles, whose normal is noise, count as not folded.
    """
    f, j = np.nonzero((neighbours < 0) | (neighbours > np.arange(len(neighbours))[:, None]))
    other = neighbours[f, j]
    edges = np.roll(triangles, -1, axis=1) - triangles
    cross = np.cross(edges[:, 0], edges[:, 1])
    twice = np.linalg.norm(cross, axis=1)
    longest = (edges**2).sum(2).max(1)
    normal = cross / np.maximum(twice, 1e-300)[:, None]
    t = edges[f, j] / np.maximum(np.linalg.norm(edges[f, j], axis=1, keepdims=True), 1e-300)
    sine = np.einsum("ij,ij->i", np.cross(normal[f], normal[other]), t)
    turn = np.arctan2(sine, np.einsum("ij,ij->i", normal[f], normal[other]))
    needle = twice < NEEDLE * longest
    turn[needle[f] | needle[other]] = 0.0
    turn[other < 0] = np.pi
    return f, j, other, turn


class Segments:
    """Exact distances from points to many line segments, with a KD-tree over points along them.

    starts, ends: (k, 3) metres.
    """

    def __init__(self, starts: np.ndarray, ends: np.ndarray) -> None:
        self.starts, self.ends = np.asarray(starts, float), np.asarray(ends, float)
        length = np.linalg.norm(self.ends - self.starts, axis=1)
        step = max(float(length.sum()) / PIECES, 1e-12)
        count = np.maximum(np.ceil(length / step).astype(int), 1)
        self._owner = np.repeat(np.arange(len(length)), count)
        rank = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        where = ((rank + 0.5) / np.repeat(count, count))[:, None]
        self._centres = self.starts[self._owner] * (1 - where) + self.ends[self._owner] * where
        self._half = float((length / count).max(initial=0.0)) / 2

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def _tree(self) -> KDTree:
        return KDTree(self._centres)

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3) -> distance (n,) metres (inf without segments) and the index of the nearest segment (n,)."""
        points = np.asarray(points, float).reshape(-1, 3)
        gap, who = np.full(len(points), np.inf), np.full(len(points), -1)
        if len(self) == 0 or len(points) == 0:
            return gap, who
        # the nearest centre lies at most half a piece beyond the nearest point of its segment
        near, _ = self._tree.query(points)
        found = self._tree.query_ball_point(points, near + self._half + 1e-12)
        count = np.array([len(hits) for hits in found])
        row = np.repeat(np.arange(len(points)), count)
        owner = self._owner[np.concatenate(found).astype(int)]
        distance = to_segments(points[row], self.starts[owner], self.ends[owner])
        order = np.lexsort((owner, distance, row))
        first = order[np.r_[True, np.diff(row[order]) > 0]]
        gap[row[first]], who[row[first]] = distance[first], owner[first]
        return gap, who

    def near(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `nearest`, fast and rough: the distance is never less than the true one, and at most half a piece more."""
        points = np.asarray(points, float).reshape(-1, 3)
        owner = self._owner[self._tree.query(points)[1]]
        return to_segments(points, self.starts[owner], self.ends[owner]), owner


def to_segments(points: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Distance of every point (n, d) to its own segment (n, d) .. (n, d) -> (n,)."""
    along = ends - starts
    t = np.einsum("ij,ij->i", points - starts, along) / np.maximum((along**2).sum(1), 1e-300)
    return np.linalg.norm(starts + np.clip(t, 0.0, 1.0)[:, None] * along - points, axis=1)
