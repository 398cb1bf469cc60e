"""What every backend of the photo route does: change the masked part of one square crop into a damage of a kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from core.arrays import frozen
from defects.generative.look import Look

GOOD = "good"
"""The null type: the crop is painted again without damage. It measures how much grain a backend regrows."""


@dataclass(frozen=True, eq=False)
class Crop:
    """A square window of a photograph at one of the backend's sizes.

    image: (n, n, 3) float32, sRGB encoded, 0 to 1. mask: (n, n) bool, where the defect goes: never empty, never full.
    part: (n, n) bool, what belongs to the part. mm_per_px: of the crop's pixels; NaN where the scale is not known.
    """

    image: np.ndarray
    mask: np.ndarray
    part: np.ndarray
    mm_per_px: float = float("nan")

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "image", frozen(self.image, np.float32, (None, None, 3), "image"))
        put(self, "mask", frozen(self.mask, bool, self.image.shape[:2], "mask"))
        put(self, "part", frozen(self.part, bool, self.image.shape[:2], "part"))


class Painter(Protocol):
    """A backend. name: tiny, sd15, sd15-controlnet. size: side of the crops that it learned from, pixels. sizes: of
    those that it paints, ascending, `size` first; a mask that fits into one is not shrunk. cell: side of the least
    block of pixels that it works on; masks are magnified until they span two. types: the kinds of damage that it knows,
    GOOD among them. facts: what a manifest keeps (weights' sha256, steps, guidance)."""

    name: str
    size: int
    sizes: Sequence[int]
    cell: int
    types: tuple[str, ...]
    facts: Mapping[str, Any]

    def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
        """One painted image for each crop, float32 like its own. The same crop, damage and seed give the same image,
        whatever stands beside it in the list. Pixels outside the mask may differ: the caller puts the photograph's
        own back. InputError for a damage that is not among `types`."""
        ...


@runtime_checkable
class Finisher(Protocol):
    """A backend with a last word on the whole photograph, once all of its crops are back at their places."""

    def finish(
        self, photo: np.ndarray, painted: np.ndarray, mask: np.ndarray, damage: str, seed: int, part: np.ndarray
    ) -> np.ndarray:
        """photo, painted: (h, w, 3) uint8, before and after painting. mask, part: (h, w) bool. Returns `painted` with
        other pixels deep inside the mask; elsewhere its own bytes."""
        ...


@runtime_checkable
class Drawer(Protocol):
    """A backend that needs no crops: it draws on the photograph itself, at its scale, and softens its own rims."""

    def draw(
        self, photo: np.ndarray, mask: np.ndarray, damage: str, seed: int, part: np.ndarray, look: Look | None
    ) -> np.ndarray:
        """photo: (h, w, 3) uint8. mask, part: (h, w) bool. look: of a drawn defect, if `mask` is that of one;
        with it the seed makes no difference. Returns the photograph with the damage; outside the mask its own bytes."""
        ...
