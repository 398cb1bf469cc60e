"""Cameras from a printed board of ChArUco corners or AprilTags that turns with the part: metric, no guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field, PositiveInt

from core.errors import InputError
from core.models import FileModel
from recon.capture.poses import rigid

FEWEST_CORNERS = 6
WORST_PX = 2.0
BEST_PX = 0.05
"""Corners are never taken to be better than this, in each direction."""
WORST_FOCAL_DOUBT = 0.04
"""Of `_focal_doubt`; it parts rings at 2 degrees of tilt from rings at 5. Measured with 48 corners over a third of 800
px, 12 and 24 photographs, 8 seeds, noise 0.05 / 0.15 / 0.3 px. True f 2000: 2 degrees at least 86 / 67 / 38 % (f off by
40 to 50 %), 5 degrees at most 1.0 / 3.0 / 6.5 %, 10 degrees 0.4 / 1.3 / 2.6 %. True f 1000: 2 degrees at least 2.6 (f
off by 4 %) / 6.8 / 12 %, 5 degrees at most 0.7 / 2.2 / 4.4 %. What is accepted is off by 3.3 doubts at most."""


class Board(FileModel):
    """A printed board on the table. squares: (columns, rows) of a ChArUco board's squares, or of a grid of tags.
    square_mm: a square's side; for tags, from one tag's edge to the next one's. marker_mm: the black border's side.
    dictionary: OpenCV's name, "DICT_5X5_100" or "DICT_APRILTAG_36h11"."""

    kind: Literal["charuco", "apriltag"] = "charuco"
    dictionary: str = "DICT_5X5_100"
    squares: tuple[PositiveInt, PositiveInt]
    square_mm: float = Field(gt=0)
    marker_mm: float = Field(gt=0)


@dataclass(frozen=True, eq=False)
class Sighting:
    """points: (n, 3) metres on the board, z = 0. pixels: (n, 2), pixel centres at integers as OpenCV has them."""

    points: np.ndarray
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class Posed:
    """intrinsics: (3, 3), pixel centres at 0.5. distortion: OpenCV's. poses: camera_from_part (n, 4, 4) metres, the
    part's +Z away from the table; None where the board was not seen. rms_px: reprojection error of all corners."""

    intrinsics: np.ndarray
    distortion: tuple[float, ...]
    poses: tuple[np.ndarray | None, ...]
    rms_px: float


def opencv_board(board: Board) -> Any:
    """OpenCV's object for it, in metres."""
    code = getattr(cv2.aruco, board.dictionary, None) if board.dictionary.startswith("DICT_") else None
    if code is None:
        raise InputError(f"board dictionary {board.dictionary!r}", "a name of OpenCV, as DICT_5X5_100", "correct it")
    if board.marker_mm >= board.square_mm:
        raise InputError(f"marker_mm {board.marker_mm}", f"less than square_mm {board.square_mm}", "measure the print")
    dictionary = cv2.aruco.getPredefinedDictionary(code)
    _room_for_markers(board, len(dictionary.bytesList))
    side, marker = board.square_mm / 1000, board.marker_mm / 1000
    if board.kind == "charuco":
        return cv2.aruco.CharucoBoard(board.squares, side, marker, dictionary)
    return cv2.aruco.GridBoard(board.squares, marker, side - marker, dictionary)


def _room_for_markers(board: Board, known: int) -> None:
    """A board has at least one inner corner, and its dictionary a marker for each of its places."""
    columns, rows = board.squares
    if board.kind == "charuco" and min(columns, rows) < 2:
        raise InputError(f"a charuco board of {columns} x {rows} squares", "at least 2 x 2", "correct board.squares")
    needed = columns * rows // 2 if board.kind == "charuco" else columns * rows
    if needed > known:
        given = f"a board of {columns} x {rows} squares with the {known} markers of {board.dictionary}"
        raise InputError(given, f"a dictionary of {needed} markers", "correct board.squares or board.dictionary")


def sight(board: Board, grey: np.ndarray) -> Sighting | None:
    """The board's corners in an 8 bit grey image; None where fewer than 6 are seen. The part may hide many.

    Tags are refined by their edges, which misses some in small images: there by their corners.
    """
    ways = ("charuco",) if board.kind == "charuco" else ("edges", "corners")
    found = [_sight(board, grey, way) for way in ways]
    if len(found) == 2 and found[0] and found[1] and len(found[0].points) < 0.7 * len(found[1].points):
        return found[1]
    return next((f for f in found if f is not None), None)


def _sight(board: Board, grey: np.ndarray, way: str) -> Sighting | None:
    points, pixels = _detected(opencv_board(board), grey, way)
    if len(points) < FEWEST_CORNERS:
        return None
    return Sighting(points, pixels - corner_origin(way))


