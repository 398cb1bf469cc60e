"""Shared by the surface kinds: fields over a grid, exact distances to curves and polygons, and the final assembly."""

from __future__ import annotations

import difflib
import itertools

import numpy as np
from scipy import ndimage

from core.errors import RecipeError
from core.layers import Layers, plain
from defects.procedural.kinds.marks import UM, window
from defects.procedural.raster import Grid, fractal_noise, signed_distance, smoothstep

NOTICE = 0.02
"""A layer that changes by less than this share of its range (heights: of 5 um) counts as unchanged."""

_ENOUGH, _MOST = 520, 1400


def square(radius_m: float, finest_m: float) -> Grid:
    """A grid of +-radius about the site that resolves details of `finest_m`; see `box`."""
    return box((-radius_m, -radius_m), (radius_m, radius_m), finest_m)


def box(low: tuple[float, float], high: tuple[float, float], finest_m: float) -> Grid:
    """A grid over `low`..`high` (metres): four texels to the finest detail where that is cheap, one where it is not.

    RecipeError where even one is too many.
    """
    size = float(np.sqrt((high[0] - low[0]) * (high[1] - low[1])))
    pitch = float(np.clip(size / _ENOUGH, finest_m / 4, finest_m))
    if size / pitch > _MOST:
        raise RecipeError(
            f"a defect {size * 1e3:.3g} mm wide with details of {finest_m * 1e3:.3g} mm",
            f"details of at least {size / _MOST * 1e3:.3g} mm at that size",
            "make it smaller or coarser",
        )
    return Grid.around(low, high, pitch)


def one_of(params: object, **choices: tuple[str, ...]) -> None:
    """RecipeError unless each named parameter is one of its choices."""
    for name, known in choices.items():
        if getattr(params, name) not in known:
            near = difflib.get_close_matches(str(getattr(params, name)), known, n=1, cutoff=0.0)
            raise RecipeError(
                f"{name} is '{getattr(params, name)}'", f"one of {', '.join(known)}", f"did you mean '{near[0]}'"
            )


def noise(grid: Grid, wavelength_m: float, rng: np.random.Generator, octaves: int = 1) -> np.ndarray:
    """Fractal noise over the grid; octaves finer than two texels are left out. About -1..1."""
    finest = max(1, int(np.floor(np.log2(max(wavelength_m / (2 * grid.pitch), 1.0)))) + 1)
    return fractal_noise(*grid.uv, max(wavelength_m, 2 * grid.pitch), rng, min(octaves, finest))


