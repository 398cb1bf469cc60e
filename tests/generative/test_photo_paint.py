"""Painting keeps its one promise over anything a backend may do, and its labels mean what they say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.errors import InputError, RenderError
from core.seeds import child
from defects.generative.crop import bounds, crop_of, cut, pooled, put_back, thickness, windows
from defects.generative.label import grain_sigma, label_of
from defects.generative.paint import paint_photo
from defects.generative.painter import GOOD, Crop
from defects.generative.photo import Photo
from defects.generative.seam import feather, seam_visibility, without_shift
from tests.generative.painters import Lazy, Regrow, Wild


def grainy(h: int, w: int, sigma: float, seed: int = 0, level: float = 120) -> np.ndarray:
    rng = child(seed, "grain")
    ramp = np.linspace(-20, 20, w)[None, :, None]
    return np.clip(level + ramp + rng.normal(0, sigma, (h, w, 1)), 0, 255).round().astype(np.uint8).repeat(3, axis=2)


def random_mask(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """Lines, discs, boxes, single pixels and several of them; never empty, never full."""
    mask = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        a, b = rng.integers(0, [w, h], (2, 2))
        kind = int(rng.integers(4))
        if kind == 0:
            cv2.line(mask, tuple(map(int, a)), tuple(map(int, b)), 1, int(rng.integers(1, 6)))
        elif kind == 1:
            cv2.circle(mask, tuple(map(int, a)), int(rng.integers(1, max(2, min(h, w)))), 1, -1)
        elif kind == 2:
            cv2.rectangle(mask, tuple(map(int, a)), tuple(map(int, b)), 1, -1)
        else:
            mask[a[1], a[0]] = 1
    if mask.all():
        mask[int(rng.integers(h)), int(rng.integers(w))] = 0
    return mask.astype(bool)


def test_a_thousand_random_masks_change_nothing_outside() -> None:
    changed = 0
    for k in range(1000):
        rng = child(k, "case")
        h, w = (int(v) for v in rng.integers(3, 90, 2))
        grain = rng.normal(rng.uniform(0, 255), rng.uniform(0, 30), (h, w, 3))
        image = np.clip(grain, 0, 255).astype(np.uint8)
        mask = random_mask(h, w, rng)
        try:
            painted = paint_photo(image, mask, "scratch", Wild(32, int(rng.choice([1, 8]))), k)
        except RenderError:
            continue
        changed += 1
        assert (painted.image[~mask] == image[~mask]).all()
        assert not (painted.label & ~mask).any()
    assert changed > 800, "a wild backend is hardly ever too faint"


def test_every_pixel_of_a_mask_is_painted_by_one_window() -> None:
    for k in range(300):
        rng = child(k, "windows")
        h, w = (int(v) for v in rng.integers(8, 300, 2))
        mask = random_mask(h, w, rng)
        sizes, cell = (((64,), 1), (range(128, 257, 16), 2), ((512,), 8))[k % 3]
        found = windows(mask, sizes, cell)
        assert (sum(v.whole_mask(mask.shape).astype(int) for v in found) == mask).all()
        for v in found:
            assert v.own_mask().any() and v.own_mask().sum() == v.piece.mask.sum()
            crop = crop_of(np.zeros((h, w, 3), np.uint8), mask, v, 0.1)
            assert crop.mask.any() and not crop.mask.all()
            assert crop.mm_per_px * v.scale == pytest.approx(0.1)


@pytest.mark.parametrize("cell", [2, 8])
def test_thin_masks_span_cells(cell: int) -> None:
    mask = np.zeros((600, 800), bool)
    mask[300:304, 350:380] = True
    (window,) = windows(mask, (512,), cell)
    assert thickness(mask) * window.scale >= 2 * cell
    long = np.zeros((600, 800), bool)
    long[300:304, 50:755] = True
    assert all(thickness(long) * v.scale >= 2 * cell for v in windows(long, (512,), cell))


def test_large_masks_stay_whole_and_nothing_is_resampled_without_need() -> None:
    mask = np.zeros((900, 900), bool)
    mask[100:800, 150:700] = True
    (window,) = windows(mask, (128,), 2)
    assert window.scale < 1
    small = np.zeros((900, 900), bool)
    cv2.circle(canvas := small.astype(np.uint8), (450, 450), 30, 1, -1)
    (window,) = windows(canvas.astype(bool), (128,), 2)
    assert window.side == window.size == 128
    cv2.ellipse(canvas, (450, 450), (85, 40), 30, 0, 360, 1, -1)
    (shrunk,), (window,) = (windows(canvas.astype(bool), sizes, 2) for sizes in ((128,), range(128, 257, 16)))
    assert shrunk.scale < 1 and window.side == window.size > 128
    assert cut(~canvas.astype(bool), window)[:, [0, -1]].all(), "surroundings on both sides"


def test_shrinking_keeps_thin_masks() -> None:
    mask = np.zeros((512, 512), bool)
    mask[:, 201:205] = True
    assert pooled(mask, 64).any(axis=1).all()
    mask[:] = False
    mask[77, 3] = True
    assert pooled(mask, 8).sum() == 1


def test_there_and_back_is_in_place() -> None:
    """A blob painted in the crop lands where the mask is, magnified or shrunk, at the photograph's border too."""
    for at, radius in (((12, 200), 3), ((150, 150), 90), ((240, 10), 8)):
        mask = cv2.circle(np.zeros((300, 280), np.uint8), at, radius, 1, -1).astype(bool)
        for window in windows(mask, (96,), 2):
            crop = crop_of(np.zeros((300, 280, 3), np.uint8), np.ones_like(mask), window, np.nan)
            back = put_back(np.repeat(crop.mask[..., None], 3, 2).astype(np.float32), np.zeros((300, 280, 3)), window)
            weight = np.maximum(back[..., 0], 0)
            centre = [(weight * g).sum() / weight.sum() for g in np.indices(mask.shape)]
            assert np.abs(np.array(centre) - np.argwhere(mask).mean(0)).max() < max(0.5, 0.6 / window.scale)


