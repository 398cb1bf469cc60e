"""Light from the part onto itself: where the sky is hidden, what hides it shines.

In a bore or a pocket most of the light has met a wall first. Taken for sky it would make the wall too pale and too
steep. The walls that stand before a vertex' directions are found with its shadows; one sparse matrix of form factors
then carries the light that leaves them, at every renewal, for each view.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch

from recon.light import COARSE
from recon.visibility import Occluder

ROUNDS = 3
"""Reflections that are followed; a fourth is worth less than one part in ten on a wall of albedo 0.5."""


@dataclass(frozen=True, eq=False)
class Walls:
    """factors: (n, n) sparse; row i holds the share of vertex i's irradiance that leaves towards it from each other. By
    compressed rows, which a CPU multiplies fifteen times as fast as coordinates."""

    factors: torch.Tensor

    def light(self, direct: torch.Tensor, albedo: torch.Tensor) -> torch.Tensor:
        """direct: (n, 3) irradiance over pi from the sky -> (n, 3) the same that arrives by way of the part."""
        bounced = torch.zeros_like(direct)
        for _ in range(ROUNDS):
            bounced = torch.sparse.mm(self.factors, albedo * (direct + bounced))
        return bounced


@torch.no_grad()
def walls(
    vertices: torch.Tensor, normals: torch.Tensor, faces: torch.Tensor, directions: torch.Tensor, lift: float
) -> Walls:
    """What hides the sky from each vertex. directions: (coarse cells, 3) unit, part frame, each of equal solid angle.
    lift: start of the rays above the surface. A wall's back sends nothing."""
    met = Occluder(vertices, faces).walls(vertices, normals, directions, lift)
    at, cell = torch.nonzero(met >= 0, as_tuple=True)
    corners = faces.long()[met[at, cell].long()]
    cosine = (normals[at] * directions[cell]).sum(1).clamp(min=0) * (4.0 / (COARSE[0] * COARSE[1]))
    rows = at.repeat_interleave(3)
    indices = torch.stack([rows, corners.reshape(-1)])
    values = (cosine / 3).repeat_interleave(3)
    size = (len(vertices), len(vertices))
    factors = torch.sparse_coo_tensor(indices, values, size, check_invariants=False).coalesce()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        return Walls(factors.to_sparse_csr())
