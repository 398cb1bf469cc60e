"""The table under a part: found where walls end on it, and left alone where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from recon.hull import carve, standing_hull
from recon.standing import table_under
from tests.recon.turntables import turntable

RESOLUTION = 64


def capture_of(mesh: trimesh.Trimesh):
    return turntable(np.array(mesh.vertices), np.array(mesh.faces), 24)


def bottom(mesh: tuple[np.ndarray, np.ndarray], up: np.ndarray) -> float:
    return float((mesh[0] @ up).min())


@pytest.mark.parametrize("shape", ["box", "cylinder"])
def test_the_cone_below_a_standing_part_is_cut_off(shape):
    made = {
        "box": trimesh.creation.box((0.04, 0.03, 0.02)),
        "cylinder": trimesh.creation.cylinder(0.02, 0.025, sections=64),
    }[shape]
    capture = capture_of(made)
    hull = carve(capture, RESOLUTION)
    up = capture.sessions[0].axis
    true = float((np.array(made.vertices) @ up).min())
    assert bottom((hull.vertices, hull.faces), up) < true - 4 * hull.spacing, "no cone: nothing is tested"
    stood = standing_hull(capture, RESOLUTION)
    assert true - 1.5 * hull.spacing < bottom(stood, up) < true + 0.5 * hull.spacing
    cut = trimesh.Trimesh(*stood, process=False)
    assert cut.is_watertight and cut.volume < trimesh.Trimesh(hull.vertices, hull.faces, process=False).volume


def test_a_ball_has_no_end_to_its_walls():
    capture = capture_of(trimesh.creation.icosphere(4, 0.02))
    hull = carve(capture, RESOLUTION)
    assert table_under(capture, hull.vertices, hull.faces, hull.spacing) is None


def test_an_axis_that_points_down_says_the_same():
    made = trimesh.creation.box((0.04, 0.03, 0.02))
    capture = capture_of(made)
    hull = carve(capture, RESOLUTION)
    there = table_under(capture, hull.vertices, hull.faces, hull.spacing)
    turned = replace(capture, sessions=(replace(capture.sessions[0], axis=-capture.sessions[0].axis),))
    again = table_under(turned, hull.vertices, hull.faces, hull.spacing)
    assert there is not None and again is not None
    assert np.allclose(there.normal, again.normal) and there.height == pytest.approx(again.height)


@pytest.mark.parametrize("why", ["two sessions", "nothing turned", "cameras below it too"])
def test_no_table_is_claimed_without_one(why):
    capture = capture_of(trimesh.creation.box((0.04, 0.03, 0.02)))
    hull = carve(capture, RESOLUTION)
    session = capture.sessions[0]
    if why == "two sessions":
        capture = replace(capture, sessions=(session, replace(session, name="flipped")))
    elif why == "nothing turned":
        capture = replace(capture, sessions=(replace(session, axis=None, axis_point=None),))
    else:
        down = np.diag([1.0, -1.0, -1.0, 1.0])
        views = [
            replace(v, camera_from_part=v.camera_from_part @ down) if i % 2 else v for i, v in enumerate(capture.views)
        ]
        capture = capture.with_views(views)
    assert table_under(capture, hull.vertices, hull.faces, hull.spacing) is None
