"""Hollows in a surface: pores and pits, each an outline with walls, a floor and a rim, and their clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from defects.procedural.kind import Ground
from defects.procedural.kinds.marks import Canvas, Skin, skin, soot, window
from defects.procedural.kinds.outline import blob
from defects.procedural.raster import Grid, fractal_noise, smoothstep

DIRT = (0.03, 0.024, 0.019)
RIM = 0.32


@dataclass(frozen=True)
class Pore:
    """centre: metres, chart. radius: half of its long axis. aspect: short by long. angle: of the long axis, radians."""

    centre: tuple[float, float]
    radius: float
    aspect: float
    angle: float


def hollows(
    grid: Grid, pores: list[Pore], ground: Ground, rng: np.random.Generator, *, depth_to_diameter: float,
    steepness: float, rim: float, irregularity: float, floor_noise: float, roughness: float, dirt: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Skin, np.ndarray]:  # fmt: skip
    """Signed distance, affected zone, relief (metres), skin and kept marks of a set of hollows."""
    canvas = Canvas(grid)
    for pore in pores:
        _dig(canvas, pore, rng, depth_to_diameter, steepness, rim, irregularity, floor_noise)
    p = grid.pitch
    inside = smoothstep(p, -p, canvas.sdf)
    u, v = grid.uv
    uneven = np.clip(0.9 + 0.35 * fractal_noise(u, v, 10 * p, rng, 2), 0, 1)
    soiled = dirt * smoothstep(p, -2 * p, canvas.sdf) * uneven
    paint = soot(skin(ground, canvas.cut, inside, roughness, whitening=0.0), soiled, DIRT, 0.85)
    return canvas.sdf, canvas.affected, canvas.pile - canvas.cut, paint, 1 - inside


def _dig(
    canvas: Canvas, pore: Pore, rng: np.random.Generator, depth_to_diameter: float, steepness: float, rim: float,
    irregularity: float, floor_noise: float,
) -> None:  # fmt: skip
    a, b = pore.radius, pore.radius * pore.aspect
    wide = a * (1 + irregularity) * (1 + RIM) + 3 * canvas.grid.pitch
    u0, v0 = pore.centre
    found = window(canvas.grid, (u0 - wide, v0 - wide), (u0 + wide, v0 + wide))
    if found is None:
        return
    at, grid = found
    sdf, q = blob(
        grid,
        a,
        b,
        irregularity,
        rng,
        wavelength=a * max(1.5 - 1.6 * irregularity, 0.5),
        centre=pore.centre,
        angle=pore.angle,
    )
    depth = 2 * b * depth_to_diameter
    u, v = grid.uv
    bowl = np.maximum(1 - np.minimum(q, 1) ** (2 + 5 * steepness), 0)
    floor = fractal_noise(u, v, 0.6 * b, rng, 3) * floor_noise * smoothstep(0, 0.5, bowl)
    t = np.maximum(q - 1, 0) / RIM
    pile = rim * depth * (t / 0.25) * np.exp(1 - t / 0.25) * smoothstep(1.0, 0.5, t)
    affected = (q - 1 - RIM) * b if rim else sdf
    canvas.add(at, sdf, affected, depth * np.maximum(bowl + floor, 0), pile)
