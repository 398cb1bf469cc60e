"""How well two seatings' outlines hold together under a pose, and the pose under which they do best.

Every outline's ray touches the part, and so has a point that lies inside all masks of the other seating as well. How
far the best point of a ray lies outside them, in pixels, is its residual: it needs no texture and no surface, and is
zero at the truth to within what the masks are worth (the silhouette coherence of Hernandez, Schmitt and Cipolla,
*Silhouette Coherence for Camera Calibration under Circular Motion*, 2007, taken ray by ray).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from recon.merge.seating import Seating

SOFT_PX = 1.0
CAP_PX = 8.0
ENOUGH = 1e-4
STEP = 2e-4
"""Of the difference quotients: radians, and shifts over the radius."""


@dataclass(frozen=True, eq=False)
class Pose:
    """other = scale * rotation @ first + shift, in each seating's own unit."""

    rotation: np.ndarray
    shift: np.ndarray
    scale: float = 1.0

    def onward(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the first seating's frame -> the other's."""
        return self.scale * points @ self.rotation.T + self.shift

    def back(self, points: np.ndarray) -> np.ndarray:
        return (points - self.shift) @ self.rotation / self.scale


@dataclass(frozen=True)
class Coherence:
    """Pixels, over the rays of both seatings: rms, 95th percentile, and the soft sum's root, which ranks poses."""

    rms_px: float
    p95_px: float
    soft_px: float


def residuals(first: Seating, other: Seating, pose: Pose, exact: bool = False) -> np.ndarray:
    """(rays of first + rays of other,) pixels, at least 0."""
    ahead = _missed(first, other, pose.onward, exact)
    return np.concatenate([ahead, _missed(other, first, pose.back, exact)])


def _missed(rays: Seating, hull: Seating, moved: Callable[[np.ndarray], np.ndarray], exact: bool) -> np.ndarray:
    where = moved(rays.rays.points)
    depth = hull.exact_depth(where) if exact else hull.depth(where)
    off = -np.maximum.reduceat(depth, rays.rays.starts) / hull.pixel
    return np.maximum(off - rays.rays.own_px, 0)


def coherence(first: Seating, other: Seating, pose: Pose, exact: bool = False) -> Coherence:
    off = residuals(first, other, pose, exact)
    soft = np.minimum(off, CAP_PX)
    return Coherence(float(np.sqrt(np.mean(off**2))), float(np.percentile(off, 95)), float(np.sqrt(np.mean(soft**2))))


def refined(
    first: Seating,
    other: Seating,
    pose: Pose,
    *,
    scaled: bool = False,
    exact: bool = False,
    rounds: int = 12,
    also: Callable[[Pose], np.ndarray] | None = None,
) -> Pose:
    """The pose near `pose` at which outlines miss least: a robust least squares in six unknowns, seven if `scaled`.

    also: further misses of a pose (n,), pixels.
    """
    centre = pose.onward(first.centre)

    def at(x: np.ndarray) -> Pose:
        turn = Rotation.from_rotvec(x[:3]).as_matrix()
        scale = float(np.exp(x[6])) if scaled else 1.0
        middle = centre + other.radius * x[3:6]
        rotation, size = turn @ pose.rotation, pose.scale * scale
        return Pose(rotation, middle - size * rotation @ first.centre, size)

    def missed(x: np.ndarray) -> np.ndarray:
        off = residuals(first, other, at(x), exact)
        return off if also is None else np.concatenate([off, also(at(x))])

    fit = least_squares(
        missed, np.zeros(7 if scaled else 6), diff_step=None,
        jac=lambda x: _slopes(missed, x),  # type: ignore[arg-type]
        loss="soft_l1", f_scale=SOFT_PX, max_nfev=rounds, ftol=ENOUGH, xtol=ENOUGH,
    )  # fmt: skip
    return at(fit.x)


def _slopes(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """Central differences: the residuals have kinks, and one side of a kink says nothing of the other."""
    columns = []
    for i in range(len(x)):
        step = np.zeros(len(x))
        step[i] = STEP
        columns.append((function(x + step) - function(x - step)) / (2 * STEP))
    return np.stack(columns, 1)
