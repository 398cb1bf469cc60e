"""A mesh as a capture's camera sees it, by rays: slow, and of another make than the rasterizer that fits it."""

from __future__ import annotations

from typing import Any

import numpy as np
import trimesh

from recon.capture.model import View


class Drawn:
    """vertices (n, 3) in the capture's frame, faces (m, 3). fine: rays per pixel and axis."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray, fine: int = 2) -> None:
        self.mesh = trimesh.Trimesh(vertices, faces, process=False)
        self.fine = fine

    def coloured(self, view: View, colours: np.ndarray, ground: float = 0.0) -> np.ndarray:
        """(h, w, k) of `colours` (n, k) at the vertices, blended over each face; `ground` where there is no part."""
        face, ray, at = self._met(view)
        weights = trimesh.triangles.points_to_barycentric(self.mesh.triangles[face], at)
        return self._averaged(view, ray, (colours[self.mesh.faces[face]] * weights[..., None]).sum(1), ground)

    def normals(self, view: View, ground: float = 0.0) -> np.ndarray:
        """(h, w, 3) in [0, 1] of the faces' normals in the camera: x to the right is red, up is green, towards the
        camera is blue."""
        face, ray, _ = self._met(view)
        turned = self.mesh.face_normals[face] @ view.camera_from_part[:3, :3].T
        return self._averaged(view, ray, turned * [0.5, -0.5, -0.5] + 0.5, ground)

    def _met(self, view: View) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Faces that rays meet first, the rays' numbers, and where (k, 3)."""
        height, width = view.size
        fine = self.fine
        x, y = np.meshgrid((np.arange(width * fine) + 0.5) / fine, (np.arange(height * fine) + 0.5) / fine)
        local = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ np.linalg.inv(view.intrinsics).T
        ways = local @ view.camera_from_part[:3, :3]
        starts = np.broadcast_to(view.centre, ways.shape)
        met: Any = self.mesh.ray.intersects_id(starts, ways, multiple_hits=False, return_locations=True)
        return met

    def _averaged(self, view: View, ray: np.ndarray, values: np.ndarray, ground: float) -> np.ndarray:
        height, width = view.size
        image = np.full((height * width * self.fine**2, values.shape[1]), float(ground))
        image[ray] = values
        return image.reshape(height, self.fine, width, self.fine, -1).mean((1, 3))
