"""What the painting benchmark paints on: real photographs split by tile, rendered pairs, and random masks."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example, Moves, augmented
from defects.generative.painter import GOOD
from defects.generative.tiny.config import type_of

WORDS = {"blowhole": "pit", "break": "chip", "crack": "crack", "fray": "scuff", "uneven": "stain"}
"""The tiles' words in those of a painter that never saw them."""
NEAR = 600
"""Photographs of one kind whose numbers differ by less show one tile under several exposures."""
GIVEN = 3
"""Every so manyth tile with a damage is a given example; the others are what a painter is judged by."""


@dataclass(frozen=True, eq=False)
class Task:
    """image: (h, w, 3) uint8 without damage. mask: (h, w) bool. part: (h, w) bool or None. truth: the same with its
    real damage, where there is one. group: tile or pair; crops of one group stand on one side of a comparison."""

    image: np.ndarray
    mask: np.ndarray
    damage: str
    group: int
    part: np.ndarray | None = None
    truth: np.ndarray | None = None
    mm_per_px: float = float("nan")


class Real(NamedTuple):
    """A picture of real damage, or on crops of rendered. group: as in `Task`."""

    image: np.ndarray
    mask: np.ndarray
    group: int
    damage: str


@dataclass(frozen=True, eq=False)
class Ground:
    """name: of the ground. given: examples for painters. tasks: what each painter paints. real: damage that no painter
    saw. good, quiet: photographs without damage for teaching, and for thresholds."""

    name: str
    given: tuple[Example, ...]
    tasks: tuple[Task, ...]
    real: tuple[Real, ...]
    good: tuple[np.ndarray, ...] = ()
    quiet: tuple[np.ndarray, ...] = ()


def photographs(examples: Sequence[Example], count: int, seed: int) -> Ground:
    """Real photographs: a third of the tiles of each damage is given, the others are kept for the comparison. Good
    tiles go by thirds to painting, teaching and thresholds."""
    tile = tiles(examples)
    kinds = sorted({e.damage for e in examples} - {GOOD})
    order = {k: sorted({tile[i] for i, e in enumerate(examples) if e.damage == k}) for k in (*kinds, GOOD)}
    part = {t: n % GIVEN for k in order for n, t in enumerate(order[k])}
    given = tuple(e for i, e in enumerate(examples) if e.damage != GOOD and part[tile[i]] == 0)
    real = tuple(
        Real(e.image, e.mask, tile[i], e.damage) for i, e in enumerate(examples) if e.damage != GOOD and part[tile[i]]
    )
    good = [[(e.image, tile[i]) for i, e in enumerate(examples) if e.damage == GOOD and part[tile[i]] == p]
            for p in range(GIVEN)]  # fmt: skip
    if not all((given, real, *good)):
        raise InputError("too few examples to split by tile", "three tiles of each damage, and three without", "add")
    made = _laid(given, good[0], count, seed)
    plain = [tuple(image for image, _ in g) for g in good]
    return Ground("photographs", given, made, real, plain[1], plain[2])


def tiles(examples: Sequence[Example]) -> list[int]:
    """A number for each example's tile: the numbers in the names of one tile's exposures follow each other closely.
    A name without a number is a tile of its own."""
    known: dict[int, int] = {}
    for kind in sorted({e.damage for e in examples}):
        numbered = sorted((_number(e.name), i) for i, e in enumerate(examples) if e.damage == kind)
        last = None
        for number, i in numbered:
            same = last is not None and number >= 0 and last[0] >= 0 and number - last[0] < NEAR
            known[i] = known[last[1]] if same and last else len(set(known.values()))
            last = number, i
    return [known[i] for i in range(len(examples))]


def _number(name: str) -> int:
    found = re.search(r"num_(\d+)$", name)
    return int(found[1]) if found else -1


