"""Texture lookup with torch alone: bilinear in a level, linear between levels of a box-filtered pyramid."""

from __future__ import annotations

import torch
import torch.nn.functional as nn


def pyramid(image: torch.Tensor) -> list[torch.Tensor]:
    """(H, W, k) -> levels, each half as large (rounded down, at least 1), by box filter."""
    levels = [image]
    while max(levels[-1].shape[:2]) > 1:
        last = levels[-1].permute(2, 0, 1)[None]
        step = (2 if last.shape[2] > 1 else 1, 2 if last.shape[3] > 1 else 1)
        levels.append(nn.avg_pool2d(last, step, step)[0].permute(1, 2, 0))
    return levels


def bilinear(image: torch.Tensor, uv: torch.Tensor) -> torch.Tensor:
    """image (H, W, k), row 0 at v = 1; uv (h, w, 2) -> (h, w, k); texels beyond the border repeat it."""
    grid = torch.stack([uv[..., 0] * 2 - 1, 1 - uv[..., 1] * 2], dim=-1)[None]
    found = nn.grid_sample(image.permute(2, 0, 1)[None], grid, "bilinear", "border", align_corners=False)
    return found[0].permute(1, 2, 0)


def lookup(image: torch.Tensor, uv: torch.Tensor, level: torch.Tensor | None) -> torch.Tensor:
    """As `Rasterizer.texture`."""
    if level is None:
        return bilinear(image, uv)
    levels = pyramid(image)
    wanted = level.clamp(0, len(levels) - 1)
    result = torch.zeros(*uv.shape[:2], image.shape[2], dtype=image.dtype, device=image.device)
    for number, one in enumerate(levels):
        share = (1 - (wanted - number).abs()).clamp(min=0)
        if bool((share > 0).any()):
            result = result + share[..., None] * bilinear(one, uv)
    return result
