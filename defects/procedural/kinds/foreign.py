"""Foreign matter on the surface: a textile fibre, a swarf chip, dust."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.canvas import (
    UM,
    box,
    compose,
    curve_distance,
    jagged_polygon,
    noise,
    one_of,
    polygon_sdf,
    square,
    stroke_sdf,
    worm,
)
from defects.procedural.kinds.marks import require, window
from defects.procedural.raster import smoothstep

FORMS = ("fibre", "swarf", "dust")
SWARF_ALBEDO = (0.5, 0.49, 0.47)


@dataclass(frozen=True)
class Params:
    """form: "fibre" (a thread), "swarf" (a curled metal chip) or "dust" (many grains).

    length_mm: along a fibre or chip. width_um: of a fibre; width_mm: of a chip. bend_deg: typical turn over its length.
    thickness_um: how far a chip stands up. segment_mm: pitch of the ridges across a chip. blued: 0..1, temper
    colour of a chip. red, green, blue: linear albedo of a fibre or of dust. grains: of dust, scattered over
    diameter_mm; grain_um: their median size.
    """

    form: str = "fibre"
    length_mm: float = 5.0
    width_um: float = 25.0
    bend_deg: float = 200.0
    width_mm: float = 0.45
    thickness_um: float = 120.0
    segment_mm: float = 0.09
    blued: float = 0.3
    red: float = 0.1
    green: float = 0.14
    blue: float = 0.35
    grains: int = 60
    grain_um: float = 120.0
    diameter_mm: float = 8.0

    def __post_init__(self) -> None:
        one_of(self, form=FORMS)
        require(
            self, length_mm=(0.1, 60), width_um=(4, 1000), bend_deg=(0, 720), width_mm=(0.02, 5), thickness_um=(1,
            600), segment_mm=(0.01, 2), blued=(0, 1), red=(0, 1), green=(0, 1), blue=(0, 1), grains=(1, 600),
            grain_um=(5, 1500), diameter_mm=(0.2, 80),
        )  # fmt: skip


def reach_mm(p: Params) -> float:
    if p.form == "dust":
        return 0.5 * p.diameter_mm + 0.005 * p.grain_um
    return 0.5 * p.length_mm + (0.004 * p.width_um if p.form == "fibre" else 1.2 * p.width_mm) + 0.1


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one thing that lies on the surface. The label is its outline seen from above. Pure."""
    return {"fibre": _fibre, "swarf": _swarf, "dust": _dust}[p.form](p, rng)


def _fibre(p: Params, rng: np.random.Generator) -> Layers:
    half = p.width_um * UM / 2
    path = worm(np.zeros(2), rng.uniform(0, 2 * np.pi), p.length_mm * MM, np.deg2rad(p.bend_deg), rng, 140)
    path = path - (path.min(0) + path.max(0)) / 2
    margin = 3 * half
    low, high = path.min(0) - margin, path.max(0) + margin
    grid = box(tuple(low), tuple(high), half)
    gap, side, along = curve_distance(grid, path, 1.5 * half + 4 * grid.pitch)
    gap = np.minimum(gap, 1.5 * half + 4 * grid.pitch)
    sdf = gap - half
    inside = smoothstep(0.5 * grid.pitch, -0.5 * grid.pitch, sdf)
    round_ = np.sqrt(np.maximum(1 - (gap / half) ** 2, 0.0)) * half
    shade = 1 + 0.25 * np.sin(along / (6 * half) + 0.8 * side / half)
    albedo = np.clip(np.array([p.red, p.green, p.blue]) * shade[..., None], 0.0, 1.0)
    return compose(
        grid, sdf, height_m=(half + round_) * inside, albedo=albedo, albedo_weight=inside,
        roughness=np.full(grid.shape, 0.45), metallic=np.zeros(grid.shape), surface_weight=inside, lay_keep=1 - inside,
    )  # fmt: skip


