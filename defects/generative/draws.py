"""What a few-shot training draws: an augmented example, or the mask of one over a place without damage."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from defects.generative.augment import Example, Moves, augmented
from defects.generative.painter import GOOD

GOOD_SHARE = 0.2
"""Of the draws: a mask of another example over a place without damage, so that `good` learns to change nothing."""


def draw(examples: Sequence[Example], rng: np.random.Generator, moves: Moves) -> Example:
    """One draw. Types come equally often; with photographs among `examples` that are GOOD, every fifth is one of them
    with a mask."""
    marked = [e for e in examples if e.damage != GOOD]
    kinds = sorted({e.damage for e in marked})
    kind = kinds[int(rng.integers(len(kinds)))]
    source = augmented(_any([e for e in marked if e.damage == kind], rng), rng, moves)
    clean = [e for e in examples if e.damage == GOOD]
    if clean and rng.random() < GOOD_SHARE:
        ground = augmented(_any(clean, rng), rng, moves)
        return Example(ground.image, _laid(source.mask, ground.mask.shape, rng), ground.part, GOOD)
    return source


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
