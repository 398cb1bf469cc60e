"""Realism: how well a small classifier tells real defects from painted ones, and how far their features lie apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from inpaint_nets import Judge, taught
from inpaint_stats import auc, kernel_distance

from core.seeds import child, child_seed
from defects.generative.crop import bounds

SIDE = 64
FOLDS = 3


def crop_about(image: np.ndarray, mask: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) float32 in [-1, 1]: the mask with half its size around it, never magnified beyond 1:1; beyond
    the picture mirrored. Its mean brightness is taken out: it tells of the tile, not of the damage."""
    y0, y1, x0, x1 = bounds(mask)
    half = max(side, int(1.5 * max(y1 - y0, x1 - x0))) // 2
    y, x, pad = (y0 + y1) // 2, (x0 + x1) // 2, half
    wide = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    cut = wide[y : y + 2 * half, x : x + 2 * half].astype(np.float32)
    cut = cut if cut.shape[0] == side else cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
    return ((cut - cut.mean()) / 64).clip(-2, 2)


def realism(
    real: np.ndarray, made: Mapping[str, np.ndarray], groups: np.ndarray, made_groups: Mapping[str, np.ndarray],
    steps: int, seed: int,
) -> dict[str, tuple[float, float]]:  # fmt: skip
    """(AUC, kernel distance) of each row. real, made[row]: (n, s, s, 3) crops. groups: (n,) whole numbers; crops of one
    group are never in the taught and the judged part at once.

    AUC: of a classifier of its own for each row, judged on the fold it has not seen. Kernel distance: on the features
    of one classifier for all rows, which tells them and reality apart; each fold's features by the one that has not
    seen it.
    """
    found = {}
    names = sorted(made)
    every = np.concatenate([real, *(made[n] for n in names)])
    label = np.concatenate([np.full(len(real), 0), *(np.full(len(made[n]), k + 1) for k, n in enumerate(names))])
    fold = np.concatenate([groups, *(made_groups[n] for n in names)]) % FOLDS
    _, features = _judged(every, label, fold, steps, child_seed(seed, "all"))
    for k, name in enumerate(names):
        both = np.concatenate([real, made[name]])
        which = np.repeat([1, 0], [len(real), len(made[name])])
        folds = np.concatenate([groups, made_groups[name]]) % FOLDS
        scores, _ = _judged(both, which, folds, steps, child_seed(seed, name))
        parts = [auc(scores[f & (which == 1), 1], scores[f & (which == 0), 1]) for f in _masks(folds, which)]
        distances = [kernel_distance(features[f & (label == 0)], features[f & (label == k + 1)])
                     for f in _masks(fold, np.where(label == 0, 1, np.where(label == k + 1, 0, -1)))]  # fmt: skip
        found[name] = float(np.mean(parts)), float(np.mean(distances))
    return found


def _masks(fold: np.ndarray, which: np.ndarray) -> Sequence[np.ndarray]:
    """Folds that hold at least two of both."""
    masks = [fold == f for f in range(FOLDS)]
    return [m for m in masks if min((m & (which == w)).sum() for w in (0, 1)) >= 2]


def _judged(crops: np.ndarray, label: np.ndarray, fold: np.ndarray, steps: int, seed: int):
    """Scores (n, classes) and features (n, 64) of every crop by the network that was taught without its fold."""
    classes = int(label.max()) + 1
    planes = np.ascontiguousarray(np.moveaxis(crops, 3, 1))
    scores, features = np.zeros((len(crops), classes)), np.zeros((len(crops), 64))
    for f in range(FOLDS):
        mine = np.flatnonzero(fold != f)
        by_class = [mine[label[mine] == c] for c in range(classes)]
        by_class = [b for b in by_class if len(b)]

        def batch(step: int, by_class=by_class, f=f) -> tuple[np.ndarray, np.ndarray]:
            rng = child(seed, "batch", f, step)
            picks = np.array([(b := by_class[i % len(by_class)])[int(rng.integers(len(b)))] for i in range(24)])
            return np.stack([_moved(planes[i], rng) for i in picks]), label[picks]

        net = taught(lambda: Judge(classes), batch, F.cross_entropy, steps, child_seed(seed, "net", f))
        judged = np.flatnonzero(fold == f)
        with torch.no_grad():
            seen = net.features(torch.from_numpy(planes[judged]))  # type: ignore[operator]
            features[judged], scores[judged] = seen.numpy(), net.last(seen).softmax(1).numpy()  # type: ignore[operator]
    return scores, features


def _moved(planes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirrored, turned by quarters and made a little brighter or darker: nothing that a defect could be told by."""
    planes = np.rot90(planes, int(rng.integers(4)), (1, 2))
    planes = planes[:, :, ::-1] if rng.random() < 0.5 else planes
    return np.ascontiguousarray(planes * np.float32(rng.uniform(0.85, 1.15)), np.float32)
