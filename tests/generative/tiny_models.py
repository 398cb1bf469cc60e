"""Small models and pairs made by formula, for the tests of the embedded model."""

from __future__ import annotations

import numpy as np

from core.seeds import child
from defects.generative.painter import Crop
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.pairs import Pairs

SIDE = 32
SMALL = TinyConfig(size=SIDE, widths=(16, 24), blocks=(1, 1), embedding=32, steps=6)


def disc(side: int = SIDE, radius: float = 7.0) -> np.ndarray:
    """(side, side) bool: a disc off the centre."""
    y, x = np.mgrid[:side, :side] + 0.5
    return (x - 0.45 * side) ** 2 + (y - 0.55 * side) ** 2 < radius**2


def surface(name: int = 0, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) float32: a shaded grey surface with grain."""
    rng = child(11, "surface", name)
    ramp = np.linspace(0.3, 0.6, side, dtype=np.float32)[None, :, None]
    return np.clip(ramp + 0.01 * rng.standard_normal((side, side, 3)), 0, 1).astype(np.float32)


def crop(name: int = 0, mm_per_px: float = 0.05) -> Crop:
    return Crop(surface(name), disc(), np.ones((SIDE, SIDE), bool), mm_per_px)


def pairs(count: int = 1, depth: float = -0.2) -> Pairs:
    """Dark dents and bright scratches: a change of one colour over the mask."""
    clean = np.stack([np.rint(surface(i) * 255) for i in range(count)]).astype(np.uint8)
    mask = np.stack([disc(radius=5.0 + i % 4) for i in range(count)])
    sign = np.array([1 if i % 2 == 0 else -1 for i in range(count)])[:, None, None, None]
    change = (mask[..., None] * np.rint(depth * 255) * sign * np.ones(3)).astype(np.int16)
    kind = np.array(["dent" if i % 2 == 0 else "scratch" for i in range(count)])
    return Pairs(clean, change, mask, np.ones_like(mask), np.full(count, 0.05, np.float32), kind)
