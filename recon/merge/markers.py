"""Printed markers that stay on the part from one session to the next: their corners say how it was put back.

Outlines cannot tell how a round part was turned, nor colours where it has one. A marker that is stuck to the part can,
and one is enough; more of them measure better, and show it when one has come off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from core.colour import srgb_from_linear
from recon.capture.boards import corner_origin
from recon.capture.model import View
from recon.capture.poses import meeting
from recon.merge.coherence import Pose

DICTIONARIES = ("DICT_APRILTAG_36h11", "DICT_4X4_1000", "DICT_5X5_1000", "DICT_6X6_1000")
"""OpenCV's; the smaller ones of the same pattern are their first markers."""
FEWEST_VIEWS = 3
WORST_PX = 2.0
"""Of a corner where it is triangulated, and between two sessions."""
LEAST_PARALLAX_RAD = np.deg2rad(5.0)
ON_PART = 0.5

Marker = tuple[str, int]
Landmarks = Mapping[Marker, np.ndarray]
"""Dictionary and number -> (4, 3) corners, in the frame and unit of their session."""


@dataclass(frozen=True, eq=False)
class Ties:
    """Corners that two sessions share. first, other: (n, 3), each in its own frame. pose: that brings the first onto
    the other. markers: whose they are, strayed: those that say otherwise, left aside."""

    first: np.ndarray
    other: np.ndarray
    pose: Pose
    markers: tuple[Marker, ...]
    strayed: tuple[Marker, ...]

    def misses(self, pose: Pose, pixel: float) -> np.ndarray:
        """(3 n,) pixels by which the corners miss each other."""
        return ((pose.onward(self.first) - self.other) / pixel).reshape(-1)

    def held(self, pose: Pose, pixel: float) -> bool:
        """The pose brings the corners onto each other."""
        return _rms_px(pose.onward(self.first) - self.other, pixel) <= WORST_PX


def landmarks(views: Sequence[View]) -> dict[Marker, np.ndarray]:
    """The markers on the part that at least 3 views of one session agree about. Those of a board beside it are none:
    all four corners have to lie in the part's mask, and a marker that is there twice is not told apart."""
    seen = [_seen(view) for view in views]
    found: dict[Marker, np.ndarray] = {}
    for marker in sorted({m for one in seen for m in one}):
        shown = [(view, one[marker]) for view, one in zip(views, seen, strict=True) if marker in one]
        corners = _triangulated(shown)
        if corners is not None:
            found[marker] = corners
    return found


def ties(first: Landmarks, other: Landmarks, pixel: float, scaled: bool = False) -> Ties | None:
    """What two sessions share, as the largest number of markers agrees about it; None where they share none, or where
    no two of several agree. pixel: width of a pixel at the part, the other session's unit. scaled: units differ."""
    common = sorted(set(first) & set(other))
    best: list[Marker] = []
    for one in common:
        pose = fitted(first[one], other[one], scaled)
        agreed = [m for m in common if _rms_px(pose.onward(first[m]) - other[m], pixel) <= _slack(first[one], first[m])]
        best = max(best, agreed, key=len)
    if not best or (len(best) == 1 and len(common) > 1):
        return None
    a, b = (np.concatenate([side[m] for m in best]) for side in (first, other))
    pose = fitted(a, b, scaled)
    if _rms_px(pose.onward(a) - b, pixel) > WORST_PX:
        return None
    return Ties(a, b, pose, tuple(best), tuple(m for m in common if m not in best))


def fitted(first: np.ndarray, other: np.ndarray, scaled: bool) -> Pose:
    """The pose that brings points (n, 3) onto others with the least squares: Umeyama, Least-Squares Estimation of
    Transformation Parameters Between Two Point Patterns, PAMI 1991."""
    a, b = first.mean(0), other.mean(0)
    left, size, right = np.linalg.svd((other - b).T @ (first - a))
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = left @ np.diag(signs) @ right
    scale = float((size * signs).sum() / ((first - a) ** 2).sum()) if scaled else 1.0
    return Pose(rotation, b - scale * rotation @ a, scale)