def _detected(target: Any, grey: np.ndarray, way: str) -> tuple[np.ndarray, np.ndarray]:
    """Board points (n, 3) and their pixels (n, 2) as OpenCV reports them."""
    if way == "charuco":
        corners, ids, _, _ = cv2.aruco.CharucoDetector(target).detectBoard(grey)
    else:
        parameters = cv2.aruco.DetectorParameters()
        refine = {"edges": cv2.aruco.CORNER_REFINE_APRILTAG, "corners": cv2.aruco.CORNER_REFINE_SUBPIX}
        parameters.cornerRefinementMethod = refine[way]
        corners, ids, _ = cv2.aruco.ArucoDetector(target.getDictionary(), parameters).detectMarkers(grey)
    if ids is None or not len(ids):
        return np.zeros((0, 3)), np.zeros((0, 2))
    points, pixels = target.matchImagePoints(corners, ids)
    if points is None:
        return np.zeros((0, 3)), np.zeros((0, 2))
    return np.asarray(points, float).reshape(-1, 3), np.asarray(pixels, float).reshape(-1, 2)


@cache
def corner_origin(way: str) -> float:
    """Where this OpenCV has the centre of the first pixel, 0 or 0.5: its detectors differ, and so do its versions.
    Measured on a board drawn at a known place."""
    kind, dictionary = ("charuco", "DICT_5X5_100") if way == "charuco" else ("apriltag", "DICT_APRILTAG_36h11")
    target = opencv_board(Board(kind=kind, dictionary=dictionary, squares=(4, 4), square_mm=100, marker_mm=80))  # type: ignore[arg-type]
    side, margin = (400, 40) if way == "charuco" else (380, 40)
    drawn = target.generateImage((side + 2 * margin, side + 2 * margin), marginSize=margin)
    points, pixels = _detected(target, cv2.GaussianBlur(drawn, (0, 0), 1.0), way)
    if not len(points):
        raise InputError("OpenCV does not find a board that it drew itself", "OpenCV 4.7 or newer", "install another")
    return round(2 * float(np.median(pixels - (points[:, :2] * 1000 + margin - 0.5)))) / 2


def solve(
    sightings: Sequence[Sighting | None],
    size: tuple[int, int],
    intrinsics: np.ndarray | None = None,
    distortion: tuple[float, ...] = (),
) -> Posed:
    """Poses of all photographs of one camera. Without intrinsics they are calibrated from the same photographs: one
    focal length and two radial terms, and the principal point too where the tilt of the board varies by 10 degrees."""
    sightings = [s if s is not None and _fill_a_plane(s.points) else None for s in sightings]
    seen = [s for s in sightings if s is not None]
    if len(seen) < 4:
        raise InputError(
            f"the board is seen in {len(seen)} of {len(sightings)} photographs",
            "a board with at least 6 free corners, not in one row, in every photograph",
            "check kind, dictionary and squares, or print a larger board",
        )
    if intrinsics is None:
        k, coefficients = _calibrated(seen, size)
    else:
        k, coefficients = intrinsics.copy(), np.array(distortion or (0.0,) * 5)
        k[:2, 2] -= 0.5
    poses = [None if s is None else _pose(s, k, coefficients) for s in sightings]
    errors = [_errors(s, p, k, coefficients) for s, p in zip(sightings, poses, strict=True) if s and p]
    if not errors:
        raise InputError(
            f"the board's corners give no pose in any of {len(sightings)} photographs",
            "a flat board seen at a slant",
            "check squares and the focal length",
        )
    rms = float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))
    if not rms <= WORST_PX:
        raise InputError(
            f"the board's corners fit no camera (error {rms:.1f} px)",
            f"below {WORST_PX} px",
            "check squares and square_mm, that the print is flat, and the focal length",
        )
    k = k.copy()
    k[:2, 2] += 0.5
    upright = _upright([rigid(cv2.Rodrigues(p[0])[0], p[1].ravel()) for p in poses if p is not None])
    found = tuple(None if p is None else rigid(cv2.Rodrigues(p[0])[0], p[1].ravel()) @ upright for p in poses)
    return Posed(k, tuple(float(c) for c in coefficients.ravel()) if coefficients.any() else (), found, rms)


