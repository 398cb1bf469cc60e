"""What of a relief in an atlas the vertices cannot have: without what is wider than their edges; and what heights could
have."""

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

    def agreed(self, halves: torch.Tensor) -> torch.Tensor:
        """(s, s, 2) of two (2, s, s, 2) that were fitted to photographs of their own: their mean, as far as they agree
        about a texel. What one photograph's noise or gloss made up is not in the other half: of signal S and noise N in
        each, the mean is kept by S / (S + N / 2) (Wiener), and S is what the two have in common."""
        mean = halves.mean(0)
        power = torch.stack([(halves[0] * halves[1]).sum(-1), (mean**2).sum(-1)], -1) * self.charted[..., None]
        common, whole = _blurred(power, self.kernel).unbind(-1)
        return mean * (common / whole.clamp(min=1e-12)).clamp(0, 1)[..., None]


def half_of(view: int) -> int:
    """0 or 1: whose relief a view fits. Neighbours in pairs, as rings of two elevations often take turns."""
    return view // 2 % 2


def curl(relief: torch.Tensor, charted: torch.Tensor) -> torch.Tensor:
    """() Mean over the charts (s, s) of how far a relief is from that of any heights: round a texel their slopes add up
    to nothing. Charts keep angles, so texels serve for lengths."""
    along, up = relief[..., 0], relief[..., 1]
    round_ = (along[:-1, :-1] - along[1:, :-1]) - (up[1:, 1:] - up[1:, :-1])
    whole = charted[:-1, :-1] & charted[1:, :-1] & charted[1:, 1:]
    return (round_.abs() * whole).sum() / charted.sum()


def _blurred(image: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """(s, s, k), as if nothing lay outside."""
    flat = image.permute(2, 0, 1)[:, None]
    reach = len(kernel) // 2
    across = conv2d(pad(flat, (reach, reach, 0, 0)), kernel[None, None, None, :])
    return conv2d(pad(across, (0, 0, reach, reach)), kernel[None, None, :, None])[:, 0].permute(1, 2, 0)
