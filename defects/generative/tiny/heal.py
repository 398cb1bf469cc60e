"""What a damaged place of a photograph may have looked like before: sound surface from elsewhere, grown in.

A few-shot example shows the damage and not the surface under it. A patch of sound surface is laid over the damage and
bent to meet the surroundings at the rim (as the healing brush does: Georgiev, Image Reconstruction Invariant to
Relighting, 2005; Perez et al., Poisson Image Editing, 2003), so that its grain is real grain.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from defects.generative.crop import bounds
from defects.generative.tiny.grain import FINE_SHARE

MARGIN_PX = 3
"""People draw masks a little too small as well as too large: the rim is read so far outside."""
RING_PX = 6
DRAWS = 64


def healed(
    image: np.ndarray, mask: np.ndarray, part: np.ndarray, donors: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """(h, w, 3) float32 in [0, 1]: the photograph, with sound surface inside the mask.

    image: (h, w, 3) float32 sRGB. mask, part: (h, w) bool. donors: photographs (float32) without damage, tried beside
    the photograph itself. Of DRAWS places that the mask would fit on, that one is taken whose ring looks most like the
    ring about the mask. Where it fits nowhere, the ring is continued inwards smoothly, with white grain as strong as
    in the ring.
    """
    out = np.array(image, np.float32)
    count, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    for k in range(1, count):
        piece = label == k
        out = _one(out, piece, mask, part, donors, rng)
    return out


def _one(
    image: np.ndarray, piece: np.ndarray, mask: np.ndarray, part: np.ndarray, donors: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    reach = MARGIN_PX + RING_PX + 1
    y0, y1, x0, x1 = bounds(piece)
    h, w = mask.shape
    box = slice(max(y0 - reach, 0), min(y1 + reach, h)), slice(max(x0 - reach, 0), min(x1 + reach, w))
    inner = grown(piece[box], MARGIN_PX)
    ring = grown(inner, RING_PX) & ~inner & ~grown(mask[box], MARGIN_PX) & part[box]
    if not ring.any():
        ring = ~mask[box]
    here = image[box]
    sound = part & ~grown(mask, MARGIN_PX)
    places = [(image, sound), *((d, np.ones(d.shape[:2], bool)) for d in donors)]
    best, least = None, np.inf
    for _ in range(DRAWS):
        source, usable = places[int(rng.integers(len(places)))]
        room = np.array(source.shape[:2]) - inner.shape
        if (room < 0).any():
            continue
        y, x = (int(rng.integers(r + 1)) for r in room)
        there = slice(y, y + inner.shape[0]), slice(x, x + inner.shape[1])
        read = ring & usable[there]
        if not usable[there][inner].all() or 2 * read.sum() < ring.sum():
            continue
        patch = source[there]
        off = (patch - here)[read]
        bad = float(((off - off.mean(0)) ** 2).mean())
        if bad < least:
            best, least = patch + _continued(here - patch, read), bad
    if best is None:
        best = _continued(here, ring)
        best = best + _grain(here, best, ring) * rng.standard_normal((*ring.shape, 1), np.float32)
    out = image.copy()
    out[box] = np.where(piece[box][..., None], np.clip(best, 0, 1), here)
    return out


def _grain(image: np.ndarray, smooth: np.ndarray, ring: np.ndarray) -> np.float32:
    """Standard deviation of white grain in the ring, read robustly from the finest detail."""
    grey = np.where(ring[..., None], image, smooth).mean(2)
    fine = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))[ring]
    return np.float32(1.4826 * np.median(fine) / FINE_SHARE)


def _continued(values: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(h, w, 3) from where `ring` says to everywhere: means over ever wider neighbourhoods, the narrow ones first."""
    weight = ring.astype(np.float32)
    known = (values * weight[..., None]).astype(np.float32)
    out = np.broadcast_to(known.sum((0, 1)) / weight.sum(), values.shape).astype(np.float32)
    wide = float(max(values.shape[:2]))
    while wide >= 2:
        share = cv2.GaussianBlur(weight, (0, 0), wide)[..., None]
        mean = cv2.GaussianBlur(known, (0, 0), wide) / np.maximum(share, 1e-6)
        trust = np.clip(share / 0.05, 0, 1)
        out = trust * mean + (1 - trust) * out
        wide /= 2
    return out


def grown(mask: np.ndarray, by: int) -> np.ndarray:
    """(h, w) bool, grown by `by` pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
