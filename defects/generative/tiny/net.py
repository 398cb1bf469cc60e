"""The network: a U-Net over the crop with 2 x 2 pixels folded into channels, steered by noise level, type and scale."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from defects.generative.tiny.condition import CHANNELS
from defects.generative.tiny.config import TinyConfig

FOLD = 2


class Block(nn.Module):
    """Two convolutions with a skip; the embedding scales and shifts what lies between them (FiLM, Perez 2018)."""

    def __init__(self, inside: int, outside: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(inside), nn.Conv2d(inside, outside, 3, padding=1)
        self.norm2, self.conv2 = _norm(outside), nn.Conv2d(outside, outside, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * outside)
        self.skip = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.film(code)[..., None, None].chunk(2, dim=1)
        h = self.norm2(h) * (1 + scale) + shift
        return self.skip(x) + self.conv2(F.silu(h))


class Attention(nn.Module):
    """Every position looks at every other; used at the coarsest level only."""

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.norm = heads, _norm(width)
        self.inwards, self.outwards = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.outwards.weight)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = (
            self.inwards(self.norm(x)).reshape(b, 3, self.heads, c // self.heads, h * w).transpose(-1, -2).unbind(1)
        )
        seen = F.scaled_dot_product_attention(q, k, v).transpose(-1, -2).reshape(b, c, h, w)
        return x + self.outwards(seen)


class TinyNet(nn.Module):
    """forward(noisy (b, 3, n, n), condition (b, CHANNELS, n, n), level (b,), kind (b,) long, scale (b, 2)) -> change.

    level: position on the noise schedule, 0 clean to 1 noise. kind: row of the type table, the last is no type.
    """

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        widths, width = config.widths, config.embedding
        self.kinds = nn.Embedding(len(config.types) + 1, width)
        self.levels = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.scales = nn.Sequential(nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width))
        self.mix = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.first = nn.Conv2d((3 + CHANNELS) * FOLD**2, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        for i, (w, n) in enumerate(zip(widths, config.blocks, strict=True)):
            self.down.append(nn.ModuleList(Block(w, w, width) for _ in range(n)))
            last = i + 1 == len(widths)
            self.shrink.append(nn.Identity() if last else nn.Conv2d(w, widths[i + 1], 3, stride=2, padding=1))
        self.middle1, self.look, self.middle2 = (
            Block(widths[-1], widths[-1], width), Attention(widths[-1]), Block(widths[-1], widths[-1], width),
        )  # fmt: skip
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        for i, (w, n) in reversed(list(enumerate(zip(widths, config.blocks, strict=True)))):
            self.up.append(nn.ModuleList(Block(2 * w if j == 0 else w, w, width) for j in range(n)))
            self.grow.append(nn.Conv2d(w, widths[i - 1], 1) if i else nn.Identity())
        self.norm, self.last = _norm(widths[0]), nn.Conv2d(widths[0], 3 * FOLD**2, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, noisy: Tensor, condition: Tensor, level: Tensor, kind: Tensor, scale: Tensor) -> Tensor:
        code = self.mix(self.kinds(kind) + self.levels(waves(level)) + self.scales(scale))
        h = self.first(F.pixel_unshuffle(torch.cat([noisy, condition], 1), FOLD))
        kept = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            for block in blocks:  # type: ignore[union-attr]
                h = block(h, code)
            kept.append(h)
            h = shrink(h)
        h = self.middle2(self.look(self.middle1(h, code)), code)
        for i, (blocks, grow) in enumerate(zip(self.up, self.grow, strict=True)):
            h = torch.cat([h, kept.pop()], 1)
            for block in blocks:  # type: ignore[union-attr]
                h = block(h, code)
            h = grow(h)
            if i + 1 < len(self.up):
                h = F.interpolate(h, scale_factor=2.0, mode="nearest")
        return F.pixel_shuffle(self.last(F.silu(self.norm(h))), FOLD)


def waves(level: Tensor) -> Tensor:
    """(b,) in [0, 1] -> (b, 64): sines and cosines of it."""
    rates = torch.exp(torch.linspace(0.0, math.log(200.0), 32, device=level.device))
    turns = level.float()[:, None] * rates * math.pi
    return torch.cat([turns.sin(), turns.cos()], 1)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)
