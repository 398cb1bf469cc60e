"""The diffusion of a change inside a mask: schedule, training loss, sampler.

The variable is the change that the damage makes, in sRGB over `change_scale`. Outside the mask it is known to be zero,
so neither it nor its noise exists there. The network tells the change itself, which is smooth, and not the noise: a
small network spends nothing on carrying noise through. Cosine schedule (Nichol & Dhariwal 2021), error weighted as that
of the velocity would be (Salimans & Ho 2022) up to a cap (Hang et al. 2023), deterministic sampling of second order
(DPM-Solver++ 2M, Lu et al. 2022) with classifier-free guidance (Ho & Salimans 2022).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from defects.generative.tiny.net import TinyNet

TOP, STRONGER = 0.9995, 4.0
"""The level from which sampling starts; at 1 the signal is exactly nothing. It must be so little that the mean of a
large patch still drowns in noise: at 0.99 a patch of 100 px tells its mean, and all started with that of the noise
(Lin et al., Common Diffusion Noise Schedules and Sample Steps are Flawed, 2024). Steps are even, but where noise is
STRONGER: with even levels a perfect network would give large patches a third of the spread that they have in
brightness, with these nine tenths."""
POLISH, POLISHERS = 0.5, 6
"""The level to which the result is made noisy again, and how often, for what the network tells of it on the mean."""
AREA_PX = 64.0
MOST_WEIGHT = 5.0
"""Of a level in the loss; the velocity's own weight, one over the noise's share squared, has no bound."""


@dataclass(frozen=True, eq=False)
class Batch:
    """change: (b, 3, n, n), the diffusion variable, zero outside the mask. condition: (b, CHANNELS, n, n).
    mask: (b, 1, n, n) of 0 and 1. kind: (b,) long. scale: (b, 2). level: (b,) in [0, 1]. noise: like change."""

    change: Tensor
    condition: Tensor
    mask: Tensor
    kind: Tensor
    scale: Tensor
    level: Tensor
    noise: Tensor

    def to(self, device: torch.device | str) -> Batch:
        return Batch(*(v.to(device, non_blocking=True) for v in vars(self).values()))


def shares(level: Tensor) -> tuple[Tensor, Tensor]:
    """Signal and noise amplitudes (b, 1, 1, 1) at a level."""
    angle = level.float()[:, None, None, None] * (math.pi / 2)
    return angle.cos(), angle.sin()


def shifted(level: float, by: float) -> float:
    """The level at which noise is `by` times as strong against the signal. The mean of a large patch is settled where
    the noise, averaged over it, is as strong as that mean: at levels that an even spread hardly visits (simple
    diffusion, Hoogeboom et al. 2023)."""
    return math.atan(by * math.tan(level * math.pi / 2)) * 2 / math.pi


def loss(net: TinyNet, batch: Batch) -> Tensor:
    """(b,) mean squared error over each mask, weighted by its level. Small masks count nearly as much as large ones."""
    signal, noise = shares(batch.level)
    noisy = (signal * batch.change + noise * batch.noise) * batch.mask
    told = net(noisy, batch.condition, batch.level, batch.kind, batch.scale).float()
    error = ((told - batch.change) ** 2).mean(1, keepdim=True) * batch.mask
    weight = (noise**-2).clamp(max=MOST_WEIGHT).flatten()
    return weight * error.sum((1, 2, 3)) / (batch.mask.sum((1, 2, 3)) + AREA_PX)


@torch.no_grad()
def sample(
    net: TinyNet,
    condition: Tensor,
    mask: Tensor,
    kind: Tensor,
    scale: Tensor,
    noise: Tensor,
    *,
    null: int,
    change_scale: float,
    steps: int,
    guidance: float,
) -> Tensor:
    """(b, 3, n, n): a change in sRGB units, zero outside the mask, that leaves the image within [0, 1].

    guidance: 1 follows the type as trained, more exaggerates it, 0 forgets it. A small network lets some of the noise
    that it is shown through, as grain that no damage has; so the last guess is the mean of what it tells of its own
    result under POLISHERS other noises, and sampling goes no further down than that makes sense.
    """
    clean = (condition[:, :3] + 1) / 2
    least, most = -clean / change_scale, (1 - clean) / change_scale
    x = noise * mask
    guess = torch.zeros_like(x)
    before, gained = guess, math.inf
    for here, after in pairwise(levels(steps)):
        if here < POLISH / 2:
            break
        level = torch.full((len(x),), here).to(x)
        signal, share = shares(level)
        guess = _guided(net, x, condition, level, kind, scale, null, guidance).clamp(least, most) * mask
        signal_after, share_after = shares(torch.full((len(x),), after).to(x))
        had, gained = gained, _log_snr(after) - _log_snr(here)
        ahead = guess + (guess - before) * (gained / (2 * had))
        x = (share_after / share * x + (signal_after - signal * share_after / share) * ahead) * mask
        before = guess
    named = kind if guidance > 0 else torch.full_like(kind, null)
    return _polished(net, guess, condition, mask, named, scale, noise).clamp(least, most) * mask * change_scale


def _log_snr(level: float) -> float:
    """Half of the logarithmic signal-to-noise ratio, as the solver counts its steps."""
    return -math.log(math.tan(max(level, 1e-6) * math.pi / 2))


def levels(steps: int) -> list[float]:
    """steps + 1 levels of noise from TOP to 0."""
    first = shifted(TOP, 1 / STRONGER)
    return [shifted(first * (1 - k / steps), STRONGER) for k in range(steps + 1)]


def _polished(net, guess, condition, mask, kind, scale, noise) -> Tensor:
    """Mean of the network's guesses from `guess` under several noises: `noise`, moved about."""
    level = torch.full((len(guess),), POLISH, device=guess.device)
    signal, share = shares(level)
    total = torch.zeros_like(guess)
    for k in range(POLISHERS):
        other = noise.roll((7 * k + 3, 11 * k + 5), (2, 3)) * (1 - 2 * (k % 2))
        total = total + net((signal * guess + share * other) * mask, condition, level, kind, scale)
    return total / POLISHERS


def _guided(net, x, condition, level, kind, scale, null: int, guidance: float) -> Tensor:
    if guidance == 1:
        return net(x, condition, level, kind, scale)
    both = [torch.cat([v, v]) for v in (x, condition, level)]
    told, plain = net(*both, torch.cat([kind, torch.full_like(kind, null)]), torch.cat([scale, scale])).chunk(2)
    return plain + guidance * (told - plain)
