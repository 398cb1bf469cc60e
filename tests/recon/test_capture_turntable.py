"""Poses from boards that are drawn here, and from tracks of known points."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.camera import look_at
from core.errors import InputError
from recon.capture.boards import Board, opencv_board, sight, solve
from recon.capture.turntable import Tracks, equal_steps
from recon.capture.turntable import solve as solve_ring

SIZE = (600, 800)
CHARUCO = Board(squares=(9, 7), square_mm=12, marker_mm=9)
TAGS = Board(kind="apriltag", dictionary="DICT_APRILTAG_36h11", squares=(6, 5), square_mm=18, marker_mm=13)
K = np.array([[1100.0, 0, 403.0], [0, 1100.0, 297.0], [0, 0, 1.0]])


def cameras(count: int, elevations_deg: tuple[float, ...], centre: np.ndarray, away: float) -> list[np.ndarray]:
    """camera_from_part of a ring or rings round a point, +Z up."""
    found = []
    for i in range(count):
        rise, turn = np.deg2rad(elevations_deg[i * len(elevations_deg) // count]), 2 * np.pi * i / count + 0.1
        eye = centre + away * np.array([np.cos(rise) * np.cos(turn), np.cos(rise) * np.sin(turn), np.sin(rise)])
        found.append(np.linalg.inv(look_at(eye, centre, np.array([0, 0, 1.0]))))
    return found


def draw(board: Board, pose: np.ndarray, hide: bool = True) -> np.ndarray:
    """An 8 bit photograph of the board, the part's frame being the board's turned to +Z up; a disc hides its middle."""
    columns, rows = board.squares
    margin = 20
    gap = 0.0 if board.kind == "charuco" else board.square_mm - board.marker_mm
    length, breadth = columns * board.square_mm - gap, rows * board.square_mm - gap
    wide, high = round(8 * length), round(8 * breadth)
    flat = opencv_board(board).generateImage((wide + 2 * margin, high + 2 * margin), marginSize=margin)
    metres = length / 1000 / wide
    # texture pixel (centres at 0.5) -> board, metres -> camera
    to_board = np.array([[metres, 0, -margin * metres], [0, metres, -margin * metres], [0, 0, 1.0]])
    board_pose = pose @ np.diag([1.0, -1, -1, 1])
    homography = K @ np.c_[board_pose[:3, :2], board_pose[:3, 3]] @ to_board
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    fine = np.diag([2.0, 2, 1]) @ homography
    picture = cv2.warpPerspective(
        flat, np.linalg.inv(half) @ fine @ half, (2 * SIZE[1], 2 * SIZE[0]), flags=cv2.INTER_AREA, borderValue=(200,)
    )
    picture = cv2.resize(picture, (SIZE[1], SIZE[0]), interpolation=cv2.INTER_AREA)
    if hide:
        middle = np.array([columns, rows]) * board.square_mm / 2000
        at = K @ (board_pose[:3, :3] @ [*middle, 0] + board_pose[:3, 3])
        cv2.circle(picture, (int(at[0] / at[2]), int(at[1] / at[2])), 70, (90,), -1)
    return picture


def _middle(board: Board) -> np.ndarray:
    columns, rows = board.squares
    return np.array([columns * board.square_mm / 2000, -rows * board.square_mm / 2000, 0.0])


@pytest.mark.parametrize("board", [CHARUCO, TAGS], ids=["charuco", "apriltag"])
def test_board_gives_metric_poses(board: Board) -> None:
    truth = cameras(8, (35.0,), _middle(board), 0.3)
    sightings = [sight(board, draw(board, p)) for p in truth]
    assert all(s is not None and len(s.points) >= 12 for s in sightings)
    found = solve(sightings, SIZE, K)
    assert found.rms_px < 0.3
    for a, b in zip(found.poses, truth, strict=True):
        assert a is not None
        turn = np.arccos(np.clip((np.trace(a[:3, :3] @ b[:3, :3].T) - 1) / 2, -1, 1))
        assert np.degrees(turn) < 0.2
        assert np.linalg.norm(np.linalg.inv(a)[:3, 3] - np.linalg.inv(b)[:3, 3]) < 0.0015


def test_board_calibrates_the_camera() -> None:
    truth = cameras(14, (30.0, 60.0), _middle(CHARUCO), 0.3)
    found = solve([sight(CHARUCO, draw(CHARUCO, p)) for p in truth], SIZE)
    assert found.intrinsics[0, 0] == pytest.approx(1100, rel=0.01)
    np.testing.assert_allclose(found.intrinsics[:2, 2], K[:2, 2], atol=6)


def test_board_that_is_not_there() -> None:
    blank = np.full(SIZE, 128, np.uint8)
    with pytest.raises(InputError, match="board is seen in 0 of 5"):
        solve([sight(CHARUCO, blank)] * 5, SIZE)
    with pytest.raises(InputError, match="dictionary"):
        sight(CHARUCO.model_copy(update={"dictionary": "DICT_NONE"}), blank)


def tracks(
    rng: np.random.Generator, count: int, elevation_deg: float, noise: float, wild: float = 0.0
) -> tuple[Tracks, np.ndarray]:
    """Points on a bumpy barrel, each seen by the cameras that face it; `wild` is the share of wrong matches."""
    angles = rng.uniform(0, 2 * np.pi, 150)
    points = np.c_[0.14 * np.cos(angles), 0.14 * np.sin(angles), rng.uniform(-0.12, 0.12, 150)]
    points *= rng.uniform(0.7, 1.1, (150, 1))
    poses = cameras(count, (elevation_deg,), np.array([0.01, -0.02, 0]), 1.0)
    # the table turns, the camera stands: the same poses seen from a part that turned the other way
    steps = np.array([2 * np.pi * i / count for i in range(count)])
    fixed = poses[0]
    turned = [fixed @ _turn(s) for s in steps]
    point, view, pixels = [], [], []
    for v, pose in enumerate(turned):
        local = points @ pose[:3, :3].T + pose[:3, 3]
        eye = -pose[:3, :3].T @ pose[:3, 3]
        facing = ((eye - points)[:, :2] * points[:, :2]).sum(1) > 0
        pixel = (local @ K.T)[:, :2] / local[:, 2:]
        for p in np.flatnonzero(facing):
            point.append(p)
            view.append(v)
            pixels.append(pixel[p] + rng.normal(0, noise, 2) + (rng.uniform(-60, 60, 2) if rng.random() < wild else 0))
    return Tracks(np.array(point), np.array(view), np.array(pixels)), np.array(turned)


def _turn(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def apart(found: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference, degrees, between the relative rotations of all views to the first."""
    a = found[:, :3, :3] @ found[0, :3, :3].T
    b = truth[:, :3, :3] @ truth[0, :3, :3].T
    cosine = (np.einsum("nij,nij->n", a, b) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max())


