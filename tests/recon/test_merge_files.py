"""Captures of several sessions as files: read, brought into one frame, or left alone where the file says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from core.colour import srgb_from_linear
from core.errors import InputError
from recon.capture.model import Capture, Session
from recon.merge import load_merged
from recon.merge.camera import moved
from recon.merge.coherence import Pose
from recon.merge.load import together, told_registered, yaml_sessions
from recon.merge.register import Standing, refuse_ambiguous, shared_shape
from recon.merge.seating import crossings, seating
from recon.merge.sessions import brought, brought_session
from recon.merge.support import all_rotations, apart, search, sphere
from tests.recon.seatings import SIZE, block, both, off, put, session

ONCE = settings(max_examples=25, deadline=None)


@pytest.fixture(scope="module")
def capture() -> Capture:
    mesh = block()
    return both(session(mesh, np.eye(4), "1", 0), session(mesh, put(), "2", 1))


def written(folder: Path, capture: Capture, **said: bool) -> Path:
    """transforms.json and photographs with alpha."""
    frames = []
    for view in capture.views:
        rgba = np.dstack([srgb_from_linear(view.image)[:, :, ::-1], view.mask])
        cv2.imwrite(str(folder / f"{view.name}.png"), np.rint(255 * np.clip(rgba, 0, 1)).astype(np.uint8))
        matrix = np.linalg.inv(view.camera_from_part) @ np.diag([1.0, -1, -1, 1])
        frames.append(
            {"file_path": f"{view.name}.png", "transform_matrix": matrix.tolist(), "session": str(view.session + 1),
             "room_from_part": view.room_from_part.tolist()}
        )  # fmt: skip
    k = capture.views[0].intrinsics
    sessions = [
        {"name": s.name, "axis_point": list(map(float, s.axis_point)), "axis": list(map(float, s.axis))}  # type: ignore[arg-type]
        for s in capture.sessions
    ]
    told = {
        "w": SIZE[1], "h": SIZE[0], "fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2], "cy": k[1, 2], "frames": frames,
        "flawsmith": {"metric": True, "light": "room", "sessions": sessions, **said},
    }  # fmt: skip
    (folder / "transforms.json").write_text(json.dumps(told))
    return folder


@pytest.mark.slow
def test_an_unregistered_file_comes_back_in_one_frame(tmp_path: Path, capture: Capture) -> None:
    """Also where one mask of the second session is cut in half."""
    bad = replace(capture.views[-1], mask=capture.views[-1].mask * (np.arange(SIZE[1]) < SIZE[1] / 2))
    merged, report = load_merged(written(tmp_path, capture.with_views([*capture.views[:-1], bad]), registered=False))
    assert report is not None and len(merged.views) == len(capture.views)
    angle, share = off(np.array(report.joined[0].session_from_part), put(), block())
    assert angle < 0.3 and share < 0.4
    np.testing.assert_array_equal(merged.views[0].camera_from_part.round(9), capture.views[0].camera_from_part.round(9))


def test_a_file_that_says_registered_is_taken_by_its_word(tmp_path: Path, capture: Capture) -> None:
    merged, report = load_merged(written(tmp_path, capture, registered=True))
    assert report is None
    for old, new in zip(capture.views, merged.views, strict=True):
        np.testing.assert_allclose(new.camera_from_part, old.camera_from_part, atol=1e-9)


def test_what_the_files_say(tmp_path: Path) -> None:
    (tmp_path / "capture.yaml").write_text("sessions: [{name: up, images: 'u*'}, {name: down, images: 'd*'}]")
    assert yaml_sessions(tmp_path) == ("up", "down")
    assert told_registered(tmp_path) is None
    (tmp_path / "capture.yaml").unlink()
    assert yaml_sessions(tmp_path) == ()


def test_sessions_of_different_kinds_are_not_put_together(capture: Capture) -> None:
    with pytest.raises(InputError, match="differ in kind"):
        together([capture, replace(capture, metric=False)])


def test_the_table_seen_from_the_camera(capture: Capture) -> None:
    """Unmoved: nothing; the table lower by a tenth of the distance, or its axis leaning by 10 degrees: said."""
    one, two = ([v for v in capture.views if v.session == n] for n in (0, 1))
    first, other = capture.sessions
    found = moved(one, first, two, other)
    assert found is not None and found.still
    assert moved(one, first, two, Session("2")) is None
    assert other.axis is not None and other.axis_point is not None
    leaning = Rotation.from_euler("x", 10, degrees=True).apply(other.axis)
    found = moved(one, first, two, replace(other, axis=leaning))
    assert found is not None and not found.still and "degrees off" in found.words()
    zoomed = [replace(v, intrinsics=np.diag([1.1, 1.1, 1]) @ v.intrinsics) for v in two]
    found = moved(one, first, zoomed, other)
    assert found is not None and "focal length is 10 %" in found.words()


@ONCE
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-0.1, 0.1)] * 3), st.floats(0.3, 3))
def test_a_view_brought_over_sees_the_same_pixels(capture: Capture, turn, shift, scale: float) -> None:
    """A point of the part, in the session's own frame and in the common one, falls on the same pixel; the axis too."""
    pose = Pose(Rotation.from_rotvec(turn).as_matrix(), np.array(shift), scale)
    points = np.array(block().vertices)
    old = capture.views[-1]
    new = brought(old, pose)
    np.testing.assert_allclose(new.project(pose.back(points))[0], old.project(points)[0], atol=1e-6)
    np.testing.assert_allclose(pose.back(pose.onward(points)), points, atol=1e-12)
    told = brought_session(capture.sessions[1], pose)
    assert told.axis is not None
    np.testing.assert_allclose(new.room_from_part @ told.axis, [0, 0, 1], atol=1e-9)


