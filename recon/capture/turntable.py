"""One camera, one axis: the poses of a turntable ring from tracked points, by least squares.

Gauge: the table's axis is +Z, the camera stands at azimuth 0 and at distance 1 from the origin, and the origin is where
the height of the axis meets the optical axis's own. What is left of the camera are three angles: its elevation, its
roll, and its yaw, by which the optical axis misses the table's. The unit of length stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import coo_matrix

from core.errors import InputError
from recon.capture.poses import meeting, rigid

ELEVATIONS_DEG = (3.0, 12.0, 22.0, 33.0, 45.0, 60.0)
WORST_PX = 3.0
TRUST_PX_PER_RADIAN = 3.0 / np.deg2rad(0.5)
"""A told angle that is off by half a degree weighs as much as 3 px: neighbours alone let the angles drift."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Observations: point (n,) and view (n,) indices, pixels (n, 2) with centres at 0.5."""

    point: np.ndarray
    view: np.ndarray
    pixels: np.ndarray

    @property
    def points(self) -> int:
        return int(self.point.max()) + 1 if len(self.point) else 0


@dataclass(frozen=True, eq=False)
class Ring:
    """poses: camera_from_part (n, 4, 4), unit: the camera's distance. angles: (n,) radians. focal: px. rms_px: of the
    inliers; inliers: their share. free_focal: it was estimated with the poses."""

    poses: np.ndarray
    angles: np.ndarray
    focal: float
    rms_px: float
    inliers: float
    free_focal: bool


def solve(
    tracks: Tracks,
    angles: np.ndarray,
    size: tuple[int, int],
    intrinsics: np.ndarray | None,
    *,
    free_angles: bool = False,
    elevation: float | None = None,
) -> Ring:
    """Fit one ring. angles: (n,) radians of the table, as told; with `free_angles` they are a start only (the mean
    step is kept). intrinsics None: the focal length is estimated too. elevation: radians, a start. InputError where
    points are too few or fit no turntable."""
    if tracks.points < 20:
        raise InputError(
            f"{tracks.points} points could be followed between the photographs",
            "at least 20 on the part",
            "use a marker board: this part has too little texture",
        )
    free_focal = intrinsics is None
    k = _guess(size) if intrinsics is None else intrinsics
    starts = [elevation] if elevation is not None else [np.deg2rad(e) for e in ELEVATIONS_DEG]
    tried = [_start(tracks, sign * angles, k, e) for sign in (1, -1) for e in starts]
    found = min(tried, key=lambda t: t[0])
    fit = _refined(tracks, found[1], k, found[2], free_focal, free_angles)
    if fit.rms_px > WORST_PX or fit.inliers < 0.5:
        raise InputError(
            f"the followed points fit no turntable ({fit.rms_px:.1f} px, {100 * fit.inliers:.0f} % of them)",
            f"most of them within {WORST_PX} px of one axis and the given steps",
            "check steps or angles and the masks, or use a marker board",
        )
    return fit


def poses_of(camera: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """camera (3,): elevation, roll, yaw; angles (n,) -> camera_from_part (n, 4, 4)."""
    elevation, roll, yaw = camera
    eye = np.array([np.cos(elevation), 0, np.sin(elevation)])
    # unrolled camera that looks at the origin: x right, y down, z forward
    right, forward = np.array([0, 1.0, 0]), -eye
    base = np.stack([right, np.cross(forward, right), forward])
    rotation = _about_z(roll) @ _about_y(yaw) @ base
    poses = []
    for angle in angles:
        turn = _about_z(angle)
        poses.append(rigid(rotation @ turn, -rotation @ eye))
    return np.array(poses)


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _about_y(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1.0, 0], [-s, 0, c]])


def _guess(size: tuple[int, int]) -> np.ndarray:
    focal = 1.5 * max(size)
    return np.array([[focal, 0, size[1] / 2], [0, focal, size[0] / 2], [0, 0, 1.0]])


