"""Corrosion: red rust, white rust on zinc, pitting, filiform (ISO 8501-1 rust grades; ISO 4628-3 degree of rusting)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.layers import Layers
from core.material import Material
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import UM, box, compose, noise, one_of, ramp, rim, warped
from defects.procedural.kinds.filiform import threads
from defects.procedural.kinds.marks import require
from defects.procedural.raster import Grid, fractal_noise, smoothstep

RED = np.array([(0.20, 0.084, 0.036), (0.092, 0.036, 0.018), (0.032, 0.016, 0.012)])
WHITE = np.array([(0.42, 0.43, 0.43), (0.63, 0.64, 0.63), (0.76, 0.77, 0.75)])
VISIBLE = 0.15
FORMS = ("patch", "spots", "pitting", "white", "filiform")


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the attacked area (long axis along u); aspect: short by long axis.

    form: "patch" (one area with satellites), "spots" (scattered specks only), "pitting" (specks with deep pits),
    "white" (zinc corrosion product) or "filiform" (threads under a coat; `spots` of them, each `spot_mm` wide).
    raggedness: how far noise tears the rim. spot_mm: median speck diameter. spots: number of specks.
    maturity: 0 is a fresh orange bloom, 1 thick dark scale. crust_um: height of the scale (of a thread).
    pit_depth_um: of the pits. halo_mm: width of the faint stain about the rim. runoff_mm: length over which a streak
    runs down (-v) and fades; 0: none.
    """

    form: str = "patch"
    diameter_mm: float = 8.0
    aspect: float = 0.8
    raggedness: float = 0.8
    spots: int = 60
    spot_mm: float = 0.45
    maturity: float = 0.5
    crust_um: float = 25.0
    pit_depth_um: float = 9.0
    halo_mm: float = 0.5
    runoff_mm: float = 0.0

    def __post_init__(self) -> None:
        one_of(self, form=FORMS)
        require(
            self, diameter_mm=(0.5, 100), aspect=(0.1, 1), raggedness=(0, 2), spots=(0, 400), spot_mm=(0.05, 5),
            maturity=(0, 1), crust_um=(0, 300), pit_depth_um=(0, 500), halo_mm=(0, 5), runoff_mm=(0, 50),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    if p.form == "filiform":
        return 0.5 * p.diameter_mm + 3 * p.spot_mm
    return _area_mm(p) + 2.2 * p.runoff_mm


def _area_mm(p: Params) -> float:
    """Radius that holds everything but the run-off."""
    area = min(0.5 * p.diameter_mm + 2.2 * p.spot_mm, 0.7 * p.diameter_mm) if _alone(p) else 0.68 * p.diameter_mm
    return area + 1.5 * p.halo_mm + 0.3


def _alone(p: Params) -> bool:
    return p.form in ("spots", "pitting")


def lacks(p: Params, material: Material) -> str | None:
    bare = material.substrate is None or material.coat_um <= 0
    return "a coat over metal for filiform corrosion" if p.form == "filiform" and bare else None


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one corroded area. The label is where product hides at least 15 % of the ground. Pure."""
    KIND.check(p, ground.material)
    if p.form == "filiform":
        radius, width, lift = p.diameter_mm * MM / 2, p.spot_mm * MM, p.crust_um * UM
        return threads(radius, p.aspect, p.spots, width, lift, 0.2 + 0.6 * p.maturity, ground, rng)
    side = _area_mm(p) * MM
    grid = box((-side, -reach_mm(p) * MM), (side, side), min(p.spot_mm / 2, 0.2) * MM)
    level = _attack(p, grid, rng)
    cover = smoothstep(-0.05, 0.5, level)
    stain = np.maximum(_halo(p, grid, cover, rng), _runoff(p, grid, cover, rng))
    weight = np.maximum(smoothstep(0.03, 0.22, cover), stain)
    clumps = noise(grid, 0.55 * MM, rng, 4)
    fields = noise(grid, 2.2 * MM, rng, 2)
    depth = np.clip(level, 0.0, 1.0)
    thickness = np.clip(0.75 * depth + 0.85 * (p.maturity - 0.3) + 0.4 * fields + 0.35 * clumps, 0.0, 1.0) * cover
    grain = np.exp(0.3 * noise(grid, 0.14 * MM, rng, 2))[..., None]
    albedo = ramp(np.array([0.0, 0.5, 1.0]), WHITE if p.form == "white" else RED, thickness) * grain
    metal = ground.material.surface.metallic > 0.5
    solid = smoothstep(0.25, 0.5, cover) if metal else weight * (weight > stain)
    return compose(
        grid,
        rim(VISIBLE - weight, grid.pitch),
        height_m=_relief(p, grid, cover, clumps, solid, rng),
        albedo=np.clip(albedo, 0.0, 0.9),
        albedo_weight=weight,
        roughness=np.clip(0.82 + 0.08 * clumps, 0.6, 0.95),
        metallic=np.zeros(grid.shape),
        surface_weight=solid,
        lay_keep=1 - smoothstep(0.2, 0.6, cover),
    )


def _attack(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """How deep inside the attacked area: about 1 at its heart, 0 near the rim, negative outside."""
    radius = p.diameter_mm * MM / 2
    coarse = min(5 * MM, 1.2 * radius)
    u, v = warped(grid, coarse, 0.2 * coarse, rng)
    q = np.hypot(u, v / p.aspect) / radius
    cu, cv = grid.uv
    fence = 3.0 * smoothstep(1.2, 1.4, np.hypot(cu, cv) / radius)
    if p.form in ("patch", "white"):
        fine = min(0.8 * MM, 0.35 * radius)
        torn = 0.55 * fractal_noise(u, v, coarse, rng, 2) + 0.4 * fractal_noise(u, v, fine, rng, 3)
        level = 0.75 * (1 - q) + p.raggedness * torn * smoothstep(1.5, 0.7, q)
    else:
        level = np.full(grid.shape, -1.0)
    level = np.maximum(level, _specks(p, grid, rng)) - fence
    return level + max(0.4 - float(level.max()), 0.0)


def _specks(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Specks scattered about the area, thinning out with distance, as the same kind of level."""
    level = np.full(grid.shape, -1.0)
    u, v = grid.uv
    tear = noise(grid, 0.5 * p.spot_mm * MM, rng, 2)
    radius = p.diameter_mm * MM / 2
    alone = _alone(p)
    for index in range(max(p.spots, 3 if alone else 0)):
        q = np.sqrt(rng.uniform()) if alone else 0.75 + rng.exponential(0.22)
        angle = rng.uniform(0, 2 * np.pi)
        cu, cv = radius * min(q, 1.3) * np.cos(angle), radius * min(q, 1.3) * np.sin(angle) * p.aspect
        size = p.spot_mm * MM / 2 * float(np.clip(np.exp(rng.normal(-0.25, 0.75)), 0.2, 3.0))
        size *= 1.0 if alone or index % 3 else 0.6
        c, r = (round((x - o) / grid.pitch) for x, o in ((cu, grid.u0), (cv, grid.v0)))
        n = int(np.ceil(1.8 * size / grid.pitch)) + 1
        at = np.s_[max(r - n, 0) : r + n + 1, max(c - n, 0) : c + n + 1]
        gap = np.hypot(u[at] - cu, v[at] - cv) / size
        level[at] = np.maximum(level[at], 0.75 * (1 - gap) + 0.35 * p.raggedness * tear[at])
    return level


def _halo(p: Params, grid: Grid, cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Faint bloom about the rim: never as strong as the label asks for."""
    if p.halo_mm <= 0:
        return np.zeros(grid.shape)
    spread = ndimage.gaussian_filter(cover, p.halo_mm * MM / grid.pitch / 1.5, truncate=3.0)
    return np.clip(0.5 * spread * (1 + 0.5 * noise(grid, 0.8 * MM, rng, 2)), 0.0, 0.8 * VISIBLE)


def _runoff(p: Params, grid: Grid, cover: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Rust-laden water that ran down (-v): what covers the rows above, carried along and fading."""
    if p.runoff_mm <= 0:
        return np.zeros(grid.shape)
    u, v = grid.uv
    lanes = smoothstep(-0.1, 0.6, fractal_noise(u, 0.04 * v, 0.7 * MM, rng, 3))
    keep = np.exp(-grid.pitch / (p.runoff_mm * MM * (0.35 + 0.65 * lanes.mean(axis=0))))
    carried, state = np.zeros(grid.shape), np.zeros(grid.shape[1])
    for row in range(grid.shape[0] - 1, -1, -1):
        state = np.maximum(state * keep, cover[row] * lanes[row])
        carried[row] = state
    carried = ndimage.gaussian_filter1d(carried, 0.06 * MM / grid.pitch, axis=1)
    lowest = smoothstep(-1.0, -0.85, v / (reach_mm(p) * MM))
    return 0.55 * carried * lowest * (0.8 + 0.2 * noise(grid, 0.4 * MM, rng, 2))


def _relief(
    p: Params, grid: Grid, cover: np.ndarray, clumps: np.ndarray, solid: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Crust with grains on it, and pits through it."""
    crust = p.crust_um * UM * cover * solid * (0.55 + 0.3 * clumps + 0.25 * noise(grid, 0.18 * MM, rng, 2))
    pits = smoothstep(0.15, 0.75, noise(grid, 0.25 * MM, rng, 2)) * smoothstep(0.3, 0.7, cover)
    if p.form == "pitting":
        pits = np.maximum(pits, smoothstep(0.35, 0.9, cover))
    return crust - p.pit_depth_um * UM * pits


KIND = Kind("rust", "decal", Params, reach_mm, paint, lacks)