def test_rotations_leave_no_gap() -> None:
    """Every rotation is within the reach of the local search of some start."""
    grid = all_rotations(4000)
    asked = Rotation.random(200, rng=np.random.Generator(np.random.PCG64(2))).as_matrix()
    cosine = (np.einsum("nij,mij->nm", grid, asked).max(0) - 1) / 2
    assert np.degrees(np.arccos(cosine.min())) < 16
    np.testing.assert_allclose(grid @ grid.transpose(0, 2, 1), np.broadcast_to(np.eye(3), grid.shape), atol=1e-12)
    assert np.linalg.norm(sphere(400).mean(0)) < 1e-3


def test_outlines_cross_where_a_disc_ends() -> None:
    y, x = np.mgrid[:40, :50] + 0.5
    points = crossings((13.3 - np.hypot(x - 24.2, y - 19.1)).astype(np.float32))
    np.testing.assert_allclose(np.hypot(points[:, 0] - 24.2, points[:, 1] - 19.1), 13.3, atol=0.02)


def test_a_shape_within_another_contradicts_it_in_nothing() -> None:
    small, large = np.zeros(100, bool), np.zeros(100, bool)
    small[:40], large[:90] = True, True
    assert shared_shape(small, large) == 1
    assert shared_shape(small, ~small) == 0


def test_ways_that_contradict_each_other_in_shape_are_refused() -> None:
    half = np.arange(100) < 50
    ways = [Standing(Pose(all_rotations(8)[i], np.zeros(3)), np.zeros(4), 0.1) for i in (0, 3)]
    refuse_ambiguous(ways, [half, half], "2")
    with pytest.raises(InputError, match=r"session 2 cannot be registered: its outlines fit in 2 ways.*share 50 %"):
        refuse_ambiguous(ways, [half, np.roll(half, 25)], "2")


def test_the_search_alone_finds_a_flip_to_a_degree() -> None:
    """Without a look at the outlines' rays, from 16 views each."""
    one, two = (seating(session(block(), m, "1", 0, views=16).views) for m in (np.eye(4), put()))
    found = search(one, two)
    assert np.degrees(min(apart(r, put()[:3, :3]) for r in found.rotations[:3])) < 1.5
    assert (np.diff(found.residual) >= 0).all()
