"""Burr: a thin ragged fin that a cutter pushed over an edge (ISO 13715: burr), as a body to be added.

Cross section after the burr models of machining: thick and firm at the root, thin at the tip, curled over
(Gillespie and Blotter 1976: Poisson, rollover and tear burrs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import PlacementError
from defects.procedural.edges import EdgePath, outward
from defects.procedural.kind import MM, Kind
from defects.procedural.raster import fractal_noise, line_noise, smoothstep
from defects.procedural.solids import Body

RINGS = 9
"""Points on either side of the fin from root to tip."""
TIGHTEST = 0.8
"""Least radius of its curl in thicknesses of its root."""


@dataclass(frozen=True)
class Params:
    """length_mm: along the edge. height_mm: of the highest tooth over the edge. root_mm: thickness at the foot.

    lean_deg: of the fin at its foot, from the plane of its face towards the outside. curl_deg: how far it turns over
    between foot and tip, as far as its thickness lets it. raggedness: 0 an even lip .. 1 separate teeth. tooth_mm:
    their spacing. side: the face whose plane the fin carries on, 0 left, 1 right, 0.5 drawn.
    """

    length_mm: float = 6.0
    height_mm: float = 0.25
    root_mm: float = 0.07
    lean_deg: float = 12.0
    curl_deg: float = 70.0
    raggedness: float = 0.6
    tooth_mm: float = 0.5
    side: float = 0.5


def reach_mm(p: Params) -> float:
    return float(np.hypot(0.5 * p.length_mm + p.height_mm, 2 * p.height_mm + p.root_mm))


def body(p: Params, path: EdgePath, rng: np.random.Generator) -> Body:
    """The fin about s = 0 of `path`: a sheet of varying height and thickness with its foot sunk into the edge. Pure."""
    length, height, root = p.length_mm * MM, p.height_mm * MM, p.root_mm * MM
    step = min(p.tooth_mm * MM / 7, height / 2.5)
    n = int(np.clip(np.ceil(length / step), 24, 260))
    s = np.linspace(-length / 2, length / 2, n + 1)
    s = s + 0.25 * (length / n) * line_noise(s, 3 * length / n, rng) * smoothstep(0.5, 0.4, np.abs(s) / length)
    flip = bool(rng.random() < p.side)
    tall = _heights(p, s, rng)
    centre, across = _sheet(p, path, s, tall, flip, rng)
    t = np.linspace(0, 1, RINGS)
    thick = (
        0.5 * root * (0.12 + 0.88 * (1 - t) ** 0.7)[None, :] * (0.75 + 0.25 * line_noise(s, 0.4 * MM, rng, 2))[:, None]
    )
    thick = thick * (1 + 0.3 * fractal_noise(s[:, None] + 0 * t, height * t + 0 * s[:, None], 0.12 * MM, rng, 2))
    upper, lower = centre + thick[..., None] * across, centre - thick[..., None] * across
    ring = np.concatenate([upper, lower[:, ::-1]], axis=1)
    vertices = ring.reshape(-1, 3)
    return Body(vertices, outward(vertices, _tube(n + 1, 2 * RINGS)), crease_rad=np.deg2rad(40.0), bare=True)


def _heights(p: Params, s: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n,) height over the edge in metres: teeth of uneven size that fade out, below the surface, at both ends."""
    tooth, length = p.tooth_mm * MM, p.length_mm * MM
    teeth = np.clip(0.62 + 0.75 * line_noise(s, 2 * tooth, rng, 4), 0, 1.3)
    tears = smoothstep(-0.05, 0.3, np.abs(line_noise(s, 3.5 * tooth, rng, 2)) + 0.25 * (1 - p.raggedness))
    shape = (1 - p.raggedness) + p.raggedness * teeth * tears
    swell = 0.85 + 0.3 * line_noise(s, 0.6 * length, rng)
    fade = smoothstep(0.5, 0.5 - min(0.35, 2.5 * tooth / length), np.abs(s) / length)
    tall = shape * swell * fade
    tall = tall / max(float(np.percentile(tall, 85)), 1e-9)
    tall = tall / (1 + tall**4) ** 0.25
    tall *= p.height_mm * MM / max(float(tall.max()), 1e-9)
    return tall - 0.6 * p.root_mm * MM * (1 - fade)


def _sheet(
    p: Params, path: EdgePath, s: np.ndarray, tall: np.ndarray, flip: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Middle surface (n, RINGS, 3) from the foot inside the metal to the tip, and its unit normals.

    In a section, x runs along the plane of the carried-on face away from the part, y along that face's normal.
    """
    origin, t, into_left, into_right = path.at(s)
    into = into_right if flip else into_left
    out = np.cross(into, t) if flip else np.cross(t, into)
    height, root = p.height_mm * MM, p.root_mm * MM
    foot = 0.8 * root
    lean = np.deg2rad(p.lean_deg) + 0.15 * line_noise(s, 4 * p.tooth_mm * MM, rng, 2)
    curl = np.deg2rad(p.curl_deg) * (0.8 + 0.4 * line_noise(s, 3 * p.tooth_mm * MM, rng, 2))
    curl = np.minimum(curl, height / (TIGHTEST * root))  # a stubby fin cannot turn over without running into itself
    x, y = np.full(len(s), -foot), np.full(len(s), -0.62 * root)
    angle, previous = lean.copy(), 0.0
    points, normals = [], []
    for k, part in enumerate(np.linspace(0, 1, RINGS)):
        reach = (foot + np.maximum(tall, -0.5 * foot)) * part
        angle = lean + curl * (reach / (foot + height)) ** 1.3 * (reach > foot)
        if k:
            ds = reach - previous
            x, y = x + ds * np.cos(angle), y + ds * np.sin(angle)
        previous = reach
        points.append(origin - into * x[:, None] + out * y[:, None])
        normals.append(into * np.sin(angle)[:, None] + out * np.cos(angle)[:, None])
    if path.length_m < 1e-6:
        raise PlacementError("the edge at the site is too short", "a longer edge", "choose other edges")
    return np.stack(points, axis=1), np.stack(normals, axis=1)


def _tube(rows: int, around: int) -> np.ndarray:
    """Faces of a tube of `rows` rings of `around` points, both ends closed by fans."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(around), indexing="ij")
    a, b = i * around + j, i * around + (j + 1) % around
    side = np.concatenate([np.stack([a, b, b + around], 2), np.stack([a, b + around, a + around], 2)]).reshape(-1, 3)
    # The caps are strips across the thin fin: point k faces point around - 1 - k.
    k = np.arange(around // 2 - 1)
    strip = np.concatenate(
        [np.stack([k, around - 1 - k, k + 1], 1), np.stack([k + 1, around - 1 - k, around - 2 - k], 1)]
    )
    last = (rows - 1) * around
    return np.concatenate([side, strip[:, ::-1][:, [0, 2, 1]], strip[:, ::-1] + last])


KIND = Kind("burr", "solid", Params, reach_mm)