def _calibrated(seen: Sequence[Sighting], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    height, width = size
    guess = 1.3 * max(size)
    start = np.array([[guess, 0, (width - 1) / 2], [0, guess, (height - 1) / 2], [0, 0, 1.0]])
    points = [s.points.astype(np.float32) for s in seen]
    pixels = [s.pixels.astype(np.float32) for s in seen]
    fixed = cv2.CALIB_USE_INTRINSIC_GUESS | cv2.CALIB_FIX_ASPECT_RATIO | cv2.CALIB_ZERO_TANGENT_DIST | cv2.CALIB_FIX_K3
    zeros = np.zeros(5)
    flags = fixed | cv2.CALIB_FIX_PRINCIPAL_POINT
    try:
        found = cv2.calibrateCamera(points, pixels, (width, height), start, zeros, flags=flags)
    except cv2.error as e:
        given, do = "a board whose corners give no camera", "give focal_px in capture.yaml, or take other photographs"
        raise InputError(given, "its corners on no line of the image", do) from e
    tilts = [np.degrees(np.arccos(abs(cv2.Rodrigues(t)[0][2, 2]))) for t in found[3]]
    centred = np.ptp(tilts) <= 10
    if not centred:
        found = cv2.calibrateCamera(points, pixels, (width, height), found[1], found[2], flags=fixed)
    _, k, coefficients, turns, shifts = found
    doubt = _focal_doubt(seen, k, coefficients, list(zip(turns, shifts, strict=True)), centred)
    if not doubt <= WORST_FOCAL_DOUBT:
        raise InputError(
            f"a board seen so that its focal length, {k[0, 0]:.0f} px, may be {100 * min(doubt, 1):.1f} % off or more",
            f"one determined to {100 * WORST_FOCAL_DOUBT:.0f} %",
            "give focal_px in capture.yaml, or tilt the camera against the board",
        )
    return k, coefficients


def _focal_doubt(
    seen: Sequence[Sighting],
    k: np.ndarray,
    coefficients: np.ndarray,
    poses: Sequence[tuple[np.ndarray, np.ndarray]],
    centred: bool,
) -> float:
    """Relative standard deviation of a calibrated focal length, with the Gauss-Newton step still to go added in square.
    centred: the principal point was held.

    OpenCV's own (calibrateCameraExtended) inverts with small singular values left out and tells 0 where nothing
    determines the focal length; its solver stops short there for the same reason. Here: the norm of what no other
    unknown explains of the pixels' derivative by log f.
    """
    columns, left = [], []
    for s, pose in zip(seen, poses, strict=True):
        projected, by = cv2.projectPoints(s.points, *pose, k, coefficients)
        if not (np.isfinite(projected).all() and np.isfinite(by).all()):
            return np.inf
        left.append((s.pixels - projected.reshape(-1, 2)).ravel())
        # OpenCV's order: turn 0:3, shift 3:6, focal lengths 6:8, principal point 8:10, distortion from 10
        shared = np.c_[by[:, 6:8] @ k.diagonal()[:2], by[:, 10:12], by[:, 8 : 8 if centred else 10]]
        columns.append(_unexplained(shared, by[:, :6]))
    stacked, residual = np.concatenate(columns), np.concatenate(left)
    own = _unexplained(stacked[:, :1], stacked[:, 1:])[:, 0]
    spare = len(residual) - 6 * len(seen) - stacked.shape[1]
    variance = max(float(residual @ residual) / spare, BEST_PX**2)
    strength = max(float(own @ own), 1e-300)
    return float(np.sqrt(variance / strength + (own @ residual / strength) ** 2))


def _unexplained(columns: np.ndarray, by: np.ndarray) -> np.ndarray:
    """(n, m) columns less their projection on the columns `by` (n, k)."""
    scaled = by / np.maximum(np.linalg.norm(by, axis=0), 1e-300)
    return columns - scaled @ np.linalg.lstsq(scaled, columns, rcond=None)[0]


def _pose(s: Sighting, k: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Of the two poses that a plane allows, the better one, refined; corners that are off are left aside (a part or a
    shadow that cuts through a square moves its corner). None where the corners give no finite pose."""
    _, turns, shifts, _ = cv2.solvePnPGeneric(s.points, s.pixels, k, coefficients, flags=cv2.SOLVEPNP_IPPE)
    both = [p for p in zip(turns, shifts, strict=True) if np.isfinite(p).all()]
    if not both:
        return None
    start = min(both, key=lambda p: np.linalg.norm(_errors(s, p, k, coefficients)))
    pose = cv2.solvePnPRefineLM(s.points, s.pixels, k, coefficients, *start)
    off = _errors(s, pose, k, coefficients)
    good = off <= max(0.5, 3 * float(np.median(off)))
    if not good.all() and np.count_nonzero(good) >= FEWEST_CORNERS and _fill_a_plane(s.points[good]):
        pose = cv2.solvePnPRefineLM(s.points[good], s.pixels[good], k, coefficients, *pose)
    return pose if np.isfinite(pose).all() else None


def _fill_a_plane(points: np.ndarray) -> bool:
    """Whether corners (n, 3) of a board give a pose: whichever is left out, the others are no row (1 % of it off)."""
    rest = [np.delete(points, i, axis=0) for i in range(len(points))]
    spreads = [np.linalg.svd(r - r.mean(0), compute_uv=False) for r in rest]
    return all(s[1] > 0.01 * s[0] for s in spreads)


def _errors(s: Sighting, pose: tuple[np.ndarray, np.ndarray], k: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    found = cv2.projectPoints(s.points, pose[0], pose[1], k, coefficients)[0].reshape(-1, 2)
    return np.linalg.norm(found - s.pixels, axis=1)


def _upright(poses: Sequence[np.ndarray]) -> np.ndarray:
    """(4, 4) board_from_part: half a turn about x where the cameras are on the side of the board's -z."""
    heights = [(-p[:3, :3].T @ p[:3, 3])[2] for p in poses]
    return np.diag([1.0, -1, -1, 1]) if np.median(heights) < 0 else np.eye(4)