def test_an_honest_backend_changes_nothing_anywhere() -> None:
    image = grainy(120, 130, 4)
    mask = np.zeros((120, 130), bool)
    mask[50:54, 40:70] = True
    with pytest.raises(RenderError, match="tries"):
        paint_photo(image, mask, "scratch", Lazy(), 1)


def test_a_quiet_try_is_made_again() -> None:
    image = grainy(120, 130, 4)
    mask = np.zeros((120, 130), bool)
    mask[50:70, 40:70] = True
    painted = paint_photo(image, mask, "scratch", Lazy(work=3), 1)
    assert painted.facts["tries"] == 3 and painted.facts["label_iou"] > 0.8


class Shares(Regrow):
    """Each call for damage shows it on the next of some shares of the mask."""

    def __init__(self, *shares: float) -> None:
        super().__init__(64, 0.4, 0.004, shift=0)
        self.shares = iter(shares)

    def one(self, crop: Crop, damage: str, rng: np.random.Generator) -> np.ndarray:
        if damage != GOOD:
            self.share = next(self.shares)
        return super().one(crop, damage, rng)


@pytest.mark.parametrize(
    ("shares", "tries", "kept", "iou"),
    [
        ((0.2, 0.36, 0.1, 0.25), 4, 2, 0.38), ((0.3, 0.8), 2, 2, 0.8), ((0.9,), 1, 1, 0.9),
        ((0.1, 0.05, 0.36, 0.25), 4, 3, 0.38),
    ],
)  # fmt: skip
def test_a_poor_label_is_tried_again_and_the_best_kept(shares: tuple, tries: int, kept: int, iou: float) -> None:
    image, mask = grainy(64, 64, 2), np.zeros((64, 64), bool)
    mask[20:44, 12:52] = True
    painted = paint_photo(image, mask, "scratch", Shares(*shares), 1)
    assert (painted.facts["tries"], painted.facts["kept_try"]) == (tries, kept)
    dark = (image.astype(int) - painted.image > 60).all(axis=2)
    assert painted.facts["label_iou"] == pytest.approx(iou, abs=0.08)
    assert dark[painted.label].mean() > 0.7 and not dark[~painted.label].any(), "image and label are of one try"


def test_good_returns_the_photograph() -> None:
    image = grainy(60, 60, 4)
    mask = np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    painted = paint_photo(image, mask, GOOD, Wild(), 1)
    assert (painted.image == image).all() and not painted.label.any()


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    image, mask = grainy(60, 60, 4), np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    a, b, c = (paint_photo(image, mask, "scratch", Wild(), s).image for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


@pytest.mark.parametrize("sigma", [1.0, 3.0, 8.0])
def test_grain_is_measured_outside_the_mask(sigma: float) -> None:
    image = grainy(200, 200, sigma)
    mask = np.zeros((200, 200), bool)
    mask[80:120, 60:140] = True
    image[mask] = 0
    measured = grain_sigma(image, mask)
    assert np.median(measured) == pytest.approx(np.hypot(sigma, 0.29), rel=0.15)


@pytest.mark.parametrize("sigma", [1.5, 4.0, 8.0])
def test_regrown_grain_is_no_label_and_damage_is(sigma: float) -> None:
    image = grainy(160, 160, sigma)
    mask = cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), 25, 1, -1).astype(bool)
    painter = Regrow(128, depth=6 * sigma / 255, grain=sigma / 255)
    painted = paint_photo(image, mask, "scratch", painter, 3)
    assert painted.facts["label_iou"] > 0.8
    half = paint_photo(image, mask, "scratch", Regrow(128, 6 * sigma / 255, sigma / 255, share=0.5), 3)
    left = mask & (np.arange(160) < 80)
    assert (half.label & left).sum() / (half.label | left).sum() > 0.8
    with pytest.raises(RenderError):
        paint_photo(image, mask, "scratch", Regrow(128, 0.0, sigma / 255), 3)


