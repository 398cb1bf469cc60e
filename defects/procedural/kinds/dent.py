"""Dent: a hollow pressed in without loss of material, with a low lip (ISO 8785: dent)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import Canvas, fine_grid, layers, skin
from defects.procedural.kinds.outline import blob
from defects.procedural.kinds.strokes import Stroke, plough
from defects.procedural.raster import fractal_noise, smoothstep

LIP_END = 0.7


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the hollow at the level of the surface, along the long axis; the lip lies outside it.

    aspect: short by long axis. depth_to_radius: by half of diameter_mm. lip_to_depth: height of the lip. flatness: 0 is
    the hollow of a ball, 1 that of a blunt tool with a flat floor. irregularity: of the outline, relative.
    marks_kept: share of the tool marks that survive the pressing. scuff: strength 0..1 of the contact scuff on the
    floor. roughness: of the contact.
    """

    diameter_mm: float = 5.0
    aspect: float = 0.85
    depth_to_radius: float = 0.05
    lip_to_depth: float = 0.1
    flatness: float = 0.15
    irregularity: float = 0.05
    marks_kept: float = 0.45
    scuff: float = 0.4
    roughness: float = 0.35


def reach_mm(p: Params) -> float:
    return p.diameter_mm / 2 * (1 + p.irregularity) * (1 + LIP_END)


def profile(q: np.ndarray, depth: float, lip_to_depth: float, flatness: float) -> np.ndarray:
    """Relief (metres) over the radial fraction q: a smooth hollow to -depth at 0, level at 1, a lip outside."""
    power = 2 + 4 * flatness
    bowl = -(np.maximum(1 - np.minimum(q, 1) ** power, 0) ** 1.5)
    t = np.maximum(q - 1, 0) / LIP_END
    swell = np.where(t < 1, (t / 0.3) * np.exp(1 - t / 0.3) * smoothstep(1.0, 0.5, t), 0.0)
    return depth * (bowl + lip_to_depth * swell)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one dent about the chart's origin, its long axis along u. Pure."""
    a, b = p.diameter_mm * MM / 2, p.diameter_mm * MM / 2 * p.aspect
    reach = (reach_mm(p) * MM, reach_mm(p) * MM * p.aspect)
    grid = fine_grid((-reach[0], -reach[1]), reach, p.diameter_mm * MM / (300 if p.scuff else 120))
    sdf, q = blob(grid, a, b, p.irregularity, rng, wavelength=1.6 * b)
    depth = p.depth_to_radius * a
    relief = profile(q, depth, p.lip_to_depth, p.flatness)
    affected = sdf - LIP_END * b
    affected = np.where(q < 1 + LIP_END, np.minimum(affected, -grid.pitch / 4), np.maximum(affected, grid.pitch / 4))
    u, v = grid.uv
    contact = smoothstep(0.75, 0.3, q) if p.scuff else np.zeros(grid.shape)
    patchy = smoothstep(0.1, 0.5, fractal_noise(u, v, 0.25 * b, rng, 3) * 0.5 + contact - 0.35) * contact
    scars = Canvas(grid)
    for _ in range(round(14 * p.scuff)):
        plough(scars, _scar(a, b, grid.pitch, rng), rng)
    worked = np.clip(p.scuff * patchy * 0.8 + smoothstep(0, 1e-6, scars.cut) * p.scuff, 0, 1)
    keep = 1 - (1 - p.marks_kept) * smoothstep(1.25, 0.7, q) * (1 - 0.5 * worked)
    rough = p.roughness * (1 + 0.2 * fractal_noise(u, v, 0.1 * b, rng, 2))
    fine = (-scars.cut + 0.5 * scars.pile) * smoothstep(1.0, 0.8, q)
    return layers(grid, sdf, affected, fine, skin(ground, scars.cut, worked, rough), keep, displacement=relief)


def _scar(a: float, b: float, pitch: float, rng: np.random.Generator) -> Stroke:
    width = max(5 * pitch, 0.02e-3)
    return Stroke(
        length=a * rng.uniform(0.15, 0.6), width=width, depth=0.1 * width, angle=rng.normal(0.5, 0.15),
        centre=(0.25 * a * rng.normal(), 0.25 * b * rng.normal()), start=0.3, end=0.4, rim=0.2, depth_noise=0.3,
    )  # fmt: skip


KIND = Kind("dent", "relief", Params, reach_mm, paint)
