"""Two small networks of the painting benchmark: one tells real crops from made ones, one finds defects. On the CPU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Judge(nn.Sequential):
    """(n, d) features -> (n, 2) logits: made, real."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 24), nn.SiLU(), nn.Dropout(0.3), nn.Linear(24, 2))


class Segmenter(nn.Module):
    """A U-Net of three levels. (n, 1, h, w) with sides of multiples of 4 -> logits of the same shape."""

    def __init__(self, widths: tuple[int, int, int] = (8, 16, 32)) -> None:
        super().__init__()
        a, b, c = widths
        self.one, self.two, self.three = _pair(1, a), _pair(a, b), _pair(b, c)
        self.up2, self.up1, self.last = _pair(c + b, b), _pair(b + a, a), nn.Conv2d(a, 1, 1)
        nn.init.constant_(self.last.bias, -4.0)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        one = self.one(x.contiguous(memory_format=torch.channels_last))
        two = self.two(F.max_pool2d(one, 2))
        deep = self.three(F.max_pool2d(two, 2))
        two = self.up2(torch.cat([F.interpolate(deep, scale_factor=2.0), two], 1))
        return self.last(self.up1(torch.cat([F.interpolate(two, scale_factor=2.0), one], 1)))


def _pair(a: int, b: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, padding=1), nn.GroupNorm(4, b), nn.SiLU(), nn.Conv2d(b, b, 3, padding=1),
        nn.GroupNorm(4, b), nn.SiLU(),
    )  # fmt: skip


def taught(
    make: Callable[[], nn.Module],
    batch: Callable[[int], tuple[np.ndarray, np.ndarray]],
    loss: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    seed: int,
    rate: float = 2e-3,
) -> nn.Module:
    """A network after `steps` of AdamW on `batch(step)` -> inputs, targets; the rate rises and falls along a cosine.

    On one thread: nets this small gain nothing from more, and stall on a busy machine.
    """
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        net = make()
        error = _steps(net, batch, loss, steps, rate)
    assert np.isfinite(error)
    return net.eval()


def _steps(
    net: nn.Module,
    batch: Callable[[int], tuple[np.ndarray, np.ndarray]],
    loss: Callable[[Tensor, Tensor], Tensor],
    steps: int,
    rate: float,
) -> float:
    """The loss of the last step."""
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2), pct_start=0.2)
    for step in range(steps):
        given, wanted = (torch.from_numpy(a) for a in batch(step))
        error = loss(net(given), wanted)
        optimizer.zero_grad(set_to_none=True)
        error.backward()
        optimizer.step()
        schedule.step()
    return float(error.detach())


def overlap_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy plus one minus the soft Dice overlap of the whole batch."""
    chance = logits.sigmoid()
    dice = (2 * (chance * wanted).sum() + 1) / (chance.sum() + wanted.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, wanted) + 1 - dice
