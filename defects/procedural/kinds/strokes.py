"""Strokes: the furrow that a hard point ploughs along a slightly bowed line, with tapered ends and ridges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from defects.procedural.kinds.marks import Canvas, window
from defects.procedural.raster import fractal_noise, gradient_noise, line_noise, smoothstep

RIDGE_END = 4.5


@dataclass(frozen=True)
class Stroke:
    """One furrow, metres and radians. length: straight from tip to tip. width: of the opening at the middle.

    bow: sagitta of the centreline, positive to the left. start, end: lengths of the tapers by `length`.
    rim: ridge height by depth; asymmetry: share of the ridge that moved to the left side (-1..1).
    width_noise, depth_noise: relative changes by one pressure, with wavelengths of twelve widths and less. chatter:
    relative depth of stick-slip with wavelength chatter_m. striation: relative depth of the grooves along the furrow.
    ragged: fine relative unevenness of each flank by itself.
    """

    length: float
    width: float
    depth: float
    centre: tuple[float, float] = (0.0, 0.0)
    angle: float = 0.0
    bow: float = 0.0
    start: float = 0.06
    end: float = 0.45
    rim: float = 0.35
    asymmetry: float = 0.3
    width_noise: float = 0.0
    depth_noise: float = 0.0
    chatter: float = 0.0
    chatter_m: float = 0.22e-3
    striation: float = 0.0
    ragged: float = 0.0

    @property
    def ridge(self) -> float:
        """Decay length of the ridge by half width, so that the wall runs on smoothly into it."""
        return max(self.rim * np.e / 2, 0.25)

    @property
    def half_reach(self) -> float:
        """Distance from the centreline to where the ridge ends, metres."""
        return self.width / 2 * (1 + self.width_noise) * (1 + self.ragged) * (1 + RIDGE_END * self.ridge)

    def box(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Bounds (metres) of everything it changes."""
        ends = np.array(
            [[-self.length / 2, 0], [self.length / 2, 0], [-self.length / 2, self.bow], [self.length / 2, self.bow]]
        )
        c, s = np.cos(self.angle), np.sin(self.angle)
        corners = ends @ np.array([[c, s], [-s, c]]) + self.centre
        low, high = corners.min(0) - self.half_reach, corners.max(0) + self.half_reach
        return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))


def arc_coordinates(u: np.ndarray, v: np.ndarray, chord: float, bow: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Arc length from the middle, offset to the left, and total arc length of a circular arc from (-chord/2, 0) to
    (chord/2, 0) whose middle is at (0, bow)."""
    if abs(bow) < 1e-4 * chord:
        return u, v, chord
    radius = (chord**2 / 4 + bow**2) / (2 * abs(bow))
    sign = np.sign(bow)
    dv = sign * v - (abs(bow) - radius)
    return (
        radius * np.arctan2(u, dv),
        sign * (np.hypot(u, dv) - radius),
        2 * radius * float(np.arcsin(chord / 2 / radius)),
    )


def plough(canvas: Canvas, stroke: Stroke, rng: np.random.Generator) -> None:
    """Cut one stroke into the canvas."""
    found = window(canvas.grid, *stroke.box())
    if found is None:
        return
    at, grid = found
    u, v = grid.uv
    c, s = np.cos(stroke.angle), np.sin(stroke.angle)
    u, v = u - stroke.centre[0], v - stroke.centre[1]
    along, offset, arc = arc_coordinates(u * c + v * s, v * c - u * s, stroke.length, stroke.bow)
    near = (np.abs(offset) < stroke.half_reach) & (np.abs(along) < arc / 2 + stroke.half_reach)
    rows, columns = np.nonzero(near)
    along, offset = along[near], offset[near]
    press = np.zeros(np.shape(along))
    if stroke.width_noise or stroke.depth_noise:
        table = np.linspace(-arc / 2, arc / 2, int(4 * arc / stroke.width) + 2)
        press = np.interp(along, table, np.clip(line_noise(table, 12 * stroke.width, rng, 4), -1, 1))
    half = stroke.width / 2 * (1 + stroke.width_noise * press)
    if stroke.ragged:
        half = half * (1 + stroke.ragged * fractal_noise(along / 2, offset, stroke.width / 2, rng, 3))
    sdf, opening = _zone(along, offset, half, arc, stroke)
    x = offset / np.maximum(half * opening, 1e-3 * stroke.width)
    deep = (
        stroke.depth * opening**1.5 * np.maximum(1 + stroke.depth_noise * press + _stick_slip(along, stroke, rng), 0.1)
    )
    if stroke.striation:
        grooves = gradient_noise(along / 25, offset, stroke.width / 3, rng)
        deep = deep * (1 + stroke.striation * grooves)
    cut = np.where(sdf < 0, np.maximum(1 - x * x, 0) * deep, 0.0)
    affected = sdf - stroke.ridge * RIDGE_END * half * opening
    place = (rows + at[0].start, columns + at[1].start)
    canvas.add(place, sdf, affected, cut, _ridge(along, sdf, offset, half, opening, deep, stroke, rng))


def _zone(
    along: np.ndarray, offset: np.ndarray, half: np.ndarray, arc: float, stroke: Stroke
) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance to the opening, which is a bar that ends in two half ellipses; and the opening's share (0..1)
    of its full width at each place along the stroke."""
    lead = np.where(along < 0, stroke.start, stroke.end) * arc
    into = np.maximum(np.abs(along) - (arc / 2 - lead), 0.0) / lead
    q = np.hypot(into, offset / half)
    slope = np.hypot(into / lead, offset / half**2)
    sdf = (q - 1) * np.where(slope > 0, q / np.where(slope > 0, slope, 1.0), half)
    return sdf, np.sqrt(np.maximum(1 - into * into, 0.0))


def _stick_slip(along: np.ndarray, stroke: Stroke, rng: np.random.Generator) -> np.ndarray:
    """Relative change of depth by chatter of the point along the stroke."""
    if not stroke.chatter:
        return np.zeros(np.shape(along))
    drift = 1.2 * line_noise(along, 4 * stroke.chatter_m, rng)
    swell = np.clip(0.7 + 0.6 * line_noise(along, 12 * stroke.chatter_m, rng), 0, 1.3)
    return stroke.chatter * swell * np.sin(2 * np.pi * along / stroke.chatter_m + drift)


def _ridge(
    along: np.ndarray, sdf: np.ndarray, offset: np.ndarray, half: np.ndarray, opening: np.ndarray, deep: np.ndarray,
    stroke: Stroke, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Ploughed-up metal beside the furrow, uneven along it when the depth is."""
    t = np.maximum(sdf, 0) / np.maximum(half * opening * stroke.ridge, 1e-3 * stroke.width)
    shape = t * np.exp(1 - t) * smoothstep(RIDGE_END, 0.6 * RIDGE_END, t)
    share = 1 + stroke.asymmetry * np.tanh(offset / (0.3 * half))
    if stroke.depth_noise:
        length, octaves = (1.0, 4) if stroke.ragged else (2.5, 2)
        uneven = fractal_noise(along, length * offset, length * stroke.width, rng, octaves)
        share = share * np.clip(1 + 1.2 * uneven, 0.1, 1.6)
    return stroke.rim * deep * shape * share
