"""Paint run: a sag of wet paint that ran down (-v) and dried with a bead at its end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import UM, box, compose, curve_distance, noise, rim, worm
from defects.procedural.kinds.marks import require
from defects.procedural.raster import Grid, line_noise, smoothstep

VISIBLE_UM = 5.0


@dataclass(frozen=True)
class Params:
    """length_mm: from the curtain's edge down to the tip (-v). width_mm: of the tail. height_um: of the tail's crest.

    runs: side by side; spacing_mm: between them. bead: width of the end drop by that of the tail; bead_height: its
    height by that of the tail. curtain_mm: height of the thick band the runs come from; 0: none.
    red, green, blue: linear albedo of the paint, used where the ground has no coat of its own (a stray drip).
    """

    length_mm: float = 9.0
    width_mm: float = 1.6
    height_um: float = 110.0
    runs: int = 1
    spacing_mm: float = 3.5
    bead: float = 1.6
    bead_height: float = 1.9
    curtain_mm: float = 2.0
    red: float = 0.08
    green: float = 0.16
    blue: float = 0.28

    def __post_init__(self) -> None:
        require(
            self, length_mm=(0.5, 100), width_mm=(0.2, 10), height_um=(20, 300), runs=(1, 12), spacing_mm=(0.3, 30),
            bead=(1, 3), bead_height=(1, 3), curtain_mm=(0, 20), red=(0, 1), green=(0, 1), blue=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return float(np.hypot(*_half_size(p))) + 0.3


def _half_size(p: Params) -> tuple[float, float]:
    group = 0.5 * (p.runs - 0.4) * p.spacing_mm if p.runs > 1 else 0.0
    half_u = group + 1.8 * p.bead * p.width_mm + 0.2 * p.length_mm + p.curtain_mm
    return half_u, 0.5 * p.length_mm + 1.3 * p.curtain_mm + 0.8 * p.bead * p.width_mm


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one group of runs. The label is where paint stands 5 um or more above the coat. Pure."""
    half_u, half_v = _half_size(p)
    grid = box((-half_u * MM, -half_v * MM), (half_u * MM, half_v * MM), min(0.12, 0.2 * p.width_mm) * MM)
    height = np.zeros(grid.shape)
    places = []
    for index in range(p.runs):
        x = (index - 0.5 * (p.runs - 1)) * p.spacing_mm * MM + rng.normal(0, 0.08 * p.spacing_mm * MM) * (p.runs > 1)
        places.append(x)
        share = 1.0 if index == p.runs // 2 else rng.uniform(0.45, 0.95)
        height = _swell(height, _run(p, grid, x, share, rng), 0.2 * p.height_um * UM)
    if p.curtain_mm > 0:
        height = _swell(height, _curtain(p, grid, half_u * MM, places, rng), 0.2 * p.height_um * UM)
    here = smoothstep(0.1 * VISIBLE_UM * UM, 1.6 * VISIBLE_UM * UM, height)
    surface = ground.material.surface
    coated = ground.material.substrate is not None and surface.metallic < 0.5
    colour = np.asarray(surface.albedo) * 0.93 if coated else np.array([p.red, p.green, p.blue])
    return compose(
        grid,
        rim(VISIBLE_UM * UM - height, grid.pitch),
        height_m=height * here,
        albedo=np.broadcast_to(colour, (*grid.shape, 3)),
        albedo_weight=here,
        roughness=np.full(grid.shape, 0.3),
        metallic=np.zeros(grid.shape),
        surface_weight=here,
        lay_keep=1 - 0.85 * smoothstep(0.0, 40 * UM, height),
        film=smoothstep(VISIBLE_UM * UM, 5 * VISIBLE_UM * UM, height),
    )


def _run(p: Params, grid: Grid, x: float, share: float, rng: np.random.Generator) -> np.ndarray:
    """Height (metres) of one run: a ridge that narrows and gathers into a drop whose front is steep."""
    length, half = p.length_mm * MM * share, p.width_mm * MM / 2
    top = 0.5 * p.length_mm * MM
    tip = top - length
    path = worm(np.array([x, top]), -np.pi / 2, length, 0.12, rng, 40)
    path[:, 1] = np.linspace(top, tip, 41)
    gap, _, along = curve_distance(grid, path, 2.6 * p.bead * half)
    lateral = np.where(np.isfinite(gap), gap, 1.0)
    drop = np.exp(-(((length - along) / (1.5 * p.bead * half)) ** 2))
    neck = 1 - 0.25 * smoothstep(0.1, 0.8, along / length) + 0.08 * line_noise(along, 6 * half, rng, 2)
    wide = half * (neck + (p.bead - 1) * drop)
    tall = p.height_um * UM * (0.75 * neck + (p.bead_height - 0.75) * drop) * smoothstep(-0.15, 0.25, along / length)
    q = lateral / wide
    return tall * np.maximum(1 - q * q, 0.0) ** 1.25


def _curtain(p: Params, grid: Grid, half_u: float, places: list[float], rng: np.random.Generator) -> np.ndarray:
    """Height of the sagging band above the runs: soft upwards, with a thick wavy lower edge."""
    u, v = grid.uv
    width = p.width_mm * MM
    low = 0.5 * p.length_mm * MM - 0.12 * p.curtain_mm * MM * line_noise(u, 0.9 * p.spacing_mm * MM, rng, 2)
    for x in places:
        low = low - 0.45 * p.curtain_mm * MM * np.exp(-(((u - x) / (0.9 * width)) ** 2))
    t = (v - low) / (p.curtain_mm * MM)
    shape = smoothstep(-0.1, 0.25, t) * smoothstep(1.0, 0.0, t)
    across = smoothstep(1.0, 0.25, np.abs(u) / (half_u * (0.9 + 0.05 * noise(grid, 2 * MM, rng))))
    return 0.7 * p.height_um * UM * shape * across


def _swell(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Smooth maximum of two heights, kept at 0 where both are."""
    h = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.maximum(a, b) + 0.25 * h * h * blend * np.minimum(np.minimum(a, b) / blend, 1.0)


KIND = Kind("paint_run", "decal", Params, reach_mm, paint)
