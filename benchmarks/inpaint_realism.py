"""Realism: how well a small classifier tells real defects from painted ones, and how far their features lie apart.

There are too few real defects to learn features from, so these are fixed: what inspection looks at, measured on the
mask against its surroundings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from inpaint_nets import Judge, taught
from inpaint_stats import about, auc, halved, kernel_distance
from scipy import ndimage

from core.seeds import child, child_seed

FOLDS, REPEATS = 5, 3
FIGURES = ("AUC", "kernel distance", "by type")
"""By type: mean of the kernel distances within each type of damage. One over all types is small, too, for a painter
whose types look like each other's."""
HALVES, LEAST = 400, 4
"""Halves of the tiles that an interval is from, and samples of a kind that a half needs."""
RING_PX = 8
BANDS = ((0.0, 0.7), (0.7, 1.4), (1.4, 2.8), (2.8, 5.6))
"""Blurs, pixels, between which a band of detail lies."""


def features_of(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(d,) of a defect. image: (h, w, 3) uint8. mask: (h, w) bool. Brightness counts in standard deviations of the ring
    around the mask, so that neither the tile nor the exposure tells:

    levels (quantiles, mean at the rim, half way in and in the middle), colour, detail in four bands inside over
    outside, steps across the rim, shape of the histogram, how strongly one side is brighter, how much the detail runs
    one way.
    """
    deep = np.asarray(ndimage.distance_transform_edt(mask))
    away = np.asarray(ndimage.distance_transform_edt(~mask))
    ring, rim = (away > 2) & (away <= 2 + RING_PX), (deep > 0) & (deep <= 1)
    ring = ring if ring.sum() > 8 else ~mask
    values = image.astype(np.float32)
    grey = values.mean(axis=2)
    spread = max(float(grey[ring].std()), 1.0)
    level = (grey - np.median(grey[ring])) / spread
    inside, part = level[mask], deep / deep.max()
    told = [*np.quantile(inside, [0.05, 0.25, 0.5, 0.75, 0.95]), inside.mean(), inside.std()]
    told += [level[on].mean() if on.any() else inside.mean() for on in (rim, mask & (part > 0.4), mask & (part > 0.75))]
    told += [
        (values[..., c][mask].mean() - values[..., c][ring].mean() - inside.mean() * spread) / spread for c in (0, 2)
    ]
    bands = [_blurred(grey, a) - _blurred(grey, b) for a, b in BANDS]
    told += [np.log((b[mask].std() + 0.2) / (b[ring].std() + 0.2)) for b in bands]
    told += [np.log((np.abs(b[rim]).mean() + 0.2) / (np.abs(b[ring]).mean() + 0.2)) for b in bands[:2]]
    about = (inside - inside.mean()) / max(float(inside.std()), 0.1)
    told += [(about**3).mean(), np.log1p((about**4).mean())]
    rows, columns = np.nonzero(mask)
    plane = np.c_[
        np.ones(len(rows)),
        (rows - rows.mean()) / (np.ptp(rows) + 1),
        (columns - columns.mean()) / (np.ptp(columns) + 1),
    ]
    told.append(float(np.linalg.norm(np.linalg.lstsq(plane, inside, rcond=None)[0][1:])))
    down, right = np.gradient(_blurred(grey, 1.0))
    tensor = [(down * down)[mask].mean(), (right * right)[mask].mean(), (down * right)[mask].mean()]
    told.append(float(np.hypot(tensor[0] - tensor[1], 2 * tensor[2]) / (tensor[0] + tensor[1] + 1e-3)))
    told = np.array(told, np.float64)
    return (np.sign(told) * np.log1p(np.abs(told))).astype(np.float32)


class Crops(NamedTuple):
    """features: (n, d). groups: (n,) whole numbers; those of one group are never in the taught and the judged part at
    once. kinds: (n,) types of damage."""

    features: np.ndarray
    groups: np.ndarray
    kinds: np.ndarray


class Realism(NamedTuple):
    """values: FIGURES of a row. over: each beyond that of the row that is compared with, (difference, low, high) by
    groups; none for that row itself."""

    values: tuple[float, ...]
    over: tuple[tuple[float, float, float], ...] | None = None


class _Row(NamedTuple):
    """Real crops, then painted. real: (n,) bool. scores: REPEATS times (n,), of a classifier that never saw the
    group."""

    crops: Crops
    real: np.ndarray
    scores: list[np.ndarray]

    def figures(self, on: np.ndarray) -> tuple[np.ndarray, frozenset[str]]:
        """FIGURES of the crops that are `on` (n,) bool, NaN where there are too few, and the types of the last one."""
        mine, theirs = on & self.real, on & ~self.real
        if min(mine.sum(), theirs.sum()) < LEAST:
            return np.full(len(FIGURES), np.nan), frozenset()
        area = float(np.mean([auc(s[mine], s[theirs]) for s in self.scores]))
        features, found = self.crops.features, {}
        for kind in np.unique(self.crops.kinds[theirs]):
            one, two = (side & (self.crops.kinds == kind) for side in (mine, theirs))
            if min(one.sum(), two.sum()) >= 2:
                found[str(kind)] = kernel_distance(features[one], features[two])
        by_type = float(np.mean(list(found.values()))) if found else np.nan
        return np.array([area, kernel_distance(features[mine], features[theirs]), by_type]), frozenset(found)


def crops(shown: Sequence[tuple[np.ndarray, np.ndarray, int, str]]) -> Crops:
    """image (h, w, 3) uint8, mask (h, w) bool, group and type of each."""
    images, masks, groups, kinds = zip(*shown, strict=True)
    return Crops(stacked(list(zip(images, masks, strict=True))), np.array(groups), np.array(kinds))


def realism(
    real: Crops, made: Mapping[str, Crops], steps: int, seed: int, against: str = "copy-paste"
) -> dict[str, Realism]:
    """Every row, and how far it is from the row `against`, where that is there.

    AUC: cross-validated over FOLDS folds of groups, mean over REPEATS ways to fold. Below 0.5 is chance. Intervals hold
    the classifiers as they were taught.
    """
    rows = {}
    for name, painted in made.items():
        both = Crops(*(np.concatenate([a, b]) for a, b in zip(real, painted, strict=True)))
        which = np.repeat([1, 0], [len(real.groups), len(painted.groups)])
        scores = []
        for k in range(REPEATS):
            fold = _folds(both.groups, child(seed, "folds", k))
            scores.append(_judged(both.features, which, fold, steps, child_seed(seed, name, k)))
        rows[name] = _Row(both, which == 1, scores)
    every = np.unique(np.concatenate([row.crops.groups for row in rows.values()])) if rows else np.zeros(0)
    halves = halved(every, HALVES, child(seed, "halves"))
    found = {name: row.figures(np.ones(len(row.real), bool)) for name, row in rows.items()}
    parts = {name: np.array([_half(row, every[half], found[name][1]) for half in halves]) for name, row in rows.items()}
    told = {}
    for name, (values, _) in found.items():
        over = None
        if against in rows and name != against:
            gain, spread = values - found[against][0], parts[name] - parts[against]
            over = tuple(about(float(gain[k]), spread[:, k]) for k in range(len(FIGURES)))
        told[name] = Realism(tuple(float(v) for v in values), over)
    return told


def _half(row: _Row, groups: np.ndarray, types: frozenset[str]) -> np.ndarray:
    """Figures on these groups; what is by type counts only where no type is missing."""
    values, known = row.figures(np.isin(row.crops.groups, groups))
    return values if known == types else np.append(values[:-1], np.nan)


def _folds(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) fold of each, whole groups together, shuffled."""
    _, where = np.unique(groups, return_inverse=True)
    return rng.permutation(int(where.max()) + 1)[where] % FOLDS


def _judged(features: np.ndarray, label: np.ndarray, fold: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """(n,) log odds of being real, each by the network that was taught without its fold; ranks within the fold, so
    that folds can be put together."""
    scores = np.zeros(len(features))
    for f in range(FOLDS):
        mine, judged = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        if not len(judged) or len(set(label[mine].tolist())) < 2:
            continue
        mean, spread = features[mine].mean(axis=0), features[mine].std(axis=0) + 1e-3
        plain = ((features - mean) / spread).clip(-4, 4).astype(np.float32)
        weight = torch.from_numpy((0.5 / np.bincount(label[mine]) * len(mine)).astype(np.float32))
        net = taught(
            lambda: Judge(features.shape[1]), lambda _, m=mine, p=plain: (p[m], label[m]),
            lambda told, wanted, w=weight: F.cross_entropy(told, wanted, w), steps, child_seed(seed, f),
        )  # fmt: skip
        with torch.no_grad():
            odds = net(torch.from_numpy(plain[judged])).numpy()
        scores[judged] = odds[:, 1] - odds[:, 0]
    return scores


def stacked(images: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """(n, d) features of images and masks."""
    return np.stack([features_of(image, mask) for image, mask in images])


def _blurred(grey: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(grey, (0, 0), sigma) if sigma else grey
