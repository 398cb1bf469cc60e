"""Poses in another convention: the sentence says what to do to the file, and doing just that makes them right."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
import trimesh

from recon.capture.conventions import CONTRADICT, _readings, fitting, hull_iou
from recon.capture.model import Capture, View
from tests.recon.turntables import turntable

OPENGL = np.diag([1.0, -1, -1, 1])
LLFF = np.array([[0, 1.0, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]])
X, Z = np.diag([-1.0, 1, 1, 1]), np.diag([1.0, 1, -1, 1])


@pytest.fixture(scope="module")
def hook() -> Capture:
    """A part that no mirror and no turn maps to itself."""
    blocks = [((1, 0.5, 0.2), (0, 0, 0.1)), ((0.2, 0.5, 0.9), (0.4, 0, 0.45)), ((0.2, 0.9, 0.2), (-0.4, 0.4, 0.1))]
    part = trimesh.util.concatenate([trimesh.creation.box(size).apply_translation(at) for size, at in blocks])
    return turntable(np.array(part.vertices), np.array(part.faces), 8, (48, 64), (20.0, 55.0))


def written(poses: np.ndarray, kind: str) -> np.ndarray:
    """As the file should have them."""
    if kind == "middlebury":
        return poses
    return np.linalg.inv(poses) @ (OPENGL if kind == "transforms" else LLFF)


def read(matrices: np.ndarray, kind: str) -> np.ndarray:
    if kind == "middlebury":
        return matrices
    return np.linalg.inv(matrices @ (OPENGL if kind == "transforms" else LLFF.T))


def done(matrices: np.ndarray, do: str) -> np.ndarray:
    """What a person does who takes the sentence by its words."""
    matrices = matrices.copy()
    if "invert every matrix" in do:
        matrices = np.linalg.inv(matrices)
    if "transpose the 3x3 rotation" in do:
        matrices[:, :3, :3] = matrices[:, :3, :3].transpose(0, 2, 1).copy()
    for which, what in re.findall(r"the ((?:first|second|third)(?: and (?:first|second|third))*) (row|column)", do):
        numbers = [("first", "second", "third").index(w) for w in which.split(" and ")]
        if what == "row":
            matrices[:, numbers] *= -1
        else:
            matrices[:, :, numbers] *= -1
    return matrices


def with_poses(capture: Capture, poses: np.ndarray) -> list[View]:
    return [replace(v, camera_from_part=p) for v, p in zip(capture.views, poses, strict=True)]


def _transposed(matrices: np.ndarray) -> np.ndarray:
    found = matrices.copy()
    found[:, :3, :3] = matrices[:, :3, :3].transpose(0, 2, 1)
    return found


MISTAKES = {
    "OpenCV axes": ("transforms", lambda m: m @ OPENGL, "y and z flipped (OpenGL"),
    "world to camera": ("transforms", np.linalg.inv, "world-to-camera instead of camera-to-world: invert every"),
    "world to camera, OpenCV": ("transforms", lambda m: np.linalg.inv(m @ OPENGL), "world-to-camera instead"),
    "z forward, x left": ("transforms", lambda m: m @ X @ Z, "x and z flipped"),
    "mirrored cameras": ("transforms", lambda m: m @ Z, "with z flipped: negate the third column of every matrix"),
    "mirrored world": ("transforms", lambda m: Z @ m, "in a mirrored world: negate the third row of every matrix"),
    "both": ("transforms", lambda m: Z @ m @ Z, "the third column and the third row"),
    "transposed rotations": ("transforms", _transposed, "with transposed rotations"),
    "camera to world": ("middlebury", np.linalg.inv, "camera-to-world instead of world-to-camera"),
    "OpenGL axes": ("middlebury", lambda m: OPENGL @ m, "the second and third rows"),
    "right and down swapped in sign": ("llff", lambda m: m @ np.diag([-1.0, -1, 1, 1]), "x and y flipped"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_has_a_reading_whose_words_mend_it(hook: Capture, mistake: str) -> None:
    """The world may be another one then, but the cameras stand to each other as they did."""
    kind, spoil, words = MISTAKES[mistake]
    truth = np.array([v.camera_from_part for v in hook.views])
    wrong = spoil(written(truth, kind))
    mending = []
    for what, do, poses in _readings(read(wrong, kind), kind):
        mended = read(done(wrong, do), kind)
        np.testing.assert_allclose(mended, poses, atol=1e-9)
        assert (np.linalg.det(poses[:, :3, :3]) > 0).all()
        if np.allclose(mended @ np.linalg.inv(mended[0]), truth @ np.linalg.inv(truth[0]), atol=1e-6):
            mending.append(f"{what}: {do}")
    assert any(words in m for m in mending), mending


@pytest.mark.parametrize("mistake", ["world to camera", "mirrored cameras", "mirrored world"])
def test_the_masks_choose_the_reading(hook: Capture, mistake: str) -> None:
    kind, spoil, words = MISTAKES[mistake]
    truth = np.array([v.camera_from_part for v in hook.views])
    found = fitting(with_poses(hook, read(spoil(written(truth, kind)), kind)), kind)
    assert found is not None and found.iou > CONTRADICT and words in found.advice, found
    assert hull_iou(with_poses(hook, found.poses)) > 0.9
