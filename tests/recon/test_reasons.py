"""What could not be measured is said and never passes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from recon.lighting import Lighting
from recon.reasons import Reason, least, most
from recon.verdict import Verdict, judge
from tests.recon.known import fitted, masks, ring

NO_NUMBERS = (float("nan"), float("inf"), float("-inf"), np.float32("nan"))


@pytest.mark.parametrize("value", NO_NUMBERS)
@pytest.mark.parametrize("judged", [least, most])
def test_no_number_passes_no_limit(judged, value: float) -> None:
    reason = judged("poses", value, 0.95, "outlines meet to {:.3f} only", "calibrate again")
    assert reason == Reason(
        subject="poses", weight="refuse", measured=None, limit=0.95, next_step="calibrate again",
        said="poses could not be measured: outlines meet to ? only",
    )  # fmt: skip
    assert judged("seen", value, 0.97, "{:.0%}", "turn it over", "note").weight == "note"


def test_a_limit_itself_passes() -> None:
    assert least("a", 0.5, 0.5, "", "") is None and most("a", 0.5, 0.5, "", "") is None
    assert least("a", 0.25, 0.5, "{:.0%} seen", "").said == "25% seen"  # type: ignore[union-attr]


def test_braces_in_a_name_are_a_name() -> None:
    reason = least("poses", 0.5, 0.9, "view a{x}{0}{ meets its mask to {:.3f} only", "take it again")
    assert reason is not None and reason.said == "view a{x}{0}{ meets its mask to 0.500 only"


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_verdict_holds_what_could_not_be_measured_as_nothing(value: float) -> None:
    verdict = Verdict(outcome="refused", reasons=(), measures={"a": value, "b": 1.0})
    assert verdict.measures == {"a": None, "b": 1.0}
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_photographs_that_none_were_kept_apart_of_are_refused() -> None:
    """Nothing then tells how well the fit foresees a photograph."""
    capture = ring()
    capture = capture.with_views([replace(v, held_out=False) for v in capture.views])
    verdict = judge(capture, masks(), fitted(capture), 0.99)
    assert not verdict.usable and verdict.measures["held_out_psnr_db"] is None
    assert "appearance could not be measured: views kept apart are met to ? dB only" in verdict.sentence()


@pytest.mark.parametrize("name", ["explained", "change"])
def test_a_light_that_could_not_be_measured_is_refused(name: str) -> None:
    capture = ring()
    light = replace(Lighting(0.9, 0.2, 0.1, "003"), change=0.0)
    assert judge(capture, masks(), fitted(capture), 0.99, lighting=light).outcome == "accepted"
    verdict = judge(capture, masks(), fitted(capture), 0.99, lighting=replace(light, **{name: float("nan")}))
    assert verdict.outcome == "refused" and "could not be measured" in verdict.sentence()
    assert verdict.measures["explained" if name == "explained" else "light_change"] is None


def test_tunnels_that_could_not_be_measured_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recon.verdict.tangles", lambda *_: 99)
    monkeypatch.setattr("recon.interior.interior_share", lambda *_: float("nan"))
    capture = ring()
    verdict = judge(capture, masks(), fitted(capture), 0.99)
    assert [r.subject for r in verdict.reasons] == ["shape"] and not verdict.usable


def test_masks_and_outlines_that_could_not_be_measured_are_refused() -> None:
    capture = ring()
    report = masks(systematic_px=float("nan"))
    verdict = judge(capture, report, fitted(capture, iou=float("nan")), float("nan"))
    assert {r.subject for r in verdict.reasons if r.measured is None} == {"masks", "poses"}
    assert verdict.measures["hull_iou"] is None and not verdict.usable
