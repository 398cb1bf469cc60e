"""Masks of a simulated capture by rays: how much of each pixel shows the part, with what stands before it."""

from __future__ import annotations

import numpy as np
import trimesh

from core.camera import Camera
from core.mesh import Mesh

GRID = 6
"""Rays per pixel and axis."""


class Occluders:
    """The part, and what was seen to stand around it. scenery: (n, 3, 3) triangles, their own frame; None unknown."""

    def __init__(self, part: Mesh) -> None:
        self.part = trimesh.Trimesh(part.vertices, part.faces, process=False)
        self.scenery: trimesh.Trimesh | None = None

    def add_scenery(self, world: np.ndarray, world_from_scenery: np.ndarray) -> None:
        """world: (n, 3, 3) triangles when the scenery stood at `world_from_scenery` (4, 4)."""
        local = (world.reshape(-1, 3) - world_from_scenery[:3, 3]) @ world_from_scenery[:3, :3]
        self.scenery = trimesh.Trimesh(local, np.arange(len(local)).reshape(-1, 3), process=False)


def share_of_part(
    occluders: Occluders, camera: Camera, world_from_part: np.ndarray, world_from_scenery: np.ndarray
) -> np.ndarray:
    """(h, w) float32 in [0, 1]."""
    x = (np.arange(camera.width * GRID) + 0.5) / GRID
    y = (np.arange(camera.height * GRID) + 0.5) / GRID
    origins, ways = camera.rays(np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2))
    near = _near(occluders.part, origins, ways, world_from_part)
    seen = np.isfinite(near)
    if occluders.scenery is not None:
        hit = np.flatnonzero(seen)
        seen[hit] = near[hit] <= _near(occluders.scenery, origins[hit], ways[hit], world_from_scenery) + 1e-9
    return seen.reshape(camera.height, GRID, camera.width, GRID).mean((1, 3)).astype(np.float32)


def _near(mesh: trimesh.Trimesh, origins: np.ndarray, ways: np.ndarray, world_from_mesh: np.ndarray) -> np.ndarray:
    """(n,) distance along each ray to the mesh, infinite where it is missed."""
    turn, shift = world_from_mesh[:3, :3], world_from_mesh[:3, 3]
    starts, local = (origins - shift) @ turn, ways @ turn
    away = np.full(len(origins), np.inf)
    face, ray = mesh.ray.intersects_id(starts, local, multiple_hits=False)[:2]
    if not len(face):
        return away
    # the plane of the face that was hit, in double precision
    corner, normal = mesh.triangles[face, 0], np.cross(*np.diff(mesh.triangles[face], axis=1).transpose(1, 0, 2))
    along = np.einsum("ij,ij->i", local[ray], normal)
    with np.errstate(divide="ignore", invalid="ignore"):
        away[ray] = np.einsum("ij,ij->i", corner - starts[ray], normal) / along
    return away
