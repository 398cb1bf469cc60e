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

from recon.light import upright as turned_up
from recon.merge.looks import Looks

STEPS = 72
FEWEST = 400
TELLING = 0.1
"""Share of the variation that a common light must explain at its best angle to say anything."""
BETTER = 0.8
"""Of it, a common light at no turn must explain less."""
STILL_RAD = np.deg2rad(25)
"""A lamp near the table, or a hull's wrong normals, turn the answer by 10 to 20 degrees."""


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
        return self.telling and abs(self.turn_rad) > STILL_RAD and self.untouched < BETTER * self.explained

    @property
    def changed(self) -> bool:
        """No turn makes one light of both."""
        return self.alone >= 2 * TELLING and self.explained < 0.5 * self.alone


def check_room(first: Looks, other: Looks, up: np.ndarray) -> RoomCheck | None:
    """None where too few points are seen. up: (3,) the table's axis in the room."""
    upright = turned_up(up)
    a, b = _samples(first, upright), _samples(other, upright)
    if min(len(a[1]), len(b[1])) < FEWEST:
        return None
    parts_a = _normal(_centred(a[0], a[2]), a[1])
    angles = np.arange(STEPS) / STEPS * 2 * np.pi
    turns = Rotation.from_euler("z", angles[:, None]).as_matrix()
    turned = [_normal(_centred(b[0] @ turn.T, b[2]), b[1]) for turn in turns]
    explained = np.array([_explained(parts_a, t) for t in turned])
    best = int(explained.argmax())
    alone = (_explained(parts_a) * parts_a[2] + _explained(turned[0]) * turned[0][2]) / (parts_a[2] + turned[0][2])
    turn = float((angles[best] + np.pi) % (2 * np.pi) - np.pi)
    return RoomCheck(turn, float(explained[best]), float(explained[0]), float(alone))


def _samples(one: Looks, upright: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normals (s, 3) in a room with the table along +Z, brightness over the point's mean (s,), points' numbers (s,)."""
    kept = one.seen >= 3
    light = one.logs[:, kept].mean(2)
    view, point = np.nonzero(np.isfinite(light))
    return one.room[:, kept][view, point] @ upright.T, (light - np.nanmean(light, 0))[view, point], point


def _centred(normals: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(s, 4) the harmonics of orders 1 and 2 that change as a point turns, each over its mean of the same point.

    Those that change sign with z as well are left out: a part that was turned over shows a point's side from above in
    one session and from below in the other, and they would fit two lights at once.
    """
    x, y, _ = normals.T
    basis = np.stack([x, y, x * y, x * x - y * y], 1)
    count = np.bincount(point)
    mean = np.stack([np.bincount(point, column) / np.maximum(count, 1) for column in basis.T], 1)
    return basis - mean[point]


def _normal(basis: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    return basis.T @ basis, basis.T @ values, float(values @ values)


def _explained(*parts: tuple[np.ndarray, np.ndarray, float]) -> float:
    left, right, total = (sum(p[i] for p in parts) for i in range(3))
    found = np.linalg.solve(left + 1e-6 * np.trace(left) * np.eye(len(left)), right)  # type: ignore[arg-type]
    return float((2 * found @ right - found @ left @ found) / max(total, 1e-12))
