"""What is fitted beside the shape: albedo, gloss, light, and each photograph's gain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from recon.shading import Optics

ROUGHNESS = (0.15, 1.0)
NEAREST = 0.8
"""Lamps stand outside the part's bounding sphere, whose inverse radius is 1."""
DARKEST = 1e-4
"""Of a known light, whose logarithm is kept."""
FAR = -2.0
"""Where nearness starts and is drawn to: eight radii away."""


def logit(values: torch.Tensor) -> torch.Tensor:
    inside = values.clamp(0.002, 0.998)
    return torch.log(inside / (1 - inside))


@dataclass(eq=False)
class Unknowns:
    """Raw parameters; the properties give physical values.

    albedo_raw: (n, 3). roughness_raw, metallic_raw: (1, 1), one gloss for the part. radiance_raw: (fine cells, 3), its
    logarithm: lamps are a hundred times brighter than walls.
    gains_raw: (views, 3), whose mean over the views is taken off. nearness_raw: (fine cells,) of the
    light. mean_albedo: where the mean over the part is kept.
    """

    albedo_raw: torch.Tensor
    roughness_raw: torch.Tensor
    metallic_raw: torch.Tensor
    radiance_raw: torch.Tensor
    gains_raw: torch.Tensor
    nearness_raw: torch.Tensor
    mean_albedo: float

    @staticmethod
    def start(albedo: torch.Tensor, cells: int, views: int, radiance: torch.Tensor | None = None) -> Unknowns:
        """radiance: (cells, 3) of a light that is known; None begins with an even one."""
        like = {"dtype": torch.float32, "device": albedo.device}
        return Unknowns(
            logit(albedo).requires_grad_(),
            logit(torch.full((1, 1), 0.5, **like)).requires_grad_(),
            logit(torch.full((1, 1), 0.1, **like)).requires_grad_(),
            (torch.zeros(cells, 3, **like) if radiance is None else torch.log(radiance + DARKEST)).requires_grad_(),
            torch.zeros(views, 3, **like).requires_grad_(),
            torch.full((cells,), FAR, **like).requires_grad_(),
            float(albedo.mean()),
        )

    def on(self, albedo: torch.Tensor) -> Unknowns:
        """The same light and gloss with other albedo (n, 3): the mesh has changed."""
        rough, metal, light, gains, near = (t.detach().clone().requires_grad_() for t in self.others)
        return Unknowns(logit(albedo.detach()).requires_grad_(), rough, metal, light, gains, near, self.mean_albedo)

    @property
    def raw(self) -> tuple[torch.Tensor, ...]:
        return self.albedo_raw, *self.others

    def over(self, raw: Sequence[torch.Tensor]) -> Unknowns:
        """The same with other tensors in place of `raw`."""
        albedo, rough, metal, light, gains, near = raw
        return Unknowns(albedo, rough, metal, light, gains, near, self.mean_albedo)

    @property
    def others(self) -> tuple[torch.Tensor, ...]:
        return self.roughness_raw, self.metallic_raw, self.radiance_raw, self.gains_raw, self.nearness_raw

    @property
    def albedo(self) -> torch.Tensor:
        return torch.sigmoid(self.albedo_raw)

    @property
    def radiance(self) -> torch.Tensor:
        return torch.exp(self.radiance_raw)

    @property
    def nearness(self) -> torch.Tensor:
        """(fine cells,) inverse distance of the light from the table's axis, unit frame."""
        return NEAREST * torch.sigmoid(self.nearness_raw)

    @property
    def roughness(self) -> torch.Tensor:
        least, most = ROUGHNESS
        return least + (most - least) * torch.sigmoid(self.roughness_raw)

    @property
    def metallic(self) -> torch.Tensor:
        return torch.sigmoid(self.metallic_raw)

    def optics(self) -> Optics:
        n = len(self.albedo_raw)
        return Optics(self.albedo, self.roughness.expand(n, 1), self.metallic.expand(n, 1))

    def gain(self, view: int) -> torch.Tensor:
        """(3,) of one photograph."""
        return torch.exp(self.gains_raw[view] - self.gains_raw.mean(0))
