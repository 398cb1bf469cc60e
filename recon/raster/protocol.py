"""What a rasterizer does: four primitives on one triangle mesh seen by one camera, all differentiable.

Positions are homogeneous pixels, `K @ X_camera`: (x * z, y * z, z) with z > 0 in front of the camera. Pixel (column c,
row r) has its centre at (c + 0.5, r + 0.5). Faces index positions; texture coordinates are interpolated by their own
index, so that a seam of the atlas is no silhouette.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from core.mesh import Mesh


@dataclass(frozen=True, eq=False)
class Topology:
    """faces: (m, 3) int32 into positions. neighbours: (m, 3) int32, the face across edge (j, j + 1), -1 at a border."""

    faces: torch.Tensor
    neighbours: torch.Tensor

    @staticmethod
    def of(faces: np.ndarray, vertex_count: int, device: str | torch.device = "cpu") -> Topology:
        mesh = Mesh(np.zeros((vertex_count, 3)), faces)
        return Topology(
            torch.as_tensor(np.array(mesh.faces), device=device), torch.as_tensor(mesh.neighbours, device=device)
        )


@dataclass(frozen=True, eq=False)
class Fragments:
    """face: (h, w) int32, the nearest face at the pixel's centre, -1 for none. bary: (h, w, 3) perspective-correct
    barycentric coordinates, 0 where there is no face; gradients flow to the positions. depth: (h, w), 0 for none."""

    face: torch.Tensor
    bary: torch.Tensor
    depth: torch.Tensor

    @property
    def covered(self) -> torch.Tensor:
        """(h, w) bool."""
        return self.face >= 0


class Rasterizer(Protocol):
    """One backend. All tensors float32 on one device."""

    name: str

    def rasterize(self, positions: torch.Tensor, topology: Topology, size: tuple[int, int]) -> Fragments:
        """positions: (n, 3) homogeneous pixels. size: (height, width). Faces that reach behind the camera are left
        out."""
        ...

    def interpolate(self, values: torch.Tensor, faces: torch.Tensor, fragments: Fragments) -> torch.Tensor:
        """values (n, k) on the corners that faces (m, 3) name -> (h, w, k), 0 where there is no face."""
        ...

    def texture(self, image: torch.Tensor, uv: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        """image (H, W, k), row 0 at v = 1; uv (h, w, 2) -> (h, w, k), bilinear; with level (h, w), the base 2
        logarithm of texels per pixel, between mip levels too."""
        ...

    def antialias(
        self, colour: torch.Tensor, positions: torch.Tensor, topology: Topology, fragments: Fragments
    ) -> torch.Tensor:
        """colour (h, w, k) -> the same with silhouettes blended by the area that they cover, which is what gives
        them gradients. After Laine et al., Modular Primitives for High-Performance Differentiable Rendering, 2020."""
        ...
