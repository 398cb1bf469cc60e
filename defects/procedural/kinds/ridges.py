"""Friction ridges of a finger: an orientation field from its singular points, and ridges grown along it."""

from __future__ import annotations

import numpy as np
from scipy import fft

from defects.procedural.raster import Grid

_DIRECTIONS = 16
_ROUNDS = 11


def fingerprint(grid: Grid, ridge_m: float, size_m: float, rng: np.random.Generator) -> np.ndarray:
    """Ridge field over the grid, -1 (valley) .. 1 (ridge), wavelength `ridge_m`, of a finger `size_m` long along u.

    Orientation from one core and one delta (Sherlock and Monro, Pattern Recognition 26, 1993); ridges, with their
    endings and forks, from noise sharpened again and again by oriented band-pass filters (Cappelli, Maio and
    Maltoni, ICPR 2000).
    """
    angle = _orientation(grid, size_m, rng)
    field = rng.normal(0.0, 1.0, grid.shape)
    h, w = grid.shape
    shape = 32 * -(-h // 32), 32 * -(-w // 32)
    filters = _filters(shape, grid.pitch, ridge_m)
    which = np.floor(np.mod(angle, np.pi) / np.pi * _DIRECTIONS + 0.5).astype(int) % _DIRECTIONS
    for _ in range(_ROUNDS):
        spectrum = fft.rfft2(field, s=shape)
        grown = np.zeros(grid.shape)
        for k in range(_DIRECTIONS):
            here = which == k
            if here.any():
                passed = np.asarray(fft.irfft2(spectrum * filters[k], s=shape))
                grown[here] = passed[:h, :w][here]
        field = np.tanh(1.6 * grown / max(float(grown.std()), 1e-12))
    return field


def _orientation(grid: Grid, size_m: float, rng: np.random.Generator) -> np.ndarray:
    """Ridge direction (radians, modulo pi) against u; the finger points along +u."""
    u, v = grid.uv
    x, y = -v / size_m, u / size_m
    hand = rng.choice([-1.0, 1.0])
    core = rng.normal(0.0, 0.03), rng.uniform(0.02, 0.12)
    delta = hand * rng.uniform(0.22, 0.34), rng.uniform(-0.38, -0.28)
    turn = np.arctan2(y - core[1], x - core[0]) - np.arctan2(y - delta[1], x - delta[0])
    return 0.5 * turn + np.pi / 2


def _filters(shape: tuple[int, int], pitch: float, ridge_m: float) -> np.ndarray:
    """Transfer functions (directions, h, w // 2 + 1) that pass ridges of one direction and wavelength each."""
    h, w = shape
    fu, fv = fft.rfftfreq(w, pitch), fft.fftfreq(h, pitch)[:, None]
    width = 0.32 / ridge_m
    result = []
    for k in range(_DIRECTIONS):
        across = np.pi * k / _DIRECTIONS + np.pi / 2
        du, dv = np.cos(across) / ridge_m, np.sin(across) / ridge_m
        result.append(sum(np.exp(-((fu - s * du) ** 2 + (fv - s * dv) ** 2) / (2 * width**2)) for s in (1, -1)))
    return np.stack(result)
