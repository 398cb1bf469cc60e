"""Backends made for tests: each wrong in a way of its own."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from core.seeds import child
from defects.generative.painter import GOOD, Crop


class Wild:
    """Noise over the whole crop, far out of range."""

    name, types = "wild", (GOOD, "scratch")
    facts: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, size: int = 32, cell: int = 1) -> None:
        self.size, self.sizes, self.cell = size, (size,), cell

    def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
        return [self.one(c, d, child(s, "wild")) for c, d, s in zip(crops, damage, seeds, strict=True)]

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        if damage == GOOD:
            return crop.image.copy()
        return rng.normal(0.5, 3.0, crop.image.shape).astype(np.float32)


class Regrow(Wild):
    """An autoencoder's habits: the colour shifted everywhere, the grain lost and grown anew inside the mask; the damage
    is darker by `depth`, on the share of the mask left of its middle that `share` says."""

    name = "regrow"

    def __init__(self, size: int, depth: float, grain: float, share: float = 1.0, shift: float = 0.05) -> None:
        super().__init__(size)
        self.depth, self.grain, self.share, self.shift = depth, grain, share, shift

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        smooth = cv2.GaussianBlur(crop.image, (0, 0), 3)
        noise = rng.normal(0, self.grain, (*crop.mask.shape, 1))
        out = np.where(crop.mask[..., None], smooth + noise, crop.image)
        if damage != GOOD:
            columns = np.flatnonzero(crop.mask.any(axis=0))
            until = columns[0] + self.share * (columns[-1] + 1 - columns[0])
            where = crop.mask & (np.arange(crop.mask.shape[1]) + 0.5 < until)
            out = out - self.depth * where[..., None]
        return (out + self.shift * np.linspace(0.8, 1.2, crop.mask.shape[1])[None, :, None]).astype(np.float32)


class Lazy(Wild):
    """Changes nothing until its `work`th call for damage."""

    name = "lazy"

    def __init__(self, size: int = 32, work: int = 10**9) -> None:
        super().__init__(size)
        self.work, self.calls = work, 0

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        self.calls += damage != GOOD
        dark = crop.mask[..., None] if damage != GOOD and self.calls >= self.work else 0
        return (crop.image * (1 - 0.5 * dark)).astype(np.float32)
