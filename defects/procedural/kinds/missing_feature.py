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

CELLS = 28
"""Cells of the grid that is bent into each end of a plug, along either side."""

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
    disc, rim = _grid()
    lift = len(points[0])
    after = np.roll(rim, -1)
    side = np.concatenate([np.stack([rim, rim + lift, after + lift], 1), np.stack([rim, after + lift, after], 1)])
    faces = np.concatenate([disc, disc[:, ::-1] + lift, side])
    return Body(vertices, outward(vertices, faces), crease_rad=np.deg2rad(35.0), bare=True)


def _sheet(p: Params, radius: float, level: float, rng: np.random.Generator) -> np.ndarray:
    """(n, 3) an uneven disc at `level` along z: a square grid bent round, without a pole (Shirley and Chiu 1997)."""
    a, b = (x.ravel() for x in np.meshgrid(*2 * [np.linspace(-1, 1, CELLS + 1)], indexing="ij"))
    flat = np.abs(a) > np.abs(b)
    r = np.where(flat, a, b)
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.where(flat, np.pi / 4 * b / a, np.pi / 2 - np.pi / 4 * a / b)
    angle[r == 0] = 0.0
    x, y = radius * r * np.cos(angle), radius * r * np.sin(angle)
    far = np.hypot(x, y) / radius
    bumps = fractal_noise(x, y, 0.7 * radius, rng, 4, 0.55)
    meniscus = (far**4) * (0.6 + 0.4 * fractal_noise(x / radius, y / radius, 0.8, rng, 2)) * rng.choice([-1.0, 1.0])
    return np.stack([x, y, level + p.rough_mm * MM * (0.6 * bumps + 0.5 * meniscus)], axis=1)


def _frame(axis: np.ndarray) -> np.ndarray:
    """(3, 3) rows: two directions square to `axis`, and `axis`."""
    u = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
    u /= np.linalg.norm(u)
    return np.stack([u, np.cross(axis, u), axis])


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Faces of the square grid, counter-clockwise, and the vertices of its rim in that order."""
    n = np.arange((CELLS + 1) ** 2).reshape(CELLS + 1, CELLS + 1)
    a, b, c, d = (x.ravel() for x in (n[:-1, :-1], n[1:, :-1], n[1:, 1:], n[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    return faces, np.concatenate([n[:-1, 0], n[-1, :-1], n[:0:-1, -1], n[0, :0:-1]])


KIND = Kind("missing_feature", "solid", Params, reach_mm)
