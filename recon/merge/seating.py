"""One seating of the part as registration sees it: its hull, how deep any point lies inside it, and its outlines' rays.

A ray through an outline touches the part somewhere. Where it may do so is the stretch along which it stays inside all
other masks of its own seating; the part is there in every other seating too, once the two are brought together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from core.errors import InputError
from recon.capture.model import View
from recon.hull import UNSEEN, Cones, Hull, carve_views, depth_inside, outlines

HULL_SIDE = 80
GRID_SIDE = 64
MASK_SIDE = 512
RAYS = 1000
ALONG = 80
FINER = 6
SLACK_PX = 1.0
"""How far outside its own hull a point of a ray may lie and still be where the part is touched."""
STRAY_PX = 3.0
"""An outline whose ray misses its own hull by more belongs to a bad mask, and says nothing."""


@dataclass(frozen=True, eq=False)
class Rays:
    """points: (p, 3) where outlines may touch the part, ray after ray, unit and frame of the seating.

    starts: (n,) index of each ray's first. own_px: (n,) how far its best lies outside the seating's own hull, pixels.
    view: (n,) whose it is.
    """

    points: np.ndarray
    starts: np.ndarray
    own_px: np.ndarray
    view: np.ndarray

    def every(self, step: int) -> Rays:
        """One ray in `step`."""
        count = np.diff(np.append(self.starts, len(self.points)))
        kept = np.arange(len(self.starts)) % step == 0
        starts = np.r_[0, np.cumsum(count[kept])[:-1]]
        return Rays(self.points[np.repeat(kept, count)], starts, self.own_px[kept], self.view[kept])


@dataclass(frozen=True, eq=False)
class Seating:
    """Views in one frame. field: depths on a grid of `spacing` from `lower`. pixel: width of a pixel at the part, the
    frame's unit. centre, radius: of the hull."""

    views: tuple[View, ...]
    cones: Cones
    hull: Hull
    lower: np.ndarray
    spacing: float
    field: np.ndarray
    rays: Rays
    pixel: float
    centre: np.ndarray
    radius: float

    def depth(self, points: np.ndarray) -> np.ndarray:
        """(n,) how far points (n, 3) lie inside the hull, by the grid; beyond the grid, less the way to it."""
        place = (points - self.lower) / self.spacing
        top = np.array(self.field.shape) - 1.0
        held = np.clip(place, 0, top)
        found = map_coordinates(self.field, held.T, order=1, prefilter=False)
        return found - self.spacing * np.linalg.norm(place - held, axis=1)

    def exact_depth(self, points: np.ndarray) -> np.ndarray:
        """`depth` by the masks themselves."""
        return least_depth(points, self.cones)


def least_depth(points: np.ndarray, cones: Cones, without: int | None = None) -> np.ndarray:
    """(n,) the least depth inside any mask, that of view `without` left aside."""
    lowest = np.full(len(points), UNSEEN, np.float32)
    small = np.asarray(points, np.float32)
    for number, (view, mask, k) in enumerate(zip(cones.views, cones.masks, cones.intrinsics, strict=True)):
        if number != without:
            lowest = np.minimum(lowest, depth_inside(small, view, mask, k))
    return lowest


def seating(views: Sequence[View]) -> Seating:
    """InputError where fewer than 3 masks show the part."""
    shown = tuple(v for v in views if 1e-4 < float(v.mask.mean()) < 0.98)
    if len(shown) < 3:
        raise InputError(
            f"{len(shown)} of {len(views)} masks of a session show a part", "at least 3", "check the masks"
        )
    masks, k = outlines(shown, MASK_SIDE)
    cones = Cones(shown, tuple(masks), k)
    hull = carve_views(shown, HULL_SIDE)
    low, high = hull.vertices.min(0), hull.vertices.max(0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    far = [np.linalg.norm(v.centre - centre) / np.sqrt(one[0, 0] * one[1, 1]) for v, one in zip(shown, k, strict=True)]
    pixel = float(np.median(far))
    spacing = float((high - low).max()) / (GRID_SIDE - 1)
    lower = low - 3 * spacing
    shape = np.ceil((high - low) / spacing).astype(int) + 7
    axes = [lower[i] + spacing * np.arange(shape[i]) for i in range(3)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    field = np.clip(least_depth(lattice, cones), -radius, radius).reshape(shape)
    rays = _rays(cones, centre, radius, pixel)
    return Seating(shown, cones, hull, lower, spacing, field, rays, pixel, centre, radius)


def _rays(cones: Cones, centre: np.ndarray, radius: float, pixel: float) -> Rays:
    each = max(RAYS // len(cones.views), 12)
    found = [_rays_of(cones, i, each, centre, radius, pixel) for i in range(len(cones.views))]
    points, counts, own = (np.concatenate(parts) for parts in zip(*found, strict=True))
    view = np.repeat(np.arange(len(found)), [len(f[1]) for f in found])
    return Rays(points, np.r_[0, np.cumsum(counts)[:-1]], own, view)


def _rays_of(
    cones: Cones, number: int, count: int, centre: np.ndarray, radius: float, pixel: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (p, 3) where the outline of one view may touch the part, how many each ray has (n,), and how far outside
    the other views' hull its best one lies, pixels (n,)."""
    view, k = cones.views[number], cones.intrinsics[number]
    edge = crossings(cones.masks[number].distance)
    if len(edge) > count:
        edge = edge[np.linspace(0, len(edge) - 1, count).round().astype(int)]
    ways = np.c_[edge, np.ones(len(edge))] @ np.linalg.inv(k).T @ view.camera_from_part[:3, :3]
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    reach = (centre - view.centre) @ ways.T
    step = 2.2 * radius / (ALONG - 1)
    along = np.maximum(reach[:, None] + np.linspace(-1.1, 1.1, ALONG) * radius, 1e-6 * radius)
    depth = least_depth((view.centre + along[..., None] * ways[:, None]).reshape(-1, 3), cones, number)
    best = along[np.arange(len(edge)), depth.reshape(along.shape).argmax(1)]
    near = best[:, None] + np.linspace(-1, 1, FINER) * step
    along = np.sort(np.concatenate([along, near], 1), 1)
    where = view.centre + along[..., None] * ways[:, None]
    depth = least_depth(where.reshape(-1, 3), cones, number).reshape(along.shape) / pixel
    top = depth.max(1)
    kept = top > -STRAY_PX
    where, depth, top = where[kept], depth[kept], np.minimum(top[kept], 0)
    inside = depth >= top[:, None] - SLACK_PX
    return where[inside], inside.sum(1), -top


def crossings(distance: np.ndarray) -> np.ndarray:
    """(n, 2) pixel positions, centres at 0.5, where a signed distance crosses 0 between neighbours, row by row."""
    rows, columns = np.nonzero((distance[:, 1:] >= 0) != (distance[:, :-1] >= 0))
    a, b = distance[rows, columns], distance[rows, columns + 1]
    across = np.c_[columns + 0.5 + a / (a - b), rows + 0.5]
    rows, columns = np.nonzero((distance[1:] >= 0) != (distance[:-1] >= 0))
    a, b = distance[rows, columns], distance[rows + 1, columns]
    down = np.c_[columns + 0.5, rows + 0.5 + a / (a - b)]
    return np.concatenate([across, down])
