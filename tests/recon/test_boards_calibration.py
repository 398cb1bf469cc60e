"""What a board does not determine is refused: a focal length from overhead, a pose from a row of corners."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from core.camera import look_at
from core.errors import InputError
from recon.capture.boards import Posed, Sighting, _calibrated, _focal_doubt, solve

SIZE = (600, 800)
GRID = np.array([[0.012 * x, 0.012 * y, 0.0] for y in range(6) for x in range(8)])
ROW = GRID[:7]
K = np.array([[1000.0, 0, 400], [0, 1000.0, 300], [0, 0, 1]])


def seen(
    rng: np.random.Generator,
    tilt_deg: float,
    turn_deg: float,
    noise_px: float,
    points: np.ndarray = GRID,
    focal_px: float = 1000.0,
    away_m: float = 0.35,
) -> Sighting:
    """The corners from a camera that looks at the grid's middle, `tilt_deg` from straight above."""
    t, a = np.deg2rad(tilt_deg), np.deg2rad(turn_deg)
    out = np.array([np.cos(a), np.sin(a), 0.0])
    eye = GRID.mean(0) + away_m * (np.sin(t) * out + [0, 0, np.cos(t)])
    pose = np.linalg.inv(look_at(eye, GRID.mean(0), np.sin(t) * np.array([0, 0, 1.0]) - np.cos(t) * out))
    local = points @ pose[:3, :3].T + pose[:3, 3]
    pixels = focal_px * local[:, :2] / local[:, 2:] + [399.5, 299.5]
    return Sighting(points, pixels + rng.normal(0, noise_px, pixels.shape))


def ring(rng: np.random.Generator, tilt_deg: float, noise_px: float, count: int = 12) -> list[Sighting]:
    """Photographs from 0.7 m by a long lens, f 2000 px: nearly parallel rays."""
    turns = 360 * np.arange(count) / count
    return [seen(rng, tilt_deg, a, noise_px, focal_px=2000.0, away_m=0.7) for a in turns]


def around(rng: np.random.Generator, noise_px: float = 0.1) -> list[Sighting]:
    return [seen(rng, 60, a, noise_px) for a in range(0, 360, 45)]


@pytest.mark.parametrize("noise_px", [0.0, 0.02, 0.15, 0.5])
@pytest.mark.parametrize("tilt_deg", [0.0, 2.0, 3.0])
def test_a_focal_length_that_nothing_determines(rng: np.random.Generator, tilt_deg: float, noise_px: float) -> None:
    for _ in range(3):
        photographs = ring(rng, tilt_deg, noise_px)
        with pytest.raises(InputError, match=r"focal length.*give focal_px in capture\.yaml, or tilt the camera"):
            solve(photographs, SIZE)


def test_overhead_with_the_focal_length_given(rng: np.random.Generator) -> None:
    found = solve(ring(rng, 0, 0.15), SIZE, np.diag([2.0, 2, 1]) @ K - [[0, 0, 400], [0, 0, 300], [0, 0, 0]])
    heights = [np.linalg.inv(p)[2, 3] for p in found.poses if p is not None]
    assert np.median(heights) == pytest.approx(0.7, rel=0.002)


@pytest.mark.parametrize(("tilt_deg", "noise_px"), [(5.0, 0.05), (5.0, 0.15), (10.0, 0.3), (20.0, 0.5)])
def test_a_focal_length_from_a_slant(rng: np.random.Generator, tilt_deg: float, noise_px: float) -> None:
    for _ in range(3):
        found = solve(ring(rng, tilt_deg, noise_px), SIZE)
        assert found.intrinsics[0, 0] == pytest.approx(2000, rel=0.1)


@pytest.mark.parametrize("tilts_deg", [(30.0, 30.0), (15.0, 50.0)], ids=["held centre", "free centre"])
def test_doubt_is_the_scatter(rng: np.random.Generator, tilts_deg: tuple[float, float]) -> None:
    errors, doubts = [], []
    for _ in range(24):
        photographs = [seen(rng, tilts_deg[i % 2], 30 * i, 0.2) for i in range(12)]
        k, coefficients = _calibrated(photographs, SIZE)
        poses = [_refined(s, k, coefficients) for s in photographs]
        doubts.append(_focal_doubt(photographs, k, coefficients, poses, centred=tilts_deg[0] == tilts_deg[1]))
        errors.append(k[0, 0] / 1000 - 1)
    assert 0.7 < np.sqrt(np.mean(np.square(errors))) / np.mean(doubts) < 1.4


def _refined(s: Sighting, k: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, turn, shift = cv2.solvePnP(s.points, s.pixels, k, coefficients, flags=cv2.SOLVEPNP_ITERATIVE)
    return cv2.solvePnPRefineLM(s.points, s.pixels, k, coefficients, turn, shift)


def _places(found: Posed, expected: Sequence[bool]) -> None:
    """Poses where expected, finite and on the ring; None elsewhere."""
    assert [p is not None for p in found.poses] == list(expected)
    for pose in found.poses:
        if pose is not None:
            eye = np.linalg.inv(pose)[:3, 3]
            assert np.linalg.norm(eye - GRID.mean(0)) == pytest.approx(0.35, abs=0.003)


@pytest.mark.parametrize("noise_px", [0.0, 0.1])
@pytest.mark.parametrize(
    "points",
    [ROW, np.r_[ROW, GRID[10:11]], ROW[:, [1, 0, 2]], GRID[[0, 9, 18, 27, 36, 45]]],
    ids=["row", "row and one", "column", "diagonal"],
)
@pytest.mark.parametrize("calibrated", [False, True])
def test_a_row_of_corners_has_no_pose(
    rng: np.random.Generator, points: np.ndarray, noise_px: float, calibrated: bool
) -> None:
    photographs = [*around(rng), seen(rng, 60, 20, noise_px, points)]
    found = solve(photographs, SIZE, K if calibrated else None)
    assert found.rms_px < 0.2
    _places(found, [True] * 8 + [False])


def test_two_rows_have_a_pose(rng: np.random.Generator) -> None:
    two = GRID[np.r_[:7, 8:15]]
    _places(solve([*around(rng), seen(rng, 60, 20, 0.05, two)], SIZE, K), [True] * 9)


def test_a_row_is_what_is_left_of_good_corners(rng: np.random.Generator) -> None:
    """The corners that are off are all that is not in the row: they stay."""
    s = seen(rng, 60, 20, 0.0, np.r_[ROW, GRID[8:10]])
    s.pixels[7:] += [3.0, -2.0]
    found = solve([*around(rng), s], SIZE, K)
    assert found.poses[8] is None or np.isfinite(found.poses[8]).all()
    assert np.isfinite(found.rms_px)


@pytest.mark.parametrize("calibrated", [False, True])
def test_nothing_but_rows(rng: np.random.Generator, calibrated: bool) -> None:
    with pytest.raises(InputError, match=r"board is seen in 0 of 8 photographs.*not in one row"):
        solve([seen(rng, 60, a, 0.1, ROW) for a in range(0, 360, 45)], SIZE, K if calibrated else None)


def test_no_pose_is_left() -> None:
    point = Sighting(GRID, np.full((len(GRID), 2), 300.0))
    with pytest.raises(InputError, match="no pose in any of 5 photographs"):
        solve([point] * 5, SIZE, K)
    with pytest.raises(InputError, match="give no camera"):
        solve([point] * 5, SIZE)
