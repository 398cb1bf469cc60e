"""An environment map as a distribution of directions: drawn from by its brightness, with the density of each draw.

Equirectangular, room frame, as `recon.result.Reconstruction.environment`: row 0 looks along +Z, the columns run from
azimuth -pi to +pi. Radiance is constant over a texel, so densities are exact and quadrature over texels is the truth.

A lamp on a bench is not at infinity. Where the map has a nearness, each texel stands at a distance of its own, facing
the middle: from a point x off the middle, the texel of direction w and inverse distance u lies along v = w - u x, and
fills (w.v) / |v|^3 of the solid angle that it fills from the middle. That is exact where the nearness is even.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

PARALLAX_ROUNDS = 2


@dataclass(frozen=True, eq=False)
class Environment:
    """radiance: (h, w, 3), gradients flow to it. rows: (h + 1,) cumulative share of the rows; columns: (h, w + 1) of
    the columns in a row; both from the detached brightness, so that a draw has no gradient. nearness: (h, w) inverse
    distances from the middle in the points' unit, None where all light is far; without gradient."""

    radiance: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    nearness: torch.Tensor | None = None

    @staticmethod
    def of(radiance: torch.Tensor, nearness: torch.Tensor | None = None) -> Environment:
        with torch.no_grad():
            power = radiance.detach().clamp(min=0).mean(-1)
            power = power + 1e-3 * power.mean() + 1e-12
            power = power * _band(power.shape[0], power)[:, None]
            columns = torch.nn.functional.pad(torch.cumsum(power / power.sum(1, keepdim=True), 1), (1, 0))
            rows = torch.nn.functional.pad(torch.cumsum(power.sum(1) / power.sum(), 0), (1, 0))
            columns[:, -1], rows[-1] = 1, 1
        return Environment(radiance, rows, columns, nearness)

    @property
    def size(self) -> tuple[int, int]:
        return self.radiance.shape[0], self.radiance.shape[1]

    def texel(self, directions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Row and column of unit directions (..., 3) from the middle, room frame."""
        h, w = self.size
        ways = directions.detach()
        row = torch.acos(ways[..., 2].clamp(-1, 1)) / math.pi * h
        column = (torch.atan2(ways[..., 1], ways[..., 0]) / (2 * math.pi) + 0.5) * w
        return row.long().clamp(0, h - 1), column.long().clamp(0, w - 1)

    @torch.no_grad()
    def met(
        self, directions: torch.Tensor, offset: torch.Tensor | None = None
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor]:
        """The texel that unit directions (..., 3) from points `offset` (..., 3) off the middle lead to, room frame,
        and how much smaller it is from there than from the middle (..., factor on a density)."""
        if self.nearness is None or offset is None:
            return self.texel(directions), torch.ones_like(directions[..., 0])
        from_middle = directions
        for _ in range(PARALLAX_ROUNDS):
            near = self.nearness[self.texel(from_middle)][..., None]
            from_middle = torch.nn.functional.normalize(_hit(directions, near * offset), dim=-1)
        texel = self.texel(from_middle)
        way = from_middle - self.nearness[texel][..., None] * offset
        apart = (way * way).sum(-1)
        return texel, apart**1.5 / (from_middle * way).sum(-1).clamp(min=1e-3)

    def towards(self, directions: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
        """(..., 3) radiance that comes from there."""
        return self.radiance[self.met(directions, offset)[0]]

    def density(self, directions: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
        """(...) of `draw`, per steradian."""
        return self.density_at(*self.met(directions, offset))

    def density_at(self, texel: tuple[torch.Tensor, torch.Tensor], apart: torch.Tensor) -> torch.Tensor:
        """(...) of draws that lead to what `met` found."""
        h, w = self.size
        row, column = texel
        share = (self.rows[row + 1] - self.rows[row]) * (self.columns[row, column + 1] - self.columns[row, column])
        return share / (_band(h, self.rows)[row] * 2 * math.pi / w) * apart

    def draw(self, uniform: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
        """uniform (..., 2) in [0, 1) -> (..., 3) unit directions, room frame, even in solid angle over a texel. offset:
        (..., 3) of the points off the middle."""
        h, w = self.size
        flat = uniform.reshape(-1, 2)
        row = (torch.searchsorted(self.rows, flat[:, 0].contiguous(), right=True) - 1).clamp(0, h - 1)
        within = (flat[:, 0] - self.rows[row]) / (self.rows[row + 1] - self.rows[row]).clamp(min=1e-20)
        place = torch.searchsorted(self._laid, flat[:, 1].double() + 2 * row, right=True) - 1
        column = (place - row * (w + 1)).clamp(0, w - 1)
        start, end = self.columns[row, column], self.columns[row, column + 1]
        across = (flat[:, 1] - start) / (end - start).clamp(min=1e-20)
        top, bottom = torch.cos(row / h * math.pi), torch.cos((row + 1) / h * math.pi)
        z = (top + (bottom - top) * within.clamp(0, 1)).clamp(-1, 1)
        azimuth = ((column + across.clamp(0, 1)) / w - 0.5) * 2 * math.pi
        side = (1 - z**2).clamp(min=0).sqrt()
        directions = torch.stack([side * torch.cos(azimuth), side * torch.sin(azimuth), z], -1)
        directions = directions.reshape(*uniform.shape[:-1], 3)
        if self.nearness is None or offset is None:
            return directions
        way = directions - self.nearness[self.texel(directions)][..., None] * offset
        return torch.nn.functional.normalize(way, dim=-1)

    @property
    def _laid(self) -> torch.Tensor:
        """(h (w + 1),) the rows' cumulative shares end to end, each 2 above the last: one sorted list for all rows."""
        lifted = self.columns.double() + 2 * torch.arange(self.size[0], device=self.columns.device)[:, None]
        return lifted.reshape(-1)

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


def _hit(directions: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Where rays along unit directions from `offset`, in units of the lamp's distance, meet the sphere about the
    middle that has the lamp on it. Points outside the sphere are taken to stand on it."""
    along = (directions * offset).sum(-1, keepdim=True)
    left = (1 - (offset * offset).sum(-1, keepdim=True)).clamp(min=0)
    return offset + directions * ((along**2 + left).sqrt() - along)


def _band(h: int, like: torch.Tensor) -> torch.Tensor:
    """(h,) height in z of each row: its solid angle over 2 pi."""
    edge = torch.cos(torch.arange(h + 1, device=like.device, dtype=torch.float64) / h * math.pi)
    return (edge[:-1] - edge[1:]).to(like.dtype)