def _slack(one: np.ndarray, far: np.ndarray) -> float:
    """Pixels by which a marker may be missed that another one's four corners are continued to."""
    lever = np.linalg.norm(far.mean(0) - one.mean(0)) / np.linalg.norm(one - one.mean(0), axis=1).mean()
    return WORST_PX * float(max(1.0, lever))


def _rms_px(off: np.ndarray, pixel: float) -> float:
    return float(np.sqrt((off**2).sum(1).mean())) / pixel


def _seen(view: View) -> dict[Marker, np.ndarray]:
    """(4, 2) pixels of each marker on the part."""
    rows, columns = (np.flatnonzero((view.mask > ON_PART).any(axis)) for axis in (1, 0))
    if not len(rows):
        return {}
    start = np.array([columns[0], rows[0]])
    cut = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    grey = np.rint(255 * np.clip(srgb_from_linear(view.image[cut]), 0, 1).mean(2)).astype(np.uint8)
    found: dict[Marker, np.ndarray] = {}
    twice: set[Marker] = set()
    for name in DICTIONARIES:
        corners, numbers = _detected(grey, name)
        for four, number in zip(corners, numbers, strict=True):
            marker, pixels = (name, number), four + start
            if not _inside(view.mask, pixels):
                continue
            if marker in found:
                twice.add(marker)
            found[marker] = pixels
    return {m: p for m, p in found.items() if m not in twice}


def _detected(grey: np.ndarray, name: str) -> tuple[list[np.ndarray], list[int]]:
    """Corners (4, 2) of every marker, pixel centres at 0.5, and numbers. A dark square looks smaller in an encoded
    picture that is not sharp, by half a pixel at each corner; it does so in both sessions."""
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    dictionary: Any = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, name))
    corners, ids, _ = cv2.aruco.ArucoDetector(dictionary, parameters).detectMarkers(grey)
    if ids is None:
        return [], []
    shift = 0.5 - corner_origin("corners")
    return [np.asarray(c, float).reshape(4, 2) + shift for c in corners], [int(i) for i in np.ravel(ids)]


def _inside(mask: np.ndarray, pixels: np.ndarray) -> bool:
    x, y = np.floor(pixels).astype(int).T
    within = (x >= 0) & (y >= 0) & (x < mask.shape[1]) & (y < mask.shape[0])
    return bool(within.all() and (mask[y, x] > ON_PART).all())


def _triangulated(shown: Sequence[tuple[View, np.ndarray]]) -> np.ndarray | None:
    """(4, 3) from views and the pixels (4, 2) that they show; the worst view is left out until all agree. None where
    too few do, or all look from nearly one place, which does not say how far away a corner is."""
    shown = list(shown)
    while len(shown) >= FEWEST_VIEWS:
        ways = np.stack([_ways(view, pixels) for view, pixels in shown])
        if (ways[:, 0] @ ways[:, 0].T).min() > np.cos(LEAST_PARALLAX_RAD):
            return None
        eyes = np.repeat([view.centre for view, _ in shown], 4, axis=0)
        corners = meeting(eyes, ways.reshape(-1, 3), np.tile(np.arange(4), len(shown)), 4)
        misses = np.array([np.linalg.norm(v.project(corners)[0] - p, axis=1).max() for v, p in shown])
        if np.isfinite(misses).all() and misses.max() <= WORST_PX:
            return corners
        shown.pop(int(np.nan_to_num(misses, nan=np.inf).argmax()))
    return None


def _ways(view: View, pixels: np.ndarray) -> np.ndarray:
    """(4, 3) unit, from the view's eye through pixels (4, 2)."""
    ways = np.c_[pixels, np.ones(4)] @ np.linalg.inv(view.intrinsics).T @ view.camera_from_part[:3, :3]
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)
