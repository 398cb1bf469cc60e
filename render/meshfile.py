"""Meshes and decal textures as the array files that a RenderJob names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.defect import Defect, chart_name
from core.errors import RenderError
from core.mesh import CAPTURED, NORMAL, Mesh
from core.texture import TEXTURE, UV

CARRIED = ("lay", "lay_tangent", *CAPTURED)
OUTSIDE = -9.0
"""Texture coordinate of corners that are not in a chart: clamped sampling lands on the raster's neutral border."""


def write_mesh(path: Path, mesh: Mesh, defects: tuple[Defect, ...]) -> Path:
    """Write `mesh` for the worker; charts go from metres to texture coordinates of their own defect's raster."""
    if NORMAL not in mesh.corner:
        raise RenderError("a mesh without corner normals", "corner['normal']", "load it through parts.load")
    arrays = {"vertices": mesh.vertices.astype(np.float32), "faces": mesh.faces}
    arrays["normal"] = mesh.corner[NORMAL].astype(np.float32)
    arrays["defect_tag"] = mesh.face.get("defect_tag", np.zeros(len(mesh.faces), np.int32))
    arrays["bare"] = mesh.face.get("bare", np.zeros(len(mesh.faces), np.int32))
    arrays |= {f"corner_{n}": mesh.corner[n].astype(np.float32) for n in CARRIED if n in mesh.corner}
    if UV in mesh.corner:
        arrays |= {UV: mesh.corner[UV].astype(np.float32), TEXTURE: mesh.face[TEXTURE]}
    for defect in defects:
        if defect.layers is not None:
            arrays[f"corner_{defect.chart}"] = _texture_coordinates(mesh, defect)
    np.savez(path, **arrays)
    return path


def write_textures(path: Path, defect: Defect) -> Path:
    """The decal's rasters, (3, h, w, 4) float32, with a border that changes nothing."""
    assert defect.layers is not None
    stack = defect.layers.textures().copy()
    for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[:, :, 0], np.s_[:, :, -1]):
        ring = stack[edge]
        ring[0, :, 3] = 0.0  # albedo_weight
        ring[1, :, 2], ring[1, :, 3] = 0.0, 1.0  # surface_weight, lay_keep
        ring[2, :, 0], ring[2, :, 3] = 0.0, 0.0  # height, film
    np.save(path, stack)
    return path


def _texture_coordinates(mesh: Mesh, defect: Defect) -> np.ndarray:
    assert defect.layers is not None
    uv = mesh.corner[chart_name(defect.id)]
    inside = np.isfinite(uv).all(axis=(1, 2))
    result = np.full((len(uv), 3, 3), OUTSIDE, np.float32)
    result[inside, :, :2] = defect.layers.texture_coordinates(uv[inside])
    return result
