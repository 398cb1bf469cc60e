"""Gouge: a wide furrow with a torn bottom and the displaced metal piled up at its end (ISO 8785: groove; scoring)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds.marks import Canvas, fine_grid, layers, require, skin
from defects.procedural.kinds.strokes import Stroke, arc_coordinates, plough
from defects.procedural.raster import fractal_noise, gradient_noise, smoothstep


@dataclass(frozen=True)
class Params:
    """length_mm: straight from tip to tip of the opening, along u; the tool went towards +u. width_mm: at its middle.

    depth_to_width: at the middle. bow: sagitta by length. entry_taper, exit_taper: by length; metal piles up at the
    blunt exit. rim_to_depth: side ridges. burr_to_depth: height of the pile at the exit. width_noise: ragged rim.
    torn: relief of the torn bottom by depth. roughness: of the bottom. marks_kept: of the tool marks.
    """

    length_mm: float = 6.0
    width_mm: float = 0.9
    depth_to_width: float = 0.16
    bow: float = 0.015
    entry_taper: float = 0.55
    exit_taper: float = 0.09
    rim_to_depth: float = 0.2
    burr_to_depth: float = 0.9
    width_noise: float = 0.12
    torn: float = 0.22
    roughness: float = 0.45
    marks_kept: float = 0.0

    def __post_init__(self) -> None:
        require(
            self, length_mm=(0.2, 100), width_mm=(0.05, 20), depth_to_width=(0, 1), bow=(-0.4, 0.4),
            entry_taper=(0.01, 1), exit_taper=(0.01, 0.5), rim_to_depth=(0, 1), burr_to_depth=(0, 3),
            width_noise=(0, 0.5), torn=(0, 1), roughness=(0, 1), marks_kept=(0, 1),
        )  # fmt: skip


def _stroke(p: Params) -> Stroke:
    return Stroke(
        length=p.length_mm * MM, width=p.width_mm * MM, depth=p.depth_to_width * p.width_mm * MM,
        bow=p.bow * p.length_mm * MM, start=p.entry_taper, end=p.exit_taper, rim=p.rim_to_depth, asymmetry=0.3,
        width_noise=p.width_noise, depth_noise=1.5 * p.width_noise, ragged=0.6 * p.width_noise,
    )  # fmt: skip


def reach_mm(p: Params) -> float:
    return float(np.hypot(p.length_mm / 2 + 0.6 * p.width_mm, abs(p.bow) * p.length_mm) + _stroke(p).half_reach / MM)


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one gouge about the chart's origin. Pure."""
    stroke = _stroke(p)
    width = stroke.width
    (u0, v0), (u1, v1) = stroke.box()
    canvas = Canvas(fine_grid((u0, v0), (u1 + 0.6 * width, v1), width / 40))
    plough(canvas, stroke, rng)
    grid, depth = canvas.grid, stroke.depth
    u, v = grid.uv
    along, offset, arc = arc_coordinates(u, v, stroke.length, stroke.bow)
    deep = canvas.cut / depth
    if p.torn:
        canvas.cut *= np.maximum(1 + p.torn * _tears(along, offset, width, rng) * smoothstep(0, 0.4, deep), 0.05)
    pile, near = _burr(along - arc / 2, offset, width, p, rng)
    canvas.add(np.s_[:, :], canvas.sdf, near, canvas.cut, depth * p.burr_to_depth * pile)
    edge = 0.04 * width
    inside = smoothstep(edge, -edge, canvas.sdf)
    worked = np.maximum(inside, smoothstep(0.08, 0.3, canvas.pile / depth))
    rough = p.roughness * (1 + 0.35 * fractal_noise(along / 4, offset, width / 6, rng, 3))
    outside = smoothstep(0, grid.pitch, canvas.sdf)
    height = canvas.pile * outside - canvas.cut
    keep = 1 - (1 - p.marks_kept) * worked
    return layers(grid, canvas.sdf, canvas.affected, height, skin(ground, canvas.cut, worked, rough), keep, edge)


def _tears(along: np.ndarray, offset: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
    """Relief of a bottom that was torn rather than cut: drag lines, and scales that lift against the motion."""
    drag = fractal_noise(along / 14, offset, width / 3, rng, 3)
    phase = along / (0.4 * width) + 1.5 * fractal_noise(along, 2 * offset, 0.9 * width, rng, 2)
    scale = phase % 1.0
    lifted = smoothstep(0.0, 0.5, gradient_noise(along / 1.5, offset, 0.5 * width, rng))
    step = scale**1.5 * smoothstep(1.0, 0.75, scale) - 0.25
    return 0.9 * drag + 0.8 * lifted * step + 0.35 * fractal_noise(along / 2, offset, width / 7, rng, 2)


def _burr(
    ahead: np.ndarray, offset: np.ndarray, width: float, p: Params, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The pile of metal beyond the exit, `ahead` metres past the tip: height (0..1) and signed distance to its zone.
    A crescent about the blunt end, ragged and folded forward."""
    x, y = (ahead + 0.3 * width) / (0.85 * width), offset / (0.75 * width)
    q = np.hypot(x, y)
    crest = 0.62
    if p.torn:
        crest = crest + 0.1 * fractal_noise(ahead, offset, 0.4 * width, rng, 2)
    t = (q - crest) / np.where(q < crest, 0.2, 0.13)
    height = np.exp(-t * t) * smoothstep(-0.15, 0.35, x)
    if p.torn:
        height = height * np.clip(0.85 + 0.5 * fractal_noise(ahead, offset, 0.22 * width, rng, 3), 0.1, 1.5)
    return height * smoothstep(1.0, 0.85, q), (q - 1) * 0.75 * width


KIND = Kind("gouge", "decal", Params, reach_mm, paint)
