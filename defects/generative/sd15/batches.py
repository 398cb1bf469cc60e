"""What one step of training sees: crops of augmented examples, drawn from the step's own seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.seeds import child
from defects.generative.augment import Example, Moves, augmented
from defects.generative.crop import crop_of, windows
from defects.generative.painter import GOOD

GOOD_SHARE = 0.2
"""Of the crops: a mask of another example over a place without damage, so that `good` learns to change nothing."""


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
    marked = [e for e in examples if e.damage != GOOD]
    kinds = sorted({e.damage for e in marked})
    kind = kinds[int(rng.integers(len(kinds)))]
    source = augmented(_any([e for e in marked if e.damage == kind], rng), rng, moves)
    clean = [e for e in examples if e.damage == GOOD]
    if clean and rng.random() < GOOD_SHARE:
        ground = augmented(_any(clean, rng), rng, moves)
        mask = _laid(source.mask, ground.mask.shape, rng)
        source, kind = Example(ground.image, mask, ground.part, GOOD), GOOD
    places = windows(source.mask, size, cell)
    place = places[int(rng.integers(len(places)))]
    crop = crop_of(source.image, source.part, place, float("nan"))
    return crop.image, crop.mask, kind


def _laid(mask: np.ndarray, size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A mask of one photograph at a random place in another of `size`, cut to it; never empty, never full."""
    rows, columns = np.nonzero(mask)
    at = np.array([rng.integers(s) for s in size])
    to = np.c_[rows - int(rows.mean()), columns - int(columns.mean())] + at
    to = to[((to >= 0) & (to < size)).all(axis=1)]
    out = np.zeros(size, bool)
    out[to[:, 0], to[:, 1]] = True
    out[tuple(at)] = True
    if out.all():
        out[0, 0] = False
    return out


def _any(examples: Sequence[Example], rng: np.random.Generator) -> Example:
    return examples[int(rng.integers(len(examples)))]
