"""Did the camera stand still between two sessions? The table's axis, seen from the camera, says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recon.capture.model import Session, View

STILL_RAD = np.deg2rad(2.0)
STILL_SHARE = 0.03
"""Of the distance to the axis; of the focal length."""


@dataclass(frozen=True)
class Moved:
    """How far the nearest views of two sessions stand apart, seen from the table. angle_rad: between the axes.

    share: of the distance, by which the axis lies elsewhere. focal: relative difference of focal lengths."""

    angle_rad: float
    share: float
    focal: float

    @property
    def still(self) -> bool:
        return self.measure < 1

    @property
    def measure(self) -> float:
        """Over what counts as still."""
        return max(self.angle_rad / STILL_RAD, self.share / STILL_SHARE, self.focal / STILL_SHARE)

    def words(self) -> str:
        """What is different, for a person."""
        told = []
        if self.angle_rad >= STILL_RAD:
            told.append(f"the table's axis is {np.degrees(self.angle_rad):.0f} degrees off")
        if self.share >= STILL_SHARE:
            told.append(f"it lies {100 * self.share:.0f} % of the distance elsewhere")
        if self.focal >= STILL_SHARE:
            told.append(f"the focal length is {100 * self.focal:.0f} % off")
        return ", ".join(told)


def moved(first: Sequence[View], first_session: Session, other: Sequence[View], other_session: Session) -> Moved | None:
    """None where an axis is not known. All in one frame and unit. Rings of several heights are one standing: the
    nearest pair counts."""
    if first_session.axis is None or other_session.axis is None:
        return None
    a = np.stack([_axis(v, first_session) for v in first])
    b = np.stack([_axis(v, other_session) for v in other])
    angle = np.arccos(np.clip(b[:, :3] @ a[:, :3].T, -1, 1))
    share = np.linalg.norm(b[:, None, 3:6] - a[None, :, 3:6], axis=2) / np.linalg.norm(a[:, 3:6], axis=1)
    focal = np.abs(b[:, None, 6] / a[None, :, 6] - 1)
    measure = np.maximum(np.maximum(angle / STILL_RAD, share / STILL_SHARE), focal / STILL_SHARE)
    # one pair may meet by chance of noise: the median of what each view of the second session finds in the first
    nearest = measure.argmin(1)
    row = np.arange(len(b))
    best = np.sort(measure[row, nearest])
    typical = int(np.abs(measure[row, nearest] - best[len(best) // 4]).argmin())
    at = typical, nearest[typical]
    return Moved(float(angle[at]), float(share[at]), float(focal[at]))


def _axis(view: View, session: Session) -> np.ndarray:
    """(7,) direction of the axis, its point nearest to the camera, both in the camera's frame, and the focal length
    over the picture's longer side."""
    assert session.axis is not None and session.axis_point is not None
    rotation, shift = view.camera_from_part[:3, :3], view.camera_from_part[:3, 3]
    way = rotation @ session.axis
    point = rotation @ session.axis_point + shift
    focal = np.sqrt(view.intrinsics[0, 0] * view.intrinsics[1, 1]) / max(view.size)
    return np.concatenate([way, point - way * (way @ point), [focal]])
