"""Masks of a simulated capture by rays: how much of each pixel shows the part, with what stands before it."""

from __future__ import annotations

import numpy as np
import trimesh
from scipy.ndimage import maximum_filter, minimum_filter

from core.camera import Camera
from core.mesh import Mesh

GRID, COARSE = 6, 2
"""Rays per pixel and axis, at outlines and elsewhere."""


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
    """(h, w) float32 in [0, 1]: a few rays for every pixel, all of them where these disagree with a neighbour's."""

    def seen(pixels: np.ndarray) -> np.ndarray:
        origins, ways = camera.rays(pixels)
        near = _near(occluders.part, origins, ways, world_from_part)
        hit = np.isfinite(near)
        if occluders.scenery is not None:
            some = np.flatnonzero(hit)
            before = _near(occluders.scenery, origins[some], ways[some], world_from_scenery)
            hit[some] = near[some] <= before + 1e-9
        return hit

    height, width = camera.height, camera.width
    corners = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).reshape(-1, 1, 2)
    coarse = seen((corners + _grid(COARSE)).reshape(-1, 2)).reshape(height, width, -1).mean(2).astype(np.float32)
    lowest, highest = minimum_filter(coarse, 3, mode="nearest"), maximum_filter(coarse, 3, mode="nearest")
    mixed = np.flatnonzero(lowest != highest)
    fine = seen((corners[mixed] + _grid(GRID)).reshape(-1, 2)).reshape(len(mixed), -1)
    coarse.ravel()[mixed] = fine.mean(1)
    return coarse


def _grid(side: int) -> np.ndarray:
    """(side^2, 2) offsets within a pixel."""
    steps = (np.arange(side) + 0.5) / side
    return np.stack(np.meshgrid(steps, steps), axis=2).reshape(-1, 2)


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
