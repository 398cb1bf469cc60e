"""What a camera sees of a part, by rays: which faces to place defects on, and whether a site is in view."""

from __future__ import annotations

import numpy as np
import trimesh

from core.camera import Camera
from core.mesh import Mesh

STEEPEST = np.cos(np.radians(75))
"""A site seen at a more grazing angle than this shows no usable label."""


class Sight:
    """Rays against one mesh (metres, part frame)."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._rays = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False).ray

    def visible_faces(self, camera: Camera, world_from_part: np.ndarray, pitch: int = 4) -> np.ndarray:
        """(m,) bool: faces that show in one of every `pitch` x `pitch` pixels, not too steeply. The frame's rim is
        left out, so that what is placed there is not cut off."""
        margin = 0.06 * min(camera.width, camera.height)
        x = np.arange(margin, camera.width - margin, pitch)
        y = np.arange(margin, camera.height - margin, pitch)
        pixels = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
        origins, directions = _to_part(world_from_part, *camera.rays(pixels))
        hit = self._rays.intersects_first(origins, directions)
        facing = -np.einsum("nk,nk->n", directions, self.mesh.face_normals[hit])
        result = np.zeros(len(self.mesh.faces), bool)
        result[hit[(hit >= 0) & (facing > STEEPEST)]] = True
        return result

    def open(self, point: np.ndarray, normal: np.ndarray) -> bool:
        """True when nothing of the part lies straight above a surface point (3,) with that normal (3,)."""
        lift = 1e-4 * float(np.linalg.norm(self.mesh.bounds[1] - self.mesh.bounds[0]))
        return not self._rays.intersects_any((point + lift * normal)[None], normal[None])[0]

    def sees(self, camera: Camera, world_from_part: np.ndarray, point: np.ndarray, normal: np.ndarray) -> bool:
        """True when a surface point (3,) with that normal lies in the frame, unhidden by the part, not too steep."""
        world = world_from_part[:3, :3] @ point + world_from_part[:3, 3]
        pixels, depth = camera.project(world[None])
        margin = 0.04 * min(camera.width, camera.height)
        inside = (pixels[0] > margin) & (pixels[0] < np.array([camera.width, camera.height]) - margin)
        if depth[0] <= 0 or not inside.all():
            return False
        origins, directions = _to_part(world_from_part, *camera.rays(pixels))
        if -(directions[0] @ normal) < STEEPEST:
            return False
        reach = float(np.linalg.norm(point - origins[0]))
        hits, _, _ = self._rays.intersects_location(origins, directions, multiple_hits=False)
        return not len(hits) or float(np.linalg.norm(hits[0] - origins[0])) > reach * (1 - 1e-4)


def _to_part(world_from_part: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    turn = world_from_part[:3, :3]
    return (origins - world_from_part[:3, 3]) @ turn, directions @ turn
