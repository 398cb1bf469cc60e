"""Heat tint: temper colours of the oxide that grew beside a weld or under a grinding burn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from core.material import Material
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import compose, noise, one_of, rim
from defects.procedural.kinds.interference import NATIVE_NM, tint
from defects.procedural.kinds.marks import require
from defects.procedural.raster import Grid, fractal_noise, line_noise, smoothstep

VISIBLE_NM = 11.0
FORMS = ("weld", "burn")
_SPREAD = 1.6


@dataclass(frozen=True)
class Params:
    """form: "weld" (bands along a heated line) or "burn" (streaky patch along the grinding direction, u).

    length_mm: of the heated line or patch along u. width_mm: of the tinted band across it, between the two places
    where straw begins to show. peak_nm: oxide thickness at the hottest place (20 straw, 28 brown, 40 purple, 48 blue,
    65 pale blue, 90 and above silver and second order). wobble: unevenness of the heat, relative. ripple_mm: pitch of
    a weld's solidification marks in the tint; 0: none. scale: 0..1, dull grey scale where the oxide is thickest.
    """

    form: str = "weld"
    length_mm: float = 14.0
    width_mm: float = 7.0
    peak_nm: float = 65.0
    wobble: float = 0.4
    ripple_mm: float = 0.7
    scale: float = 0.4

    def __post_init__(self) -> None:
        one_of(self, form=FORMS)
        require(
            self, length_mm=(0.5, 200), width_mm=(0.5, 60), peak_nm=(14, 200), wobble=(0, 1), ripple_mm=(0, 10),
            scale=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return float(np.hypot(0.5 * p.length_mm + 0.85 * p.width_mm, 0.85 * p.width_mm)) * (1 + 0.4 * p.wobble) + 0.5


def lacks(p: Params, material: Material) -> str | None:
    return None if material.surface.metallic > 0.5 else "a bare metal surface (heat tint is an oxide on metal)"


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one tinted zone. The label is where the oxide is thicker than 11 nm (first straw). Pure."""
    KIND.check(p, ground.material)
    half_u, half_v = 0.5 * p.length_mm + 0.85 * p.width_mm, 0.85 * p.width_mm
    high = half_u * (1 + 0.4 * p.wobble) * MM, half_v * (1 + 0.4 * p.wobble) * MM
    pitch = max(0.03 * MM, p.width_mm * MM / 180, float(np.sqrt(4 * high[0] * high[1] / 170_000)))
    grid = Grid.around((-high[0], -high[1]), high, pitch)
    border = np.maximum(np.abs(grid.uv[0]) / high[0], np.abs(grid.uv[1]) / high[1])
    oxide = NATIVE_NM + (p.peak_nm - NATIVE_NM) * _heat(p, grid, rng) * smoothstep(1.0, 0.8, border)
    surface = ground.material.surface
    albedo = np.clip(np.asarray(surface.albedo) * tint(oxide), 0.0, 1.0)
    shown = smoothstep(NATIVE_NM, NATIVE_NM + 2.5, oxide)
    thick = p.scale * smoothstep(70.0, 115.0, oxide + 6 * noise(grid, 0.3 * MM, rng, 3))
    dull = np.array([0.16, 0.15, 0.145])
    return compose(
        grid,
        rim(VISIBLE_NM - oxide, grid.pitch),
        albedo=albedo + (dull - albedo) * (0.7 * thick)[..., None],
        albedo_weight=shown,
        roughness=np.full(grid.shape, min(surface.roughness + 0.25, 1.0)),
        metallic=np.full(grid.shape, surface.metallic),
        surface_weight=thick,
    )


def _heat(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Relative oxide thickness, 1 at the hottest place and 0 at the grid's border."""
    u, v = grid.uv
    half = p.width_mm * MM / 2
    sway = 0.3 * p.wobble * half * line_noise(u, 2.4 * half, rng, 2)
    size = 1 + 0.3 * p.wobble * np.clip(noise(grid, 1.8 * half, rng, 3), -1, 1)
    fading = rng.choice([-1.0, 1.0]) * u / (p.length_mm * MM / 2 + half)
    size = size * (1 - 0.5 * p.wobble * smoothstep(-0.2, 1.0, fading))
    if p.form == "burn":
        streak = fractal_noise(0.06 * u, v, 0.35 * MM, rng, 3) + 0.6 * fractal_noise(0.12 * u, v, 0.12 * half, rng, 2)
        ends = np.hypot(u / (p.length_mm * MM / 2 + 0.25 * half), (v - sway) / half) / size
        ends = ends * (1 + 0.2 * p.wobble * np.clip(streak, -1.0, 1.5))
        return _profile(ends, p) * np.clip(1 + 0.25 * p.wobble * streak, 0.4, 1.2)
    beyond = np.maximum(np.abs(u) - p.length_mm * MM / 2, 0.0)
    gap = np.hypot(beyond, v - sway) / (half * size)
    if p.ripple_mm > 0:
        bow = np.sqrt(np.maximum(1 - (v / half) ** 2, 0.0)) * 0.5 * half
        phase = 2 * np.pi * (u - bow) / (p.ripple_mm * MM) + 1.5 * noise(grid, 2 * p.ripple_mm * MM, rng)
        gap = gap * (1 + 0.018 * np.sin(phase))
    return _profile(gap, p)


def _profile(x: np.ndarray, p: Params) -> np.ndarray:
    """Falls from 1 at the centre through `VISIBLE_NM` at x = 1 to 0: a bell in the distance from the heat."""
    level = np.clip((VISIBLE_NM - NATIVE_NM) / (p.peak_nm - NATIVE_NM), 0.02, 0.98)
    bell = np.exp(np.log(level) * np.abs(x) ** _SPREAD)
    return bell * smoothstep(1.45, 1.15, x)


KIND = Kind("heat_tint", "decal", Params, reach_mm, paint, lacks)
