"""Large relief becomes vertices: displacement along the normals, and shading normals turned by its gradient."""

from __future__ import annotations

import numpy as np

from core.layers import Layers
from core.mesh import NORMAL, Mesh


def bake(mesh: Mesh, chart: str, layers: Layers) -> Mesh:
    """`mesh` with `layers.displacement_m` put into its vertices over the chart (a corner attribute, metres).

    A vertex moves along the mean of its shading normals by the height sampled there. Its normals are turned to
    n - grad h, the gradient taken in the chart and carried to the surface by the chart's own map.
    """
    assert layers.displacement_m is not None
    uv = mesh.corner[chart]
    rows = np.flatnonzero(np.isfinite(uv).all(axis=(1, 2)))
    rows = rows[_touched(uv[rows], layers)]
    faces, normal = mesh.faces[rows], mesh.corner[NORMAL][rows]
    height = layers.sample("displacement_m", uv[rows])
    slope = _surface_gradient(mesh.triangles[rows], uv[rows], _gradient(layers, uv[rows]))
    count = np.zeros(len(mesh.vertices))
    np.add.at(count, faces, 1.0)
    mean_normal, mean_height, mean_slope = (
        _per_vertex(faces, value, len(mesh.vertices), count) for value in (normal, height[..., None], slope)
    )
    length = np.linalg.norm(mean_normal, axis=1, keepdims=True)
    mean_normal /= np.maximum(length, 1e-12)
    turned = mean_slope[faces] - normal * np.einsum("fck,fck->fc", mean_slope[faces], normal)[..., None]
    turned = normal - turned
    turned /= np.linalg.norm(turned, axis=2, keepdims=True)
    normals = np.array(mesh.corner[NORMAL])
    moved = np.abs(height).max(axis=1) + np.abs(slope).max(axis=(1, 2)) > 0
    normals[rows[moved]] = turned[moved]
    return mesh.moved(mesh.vertices + mean_normal * mean_height, normals)


def _touched(uv: np.ndarray, layers: Layers) -> np.ndarray:
    """(n,) bool: triangles (n, 3, 2) whose box overlaps the raster."""
    low = np.asarray(layers.origin_m)
    high = low + layers.size_m
    return ((uv.min(axis=1) < high) & (uv.max(axis=1) > low)).all(axis=1)


def _per_vertex(faces: np.ndarray, values: np.ndarray, n: int, count: np.ndarray) -> np.ndarray:
    total = np.zeros((n, values.shape[2]))
    np.add.at(total, faces, values)
    return total / np.maximum(count, 1.0)[:, None]


def _gradient(layers: Layers, uv: np.ndarray) -> np.ndarray:
    """(..., 2) slope of the displacement against u and v, by central differences over one texel."""
    step = layers.pitch_m
    sides = [np.array(d) * step for d in ((1.0, 0.0), (0.0, 1.0))]
    return np.stack(
        [
            (layers.sample("displacement_m", uv + d) - layers.sample("displacement_m", uv - d)) / (2 * step)
            for d in sides
        ],
        axis=-1,
    )


def _surface_gradient(triangles: np.ndarray, uv: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Chart gradients at corners (m, 3, 2) -> vectors in the planes of the triangles (m, 3, 3)."""
    edges = np.stack([triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]], axis=2)
    flat = np.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], axis=2)
    return np.einsum("mij,mcj->mci", np.linalg.pinv(edges).transpose(0, 2, 1) @ flat.transpose(0, 2, 1), gradient)
