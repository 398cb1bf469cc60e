"""Outside the mask the photograph's own latents, at every step at that step's noise and clean at the last."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F


def blocks(mask: torch.Tensor, cell: int) -> torch.Tensor:
    """(n, 1, h, w) float -> (n, 1, h / cell, w / cell): 1 where a cell touches the mask. A thin mask is never lost."""
    return F.max_pool2d(mask, cell, cell)


def spread(cells: torch.Tensor, cell: int) -> torch.Tensor:
    """Cells as blocks of pixels, so that taking every cell'th pixel gives the cells again."""
    return cells.repeat_interleave(cell, 2).repeat_interleave(cell, 3)


class Blend:
    """A `callback_on_step_end`. clean: (n, c, h, w) latents of the photograph. cells: (n, 1, h, w), 1 where painted.

    The pipeline has stepped the latents already: they belong to the next timestep, and so must what is blended in.
    """

    def __init__(self, clean: torch.Tensor, cells: torch.Tensor, draws: torch.Generator) -> None:
        self.clean, self.cells = clean, cells
        self.noise = torch.randn(clean.shape, generator=draws).to(clean)

    def __call__(self, pipe: Any, step: int, timestep: Any, kwargs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        latents, times = kwargs["latents"], pipe.scheduler.timesteps
        own = self.clean.to(latents)
        if step + 1 < len(times):
            own = pipe.scheduler.add_noise(own, self.noise.to(latents), times[step + 1].reshape(1))
        cells = self.cells.to(latents)
        return {"latents": cells * latents + (1 - cells) * own}
