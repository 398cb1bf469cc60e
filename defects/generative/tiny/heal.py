"""What a damaged place of a photograph may have looked like before: sound surface from elsewhere, grown in.

A few-shot example shows the damage and not the surface under it. A patch of sound surface is laid over the damage and
bent to meet the surroundings at the rim (as the healing brush does: Georgiev, Image Reconstruction Invariant to
Relighting, 2005; Perez et al., Poisson Image Editing, 2003), so that its grain is real grain.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage

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
    _, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    sound = part & ~grown(mask, MARGIN_PX)
    places = [(out, sound), *((d, np.ones(d.shape[:2], bool)) for d in donors)]
    reach = MARGIN_PX + RING_PX + 1
    for k, at in enumerate(ndimage.find_objects(label), 1):
        box = tuple(slice(max(s.start - reach, 0), min(s.stop + reach, n)) for s, n in zip(at, mask.shape, strict=True))
        piece = label[box] == k
        out[box] = _one(out[box], piece, mask[box], part[box], places, rng)
    return out


def _one(
    here: np.ndarray, piece: np.ndarray, mask: np.ndarray, part: np.ndarray,
    places: Sequence[tuple[np.ndarray, np.ndarray]], rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """One piece of damage in the box about it, healed. places: pictures, and where they may be taken from."""
    inner = grown(piece, MARGIN_PX)
    ring = grown(inner, RING_PX) & ~inner & ~grown(mask, MARGIN_PX) & part
    if not ring.any():
        ring = ~mask
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
    return np.where(piece[..., None], np.clip(best, 0, 1), here)


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