def test_a_thin_scratch_is_labelled_to_its_rim() -> None:
    image = grainy(160, 160, 3)
    mask = np.zeros((160, 160), bool)
    mask[78:82, 20:140] = True
    painted = paint_photo(image, mask, "scratch", Regrow(128, 0.2, 3 / 255), 3)
    assert painted.facts["label_iou"] > 0.8


def test_what_a_ring_surrounds_is_no_label() -> None:
    """A backend that paints the rim of a disc only: what it left as it was is not labelled, and counts as missing."""
    image = grainy(160, 160, 2)
    disc, core = (cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), r, 1, -1).astype(bool) for r in (40, 30))
    painted = np.where((disc & ~core)[..., None], image - np.uint8(60), image)
    label = label_of(painted, None, image, disc)
    inner = cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), 26, 1, -1).astype(bool)
    assert not label.mask[inner].any() and label.mask[disc & ~core].mean() > 0.99
    assert label.iou == label.mask.sum() / disc.sum() < 0.6


def test_a_mask_of_many_specks_takes_no_memory_for_each() -> None:
    """Each piece lies in a box of its own: a large photograph with thousands of pores is kept once."""
    mask = np.zeros((600, 600), bool)
    mask[10::40, 10::40] = True
    mask[11::40, 10::40] = True
    found = windows(mask, (64,), 2)
    assert len(found) == 225 and sum(v.piece.mask.size for v in found) == mask.sum()


def test_a_colour_shift_is_taken_out_and_the_damage_stays() -> None:
    n = 96
    mask = cv2.circle(np.zeros((n, n), np.uint8), (48, 48), 20, 1, -1).astype(bool)
    shift = 0.06 * np.linspace(0.5, 1.5, n)[None, :, None] * np.ones((n, n, 3))
    change = shift - 0.3 * mask[..., None]
    left = without_shift(change.astype(np.float32), mask)
    assert np.abs(left[mask] + 0.3).max() < 0.02
    assert np.abs(without_shift(np.where(mask[..., None], change, 0).astype(np.float32), mask)[mask] -
                  change[mask]).max() < 1e-5  # fmt: skip


def test_seams_show_in_the_measure() -> None:
    image = grainy(160, 160, 3)
    mask = cv2.circle(np.zeros((160, 160), np.uint8), (80, 80), 25, 1, -1).astype(bool)
    assert seam_visibility(image, mask, image) == pytest.approx(1.0, abs=0.15)
    loud = image.copy()
    loud[mask] = np.clip(loud[mask].astype(int) + 40, 0, 255)
    assert seam_visibility(loud, mask, image) > 5


def test_rims_are_sharp_on_small_damage_and_soft_on_large() -> None:
    mask = np.zeros((160, 160), np.uint8)
    cv2.circle(mask, (20, 20), 4, 1, -1)
    cv2.circle(mask, (95, 95), 50, 1, -1)
    share = feather(mask.astype(bool))
    assert share[16, 20] > 0.65 and share[17, 20] == 1
    assert share[45, 95] < 0.4 and share[46, 95] < 0.7 and share[49, 95] == 1
    assert (share[mask == 0] == 0).all() and (share[mask == 1] > 0).all()


def test_tiles_of_a_long_mask_leave_no_gaps_between_them() -> None:
    image = np.full((40, 500, 3), 150, np.uint8)
    mask = np.zeros((40, 500), bool)
    mask[18:21, 10:490] = True
    painted = paint_photo(image, mask, "scratch", Lazy(128, work=1), 0)
    assert painted.facts["windows"] > 2
    assert (painted.image[19, 12:488] == 75).all(), "half as bright all along the middle"


def test_label_of_nothing_is_empty() -> None:
    image, mask = grainy(80, 80, 3), np.zeros((80, 80), bool)
    mask[30:40, 30:50] = True
    found = label_of(image, image, image, mask)
    assert found.iou == 0 and found.no_op and not found.mask.any()


def test_unknown_damage_and_bad_masks_are_sentences() -> None:
    image, mask = grainy(60, 60, 4), np.zeros((60, 60), bool)
    with pytest.raises(InputError, match="is empty"):
        paint_photo(image, mask, "scratch", Wild(), 1)
    with pytest.raises(InputError, match="whole photograph"):
        paint_photo(image, ~mask, "scratch", Wild(), 1)
    with pytest.raises(InputError, match="40 x 60"):
        paint_photo(image, np.ones((60, 40), bool), "scratch", Wild(), 1)
    mask[5:9, 5:9] = True
    with pytest.raises(InputError, match="nothing of the part"):
        paint_photo(image, mask, "scratch", Wild(), 1, part=np.arange(60)[None, :].repeat(60, 0) > 30)
    with pytest.raises(InputError, match="one of good, scratch"):
        paint_photo(image, mask, "rust", Wild(), 1)


def test_a_grey_photograph_stays_grey() -> None:
    image, mask = grainy(60, 60, 4), np.zeros((60, 60), bool)
    mask[20:30, 20:30] = True
    assert Photo("x", paint_photo(image, mask, "scratch", Wild(), 1).image).grey


def test_bounds() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:5, 3:9] = True
    assert bounds(mask) == (2, 5, 3, 9) and thickness(mask) == 3
