"""Markers that stay on a part: where nothing else tells how it was put back, their corners do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from recon.capture.model import Capture
from recon.merge import merge_sessions
from recon.merge.coherence import Pose
from recon.merge.markers import Marker, fitted, landmarks, ties
from recon.merge.register import register
from recon.merge.seating import seating
from tests.recon.seatings import both, marked, off, put, session
from tests.recon.turntables import photograph

SIZE, VIEWS = (384, 512), 12
TAG = "DICT_APRILTAG_36h11"
PIXEL = 1e-4
UP = np.array([0.0, 0.0, 1.0])


def on_side(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, right and up of a sticker on one of the sides of `prism`."""
    turn = Rotation.from_euler("z", 60 * number + 30, degrees=True).as_matrix()
    return turn @ np.array([0.02 * np.cos(np.pi / 6), 0, 0.009]), turn @ np.array([0.0, 1, 0]), UP


def prism() -> trimesh.Trimesh:
    """Six sides, alike in twelve ways."""
    mesh = trimesh.creation.cylinder(radius=0.02, height=0.018, sections=6)
    mesh.apply_translation([0, 0, 0.009])
    return mesh


def photographed(pose: np.ndarray, name: str, number: int, sides: dict[int, int]) -> Capture:
    """sides: number of a tag -> side that it is on."""
    mesh, paint = marked(prism(), {tag: on_side(side) for tag, side in sides.items()})
    return session(mesh, pose, name, number, VIEWS, paint=paint, size=SIZE)


TURNED = put(yaw=2.0)


@pytest.fixture(scope="module")
def pair() -> tuple[Capture, Capture]:
    return photographed(np.eye(4), "1", 0, {3: 0, 7: 2}), photographed(TURNED, "2", 1, {3: 0, 7: 2})


def test_corners_are_where_they_are(pair) -> None:
    """Their middle to a fifth of a pixel, which is 0.16 mm, each to one: dark squares look smaller than they are."""
    for capture, pose in zip(pair, (np.eye(4), TURNED), strict=True):
        found = landmarks(capture.views)
        assert set(found) == {(TAG, 3), (TAG, 7)}
        for (_, tag), corners in found.items():
            middle, right, up = on_side({3: 0, 7: 2}[tag])
            square = 0.005 * np.array([[-1, 1], [1, 1], [1, -1], [-1, -1]])
            truth = trimesh.transform_points(middle + square @ np.stack([right, up]), pose)
            assert np.linalg.norm(corners.mean(0) - truth.mean(0)) < 3e-5
            assert np.linalg.norm(corners - truth, axis=1).max() < 1.5e-4


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_a_prism_is_put_back_as_it_was_turned(pair, scale: float) -> None:
    """Its outlines fit in twelve ways. Also where the second session has a unit of its own."""
    first, other = pair
    if scale != 1:
        views = []
        for view in other.views:
            pose = view.camera_from_part.copy()
            pose[:3, 3] *= scale
            views.append(replace(view, camera_from_part=pose))
        table = replace(other.sessions[0], axis_point=scale * np.asarray(other.sessions[0].axis_point))
        other = replace(other, views=tuple(views), sessions=(table,))
    capture = replace(both(first, other), metric=scale == 1)
    merged, report = merge_sessions(capture)
    assert report is not None
    (joined,) = report.joined
    assert (joined.chosen_by, joined.markers, joined.turns) == ("markers", 2, 1)
    assert "2 markers on the part" in joined.notes[0]
    truth = np.diag([scale, scale, scale, 1]) @ TURNED
    angle, share = off(np.array(joined.session_from_part), truth, prism())
    assert angle < 0.15 and share < 0.3  # a pixel is 0.3 % of the diagonal
    again, none = merge_sessions(merged)
    assert again is merged and none is None


def test_without_markers_nothing_tells() -> None:
    plain = both(photographed(np.eye(4), "1", 0, {}), photographed(TURNED, "2", 1, {}))
    _, report = merge_sessions(plain)
    assert report is not None and report.joined[0].turns > 1 and report.joined[0].chosen_by == "nothing"


def test_sessions_that_look_like_one_frame_are_told_apart_by_a_marker() -> None:
    """A turn by a side: every outline is the same as before."""
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 60, degrees=True).as_matrix()
    _, report = merge_sessions(both(photographed(np.eye(4), "1", 0, {3: 0}), photographed(turned, "2", 1, {3: 0})))
    assert report is not None and report.joined[0].markers == 1
    assert off(np.array(report.joined[0].session_from_part), turned, prism())[0] < 0.3


def test_a_marker_that_has_come_off_is_left_aside_and_named() -> None:
    first = photographed(np.eye(4), "1", 0, {3: 0, 5: 1, 7: 2})
    other = photographed(TURNED, "2", 1, {3: 0, 5: 4, 7: 2})
    _, report = merge_sessions(both(first, other))
    assert report is not None
    (joined,) = report.joined
    assert joined.markers == 2 and off(np.array(joined.session_from_part), TURNED, prism())[0] < 0.15
    assert f"markers 5 of {TAG}" in joined.notes[1]