def warped(grid: Grid, wavelength_m: float, amount_m: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Texel positions (u, v) pushed about by smooth noise: domain warping, metres."""
    u, v = grid.uv
    return u + amount_m * noise(grid, wavelength_m, rng, 2), v + amount_m * noise(grid, wavelength_m, rng, 2)


def rim(level: np.ndarray, pitch: float) -> np.ndarray:
    """Signed distance (metres, negative inside) to the zero set of a smooth field that is negative inside.

    Near the rim it is the level over its (slightly smoothed) gradient, so that the zero set of the bilinear
    interpolant stays that of the level; three texels away it turns into the Euclidean distance.
    """
    gv, gu = np.gradient(level, pitch)
    slope = ndimage.gaussian_filter(np.hypot(gu, gv), 1.0)
    near = level / np.maximum(slope, 1e-9 / pitch)
    return _far(np.clip(near, -4 * pitch, 4 * pitch), pitch)


def _far(near: np.ndarray, pitch: float) -> np.ndarray:
    """Keep `near` within two texels of its zero set, Euclidean distance beyond four."""
    inside = near < 0
    if not inside.any():
        return np.full(near.shape, 4 * pitch)
    far = signed_distance(inside, pitch)
    weight = smoothstep(2 * pitch, 4 * pitch, np.abs(far))
    return near * (1 - weight) + far * weight


def curve_distance(grid: Grid, points: np.ndarray, band_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance to a polyline (n, 2), signed offset to its left and arc length of the foot point, metres, (h, w) each.

    Exact within `band_m`; inf, 0 and 0 beyond.
    """
    u, v = grid.uv
    best = np.full(grid.shape, np.inf)
    side, along = np.zeros(grid.shape), np.zeros(grid.shape)
    start = 0.0
    for a, b in itertools.pairwise(np.asarray(points, float)):
        length = float(np.hypot(*(b - a)))
        if length == 0:
            continue
        found = window(grid, np.minimum(a, b) - band_m, np.maximum(a, b) + band_m)
        if found is None:
            start += length
            continue
        at = found[0]
        d = (b - a) / length
        pu, pv = u[at] - a[0], v[at] - a[1]
        raw = pu * d[0] + pv * d[1]
        t = np.clip(raw, 0, length)
        off = d[0] * pv - d[1] * pu
        gap = np.hypot(raw - t, off)
        closer = (gap < best[at]) & (gap <= band_m)
        best[at][closer], along[at][closer] = gap[closer], (start + t)[closer]
        side[at][closer] = np.copysign(gap, off)[closer]
        start += length
    return best, side, along


def stroke_sdf(
    grid: Grid, points: np.ndarray, half_width_m: float | np.ndarray, band_m: float | None = None
) -> np.ndarray:
    """Signed distance to a round-ended stroke along a polyline; half widths one for all or one a point.

    Right within `band_m` of the polyline (default: four texels about the stroke), held constant beyond.
    """
    half = np.broadcast_to(np.asarray(half_width_m, float), (len(points),))
    band = max(band_m or 0.0, float(half.max()) + 4 * grid.pitch)
    gap, _, along = curve_distance(grid, points, band)
    stations = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    return np.minimum(gap, band) - np.interp(along, stations, half)


def polygon_sdf(grid: Grid, points: np.ndarray) -> np.ndarray:
    """Signed distance to a closed polygon (n, 2): exact near the rim, Euclidean to a texel far away."""
    closed = np.vstack([points, points[:1]])
    band = 4 * grid.pitch
    gap = np.minimum(curve_distance(grid, closed, band)[0], band)
    return _far(np.where(_inside(grid, closed), -gap, gap), grid.pitch)


def _inside(grid: Grid, closed: np.ndarray) -> np.ndarray:
    """Even-odd test of every texel centre, by scan lines."""
    u, v = grid.uv
    a, b = closed[:-1], closed[1:]
    result = np.zeros(grid.shape, bool)
    for row, height in enumerate(v[:, 0]):
        hit = (a[:, 1] <= height) != (b[:, 1] <= height)
        if hit.any():
            p, q = a[hit], b[hit]
            cuts = np.sort(p[:, 0] + (height - p[:, 1]) / (q[:, 1] - p[:, 1]) * (q[:, 0] - p[:, 0]))
            result[row] = np.searchsorted(cuts, u[row]) % 2 == 1
    return result


def jagged_polygon(
    radius_m: float,
    rng: np.random.Generator,
    corners: int = 9,
    spread: float = 0.3,
    levels: int = 4,
    ragged: float = 0.16,
) -> np.ndarray:
    """A closed polygon (n, 2) about the origin whose sides are broken again and again by midpoint displacement."""
    angles = np.sort((np.arange(corners) + rng.uniform(-0.35, 0.35, corners)) * 2 * np.pi / corners)
    radii = radius_m * (1 - spread * rng.uniform(0, 1, corners))
    points = np.c_[np.cos(angles), np.sin(angles)] * radii[:, None]
    for level in range(levels):
        following = np.roll(points, -1, axis=0)
        side = following - points
        push = rng.uniform(-ragged, ragged, len(points)) * 0.85**level
        middle = (points + following) / 2 + np.c_[-side[:, 1], side[:, 0]] * push[:, None]
        points = np.stack([points, middle], axis=1).reshape(-1, 2)
    return points


def worm(
    start: np.ndarray, heading_rad: float, length_m: float, bend_rad: float, rng: np.random.Generator, steps: int = 60
) -> np.ndarray:
    """A smooth wandering path (steps + 1, 2) of given length; bend_rad: typical turn over its length."""
    turn = np.cumsum(ndimage.gaussian_filter1d(rng.normal(0, 1, steps + 24), 6.0, mode="nearest"))[12 : 12 + steps]
    turn = (turn - turn[0]) / max(float(np.std(turn)), 1e-9) * bend_rad / 2
    angle = heading_rad + turn
    return start + np.vstack([[0, 0], np.cumsum(np.c_[np.cos(angle), np.sin(angle)], axis=0)]) * (length_m / steps)


def ramp(stops: np.ndarray, colours: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Linear RGB (..., 3) by linear interpolation between coloured stops."""
    return np.stack([np.interp(x, stops, colours[:, k]) for k in range(3)], axis=-1)


def compose(grid: Grid, label_m: np.ndarray, **painted: np.ndarray) -> Layers:
    """Layers cropped to what is painted. The affected zone follows from the layers themselves: the label and every
    texel where one of them differs from a clean surface by more than `NOTICE`; beyond it all weights are made clean.
    Colours go on past the rim, because the renderer interpolates them apart from their weight."""
    layers = {**plain(grid.shape), **painted}
    weights = [layers[k] for k in ("albedo_weight", "surface_weight", "film")]
    change = np.maximum.reduce([*weights, 1 - layers["lay_keep"], np.abs(layers["height_m"]) / (5 * UM)])
    affected = np.minimum(rim(NOTICE - np.minimum(change, 1.0), grid.pitch), label_m)
    clean = affected > grid.pitch
    for name in ("albedo_weight", "surface_weight", "film", "height_m"):
        layers[name] = np.where(clean, 0.0, layers[name])
    layers["lay_keep"] = np.where(clean, 1.0, layers["lay_keep"])
    rows, columns = (np.flatnonzero((affected <= grid.pitch).any(axis)) for axis in (1, 0))
    r0, c0 = max(rows[0] - 3, 0), max(columns[0] - 3, 0)
    box = slice(r0, rows[-1] + 4), slice(c0, columns[-1] + 4)
    origin = grid.u0 + c0 * grid.pitch, grid.v0 + r0 * grid.pitch
    return Layers(grid.pitch, origin, label_m[box], affected[box], **{k: a[box] for k, a in layers.items()})
