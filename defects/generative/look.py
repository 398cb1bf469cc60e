"""What a drawn defect does to the light of a photograph's pixels: shaded at several samples a pixel, then averaged.

Nothing here is decided pixel by pixel. A furrow narrower than a pixel, the rim of a stain and the edge of a letter are
first seen finely, then averaged as a sensor would, so that a line keeps one depth along its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from core.arrays import frozen
from core.colour import LUMINANCE, linear_from_srgb, srgb_from_linear
from core.layers import Layers

SAMPLES, MOST_SAMPLES = (4, 12), 6_000_000
"""Least and greatest number of samples a pixel along each axis, and the greatest number in all."""
COVERED = 0.125
"""Share of a pixel that the label must cover for the pixel to be in the mask."""
SLOPE = 1.7
"""Cotangent of the lamp's height over the surface: how strongly slopes turn into light and shade."""
CAVITY = 5.0
"""How fast a cavity darkens with its depth over its width."""
EVEN_PX, GRAIN_PX = 4.0, 0.8
"""Scales over which the photograph's light is taken to be even, and below which what it shows is grain."""
ABSOLUTE = ("rust", "stain", "peel", "paint_run", "print_fault", "foreign", "white_rust", "heat_tint")
"""Kinds with a colour of their own. The others change the colour of what they are on."""


@dataclass(frozen=True, eq=False)
class Look:
    """At pixel (y, x) of the photograph and on, every value the mean over a pixel:

    seen = kept * photograph + evened * photograph without its texture + light * added, linear.

    coverage, kept, evened: (h, w) float32. added: (h, w, 3). reflects: albedo of the ground that `added` is drawn
    for; None: a colour of its own, to be lit as the photograph is.
    """

    y: int
    x: int
    coverage: np.ndarray
    kept: np.ndarray
    evened: np.ndarray
    added: np.ndarray
    reflects: float | None = None

    def __post_init__(self) -> None:
        put, shape = object.__setattr__, np.shape(self.coverage)
        for name in ("coverage", "kept", "evened"):
            put(self, name, frozen(getattr(self, name), np.float32, shape, name))
        put(self, "added", frozen(self.added, np.float32, (*shape, 3), "added"))

    def mask(self, size: tuple[int, ...]) -> np.ndarray:
        """(h, w) bool of a photograph of `size`: pixels of which the label covers enough."""
        out = np.zeros(size, bool)
        h, w = self.coverage.shape
        out[self.y : self.y + h, self.x : self.x + w] = self.coverage >= COVERED
        return out


@dataclass(frozen=True, eq=False)
class Shaded:
    """Rasters of one shape, finer than pixels. inside: share of the label. kept, evened, added: as in `Look`."""

    inside: np.ndarray
    kept: np.ndarray
    evened: np.ndarray
    added: np.ndarray

    def channels(self) -> np.ndarray:
        """(h, w, 6) float32."""
        return np.dstack([self.inside, self.kept, self.evened, self.added]).astype(np.float32)


def shaded(
    raster: Mapping[str, np.ndarray], pitch: float, to_lamp: tuple[float, float], rng: np.random.Generator
) -> Shaded:
    """Light on layers (`core.layers.Layers`' names, and `inside`), each (h, w); heights in the unit of `pitch`.

    to_lamp: unit vector in the raster's plane (column, row) towards the lamp. What bare metal mirrors, mostly the dark
    of the room and seldom a lamp, and whether worked surfaces shine or dull, is drawn from `rng`.
    """
    height = np.asarray(raster["height_m"], np.float32)
    down, right = np.gradient(height, pitch)
    facing = -(right * to_lamp[0] + down * to_lamp[1])
    light = (1 + 0.9 * np.tanh(SLOPE * facing)) * np.exp(-CAVITY * _closed_in(height, pitch))
    mirrored = float(rng.uniform(0.3, 0.55) if rng.random() < 0.7 else rng.uniform(1.25, 1.7))
    sheen = float(rng.uniform(0.12, 0.3) * (1 if mirrored > 1 else -1))
    weight = np.asarray(raster["albedo_weight"], np.float32)
    worked = np.asarray(raster["surface_weight"], np.float32)
    metal = np.asarray(raster["metallic"], np.float32) * worked
    albedo = np.asarray(raster["albedo"], np.float32) * (1 + (mirrored - 1) * metal)[..., None]
    stays = (1 - weight) * light * (1 + sheen * worked) * (1 - 0.35 * np.asarray(raster["film"], np.float32))
    keep = np.clip(np.asarray(raster["lay_keep"], np.float32), 0, 1)
    return Shaded(raster["inside"], stays * keep, stays * (1 - keep), albedo * (weight * light)[..., None])


