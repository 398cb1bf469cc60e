"""Stains: oil film, dried coolant ring, water spots, fingerprint. Thin films and residues, no loss of material."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.layers import Layers
from core.material import Surface
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import UM, compose, noise, one_of, ramp, rim, square, stroke_sdf, warped
from defects.procedural.kinds.marks import require
from defects.procedural.kinds.ridges import fingerprint
from defects.procedural.raster import Grid, smoothstep

FORMS = ("oil", "ring", "spots", "fingerprint")
OIL_ABSORPTION = np.array([0.17, 0.25, 0.47])
RESIDUE = np.array([(0.5, 0.49, 0.46), (0.45, 0.42, 0.37), (0.32, 0.28, 0.22)])
LIQUID_IOR = 1.47


@dataclass(frozen=True)
class Params:
    """diameter_mm: of the wetted area (long axis along u; a fingerprint's is its length); aspect: short by long axis.

    form: "oil" (wet film), "ring" (residue of a dried puddle), "spots" (residue of many dried drops) or "fingerprint".
    raggedness: of the outline, relative. strength: 0..1, colour of the oil, or opacity of the residue.
    film_um: thickness of a wet film at its middle. drips: tongues of oil that run down (-v), each drip_mm long.
    rim_mm: width of the residue's edge. tides: further edges inside, left as the puddle shrank. drops: of "spots".
    ridge_mm: pitch of the ridges of a finger.
    """

    form: str = "oil"
    diameter_mm: float = 10.0
    aspect: float = 0.75
    raggedness: float = 0.25
    strength: float = 0.5
    film_um: float = 12.0
    drips: int = 0
    drip_mm: float = 5.0
    rim_mm: float = 0.35
    tides: int = 2
    drops: int = 14
    ridge_mm: float = 0.45

    def __post_init__(self) -> None:
        one_of(self, form=FORMS)
        require(
            self, diameter_mm=(0.5, 100), aspect=(0.1, 1), raggedness=(0, 1), strength=(0, 1), film_um=(1, 200),
            drips=(0, 12), drip_mm=(0.5, 60), rim_mm=(0.03, 5), tides=(0, 8), drops=(1, 120), ridge_mm=(0.2, 1.2),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    return (
        0.5 * p.diameter_mm * (1 + 0.9 * p.raggedness)
        + 0.6
        + (1.05 * p.drip_mm if p.drips and p.form == "oil" else 0.0)
    )


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one stain. The label is everything inside its outer edge (the touched area of a finger). Pure."""
    if p.form == "fingerprint":
        return _fingerprint(p, ground, rng)
    detail = min(0.16, 0.1 * p.diameter_mm) if p.form == "oil" else min(0.5 * p.rim_mm, 0.06 * p.diameter_mm * p.aspect)
    grid = square(reach_mm(p) * MM, detail * MM)
    if p.form == "oil":
        return _oil(p, grid, _puddle(p, grid, rng), ground, rng)
    return _residue(p, grid, _puddle(p, grid, rng) if p.form == "ring" else _drops(p, grid, rng), ground, rng)


def wet_albedo(surface: Surface, absorbed: np.ndarray) -> np.ndarray:
    """Linear RGB (h, w, 3) of a surface under a liquid that passes exp(-absorbed) a way, absorbed (h, w, 3).

    On a non-metal light is thrown back by the film onto the grain, so it turns darker and more saturated: albedo
    (1 - p) / (1 - p albedo), p = 1 - 1 / n^2 the share reflected inside (Angstrom; Lekner and Dorf, Applied Optics
    27, 1988). The film's outer reflection is the renderer's.
    """
    albedo = np.asarray(surface.albedo, float)
    p = 1 - 1 / LIQUID_IOR**2
    wet = albedo * (1 - p) / (1 - p * albedo)
    return (wet + (albedo - wet) * surface.metallic) * np.exp(-2 * absorbed)


def _puddle(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Signed distance (metres) to the outline of one puddle, drips included."""
    radius = p.diameter_mm * MM / 2
    u, v = warped(grid, 0.8 * radius, 0.06 * p.raggedness * radius, rng)
    uneven = noise(grid, 1.0 * radius, rng, 2) + 0.3 * noise(grid, 0.35 * radius, rng)
    level = np.hypot(u, v / p.aspect) / radius - 1 - 0.7 * p.raggedness * np.clip(uneven, -1.2, 1.2)
    sdf = rim(level, grid.pitch)
    for _ in range(p.drips if p.form == "oil" else 0):
        sdf = _melt(sdf, _drip(p, grid, rng), 0.35 * MM)
    return sdf


def _drip(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to a tongue that runs down (-v) from inside the puddle to a round drop."""
    radius, length = p.diameter_mm * MM / 2, p.drip_mm * MM * rng.uniform(0.45, 1.0)
    half = rng.uniform(0.25, 0.45) * MM
    x = rng.uniform(-0.55, 0.55) * radius
    top = -0.5 * radius * p.aspect * np.sqrt(1 - (x / radius) ** 2)
    bottom = -radius * p.aspect * np.sqrt(1 - (x / radius) ** 2) - length + 1.6 * half
    v = np.linspace(top, bottom, 24)
    path = np.c_[x + 0.1 * MM * np.cumsum(rng.normal(0, 0.3, 24)), v]
    drop = np.exp(-((v - bottom) ** 2) / (2 * (1.3 * half) ** 2))
    return stroke_sdf(grid, path, half * (0.75 + 0.6 * drop), band_m=1.2 * MM)


def _melt(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Smooth union of two signed distances: liquid fills the corner."""
    h = np.clip(0.5 + 0.5 * (b - a) / blend, 0.0, 1.0)
    return b + (a - b) * h - blend * h * (1 - h)


def _oil(p: Params, grid: Grid, sdf: np.ndarray, ground: Ground, rng: np.random.Generator) -> Layers:
    """A wet film with a steep meniscus: colour by absorption, a glossy coat, a low dome that bends the reflection."""
    inner = np.maximum(-sdf, 0.0)
    edge = 0.35 * MM
    body = 1 - np.exp(-inner / edge)
    swell = noise(grid, 0.3 * p.diameter_mm * MM, rng, 3)
    bead = 0.25 * (inner / edge) * np.exp(1 - inner / edge)
    thickness = np.maximum(body * (0.8 + 0.45 * swell) + bead, 0.05)
    absorbed = p.strength * thickness[..., None] * OIL_ABSORPTION * np.sqrt(p.film_um / 12)
    edge_weight = smoothstep(grid.pitch, -grid.pitch, sdf)
    smooth = ndimage.gaussian_filter(p.film_um * UM * (body * (1 + 0.06 * swell) + bead), 0.05 * MM / grid.pitch)
    return compose(
        grid,
        sdf,
        height_m=smooth * edge_weight,
        albedo=np.clip(wet_albedo(ground.material.surface, absorbed), 0.0, 1.0),
        albedo_weight=edge_weight,
        lay_keep=1 - 0.1 * edge_weight,
        film=edge_weight,
    )


def _residue(p: Params, grid: Grid, sdf: np.ndarray, ground: Ground, rng: np.random.Generator) -> Layers:
    """What a drop leaves when it dries: solids carried to its pinned edge (Deegan et al., Nature 389, 1997), fainter
    lines where the edge stopped on its way in, and a thin haze inside."""
    width = p.rim_mm * MM
    inner = np.maximum(-sdf, 0.0)
    deposit = np.exp(-inner / (0.45 * width)) * smoothstep(0.0, 0.25 * width, inner)
    for tide in range(p.tides):
        at = width * (2.2 + 3.0 * tide + rng.uniform(-0.6, 0.6)) + 0.5 * width * noise(grid, 5 * width, rng, 2)
        line = np.exp(-(((inner - at) / (0.3 * width)) ** 2))
        deposit = np.maximum(deposit, 0.55 * 0.7**tide * line)
    patchy = 0.7 + 0.3 * noise(grid, 4 * width, rng, 2)
    specks = 1 + 0.4 * noise(grid, 0.3 * width, rng, 2)
    haze = 0.16 * smoothstep(-0.6, 0.8, noise(grid, 0.25 * p.diameter_mm * MM, rng, 3)) + 0.08
    inside = smoothstep(0.5 * grid.pitch, -0.5 * grid.pitch, sdf)
    density = np.clip(inside * (deposit * patchy * specks + haze) * (0.4 + 1.2 * p.strength), 0.0, 1.0)
    albedo = ramp(np.array([0.0, 0.5, 1.0]), RESIDUE, density)
    return compose(
        grid,
        sdf,
        height_m=6 * UM * density,
        albedo=albedo,
        albedo_weight=0.85 * density,
        roughness=np.full(grid.shape, 0.6),
        metallic=np.zeros(grid.shape),
        surface_weight=0.8 * density,
        lay_keep=1 - 0.5 * density,
    )


def _drops(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to many drops that landed apart and dried."""
    radius = p.diameter_mm * MM / 2
    sdf = np.full(grid.shape, 2 * radius)
    u, v = warped(grid, 1.5 * MM, 0.06 * MM, rng)
    for _ in range(max(p.drops, 1)):
        size = radius * float(np.clip(0.16 * np.exp(rng.normal(0, 0.5)), 0.05, 0.4))
        far, angle = (radius - size) * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        gap = np.hypot(u - far * np.cos(angle), v - far * np.sin(angle) * p.aspect) - size
        sdf = np.minimum(sdf, gap)
    return rim(sdf, grid.pitch)


def _fingerprint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """Skin grease left by the ridges: droplets that haze a polished surface and wet a dull one."""
    grid = square(reach_mm(p) * MM, min(4 * p.ridge_mm / 7, 0.2 * p.diameter_mm) * MM)
    u, v = grid.uv
    radius = p.diameter_mm * MM / 2
    level = np.hypot(u, v / p.aspect) / radius - 1 - 0.35 * p.raggedness * noise(grid, 0.8 * radius, rng, 3)
    sdf = rim(level, grid.pitch)
    ridges = fingerprint(grid, p.ridge_mm * MM, p.diameter_mm * MM, rng)
    pressed = smoothstep(0.0, -2.2 * MM, sdf) * np.clip(0.8 + 0.45 * noise(grid, 4 * MM, rng, 2), 0.0, 1.0)
    droplets = 0.75 + 0.35 * noise(grid, 0.3 * MM, rng, 2)
    grease = smoothstep(-0.15, 0.55, ridges + 0.5 * (pressed - 0.7)) * np.clip(pressed * droplets, 0.0, 1.0)
    inside = smoothstep(grid.pitch, -grid.pitch, sdf)
    weight = np.clip(grease * (0.35 + 0.65 * p.strength), 0.0, 1.0) + 0.05 * inside
    surface = ground.material.surface
    dim = np.asarray(surface.albedo) * (0.9 if surface.metallic > 0.5 else 0.75)
    return compose(
        grid,
        sdf,
        height_m=1.2 * UM * weight * inside,
        albedo=np.broadcast_to(dim * (1.0, 0.97, 0.92), (*grid.shape, 3)),
        albedo_weight=0.8 * weight,
        roughness=np.full(grid.shape, np.clip(0.5 * surface.roughness + 0.3, 0.0, 1.0)),
        metallic=np.full(grid.shape, surface.metallic),
        surface_weight=0.75 * weight,
        film=0.3 * weight,
    )


KIND = Kind("stain", "decal", Params, reach_mm, paint)