def test_markers_that_outlines_contradict_do_not_decide(pair) -> None:
    """All have come off and lie in the masks elsewhere: outlines decide as if there were none, and they are named."""
    first = photographed(np.eye(4), "1", 0, {3: 0})
    lifted = landmarks(photographed(put(shift=(0.02, 0.01, 0.0)), "2", 1, {3: 0}).views)
    one, two = seating(first.views), seating(pair[1].views)
    wrong = ties(landmarks(first.views), lifted, two.pixel)
    assert wrong is not None
    found = register(one, two, "2", ties=wrong, strayed=((TAG, 3),))
    assert found.chosen_by == "nothing" and found.markers == 0 and found.strayed == ((TAG, 3),)


def test_two_markers_that_disagree_are_both_left_aside_and_named() -> None:
    first, other = photographed(np.eye(4), "1", 0, {3: 0, 5: 1}), photographed(TURNED, "2", 1, {3: 0, 5: 4})
    _, report = merge_sessions(both(first, other))
    assert report is not None and report.joined[0].markers == 0 and report.joined[0].chosen_by == "nothing"
    assert any(f"markers 3 of {TAG}, 5 of {TAG}" in note for note in report.joined[0].notes)


def test_views_from_one_place_do_not_say_how_far(pair) -> None:
    (view,) = [v for v in pair[1].views if v.name == "2_001"]
    shaken = [replace(view, name=str(i)) for i in range(4)]
    assert (TAG, 7) in landmarks(pair[1].views) and not landmarks(shaken)


def test_a_board_beside_the_part_is_no_marker_on_it() -> None:
    """Its markers turn with the table in both sessions, and would say that the part never moved."""
    mesh, paint = marked(prism(), {9: (np.array([0.04, 0, 0]), np.array([1.0, 0, 0]), np.array([0.0, 1, 0]))})
    capture = session(mesh, np.eye(4), "1", 0, VIEWS, paint=paint, size=SIZE)
    alone = session(prism(), np.eye(4), "1", 0, VIEWS, size=SIZE)
    views = [replace(v, mask=np.minimum(v.mask, mask)) for v, mask in zip(capture.views, _masks(capture), strict=True)]
    assert (TAG, 9) in landmarks(capture.views) and not landmarks(views) and not landmarks(alone.views)


def _masks(capture: Capture) -> list[np.ndarray]:
    """Masks of the prism alone, by the capture's cameras."""
    mesh = prism()
    return [photograph(np.array(mesh.vertices), np.array(mesh.faces), v).mask for v in capture.views]


def square(middle: tuple[float, float, float]) -> np.ndarray:
    return np.array(middle) + 0.005 * np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])


def moved(marks: dict[Marker, np.ndarray], pose: Pose) -> dict[Marker, np.ndarray]:
    return {m: pose.onward(p) for m, p in marks.items()}


def test_what_ties_are() -> None:
    pose = Pose(Rotation.from_rotvec([0.4, -1.0, 0.3]).as_matrix(), np.array([0.01, 0.02, -0.03]), 1.0)
    three = {(TAG, n): square((0.02 * n, 0.01 * n * n, 0.005 * n)) for n in range(3)}
    found = ties(three, moved(three, pose), PIXEL)
    assert found is not None and len(found.markers) == 3 and not found.strayed
    np.testing.assert_allclose(found.pose.rotation, pose.rotation, atol=1e-12)
    np.testing.assert_allclose(found.misses(pose, PIXEL), 0, atol=1e-9)
    assert found.held(pose, PIXEL) and not found.held(Pose(np.eye(3), np.zeros(3)), PIXEL)
    assert ties(three, {}, PIXEL) is None
    two = {m: three[m] for m in list(three)[:2]}
    apart = {m: p + 0.01 * i for i, (m, p) in enumerate(two.items())}
    assert ties(two, apart, PIXEL) is None  # which of the two has moved, nobody knows
    bent = {m: p * [1, 1.5, 1] for m, p in list(three.items())[:1]}
    assert ties(three, bent, PIXEL) is None  # not the same square


@pytest.mark.parametrize("scaled", [False, True])
def test_a_pose_is_a_rotation_also_for_corners_in_one_plane(scaled: bool) -> None:
    pose = Pose(Rotation.from_rotvec([2.0, 1.0, -0.5]).as_matrix(), np.array([0.1, 0.2, 0.3]), 2.5 if scaled else 1.0)
    points = square((0.01, -0.02, 0.03))
    found = fitted(points, pose.onward(points), scaled)
    np.testing.assert_allclose(found.rotation, pose.rotation, atol=1e-9)
    assert np.isclose(found.scale, pose.scale) and np.isclose(np.linalg.det(found.rotation), 1)
