"""A part whose shape is a signed grid: the parameters, and the surface, colours and shadows that they stand for."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.spatial import KDTree

from core.seeds import child
from recon.fit.optimise import LIFT, shadow_tables
from recon.fit.picture import Estimate
from recon.fit.problem import Target
from recon.fit.unknowns import Unknowns, logit
from recon.hashgrid import HashGrid, HashLayout
from recon.light import FINE, lobes
from recon.raster.protocol import Topology
from recon.shading import lobe_sharpness, vertex_normals
from recon.volume import field
from recon.volume.flexicubes import Dual, Flex, Grid, extract
from recon.volume.smooth import GridPreconditioner


@dataclass(eq=False)
class Volume:
    """grid: unit frame. latent: (samples,) of the preconditioned values. albedo: (samples, 3) logits, or
    a field that is finer than the grid. unknowns: gloss, light and gains; its own albedo is not used."""

    grid: Grid
    smooth: GridPreconditioner
    latent: torch.Tensor
    flex: Flex
    albedo: torch.Tensor | HashGrid
    unknowns: Unknowns

    @staticmethod
    def start(
        values: torch.Tensor,
        colour: torch.Tensor,
        grid: Grid,
        stiffness: float,
        views: int,
        paint: HashLayout | None = None,
    ) -> Volume:
        """values (samples,) signed distances; colour (3,) linear. paint: of the albedo; None for one value a sample."""
        device = values.device
        smooth = GridPreconditioner(grid.shape, stiffness, device)
        flex = Flex(
            torch.zeros(grid.samples, 3, device=device).requires_grad_(),
            torch.zeros(grid.cell_count, 8, device=device).requires_grad_(),
            torch.zeros(grid.cell_count, 12, device=device).requires_grad_(),
        )
        first = logit(colour.clamp(0.02, 0.9))
        albedo: torch.Tensor | HashGrid
        if paint is None:
            albedo = first.expand(grid.samples, 3).clone().requires_grad_()
        else:
            extent = grid.step * (max(grid.shape) - 1)
            albedo = HashGrid.start(paint, grid.lower, extent, first, child(0, "paint"))
        unknowns = Unknowns.start(colour.clamp(0.02, 0.9)[None], FINE[0] * FINE[1], views)
        return Volume(grid, smooth, smooth.latent(values).requires_grad_(), flex, albedo, unknowns)

    def values(self) -> torch.Tensor:
        return field.bordered(self.smooth.values(self.latent), self.grid)

    def surface(self) -> Dual:
        return extract(self.values(), self.grid, self.flex)

    def flexed(self) -> list[torch.Tensor]:
        found = (self.flex.shift, self.flex.alpha, self.flex.beta, self.flex.gamma)
        return [t for t in found if t is not None]

    @property
    def paint(self) -> HashGrid | None:
        return self.albedo if isinstance(self.albedo, HashGrid) else None

    def unknowns_at(self, vertices: torch.Tensor) -> Unknowns:
        """Those of a mesh whose albedo is the field's."""
        points = vertices.detach()
        if isinstance(self.albedo, HashGrid):
            raw = self.albedo.logits(points)
        else:
            raw = field.at_points(self.albedo, points, self.grid)
        return replace(self.unknowns, albedo_raw=raw)

    @torch.no_grad()
    def set_values(self, values: torch.Tensor) -> None:
        self.latent.copy_(self.smooth.latent(values))

    @torch.no_grad()
    def take(self, other: Volume, there: np.ndarray) -> None:
        """What another volume on the same grid has there: (samples,) bool. Colours of a field finer than the grid stay:
        they are of places, not of samples."""
        samples = torch.as_tensor(there, device=self.latent.device)
        cells = samples.reshape(self.grid.shape)[:-1, :-1, :-1].reshape(-1)
        self.set_values(torch.where(samples, other.values(), self.values()))
        if isinstance(self.albedo, torch.Tensor) and isinstance(other.albedo, torch.Tensor):
            self.albedo[samples] = other.albedo[samples]
        for own, its in zip(self.flexed(), other.flexed(), strict=True):
            which = samples if len(own) == len(samples) else cells
            own[which] = its[which]

    def sign_term(self) -> torch.Tensor:
        """() binary cross-entropy of the values at both ends of every crossed edge of the grid against the other's
        sign, after Munkberg et al., Extracting Triangular 3D Models, 2022: it takes what no photograph asks for."""
        values = (self.values() / self.grid.step).reshape(self.grid.shape)
        total, count = values.new_zeros(()), 0
        for axis in range(3):
            n = self.grid.shape[axis]
            low, high = values.narrow(axis, 0, n - 1), values.narrow(axis, 1, n - 1)
            crossed = (low.detach() < 0) != (high.detach() < 0)
            a, b = low[crossed], high[crossed]
            bce = torch.nn.functional.binary_cross_entropy_with_logits
            total = total + bce(a, (b > 0).float(), reduction="sum") + bce(b, (a > 0).float(), reduction="sum")
            count += 2 * len(a)
        return total / max(count, 1)


class Shadows:
    """What vertices of a past surface saw of the sky; new ones take the nearest vertex' row."""

    def __init__(self, vertices: torch.Tensor, topology: Topology, targets: list[Target], lift: float) -> None:
        self.tables = shadow_tables(vertices, topology.faces, targets, LIFT * lift, True)
        self.tree = KDTree(vertices.cpu().numpy())

    def at(self, vertices: torch.Tensor) -> list[torch.Tensor]:
        _, near = self.tree.query(vertices.detach().cpu().numpy())
        rows = torch.as_tensor(np.asarray(near), device=vertices.device)
        return [table[rows] for table in self.tables]


def estimate_of(
    vertices: torch.Tensor, topology: Topology, unknowns: Unknowns, shadows: Shadows, paint: HashGrid | None = None
) -> Estimate:
    sharp = lobe_sharpness(unknowns.roughness)[0, 0]
    normals = vertex_normals(vertices, topology.faces.long())
    return Estimate(vertices, normals, unknowns, shadows.at(vertices), lobes(sharp) @ unknowns.radiance, paint=paint)
