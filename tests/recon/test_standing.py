"""The table under a part: found where walls end on it, and left alone where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from recon.hull import carve, standing_hull
from recon.standing import SURE_VIEWS, seated, stands_flat, table_under, upwards
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


def fine(mesh: trimesh.Trimesh, edge: float = 0.002) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = trimesh.remesh.subdivide_to_size(np.array(mesh.vertices), np.array(mesh.faces), edge)
    merged = trimesh.Trimesh(vertices, faces)
    return np.array(merged.vertices, float), np.array(merged.faces)


def mushroom() -> trimesh.Trimesh:
    """A wide cap on a foot: its underside hangs over and does not reach the table."""
    foot, cap = trimesh.creation.box((0.02, 0.02, 0.02)), trimesh.creation.box((0.05, 0.05, 0.01))
    cap.apply_translation((0, 0, 0.015))
    return trimesh.boolean.union([foot, cap], engine="manifold")


def test_what_a_cut_hull_stands_on_is_flat_and_a_ball_is_not():
    capture = capture_of(trimesh.creation.box((0.04, 0.03, 0.02)))
    assert stands_flat(capture, *standing_hull(capture, RESOLUTION))
    hull = carve(capture, RESOLUTION)
    assert not stands_flat(capture, hull.vertices, hull.faces), "a cone is no flat underside"
    round_one = capture_of(trimesh.creation.icosphere(4, 0.02))
    assert not stands_flat(round_one, *standing_hull(round_one, RESOLUTION))


def test_what_hangs_over_has_no_say_in_whether_it_stands_flat():
    capped = fine(mushroom())
    capture = capture_of(mushroom())
    assert stands_flat(capture, *capped), "the cap's underside is five times the foot's"
    bowed = capped[0].copy()
    foot = bowed[:, 2] < -0.0099
    bowed[foot, 2] -= 0.4 * (0.0142 - np.linalg.norm(bowed[foot, :2], axis=1))
    assert not stands_flat(capture, bowed, capped[1]), "a cone under the foot"


def test_an_unseen_underside_is_laid_back_onto_the_table():
    made = mushroom()
    capture = capture_of(made)
    up = upwards(capture, np.array(made.vertices))
    vertices, faces = fine(made)
    height = vertices @ up
    low = height.min()
    across = np.linalg.norm(vertices - height[:, None] * up, axis=1)
    inner = (height < low + 1e-9) & (across < 0.009)
    hanging = (np.abs(height - (low + 0.02)) < 1e-9) & (across > 0.012)
    assert inner.sum() > 20 and hanging.sum() > 20
    dented = vertices + np.where(inner, 0.004 * np.cos(across / 0.009 * np.pi / 2), 0.0)[:, None] * up
    count = np.where(inner | hanging, 0, SURE_VIEWS)
    laid = seated(capture, dented, faces, count, flat=True)
    assert np.abs((laid @ up)[inner] - low).max() < 2e-4 < 0.003 < (dented @ up)[inner].max() - low
    assert np.array_equal(laid[~inner], dented[~inner]), "what hangs over stays, and so does what was seen"
    assert np.array_equal(seated(capture, dented, faces, count, flat=False), dented), "not asked to be flat"


def hanging_box() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A box with a block of hull under it that no view sees: vertices, faces, which vertices belong to the block."""
    body, below = trimesh.creation.box((0.04, 0.03, 0.02)), trimesh.creation.box((0.02, 0.015, 0.01))
    below.apply_translation((0, 0, -0.014))
    vertices, faces = fine(trimesh.boolean.union([body, below], engine="manifold"))
    return vertices, faces, vertices[:, 2] < -0.0101


def test_what_hangs_below_the_table_unseen_is_pushed_up_onto_it():
    vertices, faces, block = hanging_box()
    capture = capture_of(trimesh.creation.box((0.04, 0.03, 0.02)))
    up = upwards(capture, vertices)
    assert up @ (0, 0, 1) > 0.99 and block.sum() > 100
    count = np.where(block, 0, 9)
    raised = seated(capture, vertices, faces, count, flat=False)
    assert (raised @ up).min() == pytest.approx(-0.01, abs=1e-4) and (vertices @ up).min() < -0.018
    assert np.array_equal(raised[~block], vertices[~block])


@pytest.mark.parametrize("why", ["it was seen", "it hangs only a little", "no table is known"])
def test_what_hangs_below_stays_where(why):
    vertices, faces, block = hanging_box()
    capture = capture_of(trimesh.creation.box((0.04, 0.03, 0.02)))
    count = np.where(block, 0, 9)
    if why == "it was seen":
        count[:] = 9
    elif why == "it hangs only a little":
        vertices[block, 2] = -0.01 + (vertices[block, 2] + 0.01) * 0.2
    else:
        capture = replace(capture, sessions=(replace(capture.sessions[0], axis=None, axis_point=None),))
    assert np.array_equal(seated(capture, vertices, faces, count, flat=False), vertices)


@pytest.mark.parametrize("elevations", [(15.0, 45.0), (45.0,), (60.0,)])
def test_an_underside_stays_where_no_wall_ends_on_a_table(elevations):
    """A ball seen from high up is lost from sight where its sides are nearly upright: that is no wall on a table."""
    ball = trimesh.creation.icosphere(4, 0.02)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    capture = turntable(vertices, faces, 24, elevations_deg=elevations)
    ways = np.stack([v.centre - vertices for v in capture.training])
    cosine = np.einsum("vij,ij->vi", ways, vertices / 0.02) / np.linalg.norm(ways, axis=2)
    count = (cosine > np.cos(np.deg2rad(75))).sum(0)
    hanging = vertices - np.where((count == 0) & (vertices[:, 2] < 0), 0.01, 0.0)[:, None] * (0, 0, 1)
    assert np.array_equal(seated(capture, hanging, faces, count, flat=True), hanging)
    hull = carve(capture, RESOLUTION)
    assert table_under(capture, hull.vertices, hull.faces, hull.spacing) is None
