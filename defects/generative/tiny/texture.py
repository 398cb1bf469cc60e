"""Texture finer than a small network can draw: a random field with the spectrum that the examples have.

The network tells where damage is light and dark, and its rim. Detail finer than FINE_PX, inside damage large enough to
have a texture of its own, is replaced by a field drawn for the picture, whose spectrum and strength against the
surroundings were measured on an example (Galerne, Gousseau and Morel, Random Phase Textures, 2011). What is kept of an
example is its texton: the short kernel that turns white noise into such a field (Desolneux, Moisan and Ronsin 2012).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from scipy import ndimage

from core.seeds import child
from defects.generative.augment import Example
from defects.generative.crop import bounds
from defects.generative.painter import GOOD

SIDE = 96
"""Of a texton, pixels of the photograph."""
FINE_PX = 5.0
"""Sigma of the blur that parts detail from what the network tells."""
RIM_PX, FULL_PX = 2.0, 7.0
"""Depths in a mask between which the field takes over: rims are the network's."""
CORE_PX, LEAST_CORE, LEAST_COVER = 3.0, 400, 0.2
"""What is measured lies so deep in the mask; fewer pixels, or windows covered less, tell no spectrum."""
RING_PX = 18.0
WINDOWS, MOST = 24, 8
"""Windows that one spectrum is the mean of; textons kept of one type."""
LEAST, STRAY = 0.5 / 255, 2.5
"""Detail is at least so strong; what stands out by more of its robust deviations is a mark or the part's edge."""


def textons_of(examples: Sequence[Example], seed: int) -> dict[str, np.ndarray]:
    """Type -> (k, SIDE, SIDE, 3) float32 textons, of up to MOST examples spread evenly over those that have one. Types
    whose damage is too small for a texture of its own are left out."""
    found: dict[str, list[np.ndarray]] = {}
    for n, example in enumerate(examples):
        if example.damage == GOOD:
            continue
        pixels = example.image.astype(np.float32) / 255
        kernel = texton_of(pixels, example.mask, example.part, child(seed, "texton", n))
        if kernel is not None:
            found.setdefault(example.damage, []).append(kernel)
    return {kind: np.stack([k[i] for i in _spread(len(k))]) for kind, k in sorted(found.items())}


def _spread(count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, count - 1, min(count, MOST))})


