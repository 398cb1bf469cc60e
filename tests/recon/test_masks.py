"""A mask that contradicts the others is found, whatever is wrong with it, and good ones are left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from core.errors import InputError
from recon.capture.automatic import plate_mask, seeded
from recon.capture.edges import edge
from recon.capture.masks import cross_check, mended
from recon.capture.model import Capture
from recon.silhouettes import overlap
from tests.recon.turntables import turntable

WIDE = np.ones((7, 7), np.uint8)
ODD = 5


@pytest.fixture(scope="module")
def bracket() -> Capture:
    stud = trimesh.creation.cylinder(0.2, 0.6, transform=trimesh.transformations.translation_matrix((0.2, 0, 0.3)))
    both = trimesh.util.concatenate([trimesh.creation.box((1, 0.6, 0.4)), stud])
    return turntable(np.array(both.vertices), np.array(both.faces), 24, (128, 160))


def spoilt(capture: Capture, spoil: Callable[[np.ndarray], np.ndarray], only: int | None = ODD) -> Capture:
    views = capture.views
    return capture.with_views(
        [replace(v, mask=spoil(np.array(v.mask))) if only in (None, i) else v for i, v in enumerate(views)]
    )


def _cut(mask: np.ndarray) -> np.ndarray:
    columns = np.nonzero(mask > 0.5)[1]
    mask[:, : int(np.quantile(columns, 0.15))] = 0
    return mask


SPOILS = {
    "shifted": lambda m: np.roll(m, 4, 1),
    "shrunk": lambda m: cv2.erode(m, WIDE),
    "grown": lambda m: cv2.dilate(m, WIDE),
    "cut": _cut,
    "empty": np.zeros_like,
    "full": np.ones_like,
    "upside down": lambda m: m[::-1],
}


def test_good_masks_are_no_suspects(bracket: Capture) -> None:
    report = cross_check(bracket)
    assert report.suspects == () and report.systematic_px == 0
    assert report.mean_iou > 0.95
    assert np.abs(report.offset_px).max() < 0.7
    assert mended(bracket, report).notes == bracket.notes


@pytest.mark.parametrize("how", SPOILS)
def test_one_wrong_mask_is_named_and_mended(bracket: Capture, how: str) -> None:
    wrong = spoilt(bracket, SPOILS[how])
    report = cross_check(wrong)
    assert [s.index for s in report.suspects] == [ODD]
    better = mended(wrong, report)
    truth = bracket.views[ODD].mask >= 0.5
    assert len(better.views) == len(bracket.views)
    assert overlap(better.views[ODD].mask >= 0.5, truth) > 0.95
    assert bracket.views[ODD].name in better.notes[-1]


def test_one_wrong_pose_is_not_blamed_on_its_mask_alone(bracket: Capture) -> None:
    turn = trimesh.transformations.rotation_matrix(np.deg2rad(20), (0, 0, 1))
    views = [
        replace(v, camera_from_part=v.camera_from_part @ turn) if i == ODD else v for i, v in enumerate(bracket.views)
    ]
    (suspect,) = cross_check(bracket.with_views(views)).suspects
    assert suspect.index == ODD and "as if its pose were off" in suspect.why
    (cut,) = cross_check(spoilt(bracket, SPOILS["cut"])).suspects
    assert "pose" not in cut.why


def test_two_wrong_masks_are_both_named(bracket: Capture) -> None:
    wrong = spoilt(spoilt(bracket, SPOILS["cut"]), SPOILS["shifted"], only=16)
    assert {s.index for s in cross_check(wrong).suspects} == {ODD, 16}


@pytest.mark.parametrize(("spoil", "px"), [(SPOILS["grown"], 3.0), (SPOILS["shrunk"], -3.0)])
def test_masks_that_are_all_wide_or_narrow_go_back_to_the_edges(bracket: Capture, spoil: Callable, px: float) -> None:
    """The hull cannot tell: it is as consistent as before. The photographs' edges can."""
    wrong = spoilt(bracket, spoil, only=None)
    report = cross_check(wrong)
    assert report.systematic_px == pytest.approx(px, abs=0.8)
    better = mended(wrong, report)
    before = [overlap(a.mask >= 0.5, b.mask >= 0.5) for a, b in zip(wrong.views, bracket.views, strict=True)]
    after = [overlap(a.mask >= 0.5, b.mask >= 0.5) for a, b in zip(better.views, bracket.views, strict=True)]
    assert np.mean(before) < 0.9 < 0.96 < np.mean(after)


def test_edge_is_measured_to_a_part_of_a_pixel(bracket: Capture) -> None:
    found = [edge(v) for v in bracket.views]
    assert np.abs([e.offset_px for e in found]).max() < 0.7
    assert min(e.contrast for e in found) > 3
    assert min(e.on_edge for e in found) > 0.9
    cut = spoilt(bracket, SPOILS["cut"]).views[ODD]
    assert edge(cut).on_edge < edge(bracket.views[ODD]).on_edge - 0.1


def test_mostly_wrong_masks_are_refused(bracket: Capture) -> None:
    few = bracket.with_views(
        [replace(v, mask=np.zeros_like(v.mask)) for v in bracket.views[:20]] + [*bracket.views[20:]]
    )
    with pytest.raises(InputError, match="4 of 24 masks"):
        cross_check(few)
    none = spoilt(bracket, np.zeros_like, only=None)
    with pytest.raises(InputError, match="empty or full"):
        cross_check(none)


def test_plate_shows_the_part(rng: np.random.Generator) -> None:
    box = trimesh.creation.box((1.0, 0.6, 0.4))
    scene = turntable(np.array(box.vertices), np.array(box.faces), 6, background=0.3)
    for view in scene.views:
        plate = np.full_like(view.image, 0.3) * 1.05 + rng.normal(0, 0.004, view.image.shape)
        noisy = view.image + rng.normal(0, 0.004, view.image.shape)
        found = plate_mask(noisy.astype(np.float32), plate.astype(np.float32))
        assert overlap(found >= 0.5, view.mask >= 0.5) > 0.95


def test_plate_of_another_size_is_refused() -> None:
    with pytest.raises(InputError, match="empty plate"):
        plate_mask(np.zeros((8, 8, 3), np.float32), np.zeros((9, 8, 3), np.float32))


def test_masks_from_photographs_and_poses_alone(bracket: Capture) -> None:
    coloured = bracket.with_views(
        [replace(v, image=v.image + (1 - v.mask[..., None]) * 0.7) for v in bracket.views[::2]]
    )
    found = seeded(coloured.views)
    scores = [overlap(m >= 0.5, v.mask >= 0.5) for m, v in zip(found, coloured.views, strict=True)]
    assert min(scores) > 0.9 and np.mean(scores) > 0.95
