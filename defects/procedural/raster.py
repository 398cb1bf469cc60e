"""Pure raster tools for generators: grids in metres, seeded noise with a physical wavelength, distances to lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

MAX_TEXELS = 4_000_000


@dataclass(frozen=True)
class Grid:
    """Texel centres of a raster over the chart. u0, v0: outer corner of texel [0, 0], metres."""

    u0: float
    v0: float
    pitch: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, low: tuple[float, float], high: tuple[float, float], pitch: float) -> Grid:
        """Covers the box `low`..`high` (metres) and three texels more on every side; coarser if it would be huge."""
        width, height = high[0] - low[0], high[1] - low[1]
        pitch = max(pitch, float(np.sqrt(width * height / MAX_TEXELS)))
        w, h = (int(np.ceil(x / pitch)) + 6 for x in (width, height))
        u0 = (low[0] + high[0]) / 2 - w * pitch / 2
        v0 = (low[1] + high[1]) / 2 - h * pitch / 2
        return cls(u0, v0, pitch, (h, w))

    @cached_property
    def uv(self) -> tuple[np.ndarray, np.ndarray]:
        """u and v of every texel centre, (h, w) each, metres."""
        h, w = self.shape
        u = self.u0 + (np.arange(w) + 0.5) * self.pitch
        v = self.v0 + (np.arange(h) + 0.5) * self.pitch
        return np.broadcast_to(u, (h, w)), np.broadcast_to(v[:, None], (h, w))

    @property
    def origin(self) -> tuple[float, float]:
        return self.u0, self.v0


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, cubic between; `low` may exceed `high` for a falling step."""
    t = np.clip((np.asarray(x) - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def gradient_noise(u: np.ndarray, v: np.ndarray, wavelength: float, rng: np.random.Generator) -> np.ndarray:
    """Perlin (2002) gradient noise at (u, v), same unit as `wavelength`; about -1..1, zero mean."""
    x, y = np.asarray(u, float) / wavelength, np.asarray(v, float) / wavelength
    if x.ndim == 2 and np.shape(x) == np.shape(y) and (x == x[:1]).all() and (y == y[:, :1]).all():
        return _noise_on_rows(x[0], y[:, 0], rng)
    ix, iy = np.floor(x), np.floor(y)
    fx, fy = x - ix, y - iy
    lowx, lowy = ix.min(), iy.min()
    gx, gy = _gradients(int(iy.max() - lowy) + 2, int(ix.max() - lowx) + 2, rng)
    width = gx.shape[1]
    at = ((iy - lowy) * width + (ix - lowx)).astype(np.intp)
    sx, sy = _ease(fx), _ease(fy)

    def corner(dx: int, dy: int) -> np.ndarray:
        # take on a shifted view reads the neighbour's gradient without a new index
        shift = dy * width + dx
        across, along = (g.ravel()[shift:].take(at, mode="clip") for g in (gx, gy))
        return across * (fx - dx) + along * (fy - dy)

    low, high = corner(0, 0), corner(0, 1)
    low += (corner(1, 0) - low) * sx
    high += (corner(1, 1) - high) * sx
    low += (high - low) * sy
    return low * np.sqrt(2)


def _noise_on_rows(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same on the grid of columns x (w,) and rows y (h,): between two lattice rows the noise is
    a + f b with a, b of the column alone."""
    ix, iy = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    fx, fy = x - ix, y - iy
    gx, gy = _gradients(int(np.ptp(iy)) + 2, int(np.ptp(ix)) + 2, rng)
    c, r = ix - ix.min(), iy - iy.min()
    sx, sy = _ease(fx), _ease(fy)[:, None]
    a = gx[:, c] * (fx * (1 - sx)) + gx[:, c + 1] * ((fx - 1) * sx)
    b = gy[:, c] * (1 - sx) + gy[:, c + 1] * sx
    fy = fy[:, None]
    low, high = a[r] + fy * b[r], a[r + 1] + (fy - 1) * b[r + 1]
    return np.sqrt(2) * (low + (high - low) * sy)


def _gradients(rows: int, columns: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    angle = rng.uniform(0, 2 * np.pi, (rows, columns))
    return np.cos(angle), np.sin(angle)


def _ease(t: np.ndarray) -> np.ndarray:
    return t * t * t * (t * (t * 6 - 15) + 10)


def fractal_noise(
    u: np.ndarray, v: np.ndarray, wavelength: float, rng: np.random.Generator, octaves: int = 4, gain: float = 0.5
) -> np.ndarray:
    """Sum of octaves of gradient noise, each half as wide and `gain` as strong; scaled to about -1..1."""
    total, strength, norm = np.zeros(np.shape(u)), 1.0, 0.0
    for octave in range(octaves):
        total += strength * gradient_noise(u, v, wavelength / 2**octave, rng)
        norm += strength**2
        strength *= gain
    return total / np.sqrt(norm)


def line_noise(t: np.ndarray, wavelength: float, rng: np.random.Generator, octaves: int = 1) -> np.ndarray:
    """Fractal noise along one coordinate; about -1..1."""
    return fractal_noise(np.asarray(t, float), np.zeros(np.shape(t)), wavelength, rng, octaves)


def signed_distance(inside: np.ndarray, pitch: float) -> np.ndarray:
    """Signed distance (metres, negative inside) to a bool raster's rim, smoothed over a texel. For shapes that have
    no formula; where a smooth field exists, divide it by its gradient instead (`normalised`)."""
    out = np.asarray(ndimage.distance_transform_edt(~inside)) - 0.5
    into = np.asarray(ndimage.distance_transform_edt(inside)) - 0.5
    return ndimage.gaussian_filter(np.where(inside, -into, out), 0.7) * pitch


def normalised(level: np.ndarray, pitch: float, reach: float) -> np.ndarray:
    """A signed distance (metres) whose zero set is that of `level` (negative inside), exact to first order at the rim
    and bounded by +-reach: level over its gradient."""
    gv, gu = np.gradient(level, pitch)
    return np.clip(level / np.maximum(np.hypot(gu, gv), 1e-9 / pitch), -reach, reach)
