"""Pit: a small crater with a sharp or raised rim, alone or with a few around it (ISO 8785: pitting; crater)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import fine_grid, layers, require
from defects.procedural.kinds.pores import Pore, hollows
from defects.procedural.raster import Grid


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the opening along its long axis. aspect: short by long axis. depth_to_diameter: at the deepest.

    steepness: 0 is a bowl, 1 a flat floor with steep walls. rim_to_depth: height of a raised rim (0: sharp edge).
    irregularity: of the outline, relative. floor_noise: relief of the floor by depth. dirt: 0..1, dark oxide inside.
    satellites: smaller pits within two diameters.
    """

    diameter_mm: float = 0.7
    aspect: float = 0.8
    depth_to_diameter: float = 0.28
    steepness: float = 0.45
    rim_to_depth: float = 0.06
    irregularity: float = 0.2
    floor_noise: float = 0.2
    roughness: float = 0.65
    dirt: float = 0.8
    satellites: int = 1

    def __post_init__(self) -> None:
        require(
            self, diameter_mm=(0.01, 30), aspect=(0.2, 1), depth_to_diameter=(0, 1), steepness=(0, 1),
            rim_to_depth=(0, 0.5), irregularity=(0, 0.6), floor_noise=(0, 1), roughness=(0, 1), dirt=(0, 1),
            satellites=(0, 30),
        )  # fmt: skip


def _share(satellites: int) -> float:
    return 2.4 if satellites else 0.0


def reach_mm(p: Params) -> float:
    return p.diameter_mm * (0.5 * (1 + p.irregularity) * 1.6 + _share(p.satellites))


def _pits(p: Params, rng: np.random.Generator) -> list[Pore]:
    a = p.diameter_mm * MM / 2
    pits = [Pore((0.0, 0.0), a, p.aspect, 0.0)]
    for _ in range(p.satellites):
        bearing, far = rng.uniform(0, 2 * np.pi), a * rng.uniform(2.0, 4.0)
        pits.append(
            Pore((far * np.cos(bearing), far * np.sin(bearing)), a * rng.uniform(0.2, 0.5), rng.uniform(0.6, 1),
                 rng.uniform(0, np.pi))
        )  # fmt: skip
    return pits


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one pit about the chart's origin. Pure."""
    pits = _pits(p, rng)
    half = max(float(np.hypot(*c.centre)) + 1.6 * c.radius * (1 + p.irregularity) for c in pits)
    grid: Grid = fine_grid(
        (-half, -half), (half, half), min(p.diameter_mm * MM / 110, min(c.radius for c in pits) / 10)
    )
    sdf, affected, height, paint, keep = hollows(
        grid, pits, ground, rng, depth_to_diameter=p.depth_to_diameter, steepness=p.steepness, rim=p.rim_to_depth,
        irregularity=p.irregularity, floor_noise=p.floor_noise, roughness=p.roughness, dirt=p.dirt,
    )  # fmt: skip
    return layers(grid, sdf, affected, height, paint, keep, grid.pitch)


KIND = Kind("pit", "decal", Params, reach_mm, paint)