def _laid(given: Sequence[Example], good: Sequence[tuple[np.ndarray, int]], count: int, seed: int) -> tuple[Task, ...]:
    """Masks of given examples, moved a little, on good photographs; kinds in turn."""
    kinds = sorted({e.damage for e in given})
    made: list[Task] = []
    for k in itertools.count():
        if len(made) == count or k == 100 * count:
            return tuple(made)
        rng = child(seed, "task", k)
        kind = kinds[len(made) % len(kinds)]
        known = [e for e in given if e.damage == kind]
        mask = augmented(known[int(rng.integers(len(known)))], rng, Moves()).mask
        image, group = good[int(rng.integers(len(good)))]
        h, w = min(mask.shape[0], image.shape[0]), min(mask.shape[1], image.shape[1])
        whole = np.zeros(image.shape[:2], bool)
        whole[:h, :w] = mask[:h, :w]
        if whole.sum() >= 16 and whole.mean() < 0.4:
            made.append(Task(image, whole, kind, group))
    raise AssertionError


def rendered(files: Sequence[Path], count: int) -> Ground:
    """Crops of `tools/make_pairs.py`: every other pair is a given example, the others are painted; their own rendered
    damage is what a painter is compared with."""
    rows: list[Task] = []
    for path in files:
        with np.load(path) as shard:
            clean, mask, part = shard["clean"], shard["mask"], shard["part"]
            truth = np.clip(clean.astype(int) + shard["change"], 0, 255).astype(np.uint8)
            kinds = [type_of(str(k), str(b)) for k, b in zip(shard["kind"], shard["blueprint"], strict=True)]
            scale = shard["mm_per_px"]
        for i, kind in enumerate(kinds):
            on = mask[i] & part[i]
            if on.any() and not on.all():
                number = len(rows)
                rows.append(Task(clean[i], on, kind, number, part[i], truth[i], float(scale[i])))
    if len(rows) < 4:
        raise InputError(f"{len(files)} files with {len(rows)} pairs", "at least 4 pairs", "run tools/make_pairs.py")
    # the same types on both sides, in the order of the files
    given = [t for k in sorted({t.damage for t in rows}) for t in [r for r in rows if r.damage == k][::2]]
    kinds = {t.damage for t in given}
    chosen = [t for t in rows if all(t is not g for g in given) and t.damage in kinds][:count]
    examples = tuple(Example(t.truth, t.mask, t.part, t.damage) for t in given)  # type: ignore[arg-type]
    real = tuple(Real(t.truth, t.mask, t.group, t.damage) for t in chosen if t.truth is not None)
    return Ground("rendered crops", examples, tuple(chosen), real)


def random_case(
    images: Sequence[np.ndarray], rng: np.random.Generator, side: int = 96
) -> tuple[np.ndarray, np.ndarray]:
    """A crop of a photograph, or plain noise, and a mask: a line, a blob, dots, a polygon or scattered pixels, at the
    border or not; never empty, never full."""
    h, w = rng.integers(side // 2, side + 1, 2)
    if rng.random() < 0.15:
        image = rng.integers(0, 256, (h, w, 3)).astype(np.uint8)
    else:
        whole = images[int(rng.integers(len(images)))]
        h, w = min(h, whole.shape[0]), min(w, whole.shape[1])
        y, x = rng.integers(whole.shape[0] - h + 1), rng.integers(whole.shape[1] - w + 1)
        image = np.ascontiguousarray(whole[y : y + h, x : x + w])
    mask = np.zeros((h, w), np.uint8)
    points = np.stack([rng.integers(-5, w + 5, 6), rng.integers(-5, h + 5, 6)], 1).astype(np.int32)
    shape = int(rng.integers(5))
    if shape == 0:
        cv2.polylines(mask, [points[: int(rng.integers(2, 5))]], False, 1, int(rng.integers(1, 8)))
    elif shape == 1:
        axes = (int(rng.integers(2, 20)), int(rng.integers(2, 20)))
        cv2.ellipse(mask, tuple(int(v) for v in points[0]), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif shape == 2:
        for p in points:
            cv2.circle(mask, tuple(int(v) for v in p), int(rng.integers(1, 5)), 1, -1)
    elif shape == 3:
        cv2.fillPoly(mask, [points[:4]], 1)
    else:
        mask[rng.random((h, w)) < rng.uniform(0.001, 0.03)] = 1
    if not mask.any():
        mask[h // 3 : h // 3 + 4, w // 3 : w // 3 + 4] = 1
    if mask.all():
        mask[0, 0] = 0
    return image, mask.astype(bool)
