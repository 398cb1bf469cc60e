"""Chip: a piece broken out of a sharp edge (ISO 8785: edge breakdown), as a body to be removed.

Shape after fractography: a brittle break leaves scallops that meet in ridges, with arrest ripples around the origin
and a granular floor; a ductile one tears, its floor drawn out into fibres along the direction of shear
(ASM Handbook vol. 12, Fractography).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import PlacementError
from defects.procedural.edges import EdgePath, grid_body
from defects.procedural.kind import MM, Kind
from defects.procedural.raster import fractal_noise, line_noise
from defects.procedural.solids import Body

STATIONS, ACROSS = 84, 32
"""Cells along the edge and across it; the body has about 6,000 triangles."""


@dataclass(frozen=True)
class Params:
    """length_mm: along the edge. left_mm, right_mm: how far the break reaches into the two faces of the edge.

    sag: depth of the scallops below the straight line between the rims, as a fraction of that line.
    scallops: how many breaks overlap. torn: 0 brittle (cast iron, ceramics) .. 1 ductile (aluminium, soft steel).
    grain_mm, grain_depth: size of the grains of the floor, and their height over their size.
    ripple: strength 0..1 of the arrest ripples of a brittle break. irregularity: of the outline, 0..1.
    """

    length_mm: float = 4.0
    left_mm: float = 1.2
    right_mm: float = 0.8
    sag: float = 0.16
    scallops: int = 3
    torn: float = 0.0
    grain_mm: float = 0.14
    grain_depth: float = 0.28
    ripple: float = 0.4
    irregularity: float = 0.45


def reach_mm(p: Params) -> float:
    return float(np.hypot(0.6 * p.length_mm, 1.35 * max(p.left_mm, p.right_mm)))


def body(p: Params, path: EdgePath, rng: np.random.Generator) -> Body:
    """What breaks out at s = 0 of `path`. Pure.

    The floor is a height h(s, b) along the outward bisector a of the wedge, b running from the right face to the left.
    Where it rises above the wedge's faces the body is in the air.
    """
    half = path.opening_rad / 2
    if not np.deg2rad(15) < half < np.deg2rad(80):
        raise PlacementError(f"the edge opens by {2 * np.rad2deg(half):.0f} degrees", "30 to 160", "choose other edges")
    length = p.length_mm * MM
    s = np.linspace(-0.62 * length, 0.62 * length, STATIONS + 1)
    b = np.linspace(-1.35 * p.right_mm * MM, 1.35 * p.left_mm * MM, ACROSS + 1) * np.sin(half)
    ss, bb = np.meshgrid(s, b, indexing="ij")
    floor = _scallops(p, half, ss, bb, rng) + _texture(p, ss, bb, rng)
    sky = np.full_like(floor, 0.1 * min(p.left_mm, p.right_mm) * MM)
    floor = np.minimum(floor, sky * 0.9)
    vertices, faces = grid_body(path, s, b, floor, sky)
    return Body(vertices, faces, crease_rad=np.deg2rad(24 - 4 * p.torn), bare=True)


def _scallops(p: Params, half: float, s: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The least of a few overlapping scoops; the first one sets the asked length and reach."""
    result = np.full(s.shape, np.inf)
    wander = 0.16 * p.irregularity * p.length_mm * MM
    ragged = wander * line_noise(b[0], 1.5 * (b[0, -1] - b[0, 0]), rng, 2)[None, :]
    uneven = 1 + 0.5 * p.irregularity * line_noise(s[:, 0], 0.35 * p.length_mm * MM, rng, 4)[:, None]
    for k in range(max(1, p.scallops)):
        share = 1.0 if k == 0 else rng.uniform(0.35, 0.75)
        centre = 0.0 if k == 0 else rng.uniform(-0.5, 0.5) * (1 - share) * p.length_mm * MM
        tilt = 1.0 if k == 0 else rng.uniform(0.7, 1.35)
        left, right = p.left_mm * MM * tilt * share**0.3, p.right_mm * MM / tilt * share**0.3
        left, right = min(left, 1.1 * p.left_mm * MM), min(right, 1.1 * p.right_mm * MM)
        along = (s - centre + ragged) / (0.5 * share * p.length_mm * MM)
        depth = 2 * np.cos(half) * left * right / (left + right)
        slope = (depth / left - np.cos(half)) / np.sin(half)
        middle, reach = (left - right) / 2 * np.sin(half), (left + right) / 2 * np.sin(half)
        blunt = np.sign(1 - np.abs(along)) * np.abs(1 - np.abs(along) ** 2.4) ** 0.85
        hollow = p.sag * (left + right) * (1 - ((b - middle) / reach) ** 2)
        scoop = slope * b - (depth + np.maximum(hollow, -0.5 * depth)) * blunt * uneven
        result = np.minimum(result, scoop)
    return result


def _texture(p: Params, s: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grains, fibres and arrest ripples, metres."""
    grain, torn = p.grain_mm * MM, float(np.clip(p.torn, 0, 1))
    reach = (p.left_mm + p.right_mm) * MM
    warp = 0.5 * grain * fractal_noise(s, b, 3 * grain, rng, 2)
    granular = fractal_noise(s, b, 2 * grain, rng, 2, 0.6) + 0.6 * np.abs(fractal_noise(s, b, 5 * grain, rng, 2))
    angle = rng.uniform(-0.4, 0.4)
    u, v = s * np.cos(angle) + b * np.sin(angle), b * np.cos(angle) - s * np.sin(angle)
    fibres = fractal_noise(u * 0.22, v + warp, 2 * grain, rng, 3, 0.6) + 0.5 * line_noise(
        (v + 2 * warp).ravel(), 3 * grain, rng, 2
    ).reshape(s.shape)
    origin = rng.uniform(-0.3, 0.3) * p.length_mm * MM
    radius = np.hypot(s - origin, 1.5 * (b - b.max())) + 0.08 * reach * fractal_noise(s, b, 0.6 * reach, rng, 2)
    waves = np.sin(2 * np.pi * (np.abs(radius) / (0.3 * reach)) ** 0.8) * p.ripple * (1 - torn) * 0.02 * reach
    hackle = 0.035 * reach * fractal_noise(s, b, 0.45 * reach, rng, 2)
    return p.grain_depth * grain * ((1 - torn) * granular + 1.3 * torn * fibres) + waves + hackle


KIND = Kind("chip", "solid", Params, reach_mm)
