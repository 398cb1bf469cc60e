"""What is wrong with masks and photographs is told by its own name, before poses are blamed for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh

from core.errors import InputError
from recon.capture.assemble import assemble
from recon.capture.check import check_poses, check_source
from recon.capture.masks import cross_check
from recon.capture.model import Capture, Session
from recon.capture.pixels import same_pixels, thumbprint
from recon.capture.source import Shot, Source
from recon.capture.unfit import UnfitCapture
from tests.recon.turntables import turntable

SIZE = (48, 64)


@pytest.fixture(scope="module")
def block() -> Capture:
    part = trimesh.creation.box((1, 0.6, 0.4))
    return turntable(np.array(part.vertices), np.array(part.faces), 12, SIZE, (20.0, 55.0))


def with_masks(capture: Capture, spoil: Callable[[np.ndarray], np.ndarray], every: int = 1) -> Capture:
    views = [replace(v, mask=spoil(v.mask)) if i % every == 0 else v for i, v in enumerate(capture.views)]
    return capture.with_views(views)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: with_masks(c, lambda m: 1 - m), "12 of 12 masks are white along .* inverted"),
        (lambda c: with_masks(c, lambda m: m * 63 / 255), "brightest value is 63 of 255"),
        (lambda c: c.with_views([replace(v, image=0 * v.image) for v in c.views]), "all photographs are black"),
    ],
)
def test_masks_and_photographs_that_cannot_be(block: Capture, spoil: Callable[[Capture], Capture], words: str) -> None:
    with pytest.raises(UnfitCapture, match=words):
        check_poses(spoil(block))


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_empty_and_dim_masks_are_named(block: Capture, level: float) -> None:
    with pytest.raises(InputError, match=r"masks of 000, 002, 004, 006 and 2 more are empty .* no point in common"):
        cross_check(with_masks(block, lambda m: level * m, every=2))
    one = cross_check(with_masks(block, lambda m: level * m, every=12))
    assert [s.name for s in one.suspects] == ["000"]


def source(folder: Path, images: list[np.ndarray]) -> Source:
    """Photographs packed or not by turns, and a pose each."""
    shots = []
    for i, image in enumerate(images):
        path = folder / f"{i}.png"
        cv2.imwrite(str(path), image, [cv2.IMWRITE_PNG_COMPRESSION, 9 * (i % 2)])
        pose = np.eye(4)
        pose[2, 3] = 5 + i
        shots.append(Shot(f"{i}", path, None, np.array([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]]), SIZE, pose))
    return Source("transforms", folder, tuple(shots))


def test_a_photograph_saved_again_is_the_same(tmp_path: Path, rng: np.random.Generator) -> None:
    images = [rng.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(6)]
    assert len(check_source(source(tmp_path, images)).shots) == 6
    again = source(tmp_path, [*images[:4], images[3], images[5]])
    first, second = again.shots[3].image, again.shots[4].image
    assert first.read_bytes() != second.read_bytes() and same_pixels(first, second)
    with pytest.raises(InputError, match="3 and 4 are the same photograph with two poses"):
        check_source(again)


def test_photographs_alike_from_afar_are_not_the_same(tmp_path: Path) -> None:
    images = [np.full((*SIZE, 3), 128, np.uint8) for _ in range(6)]
    for i, image in enumerate(images):
        image[0, i] += 1
    found = source(tmp_path, images)
    assert len({thumbprint(s.image) for s in found.shots}) < 6
    assert len(check_source(found).shots) == 6


def test_black_photographs_are_not_called_copies(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 shows nothing: all its pixels are 0, black"):
        check_source(source(tmp_path, [np.zeros((*SIZE, 3), np.uint8)] * 6))


@pytest.mark.parametrize("turns", [False, True])
def test_an_axis_across_the_ring_is_refused(block: Capture, tmp_path: Path, turns: bool) -> None:
    """Also where the file tells every view's turn, with which it disagrees; a crooked or reversed one is taken."""
    images = [cv2.GaussianBlur(np.round(255 * v.image).astype(np.uint8), (0, 0), 1) for v in block.views]
    found = source(tmp_path, [image + np.uint8(i) for i, image in enumerate(images)])
    shots = tuple(
        replace(s, camera_from_part=v.camera_from_part, room_from_part=v.room_from_part if turns else None)
        for s, v in zip(found.shots, block.views, strict=True)
    )
    told = replace(found, shots=tuple(replace(s, mask=s.image) for s in shots), light="room")
    for axis in ((0, 0, 1), (0, 0, -1), (0.2, 0, 1)):
        assert assemble(replace(told, sessions={"1": Session("1", np.zeros(3), np.array(axis, float))})).views
    with pytest.raises(InputError, match=r"session 1 turned about the axis \(1, 0, 0\)"):
        assemble(replace(told, sessions={"1": Session("1", np.zeros(3), np.array([1.0, 0, 0]))}))
