"""The statistics of the painting benchmark, on samples whose answer is known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from inpaint_data import photographs, random_case, rendered, tiles
from inpaint_realism import Crops, features_of, realism, stacked
from inpaint_stats import (
    BINS,
    about,
    auc,
    average_precision,
    draws_of,
    halved,
    histograms,
    interval,
    kernel_distance,
    overlap,
    threshold,
)
from inpaint_use import Shot, Trial, compared, figures, shot, trial

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example
from defects.generative.painter import GOOD
from tests.generative.small_sd import examples


def test_area_under_the_curve() -> None:
    rng = child(1, "auc")
    assert auc(rng.normal(size=4000), rng.normal(size=4000)) == pytest.approx(0.5, abs=0.03)
    assert auc(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0 and auc(np.zeros(3), np.zeros(5)) == 0.5
    far = auc(rng.normal(1.0, 1.0, 4000), rng.normal(size=4000))
    assert far == pytest.approx(0.7602, abs=0.02), "the normal distribution at 1 / sqrt(2)"


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=12), st.lists(st.integers(0, 6), min_size=1, max_size=12))
def test_area_under_the_curve_counts_pairs(a: list[int], b: list[int]) -> None:
    pairs = [(x > y) + 0.5 * (x == y) for x in a for y in b]
    assert auc(np.array(a), np.array(b)) == pytest.approx(np.mean(pairs))


def test_kernel_distance_is_nothing_for_one_distribution_and_grows() -> None:
    rng = child(2, "kernel")
    same = [kernel_distance(rng.normal(size=(200, 8)), rng.normal(size=(200, 8))) for _ in range(20)]
    assert abs(np.mean(same)) < 0.02 and min(same) < 0, "unbiased: it falls below zero as well"
    near, far = (kernel_distance(rng.normal(size=(200, 8)), rng.normal(by, 1, (200, 8))) for by in (0.5, 1.5))
    assert max(same) < near < far


def test_average_precision_of_histograms_is_that_of_ranked_pixels() -> None:
    rng = child(3, "ap")
    mask = rng.random(3000) < 0.1
    scores = np.clip(rng.normal(0.4 + 0.2 * mask, 0.1), 0, 0.999)
    scores = np.floor(scores * BINS) / BINS
    order = np.argsort(-scores, kind="stable")
    ranked, values = mask[order], scores[order]
    last = np.append(values[1:] != values[:-1], True)
    hits, seen = ranked.cumsum()[last], np.arange(1, len(ranked) + 1)[last]
    expected = (np.diff(hits, prepend=0) / mask.sum() * hits / seen).sum()
    assert average_precision(histograms(scores, mask)) == pytest.approx(expected)
    assert average_precision(histograms(mask * 0.9, mask)) == pytest.approx(1)


def test_threshold_lets_few_pixels_alarm_and_overlap_is_iou() -> None:
    scores = np.arange(1000) / 1000
    first = threshold(histograms(scores, np.zeros(1000, bool))[0], 0.005)
    assert (np.floor(scores * BINS) >= first).mean() <= 0.005 < (np.floor(scores * BINS) >= first - 2).mean()
    mask = np.zeros(1000, bool)
    mask[900:] = True
    counts = histograms(scores, mask)
    assert overlap(counts, int(0.95 * BINS)) == pytest.approx(0.5, abs=0.02)
    assert overlap(counts, int(0.8 * BINS)) == pytest.approx(0.5, abs=0.02)


def test_bootstrap_interval_covers_the_mean() -> None:
    """Of 200 samples the interval must hold the truth in about 95 of 100."""
    held = 0
    for k in range(200):
        rng = child(4, "covers", k)
        values = rng.normal(3.0, 1.0, 60)
        drawn = draws_of(60, 400, rng)
        low, high = interval((drawn @ values)[1:] / 60)
        held += low < 3.0 < high
    assert 0.88 < held / 200 < 0.99
    assert (draws_of(7, 5, child(0, "d")).sum(axis=1) == 7).all() and (draws_of(7, 5, child(0, "d"))[0] == 1).all()


def a_trial(level: np.ndarray, seed: int) -> Trial:
    """Tiles whose defects score `level` (tiles,) above the background."""
    rng, counts = child(seed, "trial"), np.zeros((len(level), 2, BINS))
    mask = np.arange(400) < 40
    for tile, high in enumerate(level):
        counts[tile] = histograms(np.clip(rng.normal(0.3 + high * mask, 0.1), 0, 0.999), mask)
    return Trial(counts, np.zeros(BINS), np.ones(len(level)), np.ones(len(level)), 128)


def test_the_paired_comparison_sees_what_is_better_and_not_what_is_equal() -> None:
    rng = child(5, "levels")
    level = rng.uniform(0, 0.4, 30)
    one, two = [a_trial(level, s) for s in range(3)], [a_trial(level, s) for s in range(3, 6)]
    (gain, low, high), *_ = compared(one, two, 300, child(1, "c"))
    assert low < 0 < high and abs(gain) < 0.03
    better = [a_trial(level + 0.08, s) for s in range(3)]
    (gain, low, high), *_ = compared(better, two, 300, child(1, "c"))
    assert low > 0 and low < gain < high
    spread = interval(figures(two, draws_of(30, 300, child(1, "c")))[0][1:])
    assert high - low < spread[1] - spread[0], "pairing by tile takes the tiles' own spread out"


def plates(name: str, depth: float, rough: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Grainy plates with a spot of some depth and roughness, and the spot's mask."""
    made = []
    for k in range(60):
        rng = child(k, name)
        mask = np.zeros((40, 40), bool)
        y, x = rng.integers(12, 22, 2)
        mask[y : y + 7, x : x + 8] = True
        change = -depth * rng.uniform(0.5, 1.5) + rough * rng.normal(size=(40, 40))
        image = rng.uniform(80, 160) + 4 * rng.normal(size=(40, 40)) + change * mask
        made.append((np.clip(image, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2), mask))
    return made


