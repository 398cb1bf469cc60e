"""Chatter: bands across the lay that a vibrating tool leaves (waviness, ISO 21920)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import fine_grid, layers, require, skin
from defects.procedural.kinds.outline import blob
from defects.procedural.raster import fractal_noise, gradient_noise, smoothstep


@dataclass(frozen=True)
class Params:
    """length_mm, width_mm: axes of the patch; length along u. edge_noise: of its outline, relative.

    wavelength_mm: of the bands, measured along the lay. amplitude_um: half of crest to trough. skew_deg: of the bands
    against square to the lay. phase_noise: wavering of the bands, in periods. sharpness: 0 sine, 1 scalloped with
    sharp crests. roughness: in the troughs where the tool rubbed; burnish: 0..1, strength of that.
    """

    length_mm: float = 10.0
    width_mm: float = 6.0
    edge_noise: float = 0.15
    wavelength_mm: float = 1.1
    amplitude_um: float = 5.0
    skew_deg: float = 8.0
    phase_noise: float = 0.12
    sharpness: float = 0.5
    roughness: float = 0.38
    burnish: float = 0.5

    def __post_init__(self) -> None:
        require(
            self, length_mm=(0.5, 200), width_mm=(0.5, 200), edge_noise=(0, 0.5), wavelength_mm=(0.05, 20),
            amplitude_um=(0, 100), skew_deg=(-90, 90), phase_noise=(0, 1), sharpness=(0, 1), roughness=(0, 1),
            burnish=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return max(p.length_mm, p.width_mm) / 2 * (1 + p.edge_noise)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one chattered patch about the chart's origin; the bands follow the lay of the ground. Pure."""
    a, b = p.length_mm * MM / 2, p.width_mm * MM / 2
    wave = p.wavelength_mm * MM
    high = (a * (1 + p.edge_noise), b * (1 + p.edge_noise))
    grid = fine_grid((-high[0], -high[1]), high, min(wave / 30, b / 60))
    sdf, _ = blob(grid, a, b, p.edge_noise, rng, wavelength=1.2 * b)
    u, v = grid.uv
    angle = ground.lay_angle_rad + np.deg2rad(p.skew_deg)
    phase = (u * np.cos(angle) + v * np.sin(angle)) / wave + rng.uniform()
    if p.phase_noise:
        phase = phase + p.phase_noise * fractal_noise(u, v, 4 * wave, rng, 2)
    fade = smoothstep(0.0, -0.45 * b, sdf)
    strength = fade * (1 + 0.35 * gradient_noise(u, v, 3 * wave, rng) * bool(p.phase_noise))
    crest = np.cos(2 * np.pi * phase)
    scallop = 1 - 2 * np.abs(np.sin(np.pi * phase)) ** 1.2
    shape = (1 - p.sharpness) * crest + p.sharpness * scallop
    rubbed = p.burnish * strength * smoothstep(0.2, -0.8, crest)
    height = p.amplitude_um * 1e-6 * strength * shape
    paint = skin(ground, np.zeros(grid.shape), np.clip(rubbed, 0, 1), p.roughness)
    return layers(grid, sdf, sdf, height, paint, 1 - 0.5 * np.clip(rubbed, 0, 1))


KIND = Kind("chatter", "decal", Params, reach_mm, paint)
