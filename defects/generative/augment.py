"""Mask-aware geometric augmentation: photograph and masks move alike; no value of the photograph is touched otherwise.

Brightness, contrast and colour stay: a damage is told from its surface by them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from core.arrays import frozen
from core.errors import InputError

KEPT = 0.6
"""Share of a mask's area, scale allowed for, that must stay in the picture."""
DRAWS = 8


@dataclass(frozen=True, eq=False)
class Example:
    """A photograph with a real damage. image: (h, w, 3) uint8 sRGB. mask, part: (h, w) bool; empty: `good`."""

    image: np.ndarray
    mask: np.ndarray
    part: np.ndarray
    damage: str
    name: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "image", frozen(self.image, np.uint8, (None, None, 3), "image"))
        for name in ("mask", "part"):
            put(self, name, frozen(getattr(self, name), bool, self.image.shape[:2], name))


@dataclass(frozen=True)
class Moves:
    """What may be drawn. flips: which mirrors are plausible for the part (printed words and light from one side are
    not mirrored in life). turn_deg: least and greatest angle of a rotation, either way. shift: greatest translation
    over the side. crop: least side of what is kept. scale: greatest factor, and its inverse the least. chance: of each.
    """

    flips: tuple[str, ...] = ("horizontal", "vertical")
    turn_deg: tuple[float, float] = (10.0, 30.0)
    shift: float = 0.1
    crop: float = 0.8
    scale: float = 1.15
    chance: float = 0.5

    def __post_init__(self) -> None:
        if not set(self.flips) <= {"horizontal", "vertical"}:
            raise InputError(f"flips {self.flips}", "horizontal, vertical or none", "correct it")
        if not (0 <= self.turn_deg[0] <= self.turn_deg[1] <= 180 and 0 < self.crop <= 1 <= self.scale <= 2):
            raise InputError(f"{self}", "turns within 0 and 180, crop within 0 and 1, scale within 1 and 2", "correct")


def augmented(example: Example, rng: np.random.Generator, moves: Moves | None = None) -> Example:
    """One draw; of the same size. The mask is never lost: a draw that pushes it out is made again, at last undone."""
    moves = moves or Moves()
    for _ in range(DRAWS):
        matrix, mirror, factor = _drawn(example.mask.shape, rng, moves)
        moved = _moved(example, matrix, mirror)
        if moved.mask.sum() >= KEPT * factor**2 * example.mask.sum():
            return moved
    return example


def _drawn(size: tuple[int, ...], rng: np.random.Generator, moves: Moves) -> tuple[np.ndarray, list[int], float]:
    """Matrix (2, 3) from old to new pixel centres, axes to mirror first, and the scale."""
    h, w = size
    mirror = [a for a, n in ((1, "horizontal"), (0, "vertical")) if n in moves.flips and rng.random() < moves.chance]
    turn = np.deg2rad(rng.uniform(*moves.turn_deg)) * rng.choice([-1, 1]) * (rng.random() < moves.chance)
    scale = float(moves.scale ** rng.uniform(-1, 1)) if rng.random() < moves.chance else 1.0
    keep = float(rng.uniform(moves.crop, 1)) if rng.random() < moves.chance else 1.0
    by = rng.uniform(-moves.shift, moves.shift, 2) * (w, h) * (rng.random() < moves.chance)
    by = by + rng.uniform(-0.5, 0.5, 2) * (1 - keep) / keep * np.array([w, h])
    factor = scale / keep
    c, s = factor * np.cos(turn), factor * np.sin(turn)
    centre = np.array([(w - 1) / 2, (h - 1) / 2])
    linear = np.array([[c, -s], [s, c]])
    return np.c_[linear, centre + by - linear @ centre], mirror, factor


def _moved(example: Example, matrix: np.ndarray, mirror: list[int]) -> Example:
    def put(array: np.ndarray, how: int) -> np.ndarray:
        array = np.ascontiguousarray(np.flip(array, mirror)) if mirror else array
        if np.array_equal(matrix, np.eye(2, 3)):
            return array
        h, w = array.shape[:2]
        return cv2.warpAffine(array, matrix, (w, h), flags=how, borderMode=cv2.BORDER_REFLECT_101)

    mask, part = (put(m.astype(np.uint8), cv2.INTER_NEAREST) > 0 for m in (example.mask, example.part))
    return replace(example, image=put(example.image, cv2.INTER_LINEAR), mask=mask, part=part)
