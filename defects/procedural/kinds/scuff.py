"""Scuff: a patch of many fine, nearly parallel scratches (ISO 8785: skidding; streaks)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import Canvas, Skin, fine_grid, layers, require, skin, soot
from defects.procedural.kinds.outline import blob
from defects.procedural.kinds.strokes import Stroke, plough
from defects.procedural.raster import fractal_noise, smoothstep

DENSEST = 2500
WORN = (0.11, 0.108, 0.105)
"""Albedo of metal smeared on paint or plastic: fine, oxidised, dark."""
BRIGHT = (0.53, 0.51, 0.495)
"""Albedo of bare steel."""


@dataclass(frozen=True)
class Params:
    """length_mm, width_mm: axes of the patch, the rubbing went along u. edge_noise: of its outline, relative.

    stroke_um: median width of the single scratches, depth_to_width: theirs. density: scratches a square millimetre.
    spread_deg: scatter of their directions. bow: sagitta by length of each. coverage: 0..1, share of the patch whose
    finish is rubbed between the scratches. roughness: of rubbed metal. marks_kept: of the tool marks, when rubbed.
    burnish: 0..1, how far rubbing lays bright metal bare under the dull skin of a casting or an oxide. transfer: 0..1,
    share of what is rubbed on a non-metal that keeps metal worn off the other body.
    """

    length_mm: float = 7.0
    width_mm: float = 3.5
    edge_noise: float = 0.25
    stroke_um: float = 28.0
    depth_to_width: float = 0.06
    density: float = 14.0
    spread_deg: float = 3.5
    bow: float = 0.012
    coverage: float = 0.4
    roughness: float = 0.4
    marks_kept: float = 0.55
    burnish: float = 0.5
    transfer: float = 0.35

    def __post_init__(self) -> None:
        require(
            self, length_mm=(0.2, 60), width_mm=(0.2, 60), edge_noise=(0, 0.6), stroke_um=(4, 500),
            depth_to_width=(0, 0.5), density=(0, 200), spread_deg=(0, 180), bow=(-0.2, 0.2), coverage=(0, 1),
            roughness=(0, 1), marks_kept=(0, 1), burnish=(0, 1), transfer=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return max(p.length_mm, p.width_mm) / 2 * (1 + p.edge_noise) + 4 * p.stroke_um * 1e-3


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one scuff about the chart's origin. Pure."""
    a, b = p.length_mm * MM / 2, p.width_mm * MM / 2
    fine = p.stroke_um * 1e-6
    high = (a * (1 + p.edge_noise) + 2 * fine, b * (1 + p.edge_noise) + 2 * fine)
    grid = fine_grid((-high[0], -high[1]), high, fine / 4)
    sdf, _ = blob(grid, a, b, p.edge_noise, rng, wavelength=1.2 * b)
    u, v = grid.uv
    rubs = Canvas(grid)
    for stroke in _strokes(p, a, b, fine, rng):
        plough(rubs, stroke, rng)
    within = smoothstep(0.0, -0.25 * b, sdf)
    streaks = fractal_noise(u / 9, v, 0.22 * b, rng, 4) + 0.6 * fractal_noise(u, v, 0.7 * b, rng, 2)
    level = 1.6 * (p.coverage - 0.5)
    rubbed = smoothstep(-0.45, 0.45, streaks + level + 0.5 * (within - 1)) * within
    press = np.clip(1 + 0.6 * fractal_noise(u / 10, v, 3 * fine, rng, 2), 0.2, 1.6)
    cut = rubs.cut * press * smoothstep(0.0, -0.06 * b, sdf)
    scored = smoothstep(0, 0.2 * fine * p.depth_to_width, cut)
    worked = np.maximum(0.75 * rubbed, scored)
    rough = p.roughness * (1 + 0.2 * fractal_noise(u / 6, v, 5 * fine, rng, 2))
    height = rubs.pile * press * within - cut
    paint = skin(ground, cut, worked, rough)
    if ground.material.surface.metallic > 0.5:
        paint = _burnished(paint, p.burnish * worked)
    else:
        clings = smoothstep(1.1 - p.transfer, 1.5 - p.transfer, worked + 0.35 * (press - 1) + 0.3 * (streaks > 0))
        paint = soot(paint, p.transfer**0.5 * clings * within, WORN, 0.5)
    return layers(grid, sdf, sdf, height, paint, 1 - (1 - p.marks_kept) * rubbed - 0.3 * scored)


def _burnished(paint: Skin, weight: np.ndarray) -> Skin:
    """Metal whose dull skin is rubbed off by `weight`: as bright as bare steel, where it was not brighter before."""
    bright = np.maximum(paint.albedo, BRIGHT)
    both = np.maximum(paint.albedo_weight, weight)
    return replace(
        paint,
        albedo=paint.albedo + (bright - paint.albedo) * (weight / np.maximum(both, 1e-9))[..., None],
        albedo_weight=both,
        metallic=paint.metallic + (1 - paint.metallic) * weight,
    )


def _strokes(p: Params, a: float, b: float, fine: float, rng: np.random.Generator) -> list[Stroke]:
    count = int(np.clip(p.density * np.pi * a * b * 1e6, 8, DENSEST))
    fan = np.deg2rad(p.spread_deg)
    strokes = []
    for _ in range(count):
        v = 0.95 * b * rng.uniform(-1, 1)
        chord = a * np.sqrt(1 - (v / b) ** 2) * (1 - 0.4 * p.edge_noise)
        length = min(a * float(np.clip(rng.lognormal(-1.1, 0.6), 0.08, 1.3)), 1.8 * chord)
        width = fine * float(np.clip(rng.lognormal(0, 0.4), 0.6, 2.6))
        strokes.append(
            Stroke(
                length=length, width=width, centre=((chord - length / 2) * rng.uniform(-1, 1), v),
                depth=p.depth_to_width * width * rng.uniform(0.4, 1.3), angle=fan * rng.normal(),
                bow=p.bow * length * rng.normal(1, 0.4), start=0.35, end=0.6, rim=0.25,
            )
        )  # fmt: skip
    return strokes


KIND = Kind("scuff", "decal", Params, reach_mm, paint)
