"""The same networks with less memory at a time: tiles of an image, slices of attention, halves of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from defects.generative.sd15.models import Networks

LEAST_CELLS = 8
"""Smallest tile of an image, in latent cells."""


def spare_memory(pipe: Any, nets: Networks, size: int) -> int:
    """Make `pipe` spare memory from now on; returns the side of its tiles, pixels. size: of the crops, pixels.

    The autoencoder works in tiles of half a crop that overlap by a quarter and are blended; attention takes one head
    at a time; the guided and the unguided half of a batch run one after the other. Only the tiles change the result,
    a little, where they meet.
    """
    tile = max(LEAST_CELLS, size // 2 // nets.cell) * nets.cell
    nets.vae.enable_tiling()
    nets.vae.enable_slicing()
    nets.vae.tile_sample_min_size = tile
    nets.vae.tile_latent_min_size = tile // nets.cell
    pipe.enable_attention_slicing("max")
    for module in (nets.unet, nets.controlnet):
        if module is not None:
            module.forward = one_by_one(module.forward)
    return tile


def one_by_one(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward(sample (n, ...), ...)` called once for each of the n, its tensors put together again."""

    def halves(sample: torch.Tensor, *given: Any, **named: Any) -> Any:
        n = len(sample)
        if n == 1:
            return forward(sample, *given, **named)
        made = [
            forward(sample[k : k + 1], *(_one(v, k, n) for v in given), **{a: _one(v, k, n) for a, v in named.items()})
            for k in range(n)
        ]
        return _joined(made)

    return halves


def _one(value: Any, k: int, n: int) -> Any:
    """The k-th of what belongs to each of n; what belongs to all stays."""
    if isinstance(value, torch.Tensor):
        return value[k : k + 1] if value.ndim > 0 and len(value) == n else value
    return type(value)(_one(v, k, n) for v in value) if isinstance(value, list | tuple) else value


def _joined(made: list[Any]) -> Any:
    first = made[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(made)
    if isinstance(first, list | tuple):
        return type(first)(_joined(list(v)) for v in zip(*made, strict=True))
    return type(first)(**{k: _joined([m[k] for m in made]) for k in first})
