"""The verdict: good captures pass, each kind of spoiling is refused or noted, with its next step."""

from __future__ import annotations

import numpy as np
import pytest

from recon.capture.masks import Suspect
from recon.confidence import confidence, seen_share, vertex_areas
from recon.verdict import geometry, judge
from tests.recon.known import RADIUS, fitted, masks, ring


def test_a_good_capture_is_accepted() -> None:
    capture = ring()
    verdict = judge(capture, masks(), fitted(capture), 0.99)
    assert verdict.outcome == "accepted", verdict.sentence()
    assert verdict.usable


def test_one_elevation_does_not_identify_the_material() -> None:
    capture = ring((25.0,))
    verdict = judge(capture, masks(), fitted(capture), 0.99)
    assert verdict.outcome == "accepted with"
    assert "material: not identified" in verdict.sentence()
    assert judge(capture, masks(), fitted(capture), 0.99, probe=True).outcome == "accepted"


def test_an_unseen_underside_is_noted() -> None:
    capture = ring()
    found = fitted(capture)
    hidden = np.where(found.vertices[:, 2] < 0, 0, 8)
    verdict = judge(capture, masks(), fitted(capture, views_seen=hidden), 0.99)
    assert verdict.outcome == "accepted with"
    assert "turn the part over" in verdict.sentence()


@pytest.mark.parametrize(
    ("subject", "spoiled"),
    [
        ("views", lambda: (ring(views=10), masks(10), {})),
        ("coverage", lambda: (ring(turn=np.pi), masks(), {})),
        ("masks", lambda: (ring(), masks(iou=np.full(24, 0.85)), {})),
        ("masks", lambda: (ring(), masks(systematic_px=5.0), {})),
        ("masks", lambda: (ring(), masks(suspects=tuple(Suspect(i, str(i), "odd") for i in range(5))), {})),
        ("poses", lambda: (ring(), masks(), {"iou": 0.9})),
        ("appearance", lambda: (ring(), masks(), {"psnr": (19.0, 18.0)})),
        ("appearance", lambda: (ring(), masks(), {"psnr": (33.0, 24.0)})),
    ],
)
def test_what_is_spoiled_is_refused(subject: str, spoiled) -> None:
    capture, report, changed = spoiled()
    verdict = judge(capture, report, fitted(capture, **changed), 0.99)
    assert verdict.outcome == "refused"
    assert not verdict.usable
    assert subject in {r.subject for r in verdict.reasons if r.weight == "refuse"}
    assert all(r.next_step for r in verdict.reasons)


def test_a_surface_full_of_tunnels_is_refused() -> None:
    capture = ring()
    found = fitted(capture)
    torn = found.faces[np.arange(len(found.faces)) % 7 != 0]
    verdict = judge(capture, masks(), fitted(capture, faces=torn), 0.99)
    assert "shape" in {r.subject for r in verdict.reasons}


def test_where_the_cameras_stood() -> None:
    stand = geometry(ring((20.0, 50.0)))
    assert np.rad2deg(stand.elevations_rad) == pytest.approx(30, abs=1)
    assert np.rad2deg(geometry(ring(turn=np.pi)).gap_rad) > 150


def test_confidence_is_nothing_where_nothing_was_seen() -> None:
    found = fitted(ring())
    trust = confidence(found)
    assert (trust[found.views_seen == 0] == 0).all()
    assert trust[found.views_seen > 4].min() > 0.7
    assert vertex_areas(found).sum() == pytest.approx(4 * np.pi * RADIUS**2, rel=0.02)
    assert seen_share(found) == pytest.approx(0.985, abs=0.01)