def test_a_classifier_cannot_tell_copies_and_tells_what_differs() -> None:
    real, alike = stacked(plates("real", 30)), stacked(plates("alike", 30))
    groups = np.arange(60)
    made = {"alike": alike, "rough": stacked(plates("rough", 30, 10)), "deep": stacked(plates("deep", 60))}

    def of(features: np.ndarray) -> Crops:
        return Crops(features, groups, np.repeat(["pit", "dent"], 30))

    found = realism(of(real), {n: of(f) for n, f in made.items()}, 80, 1, "rough")
    aucs = {n: f.values[0] for n, f in found.items()}
    assert 0.3 < aucs["alike"] < 0.7
    assert aucs["rough"] > 0.9 and aucs["deep"] > 0.8
    for figure in (1, 2):
        assert found["alike"].values[figure] < 0.2 * found["rough"].values[figure]
    assert found["rough"].over is None and found["alike"].over is not None
    for k, (gap, low, high) in enumerate(found["alike"].over):
        assert gap == pytest.approx(found["alike"].values[k] - found["rough"].values[k])
        assert low < gap < high < 0, "better, beyond the interval"


def test_types_that_look_like_each_other_s_are_told_by_the_distance_by_type() -> None:
    rng = child(5, "types")
    kinds = np.repeat(["pit", "dent"], 60)
    real, swapped = (np.concatenate([rng.normal(a, 1, (60, 6)), rng.normal(-a, 1, (60, 6))]) for a in (1.5, -1.5))
    groups = np.arange(120)
    found = realism(Crops(real, groups, kinds), {"swapped": Crops(swapped, groups, kinds)}, 20, 1)["swapped"]
    assert abs(found.values[1]) < 0.1 < 1.0 < found.values[2] and found.over is None


def test_an_interval_from_halves_holds_the_truth_as_often_as_it_says() -> None:
    rng = child(4, "halves")
    held = 0
    for _ in range(200):
        own = rng.normal(3.0, 1.0, 30)
        parts = np.array([own[half].mean() for half in halved(np.arange(30), 200, rng)])
        low, high = about(float(own.mean()), parts)[1:]
        held += low <= 3.0 <= high
    assert 0.88 < held / 200 < 0.99
    assert np.isnan(about(1.0, np.array([np.nan, np.nan]))[1])


