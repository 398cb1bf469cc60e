"""What placement knows of a part's surface: where it ends, how it bends, and how far one can go straight on it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.mesh import NORMAL, Mesh
from defects.procedural.sharp import Segments, SharpEdges, folds, sharp_edges, stops

STEPS = 500
"""Faces that a straight walk may cross."""


class Ground:
    """Facts about a mesh, each computed when first asked for."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh

    @cached_property
    def edges(self) -> SharpEdges:
        return sharp_edges(self.mesh)

    @cached_property
    def stop(self) -> np.ndarray:
        """(m, 3) bool: the surface ends at this edge of this face (sharp, or a border)."""
        return stops(self.mesh, self.edges)

    @cached_property
    def piece(self) -> np.ndarray:
        """(m,) int: which smooth piece of surface, bounded by sharp edges and borders, a face belongs to."""
        i, j = np.nonzero(~self.stop)
        m = len(self.stop)
        graph = coo_matrix((np.ones(len(i), np.int8), (i, self.mesh.neighbours[i, j])), (m, m))
        return connected_components(graph, directed=False)[1]

    def rim(self, piece: int) -> tuple[Segments, np.ndarray]:
        """The sharp edges and borders of one smooth piece, and their rows in `edges`."""
        if piece not in self._rims:
            sides = self.edges.faces
            mine = (self.piece[sides] == piece) & (sides >= 0)
            rows = np.flatnonzero(mine.any(axis=1))
            ends = self.mesh.vertices[self.edges.segments[rows]]
            self._rims[piece] = Segments(ends[:, 0], ends[:, 1]), rows
        return self._rims[piece]

    @cached_property
    def _rims(self) -> dict[int, tuple[Segments, np.ndarray]]:
        return {}

    def edge_gap(self, faces: np.ndarray, points: np.ndarray, rough: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Straight-line distance from points (n, 3) on faces (n,) to the nearest sharp edge of their own smooth piece,
        and that edge's row in `edges` (-1: none). rough: never less, and at most half an edge more; fast.

        A straight line is never longer than the way along the surface, so what keeps its distance here does so there.
        """
        gap, row = np.full(len(points), np.inf), np.full(len(points), -1)
        for piece in np.unique(self.piece[faces]):
            mine = np.flatnonzero(self.piece[faces] == piece)
            segments, rows = self.rim(int(piece))
            if len(rows):
                gap[mine], near = (segments.near if rough else segments.nearest)(points[mine])
                row[mine] = rows[near]
        return gap, row

    @cached_property
    def bend_radius(self) -> np.ndarray:
        """(m,) metres: least radius of curvature of the smooth surface at every face; inf where it is flat.

        From the change of the corner normals over each face (Rusinkiewicz 2004, doi 10.1109/TDPVT.2004.1335277), or,
        without corner normals, from the turn across smooth edges over the height of the two faces.
        """
        bend = self._bend_of_normals() if NORMAL in self.mesh.corner else self._bend_of_folds()
        return np.divide(1.0, bend, out=np.full(len(bend), np.inf), where=bend > 1e-3)

    def _bend_of_normals(self) -> np.ndarray:
        t, n = self.mesh.triangles, self.mesh.corner[NORMAL]
        e1, e2 = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
        length = np.maximum(np.linalg.norm(e1, axis=1), 1e-300)
        x = e1 / length[:, None]
        y = np.cross(self.mesh.face_normals, x)
        d1, d2 = n[:, 1] - n[:, 0], n[:, 2] - n[:, 0]
        flat = [np.stack([(d * x).sum(1), (d * y).sum(1)], axis=1) for d in (d1, d2)]
        along = flat[0] / length[:, None]
        height = (e2 * y).sum(1)
        across = (flat[1] - along * (e2 * x).sum(1)[:, None]) / np.maximum(height, 1e-300)[:, None]
        across[height < 1e-4 * length] = 0.0
        shear = (along[:, 1] + across[:, 0]) / 2
        half, gap = (along[:, 0] + across[:, 1]) / 2, np.hypot((along[:, 0] - across[:, 1]) / 2, shear)
        return np.maximum(np.abs(half + gap), np.abs(half - gap))

    def _bend_of_folds(self) -> np.ndarray:
        f, j, other, turn = folds(self.mesh.triangles, self.mesh.neighbours)
        smooth = ~self.stop[f, j]
        f, j, other, turn = f[smooth], j[smooth], other[smooth], np.abs(turn[smooth])
        ends = self.mesh.triangles[f, j], self.mesh.triangles[f, (j + 1) % 3]
        length = np.maximum(np.linalg.norm(ends[1] - ends[0], axis=1), 1e-300)
        bend = turn * length / np.maximum(self.mesh.areas[f] + self.mesh.areas[other], 1e-300)
        result = np.zeros(len(self.mesh.faces))
        np.maximum.at(result, f, bend)
        np.maximum.at(result, other, bend)
        return result

    def free_run(self, faces: np.ndarray, points: np.ndarray, directions: np.ndarray, limit_m: float) -> np.ndarray:
        """(n,) how far one can walk straight along the surface before it ends, metres, at most `limit_m`.

        Straight: unfolded across every edge (straightest geodesics, Polthier and Schmies 1998).
        """
        mesh, normals = self.mesh, self.mesh.face_normals
        f, p, d = faces.copy(), np.array(points, float), np.array(directions, float)
        gone, came = np.zeros(len(f)), np.full(len(f), -1)
        live = np.arange(len(f))
        for _ in range(STEPS):
            if len(live) == 0:
                break
            here, corners = f[live], mesh.triangles[f[live]]
            edge = np.roll(corners, -1, axis=1) - corners
            inward = np.cross(normals[here][:, None], edge)
            speed = np.einsum("njk,nk->nj", inward, d[live])
            depth = np.einsum("njk,njk->nj", inward, p[live][:, None] - corners)
            with np.errstate(divide="ignore", invalid="ignore"):
                t = np.where((speed < 0) & (np.arange(3) != came[live][:, None]), np.maximum(depth, 0) / -speed, np.inf)
            out = t.argmin(axis=1)
            step = t[np.arange(len(live)), out]
            step = np.where(np.isfinite(step), step, 0.0)
            gone[live] += step
            p[live] += step[:, None] * d[live]
            ended = self.stop[here, out] | (gone[live] >= limit_m)
            k, out, here = live[~ended], out[~ended], here[~ended]
            live = k
            after = mesh.neighbours[here, out]
            first = mesh.faces[here, (out + 1) % 3]
            enter = (mesh.faces[after] == first[:, None]).argmax(axis=1)
            a, b = mesh.triangles[after, enter], mesh.triangles[after, (enter + 1) % 3]
            along = (b - a) / np.maximum(np.linalg.norm(b - a, axis=1, keepdims=True), 1e-300)
            flow = np.einsum("ij,ij->i", d[k], along)
            d[k] = flow[:, None] * along + np.sqrt(np.maximum(1 - flow**2, 0))[:, None] * np.cross(
                normals[after], along
            )
            f[k], came[k] = after, enter
        return np.minimum(gone, limit_m)
