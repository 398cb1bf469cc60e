"""Sessions brought together: the pose is the true one, the bottom becomes known, and what cannot be told is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from core import seeds
from core.errors import InputError
from recon.capture.check import check_poses
from recon.capture.model import Capture
from recon.capture.poses import rigid
from recon.merge import merge_sessions
from recon.merge.coherence import Pose, coherence
from recon.merge.looks import Looks, likeness
from recon.merge.register import GROUP_RAD, choose, likelier_elsewhere, not_contradicted
from recon.merge.seating import seating
from recon.merge.symmetry import symmetric_ways
from recon.metrics import view_counts
from recon.nearest import Surface
from recon.silhouettes import hull_agreement
from recon.verdict import geometry
from tests.recon.seatings import HALF_TURN, VIEWS, block, both, off, put, session


@pytest.fixture(scope="module")
def pair() -> tuple[trimesh.Trimesh, np.ndarray, Capture]:
    mesh, pose = block(), put()
    return mesh, pose, both(session(mesh, np.eye(4), "1", 0), session(mesh, pose, "2", 1))


@pytest.fixture(scope="module")
def merged(pair) -> tuple[Capture, np.ndarray]:
    capture, report = merge_sessions(pair[2])
    assert report is not None and report.reference == "1"
    (joined,) = report.joined
    assert joined.turns == 1 and joined.chosen_by == "outlines" and joined.scale == 1
    assert joined.notes == tuple(capture.notes) and len(joined.notes) == 1
    return capture, np.array(joined.session_from_part)


def test_a_flipped_session_is_found_to_a_fraction_of_a_pixel(pair, merged) -> None:
    angle, share = off(merged[1], pair[1], pair[0])
    assert angle < 0.3 and share < 0.4  # a pixel is 0.6 % of the diagonal


def test_every_view_looks_at_the_part_from_where_it_did(pair, merged) -> None:
    """Each mask is met by the true mesh in one frame, and the light turns with the session."""
    mesh, pose, before = pair
    capture = merged[0]
    check_poses(capture)
    assert hull_agreement(capture, (np.array(mesh.vertices), np.array(mesh.faces))).min() > 0.95
    for old, new in zip(before.views, capture.views, strict=True):
        assert new.name == old.name and new.held_out == old.held_out
        truth = old.room_from_part @ (pose[:3, :3] if old.session else np.eye(3))
        np.testing.assert_allclose(new.room_from_part, truth, atol=0.005)
    axis = capture.sessions[1].axis
    assert axis is not None
    np.testing.assert_allclose(axis, pose[:3, :3].T @ [0, 0, 1], atol=0.005)
    assert geometry(capture).sessions == 2


def test_the_bottom_is_really_seen(pair, merged) -> None:
    """What lay on the table in the first session is seen by none of its views, and by several of the merged ones."""
    mesh = pair[0]
    points, face = trimesh.sample.sample_surface(mesh, 3000, seed=1)
    under = (mesh.face_normals[face][:, 2] < -0.9) & (points[:, 2] < 0.001)
    surface = Surface(np.array(mesh.vertices), np.array(mesh.faces))
    counts = [view_counts(surface, points[under], face[under], v) for v in (pair[2].views[:VIEWS], merged[0].views)]
    assert counts[0].max() == 0
    assert (counts[1] >= 2).mean() > 0.98


def test_sessions_of_one_frame_are_left_as_they_are(pair, merged) -> None:
    capture, report = merge_sessions(merged[0])
    assert report is None and capture is merged[0]
    lone = replace(pair[2], views=pair[2].views[:VIEWS], sessions=pair[2].sessions[:1])
    assert merge_sessions(lone) == (lone, None)
    assert merge_sessions(pair[2], registered=True) == (pair[2], None)


@pytest.mark.slow
def test_a_session_on_its_side_and_in_its_own_unit_is_found(pair) -> None:
    """Without a board every session has its own unit of length."""
    mesh = pair[0]
    side = Rotation.from_euler("y", 90, degrees=True).as_matrix()
    pose = np.diag([1.7, 1.7, 1.7, 1]) @ put(-2.0, side)
    capture = both(session(mesh, np.eye(4), "1", 0), session(mesh, pose, "2", 1))
    capture, report = merge_sessions(replace(capture, metric=False), registered=False)
    assert report is not None and report.joined[0].scale == pytest.approx(1.7, rel=0.005)
    angle, share = off(np.array(report.joined[0].session_from_part), pose, mesh)
    assert angle < 0.5 and share < 1.0
    check_poses(capture)
    assert not any("moved" in n for n in capture.notes)


@pytest.mark.slow
def test_a_part_that_changed_between_sessions_is_refused(pair) -> None:
    other = trimesh.util.concatenate([block(), trimesh.creation.box(bounds=[[0.01, -0.01, 0], [0.018, 0, 0.022]])])
    capture = both(session(pair[0], np.eye(4), "1", 0), session(other, put(), "2", 1))
    with pytest.raises(InputError, match="session 2 cannot be registered: in the best pose its outlines miss"):
        merge_sessions(capture)


def coloured(mesh: trimesh.Trimesh) -> np.ndarray:
    """A red, a blue and a green side on grey."""
    paint = np.full((len(mesh.faces), 3), 0.4)
    for axis, colour in enumerate(([0.6, 0.1, 0.1], [0.1, 0.1, 0.6], [0.1, 0.5, 0.1])):
        paint[mesh.face_normals[:, axis] > 0.9] = colour
    return paint


@pytest.mark.slow
def test_colours_decide_where_outlines_cannot() -> None:
    """A square prism fits in eight ways; with coloured sides in one, and without them any will do."""
    mesh = trimesh.creation.box((0.02, 0.02, 0.012))
    paint, pose = coloured(mesh), put(0.7)
    first, other = (session(mesh, m, str(i + 1), i, paint=paint) for i, m in enumerate((np.eye(4), pose)))
    _, report = merge_sessions(both(first, other))
    assert report is not None
    (joined,) = report.joined
    assert joined.chosen_by == "colour" and joined.turns == 8
    assert joined.likeness is not None and joined.likeness > 0.8
    assert off(np.array(joined.session_from_part), pose, mesh)[0] < 1.0
    grey = [
        replace(c, views=tuple(replace(v, image=np.full((*v.size, 3), 0.3)) for v in c.views)) for c in (first, other)
    ]
    capture, report = merge_sessions(both(*grey))
    assert report is not None and report.joined[0].chosen_by == "nothing"
    assert any("give the same shape; one was taken" in n for n in capture.notes)
    check_poses(capture)


@pytest.mark.slow
@pytest.mark.parametrize("turn_deg", [0, 80])
def test_a_camera_that_was_moved_is_said(pair, turn_deg: int) -> None:
    """Raised, which its poses tell, or carried round the table, which the shading tells: its light is turned back."""
    mesh, pose, _ = pair
    lamp = np.array([0.6, -0.5, 0.62])
    round_table = Rotation.from_euler("z", turn_deg, degrees=True).as_matrix()
    raised = 25.0 if turn_deg else 50.0
    first = session(mesh, np.eye(4), "1", 0, lamp=lamp)
    before = both(first, session(mesh, pose, "2", 1, elevation_deg=raised, lamp=round_table @ lamp))
    capture, _ = merge_sessions(before)
    assert any("went round the table by about" in n for n in capture.notes) == (turn_deg != 0)
    assert any("was moved between the sessions (the table's axis is 25 deg" in n for n in capture.notes) == (
        not turn_deg
    )
    for old, new in zip(before.views[VIEWS:], capture.views[VIEWS:], strict=True):
        truth = round_table.T @ old.room_from_part @ pose[:3, :3]
        gap = Rotation.from_matrix(new.room_from_part @ truth.T).magnitude()
        assert np.degrees(gap) < (30 if turn_deg else 1)


def test_sessions_whose_masks_show_nothing_are_refused(pair) -> None:
    capture = pair[2]
    blank = [replace(v, mask=np.zeros(v.size)) if v.session else v for v in capture.views]
    with pytest.raises(InputError, match="0 of 8 masks of a session show a part"):
        merge_sessions(replace(capture, views=tuple(blank)))


@pytest.mark.slow
def test_a_start_far_from_the_only_pose_is_followed() -> None:
    """The start nearest the truth misses by more than others that no refining mends."""
    mesh, pose = block(), put(2.0)
    _, report = merge_sessions(both(session(mesh, np.eye(4), "1", 0), session(mesh, pose, "2", 1)))
    assert report is not None and report.joined[0].turns == 1
    assert off(np.array(report.joined[0].session_from_part), pose, mesh)[0] < 0.5


@pytest.mark.slow
def test_a_symmetric_part_put_back_turned_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outlines fit the poses as they are; the colours do not."""
    mesh = trimesh.creation.box((0.02, 0.02, 0.012))
    pose = rigid(HALF_TURN, np.zeros(3))
    capture = both(*(session(mesh, m, str(i + 1), i, paint=coloured(mesh)) for i, m in enumerate((np.eye(4), pose))))
    first, other = (seating([v for v in capture.views if v.session == i]) for i in (0, 1))
    still, there = Pose(np.eye(3), np.zeros(3)), Pose(HALF_TURN, np.zeros(3))
    assert coherence(first, other, still, exact=True).rms_px < 0.1
    assert not likelier_elsewhere(first, other, there, None)

    class Asked(Exception):
        pass

    def register(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr("recon.merge.sessions.register", register)
    with pytest.raises(Asked):
        merge_sessions(capture)


def test_ways_of_a_symmetric_part_are_found_from_one(pair) -> None:
    """All seven others of a square prism, off its frame's origin, in another unit; none of a bracket."""
    prism, pose = trimesh.creation.box((0.02, 0.02, 0.012)), put(0.4)
    prism.apply_translation((0.003, -0.002, 0.005))
    pose[:3, :3] *= 1.7
    first, other = (seating(list(session(prism, m, "1", 0).views)) for m in (np.eye(4), pose))
    found = symmetric_ways(first, other, Pose(pose[:3, :3] / 1.7, pose[:3, 3], 1.7), GROUP_RAD)
    assert len(found) == 7
    truth = trimesh.transform_points(prism.vertices, pose)
    for one in found:
        gaps = np.linalg.norm(one.onward(prism.vertices)[:, None] - truth, axis=2).min(1)
        assert gaps.max() < 0.06 * prism.scale * 1.7 and one.scale == pytest.approx(1.7)
    first, other = (seating([v for v in pair[2].views if v.session == n]) for n in (0, 1))
    assert not symmetric_ways(first, other, Pose(pair[1][:3, :3], pair[1][:3, 3]), GROUP_RAD)


@pytest.mark.parametrize(
    ("hues", "paint", "told"),
    [
        ([0.2], [np.nan], (0, "outlines")),
        ([0.5, 0.9, np.nan], [np.nan] * 3, (1, "colour")),
        ([0.93, 0.995, 0.6], [0.1, 0.5, 0.2], (1, "colour")),  # sides that differ little in colour
        ([0.93, 0.995, 0.6], [0.1, 0.2, 0.2], (0, "nothing")),  # a tinted light does that too
        ([0.93, 0.995, 0.6], [np.nan] * 3, (0, "nothing")),
        ([0.85, 0.9], [0.8, 0.8], (0, "nothing")),  # noise of the same order
        ([0.25, -0.4], [0.25, -0.4], (0, "nothing")),
        ([np.nan, np.nan], [np.nan] * 2, (0, "nothing")),
    ],
)
def test_colours_tell_where_they_clearly_do(hues: list[float], paint: list[float], told: tuple[int, str]) -> None:
    assert choose(hues, paint) == told


@pytest.mark.parametrize(
    ("hues", "paint", "kept"),
    [
        ([0.7, 0.6, 0.98, 0.92], [0.1, 0.1, 0.6, 0.6], [0, 1, 2]),
        ([0.7, 0.6, 0.98, 0.92], [0.1, 0.1, 0.2, 0.2], [0, 1]),  # a tinted light's
        ([0.7, 0.9, 0.98, 0.92], [0.1, 0.1, 0.6, 0.6], [0, 1]),
        ([0.3, 0.2, 0.8, 0.1], [0.3, 0.2, 0.8, 0.1], [0, 1]),
        ([0.3, np.nan, 0.98, 0.1], [0.3, np.nan, 0.8, 0.1], [0, 1]),
        ([np.nan] * 4, [np.nan] * 4, [0, 1]),
    ],
)
def test_colours_that_are_the_same_in_one_pose_only_outweigh_rough_outlines(
    hues: list[float], paint: list[float], kept: list[int]
) -> None:
    assert not_contradicted([True, True, False, False], hues, paint) == kept


def test_a_tinted_light_tells_no_pose_from_another() -> None:
    """A ball of one colour under a green lamp, turned over: its hues contradict each other as they are. Paint on its
    sides is told through the same light."""
    child = seeds.child(7, "normals")
    normals = child.normal(size=(400, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0.0, 0.0, 1.0])

    def shown(room: np.ndarray, paint: np.ndarray) -> Looks:
        logs = np.zeros((3, 400, 3))
        logs[..., 1] = 0.3 * room[:, 2] + 0.02 * child.normal(size=(3, 400)) + paint
        return Looks(logs, normals, np.stack([room] * 3))

    bare, sides = np.zeros(400), 0.4 * (normals[:, 0] > 0.5)
    one, over = shown(normals, bare), shown(normals @ HALF_TURN, bare)
    assert likeness(one, over) < -0.9 and np.isnan(likeness(one, over, up))
    one, over = shown(normals, sides), shown(normals @ HALF_TURN, sides)
    assert likeness(one, over) < 0.3 and likeness(one, over, up) > 0.9
