"""Rule-based overlay: Perlin-noise mask, foreign texture, random opacity (DRAEM: Zavrtanik et al., ICCV 2021).

The textures are our own and procedural, where the paper takes photographs from DTD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import compose, noise, ramp, rim, square
from defects.procedural.kinds.marks import require
from defects.procedural.raster import Grid, gradient_noise, smoothstep

TEXTURES = ("stripes", "cells", "speckle", "woven", "rings", "marble", "blotches", "grain")


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the disc that holds the overlay. cells: of the mask's noise across it, along u; cells_v: along v.

    threshold: of the noise, as a share of its range above the middle (0.5 in the paper); lowered where nothing
    would pass. opacity: 0.15..1. texture: 0 picks one at random, 1..8 one of stripes, cells, speckle, woven, rings,
    marble, blotches, grain. texture_mm: its coarsest wavelength.
    """

    diameter_mm: float = 12.0
    cells: int = 4
    cells_v: int = 4
    threshold: float = 0.5
    opacity: float = 0.7
    texture: int = 0
    texture_mm: float = 1.2

    def __post_init__(self) -> None:
        require(
            self, diameter_mm=(0.3, 100), cells=(1, 64), cells_v=(1, 64), threshold=(0, 2), opacity=(0.15, 1),
            texture=(0, 8), texture_mm=(0.05, 20),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return 0.51 * p.diameter_mm + 0.3


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one overlay. The label is the mask. Only the base colour changes, by `opacity`. Pure."""
    finest = min(0.2, 0.4 * p.diameter_mm / max(p.cells, p.cells_v), 0.2 * p.texture_mm)
    grid = square(reach_mm(p) * MM, max(finest * MM, reach_mm(p) * MM / 500))
    mask = _mask(p, grid, rng)
    sdf = rim(mask, grid.pitch)
    inside = smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, sdf)
    name = TEXTURES[int(rng.integers(len(TEXTURES))) if p.texture == 0 else (p.texture - 1) % len(TEXTURES)]
    value = texture(name, grid, p.texture_mm * MM, rng)
    tones = np.sort(rng.uniform(0.02, 0.85, (4, 1)), axis=0) * rng.uniform(0.55, 1.0, (4, 3))
    weight = np.clip(p.opacity, 0.15, 1.0) * inside
    return compose(grid, sdf, albedo=ramp(np.linspace(0, 1, 4), tones, value), albedo_weight=weight)


def _mask(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Level, negative inside: thresholded Perlin noise of the two frequencies, turned, inside a disc."""
    u, v = grid.uv
    angle = rng.uniform(0, 2 * np.pi)
    x, y = u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)
    size = p.diameter_mm * MM
    field = gradient_noise(x * max(p.cells, 1) / size, y * max(p.cells_v, 1) / size, 1.0, rng)
    fence = np.hypot(u, v) / (size / 2) - 1
    allowed = field[fence < -0.15]
    level = min(p.threshold, float(np.quantile(allowed, 0.88)))
    return np.maximum(level - field, 4 * fence)


def texture(name: str, grid: Grid, wavelength_m: float, rng: np.random.Generator) -> np.ndarray:
    """One of `TEXTURES` over the grid, values in 0..1."""
    u, v = grid.uv
    turn = rng.uniform(0, np.pi)
    x, y = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    bend = 0.25 * wavelength_m * noise(grid, 2 * wavelength_m, rng, 3)
    k = 2 * np.pi / wavelength_m
    if name == "stripes":
        raw = np.sin(k * (x + bend)) * 0.8 + 0.2 * noise(grid, 0.2 * wavelength_m, rng)
    elif name == "cells":
        first, second = _worley(grid, wavelength_m, rng)
        raw = 2 * np.minimum((second - first) / (0.5 * wavelength_m), 1.0) - 1
    elif name == "speckle":
        first, _ = _worley(grid, 0.5 * wavelength_m, rng)
        raw = 1 - 2 * smoothstep(0.08 * wavelength_m, 0.16 * wavelength_m, first)
    elif name == "woven":
        over = np.sign(np.sin(k * x) * np.sin(k * y))
        raw = np.where(over > 0, np.abs(np.sin(2 * k * x)), -np.abs(np.sin(2 * k * y)))
    elif name == "rings":
        centre = rng.uniform(-1, 1, 2) * wavelength_m * 2
        raw = np.sin(k * (np.hypot(u - centre[0], v - centre[1]) + bend))
    elif name == "marble":
        raw = np.sin(k * (0.6 * x + 3 * bend + 0.4 * wavelength_m * noise(grid, wavelength_m, rng, 4)))
    elif name == "blotches":
        raw = 1.4 * noise(grid, 1.5 * wavelength_m, rng, 5)
    else:
        raw = 1.3 * gradient_noise(0.12 * x, y, 0.3 * wavelength_m, rng) + 0.5 * noise(grid, 0.2 * wavelength_m, rng)
    return np.clip(0.5 + 0.5 * raw, 0.0, 1.0)


def _worley(grid: Grid, cell_m: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Distances to the nearest and second nearest of scattered points (Worley, SIGGRAPH 1996), metres."""
    h, w = grid.shape
    size = np.array([w, h]) * grid.pitch
    count = int(np.clip(np.prod(size / cell_m), 8, 20_000))
    points = rng.uniform(size=(count, 2)) * size + grid.origin
    u, v = grid.uv
    distance, _ = KDTree(points).query(np.c_[u.ravel(), v.ravel()], k=2)
    return distance[:, 0].reshape(h, w), distance[:, 1].reshape(h, w)


KIND = Kind("perlin_overlay", "decal", Params, reach_mm, paint)
