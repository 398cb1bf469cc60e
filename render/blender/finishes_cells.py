"""Periodic pictures made of cells about scattered sites: packed grains, pits, zinc crystals. Numpy, no Blender."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

BOWL_CELLS = 1.742
"""Cells to a dominant wavelength of the squared distance to the nearest site."""


def rng(key: str) -> np.random.Generator:
    """Of a tile by its own name: the same in every job and process."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")))


@lru_cache(maxsize=6)
def bowls(side: int, waves: float, key: str) -> np.ndarray:
    """(side, side) float32, periodic: squared distance to the nearest of sites in a slab; zero mean, unit rms."""
    n = max(3, round(waves * BOWL_CELLS))
    x, y, z = rng(key).random((3, n, n))
    best = np.full((side, side), np.inf, np.float32)
    for (i, j), dx, dy in _around(side, n, x, y, 2):
        np.minimum(best, dx * dx + dy * dy + (0.9 * (z[i, j] - 0.5).astype(np.float32)) ** 2, out=best)
    best -= best.mean()
    best /= best.std()
    best.flags.writeable = False
    return best


def pits(side: int, spacings: float, size: float, cover: float, key: str) -> np.ndarray:
    """(side, side) float32, periodic: bowls 1 - x^2 where balls about `cover` of the sites of a cubic lattice, one a
    spacing, cut the plane. spacings: in a side. size: greatest diameter over the spacing; radii even from a quarter."""
    n = max(1, round(spacings))
    draw = rng(key)
    out = np.zeros((side, side), np.float32)
    reach = int(np.ceil(size / 2))
    for layer in range(-reach, reach + 1):
        x, y, z, chosen, radius = draw.random((5, n, n))
        height, radius = layer + z - 0.5, 0.25 * size * (1 + radius)
        cut = (chosen < cover) & (abs(height) < radius)
        for i, j in zip(*np.nonzero(cut), strict=True):
            _stamp(out, ((i + y[i, j]) / n, (j + x[i, j]) / n), radius[i, j] / n, (height[i, j] / radius[i, j]) ** 2)
    return out


def _stamp(out: np.ndarray, centre: tuple[float, float], radius: float, sunk: float) -> None:
    """The deeper of `out` and a bowl at `centre` (row, column as shares of a side)."""
    side = len(out)
    reach = int(np.ceil(radius * side)) + 1
    spans = [np.arange(round(c * side) - reach, round(c * side) + reach + 1) for c in centre]
    dy, dx = ((span / side - c) / radius for span, c in zip(spans, centre, strict=True))
    bowl = 1 - sunk - np.add.outer(dy * dy, dx * dx)
    at = np.ix_(*(span % side for span in spans))
    out[at] = np.maximum(out[at], bowl)


@dataclass(frozen=True, eq=False)
class Crystals:
    """draws: (2, n, n) even, one wide, zero mean, constant in a crystal. fern: (n, n), dendrites of about unit rms."""

    draws: np.ndarray
    fern: np.ndarray


@lru_cache(maxsize=2)
def crystals(side: int, across: float, dendrites: float, key: str) -> Crystals:
    """Crystals with ragged borders, `across` to a side, each with `dendrites` arms to its size."""
    n = max(3, round(across / 1.15))
    draw = rng(key)
    x, y = draw.random((2, n, n))
    own = draw.random((4, n, n)).astype(np.float32)
    ragged = [0.03 * _rough(side, 9 * n, draw) for _ in range(2)]
    best, which = np.full((side, side), np.inf, np.float32), np.zeros((side, side), np.int64)
    rel = np.zeros((2, side, side), np.float32)
    for (i, j), dx, dy in _around(side, n, x, y, 1):
        d2 = (dx + ragged[0]) ** 2 + (dy + ragged[1]) ** 2
        nearer = d2 < best
        best[nearer], which[nearer] = d2[nearer], (i * n + j)[nearer]
        rel[0][nearer], rel[1][nearer] = dx[nearer], dy[nearer]
    own = own.reshape(4, -1)[:, which]
    arms = [_arm(rel, own, dendrites * 1.15, turn) for turn in (0.0, 1.18)]
    return Crystals(own[:2] - own[:2].mean((1, 2), keepdims=True), np.maximum(*arms))


def _arm(rel: np.ndarray, own: np.ndarray, dendrites: float, turn: float) -> np.ndarray:
    """Ridges square to a crystal's own direction, their phase and strength wandering slowly along them."""
    angle = 2 * np.pi * own[2] + turn
    across = rel[0] * np.cos(angle) + rel[1] * np.sin(angle)
    along = rel[1] * np.cos(angle) - rel[0] * np.sin(angle)
    seeds = (own[3] * 977).astype(np.int64)
    return _value_noise(across * dendrites * 2.0, along * dendrites * 0.32 + turn, seeds)


def _value_noise(u: np.ndarray, v: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Smooth noise of unit rms on the integer lattice, another one for each seed."""
    iu, iv = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    fu, fv = (t * t * (3 - 2 * t) for t in (u - iu, v - iv))
    low = _hashed(iu, iv, seed) * (1 - fu) + _hashed(iu + 1, iv, seed) * fu
    high = _hashed(iu, iv + 1, seed) * (1 - fu) + _hashed(iu + 1, iv + 1, seed) * fu
    return ((low * (1 - fv) + high * fv - 0.5) * 4.9).astype(np.float32)


def _hashed(i: np.ndarray, j: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Even in [0, 1)."""
    h = (i * 374761393 + j * 668265263 + seed * 2147483647 + 1013) & 0xFFFFFFFF
    h = ((h ^ (h >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((h ^ (h >> 16)) & 0xFFFFFF) / float(1 << 24)


def _rough(side: int, waves: float, draw: np.random.Generator) -> np.ndarray:
    """Periodic noise of a few octaves from `waves` a side, unit rms."""
    k2 = np.add.outer((np.fft.fftfreq(side) * side) ** 2, (np.fft.rfftfreq(side) * side) ** 2)
    fall = np.sqrt(k2) * np.exp(-k2 / (2 * waves**2)) / (k2 + (0.3 * waves) ** 2)
    field = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((side, side))) * fall, s=(side, side))
    return (field / field.std()).astype(np.float32)


def _around(side: int, n: int, x: np.ndarray, y: np.ndarray, reach: int) -> Iterator[tuple]:
    """For every neighbouring cell: the indices (i, j) of its site at each texel, and the way there in cells."""
    at = (np.arange(side) / side * n).astype(np.float32)
    own = np.floor(at).astype(np.int64)
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            i, j = np.meshgrid((own + down) % n, (own + right) % n, indexing="ij")
            dy = at[:, None] - (own[:, None] + down) - y[i, j].astype(np.float32)
            dx = at[None, :] - (own[None, :] + right) - x[i, j].astype(np.float32)
            yield (i, j), dx, dy