def triangulated(tracks: Tracks, poses: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(points, 3) by linear least squares, all points together."""
    rays = np.c_[(tracks.pixels - k[:2, 2]) / np.diag(k)[:2], np.ones(len(tracks.pixels))]
    rotation, shift = poses[tracks.view, :3, :3], poses[tracks.view, :3, 3]
    ways = np.einsum("nji,nj->ni", rotation, rays / np.linalg.norm(rays, axis=1, keepdims=True))
    return meeting(-np.einsum("nji,nj->ni", rotation, shift), ways, tracks.point, tracks.points)


def residuals(tracks: Tracks, poses: np.ndarray, points: np.ndarray, k: np.ndarray) -> np.ndarray:
    """(n, 2) pixels; a point behind its camera counts as far off."""
    local = np.einsum("nij,nj->ni", poses[tracks.view, :3, :3], points[tracks.point]) + poses[tracks.view, :3, 3]
    z = np.maximum(local[:, 2:], 1e-3)
    return local[:, :2] / z * np.diag(k)[:2] + k[:2, 2] - tracks.pixels


def _start(tracks: Tracks, angles: np.ndarray, k: np.ndarray, elevation: float) -> tuple[float, np.ndarray, np.ndarray]:
    """Cost, camera and angles of a start: the three angles fitted with the points triangulated anew each time."""

    def cost(camera: np.ndarray) -> np.ndarray:
        poses = poses_of(camera, angles)
        points = triangulated(tracks, poses, k)
        # steps far from the part make no difference
        return np.tanh(residuals(tracks, poses, np.clip(points, -1, 1), k) / 20).ravel()

    fit = least_squares(cost, [elevation, 0.0, 0.0], max_nfev=15, diff_step=1e-4)
    return float(fit.cost), fit.x, angles


def _refined(
    tracks: Tracks, camera: np.ndarray, k: np.ndarray, angles: np.ndarray, free_focal: bool, free_angles: bool
) -> Ring:
    points = triangulated(tracks, poses_of(camera, angles), k)
    told = angles
    for _ in range(3):  # each round leaves out what the last one did not explain
        camera, k, angles, points = _adjusted(tracks, camera, k, (angles, told), points, free_focal, free_angles)
        off = np.linalg.norm(residuals(tracks, poses_of(camera, angles), points, k), axis=1)
        good = off < max(3.0, 3 * float(np.median(off)))
        kept, total = _subset(tracks, good), len(tracks.point)
        if kept.points < 20 or good.all():
            break
        points = triangulated(kept, poses_of(camera, angles), k)
        share = np.count_nonzero(good) / total
        tracks = kept
        if share > 0.995:
            break
    off = np.linalg.norm(residuals(tracks, poses_of(camera, angles), points, k), axis=1)
    near = off < WORST_PX
    rms = float(np.sqrt(np.mean(off[near] ** 2))) if near.any() else float("inf")
    return Ring(poses_of(camera, angles), angles, float(k[0, 0]), rms, float(near.mean()), free_focal)


def _subset(tracks: Tracks, keep: np.ndarray) -> Tracks:
    """Observations kept, points with fewer than three views dropped and renumbered."""
    count = np.bincount(tracks.point[keep], minlength=tracks.points)
    keep = keep & (count >= 3)[tracks.point]
    _, point = np.unique(tracks.point[keep], return_inverse=True)
    return Tracks(point, tracks.view[keep], tracks.pixels[keep])


def _adjusted(
    tracks: Tracks,
    camera: np.ndarray,
    k: np.ndarray,
    turns: tuple[np.ndarray, np.ndarray],
    points: np.ndarray,
    free_focal: bool,
    free_angles: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Bundle adjustment of camera, focal length, angles and points, robust (soft L1 beyond a pixel). turns: the angles
    so far and the told ones."""
    angles, told = turns
    n_angles = len(angles) - 1 if free_angles else 0
    head = 3 + int(free_focal) + n_angles

    def unpack(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        kk = k.copy()
        if free_focal:
            kk[0, 0] = kk[1, 1] = k[0, 0] * np.exp(x[3])
        turned = angles.copy()
        if free_angles:
            turned[1:] += x[head - n_angles : head]
        return x[:3], kk, turned, x[head:].reshape(-1, 3)

    def cost(x: np.ndarray) -> np.ndarray:
        one, kk, turned, where = unpack(x)
        off = residuals(tracks, poses_of(one, turned), where, kk).ravel()
        return np.r_[off, (turned - told)[1:] * TRUST_PX_PER_RADIAN] if free_angles else off

    start = np.concatenate([camera, [0.0] * (head - 3), points.ravel()])
    fit = least_squares(
        cost,
        start,
        jac_sparsity=_sparsity(tracks, head, n_angles),
        loss="soft_l1",
        x_scale="jac",
        max_nfev=40,
        method="trf",
    )
    return unpack(fit.x)


def _sparsity(tracks: Tracks, head: int, n_angles: int) -> coo_matrix:
    n = len(tracks.point)
    rows, columns = [], []
    for axis in (0, 1):
        row = 2 * np.arange(n) + axis
        for column in range(head - n_angles):
            rows.append(row)
            columns.append(np.full(n, column))
        if n_angles:
            moving = tracks.view > 0
            rows.append(row[moving])
            columns.append(head - n_angles + tracks.view[moving] - 1)
        for axis3 in range(3):
            rows.append(row)
            columns.append(head + 3 * tracks.point + axis3)
    rows.append(2 * n + np.arange(n_angles))
    columns.append(head - n_angles + np.arange(n_angles))
    r, c = np.concatenate(rows), np.concatenate(columns)
    return coo_matrix((np.ones(len(r)), (r, c)), shape=(2 * n + n_angles, head + 3 * tracks.points))


def equal_steps(count: int, step: float | None) -> np.ndarray:
    """(n,) radians: by `step`, else a whole turn."""
    return np.arange(count) * (2 * np.pi / count if step is None else step)
