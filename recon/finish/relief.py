"""What of a relief in an atlas the vertices cannot have: without what is wider than their edges."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import conv2d, pad

EDGES = 1.5
"""Width (standard deviation) of what is taken out, in edges of the mesh: narrower than bumps that vertices could
follow, it would leave no more of a bump than its rim; wider, the relief makes up for what light got wrong."""


@dataclass(frozen=True, eq=False)
class Finer:
    """kernel: (k,) a Gaussian. charted: (s, s) float. near: (s, s) share of charts about each texel."""

    kernel: torch.Tensor
    charted: torch.Tensor
    near: torch.Tensor

    @staticmethod
    def of(charted: torch.Tensor, edge_texels: float) -> Finer:
        """charted: (s, s) bool. edge_texels: mean length of the mesh's edges."""
        sigma = EDGES * edge_texels
        reach = min(round(3 * sigma), len(charted) - 1)
        away = torch.arange(-reach, reach + 1, device=charted.device, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (away / sigma) ** 2)
        kernel, mask = kernel / kernel.sum(), charted.float()
        return Finer(kernel, mask, _blurred(mask[..., None], kernel)[..., 0].clamp(min=1e-3))

    def __call__(self, relief: torch.Tensor) -> torch.Tensor:
        """(s, s, 2) less its mean over the charts' texels about each."""
        return relief - _blurred(relief * self.charted[..., None], self.kernel) / self.near[..., None]


def _blurred(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """(s, s, k), as if nothing lay outside."""
    flat = image.permute(2, 0, 1)[:, None]
    reach = len(kernel) // 2
    across = conv2d(pad(flat, (reach, reach, 0, 0)), kernel[None, None, None, :])
    return conv2d(pad(across, (0, 0, reach, reach)), kernel[None, None, :, None])[:, 0].permute(1, 2, 0)