def test_features_say_nothing_of_exposure() -> None:
    (image, mask), *_ = plates("real", 30)
    dark = np.rint(image * 0.5).astype(np.uint8)
    assert np.abs(features_of(image, mask) - features_of(dark, mask)).max() < 0.35
    assert np.isfinite(features_of(np.full((20, 20, 3), 7, np.uint8), mask[:20, :20] | np.eye(20, dtype=bool))).all()


def test_a_segmenter_learns_what_it_is_shown() -> None:
    def shots(count: int, name: str, depth: float) -> list[Shot]:
        made = []
        for k in range(count):
            rng = child(k, name)
            mask = np.zeros((64, 64), bool)
            y, x = rng.integers(8, 48, 2)
            mask[y : y + 6, x : x + 6] = True
            made.append(Shot((rng.normal(0, 0.3, (64, 64)) - depth * mask).astype(np.float32), mask))
        return made

    plain = [Shot(s.pixels, np.zeros_like(s.mask)) for s in shots(8, "good", 0)]
    test = shots(6, "test", 2)
    one = trial(shots(8, "made", 2), plain, test, np.arange(6), plain, 30, 1)
    none = trial(shots(8, "made", 0), plain, test, np.arange(6), plain, 30, 1)
    every = draws_of(6, 2, child(0, "x"))
    assert figures([one], every)[0, 0] > 0.6 > figures([none], every)[0, 0]
    assert one.counts[:, 1].sum() == 6 * 36


def test_halving_keeps_thin_masks() -> None:
    mask = np.zeros((40, 48), bool)
    mask[11:12, 4:40] = True
    half = shot(np.full((40, 48, 3), 90, np.uint8), mask)
    assert half.pixels.shape == (20, 24) and half.mask.sum() == 18


def test_exposures_of_one_tile_stay_together() -> None:
    def named(damage: str, number: int) -> Example:
        one = np.zeros((8, 8), bool)
        one[2:4, 2:4] = damage != GOOD
        return Example(np.zeros((8, 8, 3), np.uint8), one, np.ones_like(one), damage, f"exp1_num_{number}")

    numbers = [100, 130, 5000, 5040, 5075, 90000]
    many = [named(d, n) for d in ("crack", GOOD) for n in numbers]
    told = tiles(many)
    assert told[0] == told[1] and len({*told[:6]}) == 3 and not {*told[:6]} & {*told[6:]}
    assert len({*tiles(examples())}) == len(examples()), "names without a number are tiles of their own"
    ground = photographs(many, 4, 1)
    assert {id(e.image) for e in ground.given}.isdisjoint(id(r.image) for r in ground.real)
    with pytest.raises(InputError, match="split by tile"):
        photographs(many[:2] + many[6:8], 4, 1)


def test_rendered_pairs_are_split_and_keep_their_truth(tmp_path: Path) -> None:
    rng = child(7, "pairs")
    clean = rng.integers(60, 200, (8, 32, 32, 3)).astype(np.uint8)
    mask = np.zeros((8, 32, 32), bool)
    mask[:, 10:20, 10:20] = True
    change = np.where(mask[..., None], -50, 0).astype(np.int16)
    kind = np.array(["dent"] * 4 + ["scratch"] * 4)
    np.savez(tmp_path / "pairs-00000.npz", clean=clean, change=change, mask=mask, part=np.ones_like(mask), kind=kind,
             blueprint=kind, mm_per_px=np.full(8, 0.1, np.float32))  # fmt: skip
    ground = rendered([tmp_path / "pairs-00000.npz"], 10)
    assert len(ground.given) == len(ground.tasks) == 4 and {t.damage for t in ground.tasks} == {"dent", "scratch"}
    for task, (image, *_) in zip(ground.tasks, ground.real, strict=True):
        assert (image[~task.mask] == task.image[~task.mask]).all() and (image[task.mask] != task.image[task.mask]).all()
        assert not any((e.image == image).all() for e in ground.given)


def test_random_masks_are_usable() -> None:
    image = np.full((50, 200, 3), 100, np.uint8)
    for k in range(300):
        picture, where = random_case([image], child(k, "case"))
        assert picture.shape[:2] == where.shape and where.any() and not where.all()
