"""Use: one small U-Net taught on what a painter made and real good images, tested on real defects it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from inpaint_nets import Segmenter, overlap_loss, taught
from inpaint_stats import average_precision, draws_of, histograms, interval, overlap, threshold

from core.seeds import child, child_seed

SIDE, BATCH = 64, 12
ALARMS = 0.005
"""Share of the pixels of good images that may alarm where IoU and recall are read."""
SMALL = 0.002
"""Share of the image below which a defect is small."""
FOUND = 0.25
"""Share of a defect's pixels that must score above the threshold."""


class Shot(NamedTuple):
    """pixels: (h, w) float32, half the photograph's resolution. mask: (h, w) bool."""

    pixels: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, eq=False)
class Trial:
    """One network on the test images. counts: (tiles, 2, bins). good: (bins,) of good images. found, small: (tiles,)
    small defects found, and how many there are, at the threshold of `first`."""

    counts: np.ndarray
    good: np.ndarray
    found: np.ndarray
    small: np.ndarray
    first: int


def shot(image: np.ndarray, mask: np.ndarray) -> Shot:
    """Halved by averaging, sides cut to multiples of 8 first; median out. A mask pixel needs a quarter of its area."""
    h, w = (s // 8 * 8 for s in mask.shape)
    grey = image[:h, :w].astype(np.float32).mean(axis=2)
    half = cv2.resize(grey, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
    area = cv2.resize(mask[:h, :w].astype(np.float32), (w // 2, h // 2), interpolation=cv2.INTER_AREA)
    return Shot(((half - np.median(half)) / 32).astype(np.float32), area >= 0.25)


def trial(
    made: Sequence[Shot], good: Sequence[Shot], test: Sequence[Shot], tiles: np.ndarray, quiet: Sequence[Shot],
    steps: int, seed: int,
) -> Trial:  # fmt: skip
    """Teach on `made` and `good`, test on `test` (of tiles (n,) whole numbers) and on good images never seen."""

    def batch(step: int) -> tuple[np.ndarray, np.ndarray]:
        rng = child(seed, "step", step)
        picks = [_window(made, rng, True) if k % 2 else _window(good, rng, False) for k in range(BATCH)]
        return np.stack([p[0][None] for p in picks]), np.stack([p[1][None] for p in picks])

    net = taught(Segmenter, batch, overlap_loss, steps, child_seed(seed, "net"))
    calm = sum(histograms(_scores(net, s), np.zeros(s.mask.shape, bool))[0] for s in quiet)
    first = threshold(np.asarray(calm), ALARMS)
    counts = np.zeros((int(tiles.max()) + 1, 2, len(np.asarray(calm))))
    found, small = np.zeros(len(counts)), np.zeros(len(counts))
    for tile, s in zip(tiles, test, strict=True):
        scores = _scores(net, s)
        counts[tile] += histograms(scores, s.mask)
        for here in small_defects(s.mask):
            small[tile] += 1
            found[tile] += (np.floor(scores[here] * counts.shape[2]) >= first).mean() >= FOUND
    return Trial(counts, np.asarray(calm), found, small, first)


def small_defects(mask: np.ndarray) -> list[np.ndarray]:
    """(h, w) bool each: the connected regions of a mask that are below SMALL."""
    count, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    regions = (label == k for k in range(1, count))
    return [here for here in regions if here.mean() < SMALL]


def figures(trials: Sequence[Trial], draws: np.ndarray) -> np.ndarray:
    """(3, draws): pixel AP, IoU and recall of small defects, means over seeds, for each draw of tiles."""
    rows = []
    for t in trials:
        counts = np.tensordot(draws, t.counts, 1)
        small = np.maximum(draws @ t.small, 1e-9)
        with_good = counts.copy()
        with_good[:, 0] += t.good
        rows.append([average_precision(with_good), overlap(counts, t.first), (draws @ t.found) / small])
    return np.mean(rows, axis=0)


def compared(
    one: Sequence[Trial], two: Sequence[Trial], count: int, rng: np.random.Generator
) -> list[tuple[float, ...]]:
    """(difference, low, high) of AP, IoU and recall of `one` over `two`: the same tiles are drawn for both."""
    draws = draws_of(len(one[0].counts), count, rng)
    gain = figures(one, draws) - figures(two, draws)
    return [(float(g[0]), *interval(g[1:])) for g in gain]


def _window(shots: Sequence[Shot], rng: np.random.Generator, marked: bool) -> tuple[np.ndarray, np.ndarray]:
    """SIDE x SIDE pixels and mask of a random shot, over its mask where `marked`; mirrored, turned, gain and offset."""
    pixels, mask = shots[int(rng.integers(len(shots)))]
    h, w = mask.shape
    at = np.array([rng.integers(h), rng.integers(w)])
    if marked:
        inside = np.argwhere(mask)
        at = inside[int(rng.integers(len(inside)))] + rng.integers(-SIDE // 3, SIDE // 3 + 1, 2)
    y, x = (int(np.clip(a - SIDE // 2, 0, max(s - SIDE, 0))) for a, s in zip(at, (h, w), strict=True))
    pads = ((0, SIDE - min(SIDE, h - y)), (0, SIDE - min(SIDE, w - x)))
    cut = [np.pad(a[y : y + SIDE, x : x + SIDE], pads, "symmetric") for a in (pixels, mask)]
    turn, flip = int(rng.integers(4)), rng.random() < 0.5
    cut = [np.rot90(a[:, ::-1] if flip else a, turn) for a in cut]
    bright = np.float32(rng.uniform(0.8, 1.25))
    return cut[0] * bright + np.float32(rng.normal(0, 0.1)), cut[1].astype(np.float32)


@torch.no_grad()
def _scores(net: torch.nn.Module, s: Shot) -> np.ndarray:
    return net(torch.from_numpy(s.pixels)[None, None]).sigmoid()[0, 0].numpy().clip(0, 1 - 1e-6)
