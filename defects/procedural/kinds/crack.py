"""Crack: a narrow fissure with sharp root, single and branching or a network (ISO 8785: crack; crazing)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from core.errors import RecipeError
from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.fissures import Fissure, bounds, branching, network, opening
from defects.procedural.kinds.marks import fine_grid, layers, require, skin, soot
from defects.procedural.raster import fractal_noise, smoothstep

OXIDE = (0.018, 0.014, 0.011)


@dataclass(frozen=True)
class Params:
    """pattern: "branching" (one crack, tips length_mm apart) or "network" (length_mm is the patch's long axis).

    width_mm: of the opening at mid-length. depth_to_width: of the V that is shown as relief. grain_mm: length of the
    straight pieces. wander_deg: rms of the slow change of heading. branches: of the branching pattern.
    aspect, cell_mm, openness: short by long axis, cell size and share of cell borders that opened, of a network.
    width_noise: relative, from piece to piece. oxide: 0..1, how far the faces have oxidised. halo_mm: stained border.
    """

    pattern: Literal["branching", "network"] = "branching"
    length_mm: float = 8.0
    width_mm: float = 0.045
    depth_to_width: float = 1.0
    grain_mm: float = 0.07
    wander_deg: float = 14.0
    branches: int = 3
    aspect: float = 0.6
    cell_mm: float = 1.2
    openness: float = 0.75
    width_noise: float = 0.35
    oxide: float = 0.85
    halo_mm: float = 0.04

    def __post_init__(self) -> None:
        if self.pattern not in ("branching", "network"):
            raise RecipeError(f"pattern is '{self.pattern}'", "branching or network", "correct the blueprint")
        require(
            self, length_mm=(0.1, 200), width_mm=(0.001, 2), depth_to_width=(0, 3), grain_mm=(0.002, 10),
            wander_deg=(0, 45), branches=(0, 40), aspect=(0.1, 1), cell_mm=(0.05, 50), openness=(0, 1),
            width_noise=(0, 1), oxide=(0, 1), halo_mm=(0, 5),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    beside = p.width_mm + max(p.halo_mm, 3 * p.width_mm)
    return (0.5 if p.pattern == "network" else 0.62) * p.length_mm + beside


def _fissures(p: Params, rng: np.random.Generator) -> list[Fissure]:
    length, width, grain = p.length_mm * MM, p.width_mm * MM, p.grain_mm * MM
    if p.pattern == "network":
        return network(length, p.aspect, p.cell_mm * MM, width, grain, p.openness, p.width_noise, rng)
    return branching(length, width, grain, np.deg2rad(p.wander_deg), p.branches, p.width_noise, rng)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one crack about the chart's origin, its long axis along u. Pure."""
    fissures = _fissures(p, rng)
    width, halo = p.width_mm * MM, p.halo_mm * MM
    reach = max(halo, 2 * width)
    grid = fine_grid(*bounds(fissures, reach), width / 7)
    sdf = opening(grid, fissures, reach + 3 * grid.pitch)
    cut = 2 * p.depth_to_width * np.maximum(-sdf, 0)
    u, v = grid.uv
    inside = smoothstep(0.12 * width, -0.1 * width, sdf)
    patchy = np.clip(0.6 + 0.6 * fractal_noise(u, v, 8 * max(halo, width), rng, 2), 0, 1)
    stain = 0.2 * smoothstep(halo, 0, sdf) ** 2 * patchy if halo else 0.0
    worn = skin(ground, cut, inside, 0.8, whitening=0.0)
    paint = soot(worn, np.maximum(p.oxide * inside, p.oxide * stain), OXIDE, 0.85)
    return layers(grid, sdf, sdf - halo, -cut, paint, 1 - inside, 0.12 * width)


KIND = Kind("crack", "decal", Params, reach_mm, paint)
