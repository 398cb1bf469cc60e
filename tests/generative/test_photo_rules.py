"""The painters without weights paint inside the mask, visibly, and are what their names say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.colour import linear_from_srgb
from core.errors import InputError, RenderError
from defects.generative.look import Look, averaged, put_on
from defects.generative.paint import paint_photo
from defects.generative.painter import GOOD, Crop
from defects.generative.rules import ANY, CopyPaste, InpaintFloor, Overlay, PerlinBlend
from tests.generative.small_sd import examples
from tests.generative.test_photo_paint import grainy


def crop(n: int = 64) -> Crop:
    mask = cv2.ellipse(np.zeros((n, n), np.uint8), (32, 30), (18, 8), 20, 0, 360, 1, -1).astype(bool)
    return Crop(grainy(n, n, 4) / 255.0, mask, np.ones((n, n), bool))


@pytest.mark.parametrize(
    "painter", [PerlinBlend(size=64), InpaintFloor(size=64), Overlay(size=64)], ids=lambda p: p.name
)
def test_only_the_mask_changes_and_seeds_repeat(painter) -> None:
    c = crop()
    a, b, other = painter.paint([c, c, c], ["scratch"] * 3, [1, 1, 2])
    assert (a[~c.mask] == c.image[~c.mask]).all() and (a == b).all() and (a[c.mask] != c.image[c.mask]).any()
    assert painter.name == "opencv" or (a != other).any()
    assert (painter.paint([c], [GOOD], [1])[0] == c.image).all()
    with pytest.raises(InputError):
        painter.paint([c], ["unheard-of"], [1])


@pytest.mark.parametrize("damage", [d for d in ANY if d != GOOD])
def test_drawn_damage_shows(damage: str) -> None:
    image, mask = grainy(128, 128, 3), np.zeros((128, 128), bool)
    mask[50:70, 40:80] = True
    shown = [paint_photo(image, mask, damage, Overlay(), s).facts["label_iou"] for s in range(4)]
    assert np.mean(shown) > 0.5


def test_what_is_drawn_on_the_photograph_says_nothing_of_crops() -> None:
    image, mask = grainy(64, 64, 3), np.zeros((64, 64), bool)
    mask[20:40, 20:50] = True
    assert not {"windows", "magnified"} & paint_photo(image, mask, "rust", Overlay(), 1).facts.keys()
    assert {"windows", "magnified"} <= paint_photo(image, mask, "rust", PerlinBlend(size=64), 1).facts.keys()


def test_drawn_layers_are_drawn_once(monkeypatch) -> None:
    """Their seed makes no difference: a second try would be the first."""
    image, mask, calls = grainy(64, 64, 3), np.zeros((64, 64), bool), []
    mask[20:40, 20:50] = True
    clear = Look(20, 20, *(np.full((20, 30), v, np.float32) for v in (0, 1, 0)), np.zeros((20, 30, 3), np.float32))
    real = Overlay.draw
    monkeypatch.setattr(Overlay, "draw", lambda *given: calls.append(given[3]) or real(*given))
    with pytest.raises(RenderError, match="1 tries"):
        paint_photo(image, mask, "scratch", Overlay(), 1, look=clear)
    assert len(calls) == 2, "without damage, and with"


def test_pasted_damage_is_that_of_an_example() -> None:
    painter = CopyPaste(examples(), 64)
    assert painter.types == (GOOD, "scratch", "stain")
    c = crop()
    dark, bright = painter.paint([c, c], ["scratch", "stain"], [1, 1])
    assert dark[c.mask].mean() < c.image[c.mask].mean() < bright[c.mask].mean()


def _change(mask: np.ndarray, damage: str, seed: int) -> np.ndarray:
    """Signed change (h, w), codes, that `overlay` makes on a plain grey."""
    photo = np.full((*mask.shape, 3), 120, np.uint8)
    made = Overlay().draw(photo, mask, damage, seed, np.ones_like(mask), None)
    assert (made[~mask] == photo[~mask]).all()
    return made.astype(float).mean(axis=2) - 120


@pytest.mark.parametrize("to", [(110, 12), (110, 37), (110, 80), (60, 110)])
def test_a_thin_line_is_of_even_depth_along_its_length(to: tuple[int, int]) -> None:
    """No row of beads: what a cut across the line adds up to hardly varies along it, whatever its direction."""
    mask = cv2.line(np.zeros((128, 128), np.uint8), (12, 12), to, 1, 2).astype(bool)
    change = _change(mask, "scratch", 3)
    along = 1 if abs(to[0] - 12) >= abs(to[1] - 12) else 0
    cuts = change.sum(axis=1 - along)[20:105] if along else change.sum(axis=1)[20:105]
    cuts = np.convolve(cuts, np.ones(3) / 3, "valid")
    assert abs(cuts.mean()) > 20 and cuts.std() / abs(cuts.mean()) < 0.25


def test_a_line_narrower_than_a_pixel_is_weighted_by_what_it_covers() -> None:
    """A furrow a fifth of a pixel wide, wherever it lies, adds up to the same; twice as wide to twice."""
    sums = []
    for width, offset in ((0.2, 0.0), (0.2, 0.25), (0.2, 0.5), (0.4, 0.25)):
        fine = np.zeros((40, 240, 6), np.float32)
        fine[..., 1] = 1
        at = round((10 + offset) * 10)
        fine[:, at : at + round(width * 10), :2] = (1, 0)
        made = averaged(fine, 10)
        look = Look(2, 2, made[..., 0], made[..., 1], made[..., 2], made[..., 3:])
        photo = np.full((12, 32, 3), 120, np.uint8)
        mask = look.mask(photo.shape[:2])
        out = put_on(photo, look, mask, np.ones_like(mask), False)
        assert mask.any() and (out[~mask] == photo[~mask]).all()
        clean = linear_from_srgb(photo / np.float32(255))
        sums.append(float((clean - linear_from_srgb(out / np.float32(255)))[2:6].sum() / clean[0, 0, 0] / 12))
    assert sums[:3] == pytest.approx([0.2] * 3, abs=0.02) and sums[3] == pytest.approx(0.4, abs=0.02)


def test_rust_has_several_tones_and_print_one() -> None:
    mask = cv2.circle(np.zeros((96, 96), np.uint8), (48, 48), 26, 1, -1).astype(bool)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    photo = np.full((96, 96, 3), (121, 120, 119), np.uint8)  # a grey one would stay grey
    made = Overlay().draw(photo, mask, "rust", 4, np.ones_like(mask), None)[inner].astype(float)
    assert made[:, 0].std() > 5 and (made[:, 0] > made[:, 2]).mean() > 0.9, "brown, in several tones"
    ink = _change(mask, "print_fault", 4)
    assert np.median(ink[inner]) < -60
