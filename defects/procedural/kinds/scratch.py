"""Scratch: a furrow ploughed by a hard point (ISO 8785: scratch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import Canvas, fine_grid, layers, require, skin
from defects.procedural.kinds.strokes import Stroke, plough
from defects.procedural.raster import fractal_noise, smoothstep


@dataclass(frozen=True)
class Params:
    """length_mm: straight from tip to tip; width_mm: of the furrow's opening at its middle, ridges not counted.

    depth_to_width: at the middle. bow: sagitta by length. start_taper, end_taper: fractions of the length.
    width_noise, depth_noise: relative changes of pressure. chatter: relative stick-slip of period chatter_mm.
    rim_to_depth, rim_asymmetry: ploughed ridges. roughness: inside. marks_kept: share of tool marks that survive.
    satellites: thinner furrows beside it, shorter than it. companions: further scratches scattered over cluster_mm
    (a diameter) within angle_spread_deg, each 0.3 to 0.9 as long (handling marks).
    """

    length_mm: float = 8.0
    width_mm: float = 0.16
    depth_to_width: float = 0.17
    bow: float = 0.01
    start_taper: float = 0.12
    end_taper: float = 0.5
    width_noise: float = 0.15
    depth_noise: float = 0.3
    chatter: float = 0.12
    chatter_mm: float = 0.22
    rim_to_depth: float = 0.35
    rim_asymmetry: float = 0.35
    roughness: float = 0.42
    marks_kept: float = 0.15
    satellites: int = 1
    companions: int = 0
    cluster_mm: float = 6.0
    angle_spread_deg: float = 25.0

    def __post_init__(self) -> None:
        require(
            self, length_mm=(0.05, 200), width_mm=(0.002, 5), depth_to_width=(0, 1), bow=(-0.4, 0.4),
            start_taper=(0.01, 0.5), end_taper=(0.01, 1), width_noise=(0, 0.8), depth_noise=(0, 1),
            chatter=(0, 0.8), chatter_mm=(0.01, 20), rim_to_depth=(0, 1), rim_asymmetry=(-1, 1), roughness=(0, 1),
            marks_kept=(0, 1), satellites=(0, 20), companions=(0, 60), cluster_mm=(0, 100),
            angle_spread_deg=(0, 180),
        )  # fmt: skip


def _main(p: Params) -> Stroke:
    return Stroke(
        length=p.length_mm * MM, width=p.width_mm * MM, depth=p.depth_to_width * p.width_mm * MM,
        bow=p.bow * p.length_mm * MM, start=p.start_taper, end=p.end_taper, rim=p.rim_to_depth,
        asymmetry=p.rim_asymmetry, width_noise=p.width_noise, depth_noise=p.depth_noise, chatter=p.chatter,
        chatter_m=p.chatter_mm * MM, striation=0.35 * p.depth_noise,
    )  # fmt: skip


def _thinner(p: Params, length: float, share: float, **where: object) -> Stroke:
    """A stroke like the main one but `share` as wide and, being lighter, shallower still."""
    main = _main(p)
    fields = {**main.__dict__, "length": length, "width": main.width * share, "depth": main.depth * share**1.3, **where}
    return Stroke(**fields)


def _others(p: Params, rng: np.random.Generator) -> list[Stroke]:
    strokes = []
    full, wide = p.length_mm * MM, p.width_mm * MM
    for _ in range(p.satellites):
        length = full * rng.uniform(0.25, 0.6)
        side = rng.choice([-1.0, 1.0]) * wide * rng.uniform(1.3, 3.0)
        place = rng.uniform(-0.45, 0.45) * (full - length)
        lift = p.bow * full * (1 - (2 * place / full) ** 2) - p.bow * length**2 / full
        tilt = -4 * p.bow * 2 * place / full
        strokes.append(
            _thinner(p, length, rng.uniform(0.35, 0.6), centre=(place, lift + side), angle=tilt + rng.normal(0, 0.004),
                     bow=p.bow * length**2 / full)
        )  # fmt: skip
    for _ in range(p.companions):
        length = full * rng.uniform(0.3, 0.9)
        radius, bearing = p.cluster_mm * MM / 2 * np.sqrt(rng.uniform()), rng.uniform(0, 2 * np.pi)
        strokes.append(
            _thinner(p, length, rng.uniform(0.35, 0.9), centre=(radius * np.cos(bearing), radius * np.sin(bearing)),
                     angle=np.deg2rad(p.angle_spread_deg) * rng.normal() * 0.6, bow=p.bow * length * rng.normal(1, 0.4))
        )  # fmt: skip
    return strokes


def reach_mm(p: Params) -> float:
    half = np.hypot(p.length_mm / 2, abs(p.bow) * p.length_mm)
    beside = _main(p).half_reach / MM + (4 * p.width_mm if p.satellites else 0)
    cluster = p.cluster_mm / 2 + 0.5 * p.length_mm * (1 + 2 * abs(p.bow)) if p.companions else 0.0
    return float(max(half, cluster) + beside)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one scratch about the chart's origin, its tips on the u axis. Pure."""
    others = _others(p, rng)
    strokes = [_main(p), *others]
    boxes = np.array([s.box() for s in strokes])
    thin = min(s.width for s in strokes)
    pitch = min(p.width_mm * MM / 8, thin / 5)
    canvas = Canvas(fine_grid(tuple(boxes[:, 0].min(0)), tuple(boxes[:, 1].max(0)), pitch))
    for stroke in strokes:
        plough(canvas, stroke, rng)
    u, v = canvas.grid.uv
    edge = 0.12 * p.width_mm * MM
    inside = smoothstep(edge, -edge, canvas.sdf)
    ridged = smoothstep(0, -2 * edge, canvas.affected) * 0.35
    rough = p.roughness * (1 + 0.2 * fractal_noise(u, v, 2 * p.width_mm * MM, rng, 2))
    keep = 1 - (1 - p.marks_kept) * np.maximum(inside, ridged)
    return layers(
        canvas.grid, canvas.sdf, canvas.affected, canvas.height, skin(ground, canvas.cut, inside, rough), keep, edge
    )


KIND = Kind("scratch", "decal", Params, reach_mm, paint)
