"""An environment map as a distribution of directions: drawn from by its brightness, with the density of each draw.

Equirectangular, room frame, as `recon.result.Reconstruction.environment`: row 0 looks along +Z, the columns run from
azimuth -pi to +pi. Radiance is constant over a texel, so densities are exact and quadrature over texels is the truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Environment:
    """radiance: (h, w, 3), gradients flow to it. rows: (h + 1,) cumulative share of the rows; columns: (h, w + 1) of
    the columns in a row; both from the detached brightness, so that a draw has no gradient."""

    radiance: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor

    @staticmethod
    def of(radiance: torch.Tensor) -> Environment:
        with torch.no_grad():
            power = radiance.detach().clamp(min=0).mean(-1)
            power = power + 1e-3 * power.mean() + 1e-12
            power = power * _band(power.shape[0], power)[:, None]
            columns = torch.nn.functional.pad(torch.cumsum(power / power.sum(1, keepdim=True), 1), (1, 0))
            rows = torch.nn.functional.pad(torch.cumsum(power.sum(1) / power.sum(), 0), (1, 0))
            columns[:, -1], rows[-1] = 1, 1
        return Environment(radiance, rows, columns)

    @property
    def size(self) -> tuple[int, int]:
        return self.radiance.shape[0], self.radiance.shape[1]

    def texel(self, directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Row and column of unit directions (..., 3), room frame."""
        h, w = self.size
        row = torch.acos(directions[..., 2].detach().clamp(-1, 1)) / math.pi * h
        column = (torch.atan2(directions[..., 1].detach(), directions[..., 0].detach()) / (2 * math.pi) + 0.5) * w
        return row.long().clamp(0, h - 1), column.long().clamp(0, w - 1)

    def towards(self, directions: torch.Tensor) -> torch.Tensor:
        """(..., 3) radiance that comes from there."""
        return self.radiance[self.texel(directions)]

    def density(self, directions: torch.Tensor) -> torch.Tensor:
        """(...) of `draw`, per steradian."""
        h, w = self.size
        row, column = self.texel(directions)
        share = (self.rows[row + 1] - self.rows[row]) * (self.columns[row, column + 1] - self.columns[row, column])
        return share / (_band(h, self.rows)[row] * 2 * math.pi / w)

    def draw(self, uniform: torch.Tensor) -> torch.Tensor:
        """uniform (..., 2) in [0, 1) -> (..., 3) unit directions, room frame, even in solid angle over a texel."""
        h, w = self.size
        flat = uniform.reshape(-1, 2)
        row = (torch.searchsorted(self.rows, flat[:, 0].contiguous(), right=True) - 1).clamp(0, h - 1)
        within = (flat[:, 0] - self.rows[row]) / (self.rows[row + 1] - self.rows[row]).clamp(min=1e-20)
        column = (torch.searchsorted(self.columns[row], flat[:, 1:].contiguous(), right=True)[:, 0] - 1).clamp(0, w - 1)
        start, end = self.columns[row, column], self.columns[row, column + 1]
        across = (flat[:, 1] - start) / (end - start).clamp(min=1e-20)
        top, bottom = torch.cos(row / h * math.pi), torch.cos((row + 1) / h * math.pi)
        z = (top + (bottom - top) * within.clamp(0, 1)).clamp(-1, 1)
        azimuth = ((column + across.clamp(0, 1)) / w - 0.5) * 2 * math.pi
        side = (1 - z**2).clamp(min=0).sqrt()
        directions = torch.stack([side * torch.cos(azimuth), side * torch.sin(azimuth), z], -1)
        return directions.reshape(*uniform.shape[:-1], 3)

    def centres(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(h w, 3) directions of the texels' middles (in solid angle) and (h w,) their solid angles."""
        h, w = self.size
        edge = torch.cos(torch.arange(h + 1, device=self.rows.device) / h * math.pi)
        z = ((edge[1:] + edge[:-1]) / 2)[:, None].expand(h, w)
        azimuth = ((torch.arange(w, device=self.rows.device) + 0.5) / w - 0.5)[None].expand(h, w) * 2 * math.pi
        side = (1 - z**2).sqrt()
        directions = torch.stack([side * torch.cos(azimuth), side * torch.sin(azimuth), z], -1).reshape(-1, 3)
        angle = (_band(h, self.rows) * 2 * math.pi / w)[:, None].expand(h, w).reshape(-1)
        return directions, angle


def _band(h: int, like: torch.Tensor) -> torch.Tensor:
    """(h,) height in z of each row: its solid angle over 2 pi."""
    edge = torch.cos(torch.arange(h + 1, device=like.device, dtype=torch.float64) / h * math.pi)
    return (edge[:-1] - edge[1:]).to(like.dtype)
