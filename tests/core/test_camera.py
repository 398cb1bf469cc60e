"""Projection and rays are inverses, poses are rigid, pixels have a size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.camera import Camera, as_matrix, look_at
from core.colour import linear_from_srgb, luminance, srgb_from_linear
from core.seeds import child


def camera(projection: str, seed: int) -> Camera:
    rng = child(seed, "camera")
    pose = look_at(rng.normal(size=3), rng.normal(size=3), np.array([0.0, 0.0, 1.0]))
    scale = 800.0 if projection == "perspective" else 5000.0
    return Camera(
        projection=projection, width=640, height=480, pixels_per_unit=scale, world_from_camera=as_matrix(pose)
    )  # type: ignore[arg-type]


@given(st.sampled_from(["perspective", "telecentric"]), st.integers(0, 500))
def test_a_point_on_a_pixels_ray_projects_to_the_pixel(projection: str, seed: int) -> None:
    view, rng = camera(projection, seed), child(seed, "pixels")
    pixels = rng.uniform(0, 1, (20, 2)) * (640, 480)
    origins, directions = view.rays(pixels)
    assert np.allclose(np.linalg.norm(directions, axis=1), 1)
    distance = rng.uniform(0.1, 2.0, (20, 1))
    again, z = view.project(origins + distance * directions)
    assert np.allclose(again, pixels, atol=1e-6)
    assert np.allclose(z, distance[:, 0] * (directions @ view.pose()[:3, 2]), atol=1e-9)


def test_x_is_right_and_y_is_down() -> None:
    pose = look_at(np.array([0, -1.0, 0]), np.zeros(3), np.array([0, 0, 1.0]))
    view = Camera(
        projection="perspective", width=100, height=100, pixels_per_unit=100, world_from_camera=as_matrix(pose)
    )
    pixels, z = view.project(np.array([[0.1, 0, 0], [0, 0, 0.1]]))
    assert np.allclose(pixels, [[60, 50], [50, 40]]) and np.allclose(z, 1)


def test_points_behind_have_no_pixel() -> None:
    view = camera("perspective", 1)
    behind = view.pose()[:3, 3] - view.pose()[:3, 2]
    pixels, z = view.project(behind[None])
    assert np.isnan(pixels).all() and z[0] == pytest.approx(-1)


@given(st.integers(0, 300))
def test_look_at_is_rigid_and_looks_there(seed: int) -> None:
    rng = child(seed, "look")
    eye, target = rng.normal(size=3), rng.normal(size=3)
    pose = look_at(eye, target, rng.normal(size=3))
    rotation = pose[:3, :3]
    assert np.allclose(rotation.T @ rotation, np.eye(3)) and np.linalg.det(rotation) == pytest.approx(1)
    ahead = rotation.T @ (target - eye)
    assert np.allclose(ahead[:2], 0, atol=1e-9) and ahead[2] > 0


def test_looking_along_up_still_gives_a_pose() -> None:
    pose = look_at(np.array([0, 0, 1.0]), np.zeros(3), np.array([0, 0, 1.0]))
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


def test_the_size_of_a_pixel() -> None:
    assert camera("perspective", 0).metres_per_pixel(0.4) == pytest.approx(0.4 / 800)
    assert camera("telecentric", 0).metres_per_pixel(0.4) == pytest.approx(1 / 5000)


def test_srgb_round_trip_and_known_values() -> None:
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    assert np.abs(linear_from_srgb(srgb_from_linear(x)) - x).max() < 1e-5
    assert np.allclose(srgb_from_linear(np.array([0.0, 0.0031308, 0.2140, 1.0])), [0, 0.04045, 0.5, 1], atol=2e-4)
    assert luminance(np.ones((2, 3))) == pytest.approx([1, 1])
