"""Painters without learned weights: what a learned one must beat, and a backend that is always at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example, Moves, augmented
from defects.generative.crop import bounds, cut, resized, windows
from defects.generative.look import Look, put_on
from defects.generative.look_mask import DRAWN, look_of_mask
from defects.generative.painter import GOOD, Crop
from defects.procedural.kinds.perlin_overlay import TEXTURES, texture
from defects.procedural.raster import Grid

ANY = (GOOD, *DRAWN)
SIZE, STEP = 128, 16


class Rule:
    """Base of the painters here: one crop at a time, nothing to load, nothing changed outside the mask."""

    name, cell = "rule", 1
    facts: Mapping[str, Any]

    def __init__(self, types: Sequence[str] = ANY, size: int = SIZE) -> None:
        self.types: tuple[str, ...] = tuple(types)
        self.size, self.facts = size, {}
        self.sizes: Sequence[int] = range(size, 2 * size + 1, STEP)

    def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
        """See `Painter.paint`."""
        out = []
        for crop, kind, seed in zip(crops, damage, seeds, strict=True):
            if kind not in self.types:
                raise InputError(f"damage '{kind}'", f"one of {', '.join(self.types)}", "choose a known one")
            made = crop.image if kind == GOOD else self.one(crop, kind, child(seed, self.name))
            out.append(np.where(crop.mask[..., None], np.clip(made, 0, 1), crop.image).astype(np.float32))
        return out

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        raise NotImplementedError


class PerlinBlend(Rule):
    """A foreign texture laid over the mask with a random opacity (DRAEM: Zavrtanik et al., ICCV 2021), which says
    nothing of the damage."""

    name = "perlin"

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        n = len(crop.mask)
        grid = Grid.around((0.0, 0.0), (n - 6.0, n - 6.0), 1.0)
        name = TEXTURES[int(rng.integers(len(TEXTURES)))]
        value = texture(name, grid, float(rng.uniform(4, 24)), rng)[:n, :n]
        ends = rng.uniform(0, 1, (2, 3))
        colour = ends[0] + (ends[1] - ends[0]) * value[..., None]
        opacity = rng.uniform(0.2, 0.9)
        return (1 - opacity) * crop.image + opacity * colour


class CopyPaste(Rule):
    """The damage of a real example moved, turned and scaled to the mask, its colour shifted to the new place
    (Ghiasi et al., CVPR 2021)."""

    name = "copy-paste"

    def __init__(self, examples: Sequence[Example], size: int = SIZE) -> None:
        self.examples = [e for e in examples if e.damage != GOOD]
        super().__init__((GOOD, *sorted({e.damage for e in self.examples})), size)

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        known = [e for e in self.examples if e.damage == damage]
        source = augmented(known[int(rng.integers(len(known)))], rng, Moves(scale=1.3))
        place = windows(source.mask, self.sizes)[0]
        own = resized(cut(source.image, place).astype(np.float32) / 255, place.size)
        share = resized(place.own_mask().astype(np.float32), place.size)
        y0, y1, x0, x1 = bounds(share > 0.2)
        to = bounds(crop.mask)
        patch = cv2.resize(own[y0:y1, x0:x1], (to[3] - to[2], to[1] - to[0]), interpolation=cv2.INTER_LINEAR)
        ring = cv2.dilate(crop.mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~crop.mask
        around = np.median(own[~(share > 0.1)], axis=0)
        out = crop.image.copy()
        here = np.median(crop.image[ring], axis=0) if ring.any() else around
        out[to[0] : to[1], to[2] : to[3]] = patch + (here - around)
        return out


class InpaintFloor(Rule):
    """OpenCV's inpainting (Telea, 2004) of the mask: it takes a surface away and puts no damage there. A floor."""

    name = "opencv"

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        codes = np.rint(crop.image * 255).astype(np.uint8)
        return cv2.inpaint(codes, crop.mask.astype(np.uint8), 5, cv2.INPAINT_TELEA).astype(np.float32) / 255


class Overlay(Rule):
    """Drawn damage on the photograph itself: the procedural kind's own layers where the mask is that of one, else a
    surface made up inside the mask. Both are shaded at several samples a pixel and averaged; the grain stays."""

    name = "overlay"

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        codes = np.rint(crop.image * 255).astype(np.uint8)
        made = put_on(codes, look_of_mask(crop.mask, damage, rng), crop.mask, crop.part, False)
        return made.astype(np.float32) / 255

    def draw(
        self, photo: np.ndarray, mask: np.ndarray, damage: str, seed: int, part: np.ndarray, look: Look | None
    ) -> np.ndarray:
        """See `Drawer.draw`."""
        if damage not in self.types:
            raise InputError(f"damage '{damage}'", f"one of {', '.join(self.types)}", "choose a known one")
        if damage == GOOD:
            return photo.copy()
        look = look or look_of_mask(mask, damage, child(seed, self.name))
        return put_on(photo, look, mask, part, bool((photo == photo[..., :1]).all()))
