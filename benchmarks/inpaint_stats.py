"""Statistics of the painting benchmark: areas under curves, kernel distance, paired bootstrap. Plain numpy."""

from __future__ import annotations

import numpy as np

BINS = 256
"""Of scores in [0, 1]; histograms add up over tiles, so that tiles can be drawn again."""


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a positive's score exceeds a negative's, ties counted half (Mann-Whitney). (n,), (m,)."""
    both = np.concatenate([positive, negative])
    order, rank = np.argsort(both, kind="stable"), np.empty(len(both))
    rank[order] = np.arange(1, len(both) + 1)
    _, where = np.unique(both, return_inverse=True)
    rank = (np.bincount(where, rank) / np.bincount(where))[where]
    n, m = len(positive), len(negative)
    return float((rank[:n].sum() - n * (n + 1) / 2) / (n * m))


def kernel_distance(one: np.ndarray, two: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of features (n, d) and (m, d) with the kernel (x.y / d + 1)^3
    (Binkowski et al., ICLR 2018), standardised by both. About 0 for samples of one distribution; may be below."""
    both = np.concatenate([one, two])
    mean, spread = both.mean(axis=0), both.std(axis=0) + 1e-3
    a, b = (one - mean) / spread, (two - mean) / spread
    d, n, m = a.shape[1], len(a), len(b)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / d + 1) ** 3

    aa, bb = kernel(a, a), kernel(b, b)
    same = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(same - 2 * kernel(a, b).mean())


def halved(groups: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, groups) bool: half of the groups each. What a statistic does from half to half is its standard error over
    groups (delete-half jackknife, Shao and Wu 1989). Unlike a bootstrap it draws nothing twice, which a kernel distance
    would take for likeness."""
    return np.argsort(rng.random((count, len(groups))), axis=1) < len(groups) // 2


def about(value: float, halves: np.ndarray) -> tuple[float, float, float]:
    """A value with its 95 % interval from what it is on `halved` groups; NaN, where a half has none, is left out."""
    spread = 1.96 * float(np.nanstd(halves)) if np.isfinite(halves).sum() > 1 else float("nan")
    return value, value - spread, value + spread


def histograms(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(2, BINS) counts of pixels off and on the mask by score in [0, 1]."""
    where = np.minimum((scores * BINS).astype(int), BINS - 1)
    return np.stack([np.bincount(where[mask == on], minlength=BINS) for on in (False, True)]).astype(float)


def average_precision(counts: np.ndarray) -> np.ndarray:
    """(..., 2, BINS) histograms -> (...) average precision: precision weighted by the recall that each bin adds."""
    off, on = (counts[..., k, ::-1].cumsum(axis=-1) for k in (0, 1))
    total = np.maximum(on[..., -1:], 1e-9)
    gained = np.diff(on, axis=-1, prepend=0) / total
    return (gained * on / np.maximum(on + off, 1e-9)).sum(axis=-1)


def threshold(counts: np.ndarray, alarms: float) -> int:
    """First bin at and above which at most the share `alarms` of the pixels off the masks ((..., BINS)) lies."""
    off = counts.reshape(-1, BINS).sum(axis=0)
    above = off[::-1].cumsum()[::-1] / max(off.sum(), 1e-9)
    quiet = np.flatnonzero(above <= alarms)
    return int(quiet[0]) if len(quiet) else BINS


def overlap(counts: np.ndarray, first: int) -> np.ndarray:
    """(..., 2, BINS) -> (...) intersection over union of the mask with what scores in bin `first` or above."""
    off, on = counts[..., 0, first:].sum(axis=-1), counts[..., 1, first:].sum(axis=-1)
    return on / np.maximum(counts[..., 1, :].sum(axis=-1) + off, 1e-9)


def draws_of(groups: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, groups): how often each group is in each bootstrap draw; the first draw is the sample itself."""
    drawn = rng.multinomial(groups, np.full(groups, 1 / groups), size=count).astype(float)
    drawn[0] = 1
    return drawn


def interval(values: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
