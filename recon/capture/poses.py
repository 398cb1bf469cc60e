"""Camera conventions, the table's axis found in poses, and how the room stands to a part that turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from recon.capture.model import Session

OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def from_opengl(part_from_camera: np.ndarray) -> np.ndarray:
    """(4, 4) camera-to-part of an OpenGL camera (x right, y up, looking along -z) -> camera_from_part, OpenCV."""
    return np.linalg.inv(np.asarray(part_from_camera, float) @ OPENCV_FROM_OPENGL)


def rigid(rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, shift
    return pose


def centres(poses: np.ndarray) -> np.ndarray:
    """camera_from_part (n, 4, 4) -> camera positions (n, 3), part frame."""
    return -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])


def closest_point(origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """(3,) the point with the least squared distance to all lines (n, 3), directions unit."""
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    return np.linalg.lstsq(across.sum(0), np.einsum("nij,nj->i", across, origins), rcond=None)[0]


class Table(NamedTuple):
    """point, axis: (3,) of a turntable in the part's frame, axis unit and upwards in the images. residual: rms of the
    camera centres' distance from their circles round it, over the circles' mean radius."""

    point: np.ndarray
    axis: np.ndarray
    residual: float


def table_from_poses(poses: np.ndarray) -> Table:
    """The axis that upright cameras on rings round a part share: perpendicular to every image's rows."""
    right = poses[:, 0, :3]
    _, vectors = np.linalg.eigh(right.T @ right)
    axis = vectors[:, 0]
    if (poses[:, 1, :3] @ axis).sum() > 0:
        axis = -axis
    eyes = centres(poses)
    basis = np.linalg.svd(axis[None])[2][1:]
    flat, height = eyes @ basis.T, eyes @ axis
    ring = _rings(height, np.ptp(flat, axis=0).max())
    # |q|^2 = 2 q.c + k for each ring: its own k, one centre for all
    columns = np.c_[2 * flat, np.eye(ring.max() + 1)[ring]]
    found = np.linalg.lstsq(columns, (flat**2).sum(1), rcond=None)[0]
    radius = np.linalg.norm(flat - found[:2], axis=1)
    mean = np.bincount(ring, radius) / np.bincount(ring)
    residual = float(np.sqrt(np.mean((radius - mean[ring]) ** 2)) / max(radius.mean(), 1e-300))
    gaze = closest_point(eyes, poses[:, 2, :3])
    return Table(basis.T @ found[:2] + axis * (gaze @ axis), axis, residual)


def _rings(height: np.ndarray, breadth: float) -> np.ndarray:
    """(n,) number of the ring of each camera: heights closer than 3 % of the breadth belong together."""
    order = np.argsort(height)
    gaps = np.diff(height[order]) > 0.03 * breadth
    ring = np.empty(len(height), int)
    ring[order] = np.r_[0, np.cumsum(gaps)]
    return ring


def turn_of(pose: np.ndarray, session: Session) -> np.ndarray:
    """(3, 3) room_from_part of a view of a part that turned before a camera that stood still.

    The room has the table's axis along +Z and this view's camera at azimuth 0, whatever its elevation.
    """
    assert session.axis is not None and session.axis_point is not None
    upright = _upright(session.axis)
    x, y, _ = upright @ (centres(pose[None])[0] - session.axis_point)
    angle = -np.arctan2(y, x)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ upright


def _upright(axis: np.ndarray) -> np.ndarray:
    """(3, 3) rotation that takes `axis` to +Z by the shortest way (half a turn about x where it points down)."""
    a = np.asarray(axis, float) / np.linalg.norm(axis)
    if a[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, 0, -a[0]], [0, 0, -a[1]], [a[0], a[1], 0.0]])
    return np.eye(3) + cross + cross @ cross / (1 + a[2])


def held_still(directions: np.ndarray, rooms: np.ndarray) -> float:
    """0 to 1: how steady unit directions (n, 3), part frame, stood in the room while the part turned, by room_from_part
    (n, 3, 3). 1 for a table's axis, or for a still camera's rows where the turns are right; 0 for what went round."""
    return float(np.linalg.norm(np.einsum("nij,nj->ni", rooms, directions).mean(0)))


def found_sessions(
    names: Sequence[str], poses: np.ndarray, of: Sequence[str], given: Mapping[str, Session]
) -> tuple[dict[str, Session], list[str]]:
    """The given sessions, with the table's axis found in the poses where none is given; and notes that say so."""
    result, notes = {}, []
    labels = np.array(of)
    for name in names:
        session = given.get(name, Session(name))
        if session.axis is None:
            table = table_from_poses(poses[labels == name])
            session = Session(name, table.point, table.axis)
            where = f"session {name}: the table's axis was found in the poses"
            notes.append(f"{where} (cameras within {100 * table.residual:.2g} % of circles round it)")
        result[name] = session
    return result, notes


def meeting(eyes: np.ndarray, ways: np.ndarray, point: np.ndarray, points: int) -> np.ndarray:
    """(points, 3) nearest to their rays, by linear least squares: from eyes (n, 3) along unit ways (n, 3), each to the
    point (n,) that it shows."""
    across = np.eye(3) - ways[:, :, None] * ways[:, None, :]
    left, right = np.zeros((points, 3, 3)), np.zeros((points, 3))
    np.add.at(left, point, across)
    np.add.at(right, point, np.einsum("nij,nj->ni", across, eyes))
    return np.linalg.solve(left + 1e-9 * np.eye(3), right[..., None])[..., 0]