def _swarf(p: Params, rng: np.random.Generator) -> Layers:
    """A chip that curls in its plane: smooth inner edge, saw-toothed outer edge, lamellae across, lifted ends."""
    length, width = p.length_mm * MM, p.width_mm * MM
    turn = np.deg2rad(p.bend_deg) * rng.uniform(0.6, 1.0) * rng.choice([-1.0, 1.0])
    steps = 90
    t = np.linspace(0, 1, steps + 1)
    angle = rng.uniform(0, 2 * np.pi) + turn * t * (1 + 0.5 * t)
    path = np.vstack([[0, 0], np.cumsum(np.c_[np.cos(angle[1:]), np.sin(angle[1:])], axis=0)]) * (length / steps)
    path = path - (path.min(0) + path.max(0)) / 2
    grid = square(float(np.abs(path).max()) + 1.2 * width, min(p.segment_mm * MM, 0.08 * MM))
    half = width / 2 * np.clip(0.25 + 1.6 * np.minimum(t, 1 - t) ** 0.5, 0.0, 1.0)
    stations = t * length
    gap, side, along = curve_distance(grid, path, 1.3 * width)
    gap = np.where(np.isfinite(gap), gap, 1.3 * width)
    here = np.interp(along, stations, half)
    phase = along / (p.segment_mm * MM) + 0.25 * noise(grid, 3 * p.segment_mm * MM, rng)
    tooth = np.abs(phase - np.floor(phase) - 0.5) * 2
    outer = smoothstep(-0.2 * width, 0.2 * width, side * np.sign(turn) * -1)
    sdf = (gap - here * (1 - 0.3 * tooth * outer)) / np.where(outer > 0.5, 1.2, 1.0)
    inside = smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, sdf)
    x = np.clip(side / np.maximum(here, 1e-9), -1, 1)
    lift = p.thickness_um * UM * (0.45 + 0.55 * np.abs(2 * along / length - 1) ** 1.5)
    height = lift * (0.75 + 0.3 * x) * smoothstep(0, -0.12 * width, sdf) + 5 * UM * (1 - tooth)
    blue = np.clip(p.blued * (0.6 + 0.8 * noise(grid, 0.5 * length, rng)), 0, 1)[..., None]
    albedo = np.array(SWARF_ALBEDO) * (1 - blue) + np.array([0.12, 0.13, 0.19]) * blue
    return compose(
        grid, sdf, height_m=height * inside, albedo=albedo, albedo_weight=inside,
        roughness=np.clip(0.28 + 0.12 * tooth, 0, 1), metallic=np.ones(grid.shape), surface_weight=inside,
        lay_keep=1 - inside,
    )  # fmt: skip


def _dust(p: Params, rng: np.random.Generator) -> Layers:
    """Angular grains and a few lint hairs, thinning out from the middle."""
    radius = p.diameter_mm * MM / 2
    grid = square(reach_mm(p) * MM, p.grain_um * UM / 3)
    sdf = np.full(grid.shape, 6 * grid.pitch)
    height = np.zeros(grid.shape)
    tone = np.ones(grid.shape)
    for index in range(max(p.grains, 1)):
        size = p.grain_um * UM / 2 * float(np.clip(np.exp(rng.normal(0, 0.55)), 0.35 if index else 1.0, 3.5))
        far, angle = radius * min(abs(rng.normal(0, 0.45)), 1.0), rng.uniform(0, 2 * np.pi)
        at = np.array([far * np.cos(angle), far * np.sin(angle)])
        box = window(grid, tuple(at - 1.3 * size - 6 * grid.pitch), tuple(at + 1.3 * size + 6 * grid.pitch))
        if box is None:
            continue
        where, part = box
        if index % 12 == 7:
            thread = worm(at, rng.uniform(0, 2 * np.pi), 1.8 * size, 1.5, rng, 16)
            grain = stroke_sdf(part, thread - (thread.mean(0) - at), max(0.09 * size, 0.8 * grid.pitch))
        else:
            grain = polygon_sdf(part, at + jagged_polygon(size, rng, int(rng.integers(5, 9)), 0.45, 1, 0.12))
        closer = grain < sdf[where]
        sdf[where] = np.where(closer, grain, sdf[where])
        tone[where] = np.where(closer, rng.uniform(0.55, 1.3), tone[where])
        slope = rng.normal(0, 0.3, 2)
        u, v = part.uv
        tilt = 0.6 + np.clip((slope[0] * (u - at[0]) + slope[1] * (v - at[1])) / size, -0.4, 0.4)
        height[where] = np.maximum(height[where], np.where(grain < 0, np.minimum(-grain * 1.5, size) * tilt, 0.0))
    inside = smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, sdf)
    albedo = np.clip(np.array([p.red, p.green, p.blue]) * tone[..., None], 0.0, 1.0)
    return compose(
        grid, sdf, height_m=height * inside, albedo=albedo, albedo_weight=inside, roughness=np.full(grid.shape, 0.75),
        metallic=np.zeros(grid.shape), surface_weight=inside, lay_keep=1 - inside,
    )  # fmt: skip


KIND = Kind("foreign", "decal", Params, reach_mm, paint)
