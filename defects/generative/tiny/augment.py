"""One pair seen otherwise: turned, stretched, grey, lighter, blurred, noisy, compressed. Twin and defect alike, in a
fixed order. Noise and compression come last and only onto the clean image: the change itself stays free of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from core.arrays import frozen


@dataclass(frozen=True, eq=False)
class Pair:
    """clean, defected: (n, n, 3) float32 sRGB in [0, 1]. mask, part: (n, n) bool. mm_per_px: NaN if not known."""

    clean: np.ndarray
    defected: np.ndarray
    mask: np.ndarray
    part: np.ndarray
    mm_per_px: float
    kind: str

    def __post_init__(self) -> None:
        for name, dtype in (("clean", np.float32), ("defected", np.float32), ("mask", bool), ("part", bool)):
            shape = (None, None, 3) if dtype is np.float32 else self.clean.shape[:2]
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, shape, name))


DILATE = (0.5, 0.25, 0.15, 0.1)
"""Chances of a mask grown by so many pixels: people draw masks a little too large."""
POSED = 0.5
"""Share of samples that are turned by any angle and stretched."""


def augmented(pair: Pair, rng: np.random.Generator) -> Pair:
    return _developed(_lit(_grown(_posed(_turned(pair, rng), rng), rng), rng), rng)


def _turned(pair: Pair, rng: np.random.Generator) -> Pair:
    """One of the eight symmetries of the square."""
    turns, flip = int(rng.integers(4)), bool(rng.integers(2))

    def move(a: np.ndarray) -> np.ndarray:
        turned = np.rot90(a, turns)
        return turned[:, ::-1] if flip else turned

    return _moved(pair, move, move)


def _posed(pair: Pair, rng: np.random.Generator) -> Pair:
    """Half of them: turned by any angle, 0.75 to 1.33 times as large and stretched by up to a sixth one way, about the
    centre of the mask; rims repeated by reflection."""
    often, factor, turn = rng.random(), float(np.exp2(rng.uniform(-0.4, 0.4))), float(rng.uniform(0, 2 * np.pi))
    stretch, along = float(np.exp2(rng.uniform(-0.22, 0.22))), float(rng.uniform(0, np.pi))
    if often > POSED:
        return pair
    n = len(pair.mask)
    centre = np.argwhere(pair.mask).mean(0)[::-1] if pair.mask.any() else np.full(2, n / 2)
    axes = _rotation(along)
    linear = _rotation(turn) @ axes @ np.diag([factor * stretch, factor / stretch]) @ axes.T
    matrix = np.column_stack([linear, centre - linear @ centre])

    def warped(a: np.ndarray, kernel: int) -> np.ndarray:
        return cv2.warpAffine(np.ascontiguousarray(a), matrix, (n, n), flags=kernel, borderMode=cv2.BORDER_REFLECT_101)

    def image(a: np.ndarray) -> np.ndarray:
        return np.clip(warped(a, cv2.INTER_CUBIC), 0, 1)

    def mask(a: np.ndarray) -> np.ndarray:
        return warped(a.astype(np.float32), cv2.INTER_LINEAR) >= 0.5

    posed = _moved(pair, image, mask)
    if not posed.mask.any() or posed.mask.all():
        return pair
    about = cv2.dilate(posed.mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    # slivers of damage that came in by reflection, too thin for a mask, go
    defected = np.where(about[..., None], posed.defected, posed.clean)
    return replace(posed, defected=defected, mm_per_px=pair.mm_per_px / factor)


def _rotation(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _moved(pair: Pair, image, mask) -> Pair:
    return replace(
        pair, clean=image(pair.clean), defected=image(pair.defected), mask=mask(pair.mask), part=mask(pair.part)
    )


def _grown(pair: Pair, rng: np.random.Generator) -> Pair:
    by = int(rng.choice(len(DILATE), p=DILATE))
    if by == 0:
        return pair
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    grown = cv2.dilate(pair.mask.astype(np.uint8), disc).astype(bool)
    return replace(pair, mask=grown) if not grown.all() else pair


def _lit(pair: Pair, rng: np.random.Generator) -> Pair:
    """Grey or another white balance, gain, gamma and blur of the whole photograph; the strongest blur is that of a crop
    that was magnified."""
    grey, gamma = rng.random() < 0.35, float(np.exp2(rng.uniform(-0.5, 0.5)))
    gain = np.exp2(rng.uniform(-0.5, 0.35)) * np.exp2(rng.uniform(-0.12, 0.12, 3))
    blur = float(np.exp(rng.uniform(np.log(0.4), np.log(2.0)))) if rng.random() < 0.35 else 0.0
    lift = float(rng.uniform(0.0, 0.06)) if rng.random() < 0.3 else 0.0

    def image(a: np.ndarray) -> np.ndarray:
        if grey:
            a = np.repeat(a @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2) * gain[:1]
        else:
            a = a * gain
        a = lift + (1 - lift) * np.clip(a, 0, 1) ** gamma
        a = cv2.GaussianBlur(a, (0, 0), blur) if blur else a
        return np.ascontiguousarray(a, np.float32)

    return replace(pair, clean=image(pair.clean), defected=image(pair.defected))


def _developed(pair: Pair, rng: np.random.Generator) -> Pair:
    """Grain and JPEG of the clean photograph; the defected one follows by the same difference."""
    sigma = float(np.exp(rng.uniform(np.log(0.002), np.log(0.035)))) if rng.random() < 0.7 else 0.0
    quality = int(rng.integers(50, 96)) if rng.random() < 0.3 else 0
    grey = bool((pair.clean[..., :1] == pair.clean).all())
    field = rng.standard_normal((*pair.mask.shape, 1 if grey else 3)).astype(np.float32)
    coarse = rng.random() < 0.3
    if coarse:  # demosaicking and in-camera scaling leave grain that neighbouring pixels share
        field = cv2.GaussianBlur(field, (0, 0), 0.6).reshape(field.shape) * 1.9
    clean = np.clip(pair.clean + sigma * field, 0, 1)
    if quality:
        coded = np.rint(clean[..., ::-1] * 255).astype(np.uint8)
        _, data = cv2.imencode(".jpg", coded, [cv2.IMWRITE_JPEG_QUALITY, quality])
        clean = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
    return replace(pair, clean=clean, defected=clean + (pair.defected - pair.clean))
