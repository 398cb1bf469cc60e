"""Porosity: a cluster of open pores, from gas (round) or from shrinkage (jagged) (ISO 8785: pore; shrinkage hole)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import fine_grid, layers, require
from defects.procedural.kinds.pores import Pore, hollows

ATTEMPTS = 40


@dataclass(frozen=True)
class Params:
    """cluster_mm: diameter of the circle that holds every pore. pores: how many are asked for; as many as fit are made.

    diameter_mm: median; size_sigma: of the logarithm of the diameter (log-normal, cut at two sigma). clumps: parents of
    the Thomas process by which pores gather; clump_mm: their standard deviation. spacing: least distance of two centres
    by the sum of their radii (below 1 they may merge). elongation: long by short axis, at most. irregularity: of the
    outlines. depth_to_diameter, steepness, floor_noise, roughness, dirt: as in a pit.
    """

    cluster_mm: float = 5.0
    pores: int = 22
    diameter_mm: float = 0.28
    size_sigma: float = 0.5
    clumps: int = 3
    clump_mm: float = 0.7
    spacing: float = 1.1
    elongation: float = 1.3
    irregularity: float = 0.08
    depth_to_diameter: float = 0.45
    steepness: float = 0.8
    floor_noise: float = 0.15
    roughness: float = 0.5
    dirt: float = 0.85

    def __post_init__(self) -> None:
        require(
            self, cluster_mm=(0.1, 60), pores=(1, 500), diameter_mm=(0.01, 10), size_sigma=(0, 1.5), clumps=(1, 50),
            clump_mm=(0.01, 30), spacing=(0.3, 3), elongation=(1, 5), irregularity=(0, 0.7),
            depth_to_diameter=(0, 1), steepness=(0, 1), floor_noise=(0, 1), roughness=(0, 1), dirt=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return p.cluster_mm / 2 + 0.1 * p.diameter_mm


def scatter(p: Params, rng: np.random.Generator) -> list[Pore]:
    """Pores of a Thomas cluster process (Thomas 1949) inside the circle, thinned by `spacing`, the largest first."""
    limit, sigma = p.cluster_mm * MM / 2, p.clump_mm * MM
    grow = 1 + p.irregularity
    radii = p.diameter_mm * MM / 2 * np.exp(p.size_sigma * np.clip(rng.normal(size=max(p.pores, 1)), -2, 2))
    radii = np.sort(np.minimum(radii, 0.6 * limit / grow))[::-1]
    bearing, far = rng.uniform(0, 2 * np.pi, max(p.clumps, 1)), np.sqrt(rng.uniform(size=max(p.clumps, 1)))
    room = max(limit - 1.5 * sigma, 0.35 * limit)
    parents = np.stack([np.cos(bearing), np.sin(bearing)], axis=1) * (room * far)[:, None]
    placed: list[Pore] = []
    for radius in radii:
        for _ in range(ATTEMPTS):
            centre = parents[int(rng.integers(len(parents)))] + sigma * rng.normal(size=2)
            clear = all(np.hypot(*(centre - o.centre)) > p.spacing * grow * (radius + o.radius) for o in placed)
            if clear and np.hypot(*centre) + grow * radius < limit:
                aspect = 1 / rng.uniform(1, max(p.elongation, 1))
                placed.append(Pore((float(centre[0]), float(centre[1])), float(radius), aspect, rng.uniform(0, np.pi)))
                break
    return placed or [Pore((0.0, 0.0), float(radii[0]), 1.0, 0.0)]


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one cluster about the chart's origin. Pure."""
    pores = scatter(p, rng)
    grow = 1 + p.irregularity
    low = np.min([np.subtract(c.centre, grow * c.radius) for c in pores], axis=0)
    high = np.max([np.add(c.centre, grow * c.radius) for c in pores], axis=0)
    grid = fine_grid((low[0], low[1]), (high[0], high[1]), min(c.radius * c.aspect for c in pores) / 6)
    sdf, affected, height, paint, keep = hollows(
        grid, pores, ground, rng, depth_to_diameter=p.depth_to_diameter, steepness=p.steepness, rim=0.0,
        irregularity=p.irregularity, floor_noise=p.floor_noise, roughness=p.roughness, dirt=p.dirt,
    )  # fmt: skip
    return layers(grid, sdf, affected, height, paint, keep, grid.pitch)


KIND = Kind("porosity", "decal", Params, reach_mm, paint)
