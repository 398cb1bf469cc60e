"""Missing feature: a hole that was not drilled or is blocked, or a boss that was not cast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.errors import RecipeError
from defects.procedural.edges import outward
from defects.procedural.features import Feature
from defects.procedural.kind import MM, Kind
from defects.procedural.raster import fractal_noise
from defects.procedural.solids import Body

RINGS, SECTORS = 14, 72
EMBED_M = 20e-6
"""A plug is this much wider than the hole's rim, so that it cuts the wall squarely."""


@dataclass(frozen=True)
class Params:
    """feature: "hole", "boss" or "any". min_width_mm, max_width_mm: of the feature's rim; max_depth_mm: along its axis.

    blocked: False, the feature was never made and the surface carries on flush (exactly, with the finish around it);
    True, holes only, something fills it from recess_mm below the rim. rough_mm: unevenness of what blocks it.
    """

    feature: str = "hole"
    min_width_mm: float = 1.0
    max_width_mm: float = 25.0
    max_depth_mm: float = 60.0
    blocked: bool = False
    recess_mm: float = 0.8
    rough_mm: float = 0.15

    def __post_init__(self) -> None:
        if self.feature not in ("hole", "boss", "any"):
            raise RecipeError(f"feature is '{self.feature}'", "hole, boss or any", "correct it")
        if self.blocked and self.feature != "hole":
            raise RecipeError(f"a blocked '{self.feature}'", "feature: hole", "only holes can be blocked")


def fits(p: Params, feature: Feature) -> bool:
    """Whether a feature of the part is one that the parameters ask for."""
    return (
        p.feature in ("any", feature.kind)
        and p.min_width_mm * MM <= feature.width_m <= p.max_width_mm * MM
        and feature.depth_m <= p.max_depth_mm * MM
        and (not p.blocked or feature.depth_m > 1.5 * p.recess_mm * MM)
    )


def reach_mm(p: Params) -> float:
    """Of the largest feature that fits; the real zone is that of the feature found."""
    return float(np.hypot(p.max_width_mm / 2, min(p.max_depth_mm, 2 * p.max_width_mm) / 2))


def plug(p: Params, feature: Feature, rng: np.random.Generator) -> Body:
    """What blocks a hole: a round body with uneven ends, a little wider than the rim. Pure.

    It begins recess_mm below the rim; it ends as far above the other rim of a through hole, and inside the metal
    beyond the bottom of a blind one.
    """
    radius = feature.radius_m + EMBED_M
    top = -p.recess_mm * MM
    end = -feature.depth_m + (p.recess_mm * MM if feature.rims > 1 else -0.25 * radius)
    sheets = [_sheet(p, radius, level, rng) for level in (top, min(end, top - 0.3 * p.recess_mm * MM))]
    around = _frame(feature.axis)
    points = [feature.centre_m + s @ around for s in sheets]
    vertices = np.concatenate(points)
    disc = _disc()
    lift = len(points[0])
    rim = 1 + (RINGS - 1) * SECTORS + np.arange(SECTORS)
    after = np.roll(rim, -1)
    side = np.concatenate([np.stack([rim, rim + lift, after + lift], 1), np.stack([rim, after + lift, after], 1)])
    faces = np.concatenate([disc, disc[:, ::-1] + lift, side])
    return Body(vertices, outward(vertices, faces), crease_rad=np.deg2rad(35.0), bare=True)


def _sheet(p: Params, radius: float, level: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 3) an uneven disc at `level` along z: centre, then rings."""
    r = radius * (np.arange(1, RINGS + 1) / RINGS) ** 0.8
    a = 2 * np.pi * np.arange(SECTORS) / SECTORS
    x = np.r_[0.0, np.outer(r, np.cos(a)).ravel()]
    y = np.r_[0.0, np.outer(r, np.sin(a)).ravel()]
    far = np.hypot(x, y) / radius
    bumps = fractal_noise(x, y, 0.7 * radius, rng, 4, 0.55)
    meniscus = (far**4) * (0.6 + 0.4 * fractal_noise(x / radius, y / radius, 0.8, rng, 2)) * rng.choice([-1.0, 1.0])
    return np.stack([x, y, level + p.rough_mm * MM * (0.6 * bumps + 0.5 * meniscus)], axis=1)


def _frame(axis: np.ndarray) -> np.ndarray:
    """(3, 3) rows: two directions square to `axis`, and `axis`."""
    u = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(axis, u), axis])


def _disc() -> np.ndarray:
    """Faces of a disc: a fan about point 0, then rings of quads."""
    k = np.arange(SECTORS)
    after = (k + 1) % SECTORS
    parts = [np.stack([np.zeros_like(k), 1 + k, 1 + after], axis=1)]
    for ring in range(RINGS - 1):
        a, b = 1 + ring * SECTORS + k, 1 + ring * SECTORS + after
        parts += [np.stack([a, a + SECTORS, b + SECTORS], 1), np.stack([a, b + SECTORS, b], 1)]
    return np.concatenate(parts)


KIND = Kind("missing_feature", "solid", Params, reach_mm)
