"""Dent: a hollow pressed in without loss of material, with a low lip (ISO 8785: dent; crater where raised)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import Canvas, fine_grid, layers, require, skin
from defects.procedural.kinds.outline import blob
from defects.procedural.kinds.strokes import Stroke, plough
from defects.procedural.raster import fractal_noise, smoothstep

LIP_END = 0.7


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the hollow at the level of the surface, along the long axis; the lip lies outside it.

    aspect: short by long axis. depth_to_radius: by half of diameter_mm. lip_to_depth: height of the lip. flatness: 0 is
    the hollow of a ball, 1 that of a blunt tool with a flat floor. softness: 0 is a wall that runs into the lip with a
    defined edge (hard body, bulk metal), 1 a shoulder that fades out (sheet metal). irregularity: of the outline.
    marks_kept: share of the tool marks that survive the pressing. scuff: strength 0..1 of the contact scuff on the
    floor. roughness: of the contact.
    """

    diameter_mm: float = 5.0
    aspect: float = 0.85
    depth_to_radius: float = 0.05
    lip_to_depth: float = 0.1
    flatness: float = 0.15
    softness: float = 0.2
    irregularity: float = 0.05
    marks_kept: float = 0.45
    scuff: float = 0.4
    roughness: float = 0.35

    def __post_init__(self) -> None:
        require(
            self, diameter_mm=(0.05, 100), aspect=(0.1, 1), depth_to_radius=(0, 0.6), lip_to_depth=(0, 0.5),
            flatness=(0, 1), softness=(0, 1), irregularity=(0, 0.4), marks_kept=(0, 1), scuff=(0, 1),
            roughness=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return p.diameter_mm / 2 * (1 + p.irregularity) * (1 + LIP_END)


def profile(q: np.ndarray, depth: float, lip_to_depth: float, flatness: float, softness: float) -> np.ndarray:
    """Relief (metres) over the radial fraction q: a hollow to -depth at 0, level at 1, a lip outside whose near
    flank carries on the wall's slope."""
    power, round_off = 2 + 4 * flatness, 1 + softness
    bowl = -(np.maximum(1 - np.minimum(q, 1) ** power, 0) ** round_off)
    crest = np.clip(lip_to_depth * np.e / 2, 0.1, 0.14)
    t = np.maximum(q - 1, 0) / crest
    swell = t**round_off * np.exp(round_off * (1 - t)) * smoothstep(LIP_END / crest, 0.5 * LIP_END / crest, t)
    return depth * (bowl + lip_to_depth * swell)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one dent about the chart's origin, its long axis along u. Pure."""
    a, b = p.diameter_mm * MM / 2, p.diameter_mm * MM / 2 * p.aspect
    reach = (reach_mm(p) * MM, reach_mm(p) * MM * p.aspect)
    grid = fine_grid((-reach[0], -reach[1]), reach, p.diameter_mm * MM / (300 if p.scuff else 120))
    sdf, q = blob(grid, a, b, p.irregularity, rng, wavelength=1.6 * b)
    depth = p.depth_to_radius * a
    relief = profile(q, depth, p.lip_to_depth, p.flatness, p.softness)
    affected = (q - 1 - LIP_END) * b
    u, v = grid.uv
    contact = smoothstep(0.7, 0.2, q)
    burnish = contact * smoothstep(-0.35, 0.35, fractal_noise(u, v, 0.2 * b, rng, 3) + 0.8 * contact - 0.4)
    scars, drag = Canvas(grid), rng.uniform(-0.6, 0.6)
    for _ in range(round(110 * p.scuff)):
        plough(scars, _scar(a, b, drag, grid.pitch, rng), rng)
    fine = (scars.pile - scars.cut) * contact
    worked = p.scuff * np.clip(0.7 * burnish + 0.6 * smoothstep(0, 0.5e-6, scars.cut) * contact, 0, 1)
    keep = 1 - (1 - p.marks_kept) * smoothstep(1.2, 0.75, q)
    rough = p.roughness * (1 + 0.25 * fractal_noise(u, v, 0.1 * b, rng, 2))
    paint = skin(ground, scars.cut * contact, worked, rough)
    return layers(grid, sdf, affected, fine, paint, keep * (1 - 0.6 * worked), displacement=relief)


def _scar(a: float, b: float, drag: float, pitch: float, rng: np.random.Generator) -> Stroke:
    """One fine drag mark of the body that struck."""
    width = max(2.5 * pitch, 0.02e-3) * rng.uniform(1, 1.5)
    return Stroke(
        length=a * rng.uniform(0.05, 0.3), width=width, depth=0.028 * width, angle=drag + 0.12 * rng.normal(),
        centre=(0.22 * a * rng.normal(), 0.22 * b * rng.normal()), start=0.3, end=0.6, rim=0.2, depth_noise=0.4,
    )  # fmt: skip


KIND = Kind("dent", "relief", Params, reach_mm, paint)
