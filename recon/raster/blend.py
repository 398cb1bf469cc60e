"""Blending across silhouettes, shared by every backend that finds `share` itself."""

from __future__ import annotations

import torch


def blend(colour: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """colour (h, w, k), share (h, w, 2) as `kernels.silhouette_shares` -> (h, w, k).

    The pair (pixel, right neighbour) shares its colours by channel 0, (pixel, lower neighbour) by channel 1.
    """
    right, down = share[:, :-1, 0:1], share[:-1, :, 1:2]
    step_right, step_down = colour[:, :-1] - colour[:, 1:], colour[:-1] - colour[1:]
    result = colour.clone()
    result[:, 1:] += right.clamp(min=0) * step_right
    result[:, :-1] += right.clamp(max=0) * step_right
    result[1:] += down.clamp(min=0) * step_down
    result[:-1] += down.clamp(max=0) * step_down
    return result
