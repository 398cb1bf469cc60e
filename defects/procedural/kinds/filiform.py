"""Filiform corrosion: threads that grow under a coat from a break in it and lift it (ISO 4628-10)."""

from __future__ import annotations

import numpy as np

from core.layers import Layers
from defects.procedural.kind import Ground
from defects.procedural.kinds.canvas import UM, compose, curve_distance, noise, square, worm
from defects.procedural.raster import smoothstep

_PRODUCT = np.array([0.16, 0.07, 0.03])


def threads(
    radius_m: float, aspect: float, count: int, width_m: float, lift_m: float, strength: float, ground: Ground,
    rng: np.random.Generator,
) -> Layers:  # fmt: skip
    """Layers of `count` threads of `width_m` that start on a line along u and wander off it to either side.

    lift_m: how far they raise the coat. strength: 0..1, how much corrosion product shows through it. The label is the
    threads' outline.
    """
    grid = square(radius_m + 2 * width_m, 0.25 * width_m)
    half = width_m / 2
    sdf = np.full(grid.shape, 4 * half)
    age = np.zeros(grid.shape)
    for index in range(max(count, 1)):
        start = np.array([rng.uniform(-0.75, 0.75) * radius_m, rng.normal(0, 0.03) * radius_m])
        room = min(aspect * radius_m, np.sqrt(max(radius_m**2 - start[0] ** 2, 0.0)))
        side = 1 if index % 2 else -1
        length = max(room * rng.uniform(0.35, 0.85), 2 * width_m)
        path = worm(start, side * np.pi / 2 + rng.normal(0, 0.35), length, 1.1, rng, 40)
        outside = np.hypot(*path.T) > 0.97 * radius_m
        path = path[: max(int(np.argmax(outside)) if outside.any() else len(path), 3)]
        gap, _, along = curve_distance(grid, path, 4 * half)
        total = float(np.hypot(*np.diff(path, axis=0).T).sum())
        shape = np.minimum(gap, 4 * half) - half * (0.75 + 0.25 * np.clip(along / total, 0, 1))
        closer = shape < sdf
        sdf, age = np.where(closer, shape, sdf), np.where(closer, along / total, age)
    inside = smoothstep(0.7 * grid.pitch, -0.7 * grid.pitch, sdf)
    arch = np.sqrt(np.clip(-sdf / half, 0.0, 1.0) * (2 - np.clip(-sdf / half, 0.0, 1.0)))
    knots = 1 + 0.35 * noise(grid, 1.6 * width_m, rng, 2)
    coat = np.asarray(ground.material.surface.albedo)
    brown = np.clip(strength * (0.35 + 0.65 * smoothstep(0.75, 1.0, age)) * knots, 0.0, 1.0)[..., None]
    return compose(
        grid,
        sdf,
        height_m=np.maximum(lift_m * arch * knots, 0.4 * UM) * inside,
        albedo=coat + (_PRODUCT - coat) * brown,
        albedo_weight=inside,
        lay_keep=1 - 0.3 * inside,
    )
