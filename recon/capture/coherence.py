"""Silhouette coherence: right masks with right poses are met by their own hull everywhere. What the hull leaves of a
mask uncovered measures wrong poses and a part that moved (Hernandez, Schmitt, Cipolla: Silhouette Coherence for Camera
Calibration under Circular Motion, 2007)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from recon.capture.consistency import Depths, measure
from recon.capture.model import View
from recon.capture.pixels import resized, smaller
from recon.silhouettes import silhouette

GRID = 64
SIDE = 256
FEWEST = 5
"""Views that a part of a capture needs for a hull of its own."""
MOVED = 0.4
"""A cut of the capture in two leaves less than this share of the gap where the part moved there; where poses are noisy
it leaves nearly all."""


@dataclass(frozen=True, eq=False)
class Coherence:
    """gap: (v,) mean width of what the hull of all leaves of each mask along its outline, over the square root of the
    mask's area: 0.01 is 1 px along the whole outline of a part 100 px wide. cut: index of the first view that shows
    the part lying differently, None where no cut explains the gap. cut_gap: mean gap of the two pieces' own hulls."""

    gap: np.ndarray
    cut: int | None
    cut_gap: float

    @property
    def mean(self) -> float:
        return float(np.nanmean(self.gap))


def coherence(views: Sequence[View], enough: float) -> Coherence:
    """views: in the order taken. enough: mean gap below which no cut is looked for."""
    depths = measure(views, GRID)
    masks = [resized(v.mask, smaller(v.size, SIDE)) >= 0.5 for v in views]
    everyone = np.ones(len(views), bool)
    gap = _gaps(views, masks, depths, everyone)
    whole = float(np.nanmean(gap))
    if whole <= enough:
        return Coherence(gap, None, whole)
    cut, best = _best_cut(views, masks, depths)
    return Coherence(gap, cut if best < MOVED * whole else None, best)


def _best_cut(views: Sequence[View], masks: Sequence[np.ndarray], depths: Depths) -> tuple[int, float]:
    """Every fourth place first, then those beside the best."""
    last = len(views) - FEWEST
    if last < FEWEST:
        return 0, float("inf")
    number = np.arange(len(views))
    found: dict[int, float] = {}

    def gap_at(cut: int) -> float:
        if cut not in found:
            early = number < cut
            parts = [_gaps(views, masks, depths, side)[side] for side in (early, ~early)]
            found[cut] = float(np.nanmean(np.concatenate(parts)))
        return found[cut]

    borders = [i for i in range(FEWEST, last + 1) if views[i].session != views[i - 1].session]
    for cut in sorted({*range(FEWEST, last + 1, 4), len(views) // 2, *borders}):
        if FEWEST <= cut <= last:
            gap_at(cut)
    for step in (2, 1):
        best = min(found, key=lambda c: found[c])
        for cut in (best - step, best + step):
            if FEWEST <= cut <= last:
                gap_at(cut)
    best = min(found, key=lambda c: found[c])
    return best, found[best]


def _gaps(views: Sequence[View], masks: Sequence[np.ndarray], depths: Depths, chosen: np.ndarray) -> np.ndarray:
    """(v,) of the chosen views against their own hull; NaN for the others."""
    result = np.full(len(views), np.nan)
    vertices, faces = depths.surface(depths.least(chosen))
    for i in np.flatnonzero(chosen):
        mask = masks[i]
        area, length = np.count_nonzero(mask), _length(mask)
        if not area or not length:
            continue
        size = (mask.shape[0], mask.shape[1])
        covered = silhouette(vertices, faces, views[i], size) if len(faces) else np.zeros(size, bool)
        result[i] = np.count_nonzero(mask & ~covered) / length / area**0.5
    return result


def _length(mask: np.ndarray) -> float:
    """Of a mask's outline, px."""
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return float(sum(cv2.arcLength(line, True) for line in lines))
