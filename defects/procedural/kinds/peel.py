"""Coating loss: flaked paint with bare substrate (ISO 4628-5) and blisters (ISO 4628-2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.layers import Layers
from core.material import Material, Surface
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import (
    UM,
    compose,
    jagged_polygon,
    noise,
    one_of,
    polygon_sdf,
    ramp,
    rim,
    square,
    stroke_sdf,
    worm,
)  # fmt: skip
from defects.procedural.kinds.marks import require, window
from defects.procedural.raster import Grid, smoothstep

FORMS = ("peel", "blister")
PRIMER = np.array([0.36, 0.34, 0.31])
_RUST = np.array([(0.27, 0.095, 0.028), (0.11, 0.036, 0.015)])


@dataclass(frozen=True)
class Params:
    """form: "peel" (bare area) or "blister" (domes, some of them burst).

    diameter_mm: of the bare area or of the group of blisters. corners: of the outline; jagged: how far its
    sides are broken, relative. curl_mm: width of the lifted edge; curl_um: its height above the coat. primer_mm: width
    of the terrace on which primer still sticks. cracks: in the coat, leading away from the rim; crack_mm: their length.
    islands: flakes that still hold inside. rust: 0..1, share of the bare metal that has rusted.
    blisters, blister_mm (median diameter), blister_height: height by diameter, burst: share that broke.
    """

    form: str = "peel"
    diameter_mm: float = 7.0
    corners: int = 9
    jagged: float = 0.16
    curl_mm: float = 0.5
    curl_um: float = 90.0
    primer_mm: float = 0.25
    cracks: int = 5
    crack_mm: float = 1.5
    islands: int = 2
    rust: float = 0.2
    blisters: int = 12
    blister_mm: float = 1.1
    blister_height: float = 0.09
    burst: float = 0.15

    def __post_init__(self) -> None:
        one_of(self, form=FORMS)
        require(
            self, diameter_mm=(0.3, 100), corners=(3, 40), jagged=(0, 0.3), curl_mm=(0, 5), curl_um=(0, 400),
            primer_mm=(0, 5), cracks=(0, 30), crack_mm=(0.05, 20), islands=(0, 12), rust=(0, 1), blisters=(1, 80),
            blister_mm=(0.1, 5), blister_height=(0.005, 0.15), burst=(0, 1),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    if p.form == "blister":
        return 0.5 * p.diameter_mm + 1.6 * p.blister_mm + 0.3
    return (
        0.5 * p.diameter_mm * (1 + p.jagged)
        + max(2.0 * p.curl_mm, 1.05 * p.crack_mm + 1.3 * p.curl_mm if p.cracks else 0.0)
        + 0.3
    )


def lacks(p: Params, material: Material) -> str | None:
    bare = material.substrate is None or material.coat_um <= 0
    return "a coat over a substrate (paint, powder, oxide or zinc)" if bare else None


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one coating failure. The label is where the coat is gone, cracked through or lifted. Pure."""
    KIND.check(p, ground.material)
    return _blisters(p, ground, rng) if p.form == "blister" else _peel(p, ground, rng)


def _peel(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    grid = square(reach_mm(p) * MM, min(0.1, 0.05 * p.diameter_mm) * MM)
    outer = polygon_sdf(grid, jagged_polygon(p.diameter_mm * MM / 2, rng, p.corners, 0.4, 4, p.jagged))
    crack, bare = _cracks(p, grid, outer, rng), outer
    for _ in range(p.islands):
        size, far, angle = (
            rng.uniform(0.02, 0.09) * p.diameter_mm * MM,
            rng.uniform(0.05, 0.32),
            rng.uniform(0, 2 * np.pi),
        )
        centre = far * p.diameter_mm * MM * np.array([np.cos(angle), np.sin(angle)])
        bare = np.maximum(bare, -polygon_sdf(grid, centre + jagged_polygon(size, rng, 7, 0.6, 3, 0.22)))
    label = np.minimum(bare, crack)
    coat = ground.material.coat_um * UM
    lift, height = _curl(p, grid, bare, crack, rng)
    gone = smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, bare)
    primer = _primer(p, grid, outer, rng)
    floor = -coat * (1 - 0.35 * primer) + 1.2 * UM * noise(grid, 0.12 * MM, rng, 2)
    slit = smoothstep(0.5 * grid.pitch, -0.5 * grid.pitch, crack)
    relief = ndimage.gaussian_filter(gone * floor + (1 - gone) * (height - slit * coat), 0.6)
    optics = _bare(p, grid, primer, bare, ground.material, rng)
    dark = np.asarray(ground.material.surface.albedo) * 0.15
    return compose(
        grid,
        label,
        height_m=np.where((gone + slit + lift) > 0.003, relief, 0.0),
        albedo=optics[0] + (dark - optics[0]) * (slit * (1 - gone))[..., None],
        albedo_weight=np.maximum(gone, slit),
        roughness=optics[1],
        metallic=optics[2],
        surface_weight=np.maximum(gone, slit),
        lay_keep=1 - gone,
    )


