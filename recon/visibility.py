"""What points of a part see past the part itself: the sky's directions, and the cameras."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recon import kernels
from recon.warps import as_warp, launch_on, wp
from recon.workers import each

ROWS = 2048
"""Points that are asked about in one call on a CPU."""


class Occluder:
    """A mesh that stands in the way of rays. vertices (n, 3) float32, faces (m, 3) int32, on one device."""

    def __init__(self, vertices: torch.Tensor, faces: torch.Tensor) -> None:
        self._kept = (vertices.detach().clone().contiguous(), faces.reshape(-1).contiguous())
        self.mesh = wp.Mesh(as_warp(self._kept[0], wp.vec3f), as_warp(self._kept[1]))
        self.size = float((self._kept[0].max(0).values - self._kept[0].min(0).values).norm())
        self.device = wp.device_from_torch(vertices.device)

    @staticmethod
    def of(vertices: np.ndarray, faces: np.ndarray) -> Occluder:
        """vertices (n, 3), faces (m, 3), on the CPU."""
        return Occluder(
            torch.as_tensor(vertices.astype(np.float32)), torch.as_tensor(np.ascontiguousarray(faces, np.int32))
        )

    def moved(self, vertices: torch.Tensor) -> None:
        """The same mesh with its vertices (n, 3) elsewhere."""
        self._kept[0].copy_(vertices.detach())
        self.mesh.refit()

    def unshadowed(
        self, points: torch.Tensor, normals: torch.Tensor, directions: np.ndarray, lift: float
    ) -> torch.Tensor:
        """points, normals (n, 3), directions (d, 3) unit -> (n, d) uint8: 1 where a direction lies above the point's
        horizon and nothing stands in it. lift: start of the rays above the surface."""
        wanted = torch.tensor(np.asarray(directions, np.float32), device=points.device)
        out = torch.zeros(len(points), len(wanted), dtype=torch.uint8, device=points.device)
        arrays = [as_warp(points, wp.vec3f), as_warp(normals, wp.vec3f), as_warp(wanted, wp.vec3f)]
        self._in_rows(kernels.unshadowed, arrays, [float(lift), 2.0 * self.size], out)
        return out

    def walls(self, points: torch.Tensor, normals: torch.Tensor, directions: torch.Tensor, lift: float) -> torch.Tensor:
        """As `unshadowed`, but (n, d) int32: the face whose front stands in a direction, -1 for none."""
        out = torch.zeros(len(points), len(directions), dtype=torch.int32, device=points.device)
        arrays = [as_warp(t.contiguous().float(), wp.vec3f) for t in (points, normals, directions)]
        self._in_rows(kernels.walls, arrays, [float(lift), 2.0 * self.size], out)
        return out

    def sees_lamps(self, points: torch.Tensor, normals: torch.Tensor, lamps: torch.Tensor, lift: float) -> torch.Tensor:
        """points, normals (n, 3), lamps (k, 3) positions -> (n, k) uint8: 1 where the point sees the lamp."""
        out = torch.zeros(len(points), len(lamps), dtype=torch.uint8, device=points.device)
        arrays = [as_warp(t.contiguous().float(), wp.vec3f) for t in (points, normals, lamps)]
        self._in_rows(kernels.sees_lamps, arrays, [float(lift), 2.0 * self.size], out)
        return out

    def farthest(self, point: np.ndarray) -> float:
        """Distance of the farthest vertex from a point (3,)."""
        return float(np.linalg.norm(self._kept[0].cpu().numpy() - point, axis=1).max())

    def distances(self, starts: np.ndarray, ways: np.ndarray) -> np.ndarray:
        """starts, ways (n, 3), ways unit -> (n,) float64 distance to the first face of either side, NaN for none."""
        out = torch.zeros(len(starts), device=self._kept[0].device)
        rays = [torch.tensor(np.asarray(a, np.float32), device=out.device) for a in (starts, ways)]
        far = float(np.linalg.norm(starts - self._kept[0].cpu().numpy().mean(0), axis=1).max()) + 2 * self.size
        inputs = [self.mesh.id, as_warp(rays[0], wp.vec3f), as_warp(rays[1], wp.vec3f), far]
        launch_on(self.device, kernels.distances, len(starts), inputs, [as_warp(out)])
        found = out.cpu().numpy().astype(np.float64)
        return np.where(found < 0, np.nan, found)

    def seen_from(
        self, points: torch.Tensor, normals: torch.Tensor, eyes: np.ndarray, lift: float, least_cosine: float = 0.0
    ) -> torch.Tensor:
        """eyes (v, 3) -> (v, n) uint8: 1 where the point sees the eye, its normal within that cosine of the way."""
        out = torch.zeros(len(eyes), len(points), dtype=torch.uint8, device=points.device)
        arrays = [as_warp(points, wp.vec3f), as_warp(normals, wp.vec3f)]

        def from_eye(number: int) -> None:
            where = wp.vec3f(*(float(v) for v in eyes[number]))
            inputs = [self.mesh.id, *arrays, where, float(lift), float(least_cosine)]
            launch_on(self.device, kernels.seen, len(points), inputs, [as_warp(out[number])])

        each(from_eye, range(len(eyes)))
        return out

    def _in_rows(self, kernel: Any, arrays: list[Any], numbers: list[float], out: torch.Tensor) -> None:
        """arrays: points and normals (n, 3), and what each of them is asked about. out: (n, k)."""
        points, normals, asked = arrays
        step = ROWS if out.device.type == "cpu" else max(len(out), 1)

        def rows(first: int) -> None:
            some = slice(first, min(first + step, len(out)))
            inputs = [self.mesh.id, points[some], normals[some], asked, *numbers]
            launch_on(self.device, kernel, tuple(out[some].shape), inputs, [as_warp(out[some])])

        each(rows, range(0, len(out), step))
