"""Steps that move a sampled field smoothly: coordinates u = (I + stiffness L) s on a grid, L its graph Laplacian.

The idea of Nicolet et al., Large Steps in Inverse Rendering of Geometry, 2021, carried from meshes to grids, where
cosine transforms along the three axes make L diagonal and the solve exact.
"""

from __future__ import annotations

import math

import torch


def _cosines(n: int) -> torch.Tensor:
    """(n, n) float64 orthonormal, rows the cosine transform's waves: they diagonalise a path of n samples."""
    at = torch.arange(n, dtype=torch.float64)
    waves = torch.cos(math.pi / n * at[:, None] * (at[None] + 0.5)) * math.sqrt(2 / n)
    waves[0] /= math.sqrt(2)
    return waves


class GridPreconditioner:
    """shape: samples along each axis. stiffness: smooths over about its square root of cells."""

    def __init__(self, shape: tuple[int, int, int], stiffness: float, device: str | torch.device = "cpu") -> None:
        self.shape = shape
        self.waves = [_cosines(n).float().to(device) for n in shape]
        eigen = [2 - 2 * torch.cos(math.pi * torch.arange(n, dtype=torch.float64) / n) for n in shape]
        total = eigen[0][:, None, None] + eigen[1][None, :, None] + eigen[2][None, None]
        self.factor = (1 + stiffness * total).float().to(device)

    def values(self, latent: torch.Tensor) -> torch.Tensor:
        """s (samples,) of u, with gradients."""
        return self._scaled(latent, 1 / self.factor)

    def latent(self, values: torch.Tensor) -> torch.Tensor:
        """u of s."""
        return self._scaled(values, self.factor)

    def _scaled(self, field: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        there = _along(field.reshape(self.shape), self.waves) * by
        return _along(there, [w.T for w in self.waves]).reshape(-1)


def _along(field: torch.Tensor, matrices: list[torch.Tensor]) -> torch.Tensor:
    """A field (a, b, c) with one matrix along each axis."""
    for axis, matrix in enumerate(matrices):
        field = (field.movedim(axis, -1) @ matrix.T).movedim(-1, axis)
    return field
