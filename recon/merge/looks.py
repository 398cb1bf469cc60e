"""What both seatings show of the same surface: its colours, and the light it stood in."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from recon.capture.model import View
from recon.merge.coherence import Pose
from recon.merge.seating import Seating
from recon.nearest import Surface

POINTS = 2500
ON_SURFACE_PX = 1.5
STEEPEST = np.cos(np.deg2rad(70))
LIFT = 2e-3
"""Of the diagonal, above a hull, from where lines of sight start."""
INNER_PX = 2
FLOOR = 0.01
FEWEST_VIEWS, FEWEST_POINTS = 2, 60
COLOURED = 0.08
"""Standard deviation of a hue, natural logarithms, above which a part has colours to go by."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Points of the surface in one seating. logs: (v, n, 3) natural logarithm of what each view shows there, NaN where
    it does not see them. normals: (n, 3), room: (v, n, 3) the same as each view has them in the room."""

    logs: np.ndarray
    normals: np.ndarray
    room: np.ndarray

    @property
    def seen(self) -> np.ndarray:
        """(n,) how many views see each point."""
        return np.isfinite(self.logs[..., 0]).sum(0)


def shared(first: Seating, other: Seating, pose: Pose) -> tuple[Looks, Looks]:
    """Points of the first hull that lie on the other too, as either seating sees them."""
    surface = Surface(first.hull.vertices, first.hull.faces)
    points, face = surface.samples(POINTS, np.random.Generator(np.random.PCG64(0)))
    normals = surface.normals[face]
    where = pose.onward(points)
    on = np.abs(other.depth(where)) < ON_SURFACE_PX * other.pixel
    ahead = normals[on] @ pose.rotation.T
    return looks(first, surface, points[on], normals[on]), looks(
        other, Surface(other.hull.vertices, other.hull.faces), where[on], ahead
    )


def looks(one: Seating, surface: Surface, points: np.ndarray, normals: np.ndarray) -> Looks:
    """points, normals: (n, 3), frame of the seating."""
    start = points + LIFT * surface.diagonal * normals
    logs = np.full((len(one.views), len(points), 3), np.nan)
    room = np.stack([normals @ v.room_from_part.T for v in one.views])
    for number, view in enumerate(one.views):
        way = view.centre - points
        steep = (way * normals).sum(1) / np.linalg.norm(way, axis=1)
        asked = np.flatnonzero(steep > STEEPEST)
        asked = asked[surface.free(start[asked], np.broadcast_to(view.centre, (len(asked), 3)))]
        if len(asked):
            logs[number, asked] = _colours(view, points[asked])
    return Looks(logs, normals, room)


def _colours(view: View, points: np.ndarray) -> np.ndarray:
    """(n, 3) logarithms; NaN near outlines and outside the picture."""
    pixels, _ = view.project(points)
    place = np.nan_to_num(pixels - 0.5, nan=-1e3).astype(np.float32)
    inner = cv2.erode((view.mask > 0.99).astype(np.uint8), np.ones((2 * INNER_PX + 1,) * 2, np.uint8))
    within = cv2.remap(inner, place[None, :, 0], place[None, :, 1], cv2.INTER_NEAREST, borderValue=(0.0,))[0] > 0
    found = cv2.remap(view.image, place[None, :, 0], place[None, :, 1], cv2.INTER_LINEAR)[0]
    return np.where(within[:, None], np.log(np.maximum(found, 0) + FLOOR), np.nan)


def likeness(first: Looks, other: Looks, up: np.ndarray | None = None) -> float:
    """Correlation, -1 to 1, of the two seatings' hues; NaN where they share too little, or have one hue only.

    Brightness is left aside: turned over, a part of one colour is dark where it was light, and a wrong pose of a part
    that is nearly symmetric can agree with it better than the right one. A tinted lamp or table does the same to hues:
    with the room's `up` (3,), what they owe to how far the surface looks up is left aside too.
    """
    both = (first.seen >= FEWEST_VIEWS) & (other.seen >= FEWEST_VIEWS)
    if np.count_nonzero(both) < FEWEST_POINTS:
        return float("nan")
    a, b = _hues(first, both, up), _hues(other, both, up)
    if min(a.std(0).max(), b.std(0).max()) < COLOURED:
        return float("nan")
    return float((a * b).sum() / max(np.sqrt((a**2).sum() * (b**2).sum()), 1e-12))


def _hues(one: Looks, kept: np.ndarray, up: np.ndarray | None) -> np.ndarray:
    """(n, 2) logarithms of red and blue over green, about their mean."""
    mean = np.nanmean(one.logs[:, kept], 0)
    hues = np.stack([mean[:, 0] - mean[:, 1], mean[:, 2] - mean[:, 1]], 1)
    if up is not None:
        rise = (one.room[:, kept] @ up).mean(0)
        columns = np.stack([np.ones_like(rise), rise, rise**2], 1)
        hues -= columns @ np.linalg.lstsq(columns, hues, rcond=None)[0]
    return hues - hues.mean(0)
