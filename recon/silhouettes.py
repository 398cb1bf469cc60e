"""What a mesh covers of a photograph, and how well that agrees with the photograph's mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recon.capture.model import Capture, View
from recon.capture.pixels import resized, scaled, smaller
from recon.raster.protocol import Topology
from recon.raster.warp_backend import WarpRasterizer


def silhouette(vertices: np.ndarray, faces: np.ndarray, view: View, size: tuple[int, int]) -> np.ndarray:
    """(h, w) bool: pixels whose centre the mesh covers, in an image of `size` instead of the view's own."""
    k = scaled(view.intrinsics, view.size, size)
    local = vertices @ view.camera_from_part[:3, :3].T + view.camera_from_part[:3, 3]
    positions = torch.as_tensor((local @ k.T).astype(np.float32))
    triangles = torch.as_tensor(np.ascontiguousarray(faces, np.int32))
    topology = Topology(triangles, torch.full_like(triangles, -1))  # coverage asks for no neighbours
    return WarpRasterizer().rasterize(positions, topology, size).covered.numpy()


def hull_agreement(
    capture: Capture,
    mesh: tuple[np.ndarray, np.ndarray],
    *,
    views: Sequence[View] | None = None,
    max_side: int = 256,
) -> np.ndarray:
    """(v,) intersection over union of the mesh's silhouette (vertices, faces) and each view's mask, held-out views
    included. NaN where both are empty."""
    vertices, faces = mesh
    result = []
    for view in capture.views if views is None else views:
        size = smaller(view.size, max_side)
        covered = silhouette(vertices, faces, view, size)
        result.append(overlap(covered, resized(view.mask, size) >= 0.5))
    return np.array(result)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two bool arrays; NaN where both are empty."""
    union = np.count_nonzero(first | second)
    return float(np.count_nonzero(first & second)) / union if union else float("nan")