def shaded_layers(
    layers: Layers, to_lamp: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 6) channels of drawn layers at their own texels, and what they are where nothing is drawn (6,)."""
    names = ("albedo", "albedo_weight", "surface_weight", "metallic", "lay_keep", "film")
    raster = {n: getattr(layers, n) for n in names}
    raster["height_m"] = layers.height_m if layers.displacement_m is None else layers.height_m + layers.displacement_m
    raster["inside"] = np.clip(0.5 - layers.sdf_m / layers.pitch_m, 0, 1)
    return shaded(raster, layers.pitch_m, to_lamp, rng).channels(), np.array([0, 1, 0, 0, 0, 0], np.float32)


def samples_a_pixel(pixel: float, texel: float, count: int) -> int:
    """Along each axis, such that no texel is skipped and `count` pixels stay affordable. pixel, texel: one unit."""
    wanted = int(np.clip(np.ceil(pixel / texel), *SAMPLES))
    return max(1, min(wanted, int(np.sqrt(MOST_SAMPLES / max(1, count)))))


def averaged(fine: np.ndarray, samples: int) -> np.ndarray:
    """(h * samples, w * samples, c) -> (h, w, c): the mean over each pixel."""
    h, w, c = fine.shape[0] // samples, fine.shape[1] // samples, fine.shape[2]
    return fine.reshape(h, samples, w, samples, c).mean(axis=(1, 3))


def put_on(photo: np.ndarray, look: Look, mask: np.ndarray, part: np.ndarray, grey: bool) -> np.ndarray:
    """The photograph (h, w, 3) uint8 with the look inside `mask` (h, w) bool; outside, its own bytes.

    The light is the photograph's own, smoothed over the part. What covers a surface hides its texture, while the grain
    of the sensor stays.
    """
    h, w = look.coverage.shape
    margin = int(4 * EVEN_PX)
    y0, x0 = max(look.y - margin, 0), max(look.x - margin, 0)
    at = np.s_[y0 : look.y + h + margin, x0 : look.x + w + margin]
    inner = np.s_[look.y - y0 : look.y - y0 + h, look.x - x0 : look.x - x0 + w]
    clean = linear_from_srgb(photo[at] / np.float32(255))
    even = _even(clean, part[at])[inner]
    fine = (clean - cv2.GaussianBlur(clean, (0, 0), GRAIN_PX, borderType=cv2.BORDER_REFLECT_101))[inner]
    clean = clean[inner]
    light = even @ LUMINANCE / (look.reflects or _reflected(photo, part))
    kept, evened = look.kept[..., None], look.evened[..., None]
    seen = kept * clean + evened * even + light[..., None] * look.added
    lost = np.clip(1 - kept, 0, 1) * np.sqrt(np.clip(seen / np.maximum(even, 1e-4), 0, 1))
    seen = seen + lost * fine
    codes = 255 * srgb_from_linear(seen)
    if grey:
        codes = np.repeat((codes @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
    out, inside = photo.copy(), np.zeros(mask.shape, bool)
    inside[look.y : look.y + h, look.x : look.x + w] = mask[look.y : look.y + h, look.x : look.x + w]
    out[inside] = np.rint(codes[inside[look.y : look.y + h, look.x : look.x + w]]).astype(np.uint8)
    assert (out[~mask] == photo[~mask]).all(), "pixels outside the mask changed"
    return out


def _even(clean: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The photograph's light and colour without texture, over the part only."""
    weight = np.maximum(part.astype(np.float32), 1e-4)
    mean = cv2.GaussianBlur(clean * weight[..., None], (0, 0), EVEN_PX, borderType=cv2.BORDER_REFLECT_101)
    return mean / cv2.GaussianBlur(weight, (0, 0), EVEN_PX, borderType=cv2.BORDER_REFLECT_101)[..., None]


def _reflected(photo: np.ndarray, part: np.ndarray) -> float:
    """The part's albedo, as far as a photograph tells: it is taken to be exposed for white, and the brighter tenth of
    the part to be fully lit."""
    some = photo[::3, ::3][part[::3, ::3]] if part[::3, ::3].any() else photo[part]
    return float(np.clip(np.quantile(linear_from_srgb(some / np.float32(255)) @ LUMINANCE, 0.9), 0.12, 0.6))


def _closed_in(height: np.ndarray, pitch: float) -> np.ndarray:
    """Depth below the surroundings over their distance, the greatest over several distances; 0 on a plane."""
    out = np.zeros_like(height)
    far = max(height.shape) / 8
    for texels in (1.5, 3.0, 6.0, 12.0, 24.0):
        if texels > max(far, 1.5):
            break
        near = ndimage.gaussian_filter(height, texels, truncate=3.0)
        np.maximum(out, (near - height) / (2 * texels * pitch), out=out)
    return out
