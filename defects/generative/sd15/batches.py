"""What one step of training sees: crops of augmented examples, drawn from the step's own seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.seeds import child
from defects.generative.augment import Example, Moves
from defects.generative.crop import crop_of, windows
from defects.generative.draws import draw


@dataclass(frozen=True, eq=False)
class Batch:
    """images: (n, 3, s, s) in [-1, 1]. masks: (n, 1, s, s), 1 where painted. damage: n names."""

    images: torch.Tensor
    masks: torch.Tensor
    damage: tuple[str, ...]


def drawn(examples: Sequence[Example], root: int, step: int, count: int, size: int, cell: int, moves: Moves) -> Batch:
    """The batch of one step; it does not depend on the steps before it. Types are drawn equally often."""
    images, masks, damage = [], [], []
    for k in range(count):
        rng = child(root, "step", step, k)
        image, mask, kind = _one(examples, rng, size, cell, moves)
        images.append(np.moveaxis(image, 2, 0) * 2 - 1)
        masks.append(mask[None].astype(np.float32))
        damage.append(kind)
    return Batch(torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(masks)), tuple(damage))


def _one(
    examples: Sequence[Example], rng: np.random.Generator, size: int, cell: int, moves: Moves
) -> tuple[np.ndarray, np.ndarray, str]:
    source = draw(examples, rng, moves)
    places = windows(source.mask, (size,), cell)
    place = places[int(rng.integers(len(places)))]
    crop = crop_of(source.image, source.part, place, float("nan"))
    return crop.image, crop.mask, source.damage
