"""The independent judge of id masks: Embree (through Open3D) on the exported meshes, charts looked up in float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from core.camera import Camera
from core.defect import DefectedPart
from core.mesh import Mesh

EDGE_PX = 0.005
"""The label pass may place its sample this far from the pixel centre (half its filter)."""


@dataclass(frozen=True)
class Agreement:
    """pixels: of either label. boundary: pixels with a 4-neighbour of another id. excused: disagree, but within EDGE_PX
    of an id edge. wrong: disagree beyond it."""

    pixels: int
    boundary: int
    excused: int
    wrong: int


class Caster:
    """Casts pixel rays into clean and defected scene. scenery: (n, 3, 3) other occluders, world frame, metres."""

    def __init__(self, camera: Camera, part: DefectedPart, world_from_part: np.ndarray, scenery: np.ndarray) -> None:
        self.camera, self.part, self.pose, self.scenery = camera, part, np.asarray(world_from_part), scenery
        meshes = [part.defected] if not part.shape_changes else [part.defected, part.clean]
        self._scenes = [(mesh, self._scene(mesh)) for mesh in meshes]

    def ids(self, pixels: np.ndarray) -> np.ndarray:
        """Label (n,) at pixel positions (n, 2): what the defected scene shows, else what vanished."""
        result = np.zeros(len(pixels), int)
        for order, (mesh, scene) in enumerate(self._scenes):
            found = self._ids(mesh, scene, pixels, decals=order == 0)
            result = np.where(result > 0, result, found)
        return result

    def judge(self, mask: np.ndarray) -> Agreement:
        """Compare a shipped id mask (h, w) with the caster, pixel by pixel."""
        h, w = mask.shape
        rows, columns = np.mgrid[:h, :w]
        centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
        truth = self.ids(centres)
        given = mask.ravel().astype(int)
        off = np.flatnonzero(truth != given)
        near = np.zeros(len(off), bool)
        for angle in np.arange(16) * np.pi / 8:
            for radius in (EDGE_PX, EDGE_PX / 3):
                step = radius * np.array([np.cos(angle), np.sin(angle)])
                near |= self.ids(centres[off] + step) == given[off]
        padded = np.pad(truth.reshape(h, w), 1, mode="edge")
        core = padded[1:-1, 1:-1]
        rim = np.zeros((h, w), bool)
        for shifted in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
            rim |= shifted != core
        return Agreement(int(((truth > 0) | (given > 0)).sum()), int(rim.sum()), int(near.sum()), int((~near).sum()))

    def _scene(self, mesh: Mesh) -> o3d.t.geometry.RaycastingScene:
        scene = o3d.t.geometry.RaycastingScene()
        world = mesh.vertices.astype(np.float32) @ self.pose[:3, :3].T + self.pose[:3, 3]
        scene.add_triangles(o3d.core.Tensor(world.astype(np.float32)), o3d.core.Tensor(mesh.faces.astype(np.uint32)))
        if len(self.scenery):
            corners = np.arange(3 * len(self.scenery), dtype=np.uint32).reshape(-1, 3)
            scene.add_triangles(
                o3d.core.Tensor(self.scenery.reshape(-1, 3).astype(np.float32)), o3d.core.Tensor(corners)
            )
        return scene

    def _ids(self, mesh: Mesh, scene, pixels: np.ndarray, decals: bool) -> np.ndarray:
        origins, directions = self.camera.rays(pixels)
        rays = np.concatenate([origins, directions], axis=1).astype(np.float32)
        hit = scene.cast_rays(o3d.core.Tensor(rays))
        on_part = (hit["geometry_ids"].numpy() == 0) & np.isfinite(hit["t_hit"].numpy())
        face = hit["primitive_ids"].numpy()[on_part].astype(int)
        uv = hit["primitive_uvs"].numpy()[on_part].astype(float)
        weights = np.stack([1 - uv.sum(1), uv[:, 0], uv[:, 1]], axis=1)
        found = mesh.face["defect_tag"][face].astype(int) if "defect_tag" in mesh.face else np.zeros(len(face), int)
        for defect in sorted(self.part.defects, key=lambda d: d.id) if decals else ():
            if defect.layers is None:
                continue
            chart = np.einsum("nc,nck->nk", weights, mesh.corner[defect.chart][face])
            inside = np.isfinite(chart).all(1)
            zone = np.zeros(len(face), bool)
            zone[inside] = defect.layers.sample("sdf_m", chart[inside]) < 0
            found = np.where(zone, defect.id, found)
        result = np.zeros(len(pixels), int)
        result[on_part] = found
        return result