def texton_of(image: np.ndarray, mask: np.ndarray, part: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """(SIDE, SIDE, 3) float32: white noise of strength 1 run through it has the spectrum of the detail inside the mask,
    in units of the detail around it. None where the mask is too small to tell.

    image: (h, w, 3) float32 sRGB in [0, 1]. mask, part: (h, w) bool.
    """
    core = _depth(mask) > CORE_PX
    if core.sum() < LEAST_CORE:
        return None
    detail = _detail(image, mask)
    most = STRAY * 1.4826 * np.median(np.abs(detail[core]), axis=0)
    fine = np.pad(np.clip(detail, -most, most) * core[..., None], ((SIDE, SIDE), (SIDE, SIDE), (0, 0)))
    share, taper = np.pad(core.astype(np.float32), SIDE), np.outer(*[np.hanning(SIDE)] * 2)
    rows, columns = np.nonzero(core)
    powers = []
    for k in rng.integers(0, len(rows), WINDOWS):
        here = tuple(slice(v[k] + SIDE // 2, v[k] + SIDE // 2 + SIDE) for v in (rows, columns))
        if share[here].mean() >= LEAST_COVER:
            seen = np.fft.fft2(fine[here] * taper[..., None], axes=(0, 1))
            powers.append(np.abs(seen) ** 2 / float(((taper * share[here]) ** 2).sum()))
    if not powers:
        return None
    # the median over windows leaves edges and marks out that a few of them hold; its sum is put right
    power, whole = np.median(powers, axis=0), np.median(np.sum(powers, axis=(1, 2)), axis=0)
    power *= whole / np.maximum(power.sum((0, 1)), 1e-12)
    kernel = np.fft.fftshift(np.fft.ifft2(np.sqrt(power), axes=(0, 1)).real, axes=(0, 1))
    return (kernel / _surroundings(image, mask, part)).astype(np.float32)


def textured(
    image: np.ndarray, clean: np.ndarray, mask: np.ndarray, part: np.ndarray, textons: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """(h, w, 3) uint8: `image` with its detail deep inside the mask drawn anew; rims and all outside are its own.

    image, clean: (h, w, 3) uint8, painted and as photographed. textons: (k, SIDE, SIDE, 3), of which one is taken.
    """
    depth = _depth(mask)
    share = np.clip((depth - RIM_PX) / (FULL_PX - RIM_PX), 0, 1)[..., None] * mask[..., None]
    kernel = textons[int(rng.integers(len(textons)))].astype(np.float64)
    if not share.any():
        return image
    grey = bool((clean == clean[..., :1]).all())
    if grey:
        kernel = np.repeat(kernel.mean(2, keepdims=True), 3, axis=2)
    y0, y1, x0, x1 = bounds(mask)
    white = rng.standard_normal((y1 - y0 + SIDE, x1 - x0 + SIDE))
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])
    half = SIDE // 2
    field = np.stack([cv2.filter2D(white, -1, flipped[..., c])[half:-half, half:-half] for c in range(3)], 2)
    strength = _surroundings(clean.astype(np.float32) / 255, mask, part)
    box = slice(y0, y1), slice(x0, x1)
    painted = image[box].astype(np.float32) / 255
    anew = painted + share[box] * (field * strength - _detail(painted, mask[box]))
    out = image.copy()
    out[box] = np.where(share[box] > 0, np.rint(np.clip(anew, 0, 1) * 255).astype(np.uint8), image[box])
    return out


def _depth(mask: np.ndarray) -> np.ndarray:
    """Distance of the mask's pixels to its rim; the photograph's own border is none."""
    around = int(np.ceil(FULL_PX)) + 2
    deep = np.asarray(ndimage.distance_transform_edt(np.pad(mask, around, mode="edge")))
    return deep[around:-around, around:-around]


def _detail(image: np.ndarray, on: np.ndarray) -> np.ndarray:
    """What is finer than FINE_PX, told from the pixels that are `on` alone; elsewhere it means nothing."""
    share = on.astype(np.float32)
    known = cv2.GaussianBlur(np.ascontiguousarray(image * share[..., None], np.float32), (0, 0), FINE_PX)
    return image - known / np.maximum(cv2.GaussianBlur(share, (0, 0), FINE_PX), 1e-4)[..., None]


def _surroundings(image: np.ndarray, mask: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(3,) robust strength of the detail in a ring about the mask."""
    away = np.asarray(ndimage.distance_transform_edt(~mask))
    ring = (away > 2) & (away <= RING_PX) & part
    ring = ring if ring.any() else ~mask
    fine = _detail(image, ~mask & part)[ring] if ring.any() else np.zeros((1, 3), np.float32)
    return np.maximum(1.4826 * np.median(np.abs(fine), axis=0), LEAST)


def checked(textons: Mapping[str, np.ndarray], types: Sequence[str]) -> str:
    """What is wrong with textons that came with a file, or nothing."""
    for kind, kernels in textons.items():
        if kind not in types or kind == GOOD:
            return f"a texton of '{kind}', which is none of its types of damage"
        if kernels.ndim != 4 or kernels.shape[1:] != (SIDE, SIDE, 3) or not 0 < len(kernels) <= MOST:
            return f"a texton of '{kind}' with shape {kernels.shape}, expected (1 to {MOST}, {SIDE}, {SIDE}, 3)"
        if not np.isfinite(kernels).all():
            return f"a texton of '{kind}' with values that are no numbers"
    return ""