@pytest.mark.parametrize("elevation_deg", [10.0, 40.0])
def test_ring_from_tracks(rng: np.random.Generator, elevation_deg: float) -> None:
    seen, truth = tracks(rng, 24, elevation_deg, 0.4)
    ring = solve_ring(seen, equal_steps(24, None), SIZE, K)
    assert ring.rms_px < 0.8 and ring.inliers > 0.98
    assert apart(ring.poses, truth) < 0.15
    height = np.linalg.inv(ring.poses[0])[2, 3]
    assert np.degrees(np.arcsin(height)) == pytest.approx(elevation_deg, abs=1.0)


def test_ring_in_the_other_sense(rng: np.random.Generator) -> None:
    seen, truth = tracks(rng, 24, 25.0, 0.4)
    backwards = Tracks(seen.point, 23 - seen.view, seen.pixels)
    ring = solve_ring(backwards, equal_steps(24, None), SIZE, K)
    assert apart(ring.poses[::-1], truth) < 0.15


def test_ring_survives_wrong_matches_and_uneven_steps(rng: np.random.Generator) -> None:
    seen, truth = tracks(rng, 24, 25.0, 0.4, wild=0.08)
    told = equal_steps(24, None) + rng.normal(0, np.deg2rad(0.6), 24)
    ring = solve_ring(seen, told, SIZE, K, free_angles=True)
    assert apart(ring.poses, truth) < 0.3


def test_few_or_wild_points_are_refused(rng: np.random.Generator) -> None:
    seen, _ = tracks(rng, 24, 25.0, 0.4)
    few = seen.point < 10
    with pytest.raises(InputError, match="10 points"):
        solve_ring(Tracks(seen.point[few], seen.view[few], seen.pixels[few]), equal_steps(24, None), SIZE, K)
    wild = Tracks(seen.point, seen.view, rng.uniform(0, 600, seen.pixels.shape))
    with pytest.raises(InputError, match="no turntable"):
        solve_ring(wild, equal_steps(24, None), SIZE, K, elevation=0.3)
