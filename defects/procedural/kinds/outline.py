"""Outlines of blobs: ellipses that noise makes irregular, as signed distances, and a polar fraction inside them."""

from __future__ import annotations

import numpy as np

from defects.procedural.raster import Grid, fractal_noise, normalised


def ellipse(u: np.ndarray, v: np.ndarray, a: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance (exact to first order at the rim, exact for a circle) and radial fraction (1 at the rim) of the
    ellipse with half axes a along u and b along v."""
    q = np.hypot(u / a, v / b)
    slope = np.hypot(u / a**2, v / b**2)
    return (q - 1) * np.where(slope > 0, q / np.where(slope > 0, slope, 1.0), min(a, b)), q


def blob(
    grid: Grid, a: float, b: float, irregularity: float, rng: np.random.Generator, wavelength: float,
    centre: tuple[float, float] = (0.0, 0.0), angle: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """As `ellipse`, about `centre` with its long axis at `angle`, its radius changed by up to +-`irregularity`
    (relative) with noise in the plane."""
    u, v = grid.uv
    c, s = np.cos(angle), np.sin(angle)
    u, v = u - centre[0], v - centre[1]
    sdf, q = ellipse(u * c + v * s, v * c - u * s, a, b)
    if not irregularity:
        return sdf, q
    q = q / (1 + irregularity * np.clip(fractal_noise(u, v, wavelength, rng, 3), -1, 1))
    sdf = normalised((q - 1) * min(a, b), grid.pitch, 4 * max(a, b))
    # steep noise makes far places read near; the circle that holds the outline says how far they are at least
    return np.maximum(sdf, np.hypot(u, v) - max(a, b) * (1 + irregularity)), q