def _cracks(p: Params, grid: Grid, bare: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to fine cracks that start at corners of the bare area and taper outwards."""
    band = 2.5 * p.curl_mm * MM + 4 * grid.pitch
    sdf = np.full(grid.shape, band)
    rows, columns = np.nonzero(np.abs(bare) < grid.pitch)
    u, v = grid.uv
    for _ in range(p.cracks):
        k = int(rng.integers(len(rows)))
        start = np.array([u[rows[k], columns[k]], v[rows[k], columns[k]]])
        heading = np.arctan2(start[1], start[0]) + rng.normal(0, 0.5)
        path = worm(start, heading, p.crack_mm * MM * rng.uniform(0.35, 1.0), 0.45, rng, 12)
        path[1:-1] += rng.normal(0, 0.03 * MM, (len(path) - 2, 2))
        sdf = np.minimum(sdf, stroke_sdf(grid, path, np.linspace(0.03, 0.008, len(path)) * MM, band))
    return sdf


def _curl(
    p: Params, grid: Grid, bare: np.ndarray, crack: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Share and height (metres) by which the coat stands off beside the rim, uneven along it."""
    if p.curl_mm <= 0:
        return np.zeros(grid.shape), np.zeros(grid.shape)
    gap = np.minimum(bare, crack + 0.8 * p.curl_mm * MM)
    strength = smoothstep(-0.35, 0.7, noise(grid, 1.8 * MM, rng, 2))
    share = np.exp(-np.maximum(gap, 0) / (0.45 * p.curl_mm * MM)) * smoothstep(2.0, 1.2, gap / (p.curl_mm * MM))
    lift = share * strength
    return lift, p.curl_um * UM * lift


def _primer(p: Params, grid: Grid, bare: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Where primer still covers the metal: a torn terrace along the rim."""
    if p.primer_mm <= 0:
        return np.zeros(grid.shape)
    width = p.primer_mm * MM * (1 + 1.1 * noise(grid, 0.9 * MM, rng, 3))
    return smoothstep(0.7 * grid.pitch, -0.7 * grid.pitch, -bare - width)


def _bare(
    p: Params, grid: Grid, primer: np.ndarray, bare: np.ndarray, material: Material, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Albedo, roughness, metallic of what lies under the coat."""
    below = material.substrate
    assert isinstance(below, Surface)
    patches = noise(grid, 1.3 * MM, rng, 4) + 0.25 * smoothstep(-0.8 * MM, 0.0, bare)
    rusted = smoothstep(0.2, -0.25, 1.1 - 2.1 * p.rust - patches - 0.1) if p.rust > 0 else np.zeros(grid.shape)
    rusted = rusted * (1 - primer)
    stain = 0.6 * smoothstep(0.8, -0.2, 1.1 - 2.1 * p.rust - patches) * (p.rust > 0)
    brown = ramp(np.array([-0.6, 0.8]), _RUST, noise(grid, 0.3 * MM, rng, 3))
    mottled = np.clip(1 + 0.12 * noise(grid, 0.5 * MM, rng, 3), 0.6, 1.3)[..., None]
    albedo = np.clip(np.asarray(below.albedo) * mottled, 0.0, 1.0)
    for colour, weight in ((brown, np.maximum(stain, rusted)), (PRIMER, primer)):
        albedo = albedo + (colour - albedo) * weight[..., None]
    covered = np.maximum(rusted, primer)
    rough = below.roughness + (0.8 - below.roughness) * covered
    return albedo, np.clip(rough + 0.05 * noise(grid, 0.4 * MM, rng, 2), 0.05, 1.0), below.metallic * (1 - covered)


def _blisters(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    grid = square(reach_mm(p) * MM, min(0.14, 0.2 * p.blister_mm) * MM)
    wobble = 1 + 0.09 * noise(grid, 0.8 * p.blister_mm * MM, rng, 2)
    sdf, hole = (np.full(grid.shape, p.diameter_mm * MM) for _ in range(2))
    height = np.zeros(grid.shape)
    for _ in range(max(p.blisters, 1)):
        size = p.blister_mm * MM / 2 * float(np.clip(np.exp(rng.normal(0, 0.45)), 0.3, 2.6))
        far, angle, burst = p.diameter_mm * MM / 2 * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi), rng.uniform()
        centre = far * np.array([np.cos(angle), np.sin(angle)])
        hull = jagged_polygon(0.6 * size, rng, 7, 0.5, 3)
        found = window(grid, tuple(centre - 1.3 * size - 6 * grid.pitch), tuple(centre + 1.3 * size + 6 * grid.pitch))
        if found is None:
            continue
        at, part = found
        u, v = part.uv
        q = np.hypot(u - centre[0], v - centre[1]) / (size * wobble[at])
        if burst < p.burst:
            hole[at] = np.minimum(hole[at], polygon_sdf(part, centre + hull))
        sdf[at] = np.minimum(sdf[at], (q - 1) * size)
        height[at] = np.maximum(height[at], 2 * size * p.blister_height * np.maximum(1 - q * q, 0.0) ** 1.3)
    coat = ground.material.coat_um * UM
    gone = smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, hole)
    albedo, rough, metallic = _bare(p, grid, np.zeros(grid.shape), hole, ground.material, rng)
    label = rim(np.minimum(sdf, hole), grid.pitch)
    return compose(
        grid,
        label,
        height_m=ndimage.gaussian_filter(height * (1 - gone) - gone * coat, 0.6) * smoothstep(grid.pitch, 0, label),
        albedo=albedo,
        albedo_weight=gone,
        roughness=rough,
        metallic=metallic,
        surface_weight=gone,
        lay_keep=1 - gone,
    )


KIND = Kind("peel", "decal", Params, reach_mm, paint, lacks)
