"""Blender's light against formulas. One child process renders everything."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from core import seeds
from core.camera import Camera, as_matrix, look_at
from scenes import backdrops, library
from scenes.draw import Draw

pytestmark = pytest.mark.render
ROOT = Path(__file__).resolve().parents[2]
ALBEDO, RADIANCE = 0.5, 10.0


def _cameras() -> list[Camera]:
    pose = as_matrix(look_at(np.array([0.2, -0.3, 0.6]), np.array([0.02, 0.01, 0.1]), np.array([0.1, 0.2, 1.0])))
    return [
        Camera(projection="perspective", width=20, height=14, pixels_per_unit=31.0, world_from_camera=pose),
        Camera(projection="telecentric", width=14, height=20, pixels_per_unit=120.0, world_from_camera=pose),
    ]


def _backdrops() -> list[dict]:
    points = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (-0.025, 0.025) for z in (0.0, 0.02)])
    specs = library.load_backdrops()
    made = [backdrops.build(s, points, 0.15, 1.0, Draw(seeds.child(3, n))) for n, s in specs.items()]
    return [b.model_dump(mode="json") for b in made]


@pytest.fixture(scope="module")
def seen() -> dict:
    ask = {"cameras": [c.model_dump(mode="json") for c in _cameras()], "backdrops": _backdrops()}
    done = subprocess.run(
        [sys.executable, "-m", "tests.scenes.probe"], input=json.dumps(ask), capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def _parallel_rect(x: float, y: float, h: float) -> float:
    """Configuration factor of a patch under the centre of a parallel rectangle (four corner factors, Howell B-3)."""
    a, b = x / 2 / h, y / 2 / h
    p, q = math.sqrt(1 + a * a), math.sqrt(1 + b * b)
    return 4 / (2 * math.pi) * (a / p * math.atan(b / p) + b / q * math.atan(a / q))


def _disk(radius: float, h: float = 0.1) -> float:
    return radius**2 / (radius**2 + h**2)


def test_radiance_is_exact(seen: dict) -> None:
    half, aside = math.tan(math.radians(30)), math.hypot(0.1, 0.02)
    small = math.pi * 1e-3**2 / math.pi  # area over pi
    gap = math.asin(0.12)
    expected = {
        "rect": _parallel_rect(0.1, 0.06, 0.1),
        "rect_mesh": _parallel_rect(0.1, 0.06, 0.1),
        "rect_visible": _parallel_rect(0.1, 0.06, 0.1),
        "disk": _disk(0.05),
        "ring": _disk(0.1) - _disk(0.08),
        "ring_half_dead": (_disk(0.1) - _disk(0.08)) / 2,
        "dome": 1 - 0.2**2,
        "tunnel": 1 - math.sin(gap),
        "point": 0.01**2 / 0.1**2,
        "narrow_area": small / 0.1**2,
        "narrow_mesh": small / 0.1**2,
        "narrow_aside_area": small * (0.1 / aside) ** 2 / aside**2 * (1 - 0.2 / half),
        "narrow_aside_mesh": small * (0.1 / aside) ** 2 / aside**2 * (1 - 0.2 / half),
    }
    assert set(expected) == set(seen["radiance"])
    for name, factor in expected.items():
        assert seen["radiance"][name] == pytest.approx(ALBEDO * RADIANCE * factor, rel=0.02), name


def test_ring_and_dome_are_symmetrical(seen: dict) -> None:
    for name, sides in seen["symmetry"].items():
        assert min(sides) > 0, name
        assert max(sides) / min(sides) < 1.02, name


def test_pixel_centres_see_what_project_says(seen: dict) -> None:
    for camera, shown in zip(_cameras(), seen["positions"], strict=True):
        world = np.array(shown)
        rows, columns = np.mgrid[: camera.height, : camera.width] + 0.5
        pixels, _ = camera.project(world.reshape(-1, 3))
        off = np.abs(pixels - np.stack([columns, rows], axis=2).reshape(-1, 2))
        assert off.max() < 0.01, camera.projection


def test_telecentric_scale_does_not_depend_on_depth(seen: dict) -> None:
    camera = _cameras()[1]
    world = np.array(seen["positions"][1])
    right = np.array(camera.pose()[:3, 0])
    assert np.ptp(world @ camera.pose()[:3, 2]) > 0.03  # the plane does slant
    assert np.diff(world @ right, axis=1) == pytest.approx(1 / 120.0, rel=2e-3)


def test_telecentric_depth_of_field(seen: dict) -> None:
    for focus, radius in zip((0.18, 0.22), seen["blur"], strict=True):
        assert radius == pytest.approx(0.05 * abs(0.2 - focus) * 4800, rel=0.1)


def test_environment_turns_with_its_pose(seen: dict) -> None:
    still, both, lamp_only = (np.array(v) for v in seen["turn"])
    assert both == pytest.approx(still, rel=0.01)
    assert np.abs(lamp_only / still - 1).max() > 0.05


def test_coaxial_lamp_is_a_mirror_image_on_flats(seen: dict) -> None:
    square, tilted = seen["mirror"]
    assert square > 0.5 * 0.6 * RADIANCE
    assert tilted < 0.05 * square


def test_backdrops_are_camera_visible_meshes_that_stay_out_of_the_part(seen: dict) -> None:
    for name, found in zip(library.load_backdrops(), seen["scenery"], strict=True):
        assert (name == "void") == (not found["types"])
        assert all(t == "MESH" for t in found["types"]) and all(found["visible"])
        assert all(top <= 1e-6 for top in found["tops"]), name
