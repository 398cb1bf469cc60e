"""Did both sessions stand in one room's light? Each turned before it; the brightness of a point as it turned says.

What a point shows over its own mean, view by view, depends on where its normal points in the room and not on its
colour. It is fitted by a smooth function of that direction, spherical harmonics of the first two orders (Ramamoorthi
and Hanrahan, *An Efficient Representation for Irradiance Environment Maps*, 2001: diffuse light has hardly more), for
both sessions at once, with the second one's room turned by every angle about the table's axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from recon.merge.looks import Looks

STEPS = 72
FEWEST = 400
TELLING = 0.25
"""Share of the variation that a common light must explain at its best angle to say anything."""
BETTER = 0.12
"""By how much more it must explain there than at the told angle."""
STILL_RAD = np.deg2rad(15)


@dataclass(frozen=True)
class RoomCheck:
    """turn_rad: by which the second session's room has to be turned about the table's axis for one light to explain
    both sessions best. explained: share of the variation that it explains there; untouched: at no turn; alone: mean of
    each session with a light of its own. telling: the photographs decide."""

    turn_rad: float
    explained: float
    untouched: float
    alone: float

    @property
    def telling(self) -> bool:
        return self.explained >= TELLING

    @property
    def turned(self) -> bool:
        """The camera went round the table, or the lamps did."""
        return self.telling and abs(self.turn_rad) > STILL_RAD and self.explained > self.untouched + BETTER

    @property
    def changed(self) -> bool:
        """No turn makes one light of both."""
        return self.alone >= 2 * TELLING and self.explained < 0.5 * self.alone


def check_room(first: Looks, other: Looks, up: np.ndarray) -> RoomCheck | None:
    """None where too few points are seen. up: (3,) the table's axis in the room."""
    a, b = _samples(first), _samples(other)
    if min(len(a[1]), len(b[1])) < FEWEST:
        return None
    parts_a = _normal(_centred(a[0], a[2]), a[1])
    angles = np.arange(STEPS) / STEPS * 2 * np.pi
    turned = [_normal(_centred(b[0] @ Rotation.from_rotvec(t * up).as_matrix().T, b[2]), b[1]) for t in angles]
    explained = np.array([_explained(parts_a, t) for t in turned])
    best = int(explained.argmax())
    alone = (_explained(parts_a) * parts_a[2] + _explained(turned[0]) * turned[0][2]) / (parts_a[2] + turned[0][2])
    turn = float((angles[best] + np.pi) % (2 * np.pi) - np.pi)
    return RoomCheck(turn, float(explained[best]), float(explained[0]), float(alone))


def _samples(one: Looks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Room normals (s, 3), brightness over the point's own mean (s,), and the points' numbers (s,)."""
    kept = one.seen >= 3
    light = one.logs[:, kept].mean(2)
    view, point = np.nonzero(np.isfinite(light))
    return one.room[:, kept][view, point], (light - np.nanmean(light, 0))[view, point], point


def _centred(normals: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(s, 8) harmonics of orders 1 and 2, each over its mean of the same point."""
    x, y, z = normals.T
    basis = np.stack([x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], 1)
    count = np.bincount(point)
    mean = np.stack([np.bincount(point, column) / np.maximum(count, 1) for column in basis.T], 1)
    return basis - mean[point]


def _normal(basis: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    return basis.T @ basis, basis.T @ values, float(values @ values)


def _explained(*parts: tuple[np.ndarray, np.ndarray, float]) -> float:
    left, right, total = (sum(p[i] for p in parts) for i in range(3))
    found = np.linalg.solve(left + 1e-6 * np.trace(left) * np.eye(len(left)), right)  # type: ignore[arg-type]
    return float((2 * found @ right - found @ left @ found) / max(total, 1e-12))
