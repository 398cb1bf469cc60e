"""Painters without learned weights: what a learned one must beat, and a backend that is always at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from scipy import ndimage

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example, Moves, augmented
from defects.generative.crop import bounds, cut, resized, windows
from defects.generative.painter import GOOD, Crop
from defects.procedural.kinds.perlin_overlay import TEXTURES, texture
from defects.procedural.raster import Grid, fractal_noise, smoothstep

LINES = ("crack", "gouge", "scratch", "scuff", "chatter", "foreign", "filiform", "fray")
HOLES = ("pit", "porosity", "blowhole", "dent", "chip", "break", "burr")
STAINS = ("rust", "stain", "heat_tint", "peel", "paint_run", "print_fault", "white_rust", "uneven")
ANY = (GOOD, *LINES, *HOLES, *STAINS)
SIZE = 128


class Rule:
    """Base of the painters here: one crop at a time, nothing to load, nothing changed outside the mask."""

    name, size, cell = "rule", SIZE, 1
    facts: Mapping[str, Any]

    def __init__(self, types: Sequence[str] = ANY, size: int = SIZE) -> None:
        self.types: tuple[str, ...] = tuple(types)
        self.size, self.facts = size, {}

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
        place = windows(source.mask, self.size)[0]
        image = resized(cut(source.image, place).astype(np.float32) / 255, self.size)
        mask = cut(place.mask, place, "constant")
        y0, y1, x0, x1 = bounds(resized(mask.astype(np.float32), self.size) > 0.2)
        to = bounds(crop.mask)
        patch = cv2.resize(image[y0:y1, x0:x1], (to[3] - to[2], to[1] - to[0]), interpolation=cv2.INTER_LINEAR)
        ring = cv2.dilate(crop.mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool) & ~crop.mask
        own = resized(cut(source.image, place).astype(np.float32) / 255, self.size)
        around = np.median(own[~(resized(mask.astype(np.float32), self.size) > 0.1)], axis=0)
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
    """Drawn damage: the mask's own depth shades it, noise breaks it up, the photograph's grain stays. Lines are dark
    with a bright rim on one side, or bright; holes are dark and lit from one side; stains are tinted in patches."""

    name = "overlay"

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        depth = np.asarray(ndimage.distance_transform_edt(np.pad(crop.mask, 1)))[1:-1, 1:-1]
        if damage in LINES:
            return self._line(crop, depth, rng)
        depth = depth / max(1.0, float(depth.max()))
        return self._hole(crop, depth, rng) if damage in HOLES else self._stain(crop, depth, rng)

    def _line(self, crop: Crop, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        # full depth half way in of what is wide here: a line of two pixels is no row of beads
        wide = np.asarray(ndimage.maximum_filter(depth, min(33, 6 * int(np.ceil(depth.max())) + 1)))
        profile = np.clip(depth / np.maximum(1.0, 0.5 * wide), 0, 1)
        core = smoothstep(0.0, 1.0, profile) * (1 + 0.35 * _noise(crop.mask, 24, rng))
        lit = _lit(profile, rng) * crop.mask
        dark = rng.uniform(0.25, 0.6) * (1 if rng.random() < 0.7 else -0.7)
        return crop.image * (1 - dark * core[..., None]) + 0.25 * rng.uniform(0.3, 1) * lit[..., None]

    def _hole(self, crop: Crop, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        inner = smoothstep(0.0, 0.5, depth) * (1 + 0.2 * _noise(crop.mask, 10, rng))
        lit = _lit(smoothstep(0, 1, depth), rng) * crop.mask
        return crop.image * (1 - rng.uniform(0.35, 0.75) * inner[..., None]) + 0.3 * lit[..., None]

    def _stain(self, crop: Crop, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        patches = np.clip(0.6 + 0.8 * _noise(crop.mask, 20, rng) + 0.3 * _noise(crop.mask, 5, rng), 0, 1.3)
        weight = smoothstep(0.0, 0.35, depth + 0.15 * _noise(crop.mask, 8, rng)) * patches
        tint = np.array([1.0, rng.uniform(0.55, 0.95), rng.uniform(0.3, 0.9)]) * rng.uniform(0.35, 0.8)
        return crop.image * (1 - weight[..., None] * (1 - tint))


def _noise(mask: np.ndarray, wavelength: float, rng: np.random.Generator) -> np.ndarray:
    n = len(mask)
    u, v = np.broadcast_to(np.arange(n) + 0.5, (n, n)), np.broadcast_to((np.arange(n) + 0.5)[:, None], (n, n))
    return fractal_noise(u, v, wavelength, rng, 3)


def _lit(height: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A slope's share of light from a random side, about -1 to 1."""
    down, right = np.gradient(ndimage.gaussian_filter(height, 1.0))
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * right + np.sin(angle) * down
    return slope / max(1e-6, float(np.abs(slope).max()))
