"""The verdict: good captures pass, each kind of spoiling is refused or noted, with its next step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from recon.capture.masks import Suspect
from recon.capture.model import hold_out
from recon.confidence import confidence, seen_share, vertex_areas
from recon.genus import tangles
from recon.interior import interior_share
from recon.isosurface import isosurface
from recon.verdict import coverage, geometry, judge
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


@pytest.mark.parametrize(("done", "outcome"), [(0, "refused"), (40, "refused"), (60, "accepted with")])
def test_a_fit_that_was_stopped_is_worth_what_it_got_to(done: int, outcome: str) -> None:
    capture = ring()
    found = fitted(capture)
    facts = {**found.facts, "stopped_early": True, "steps": done, "steps_asked": 100}
    verdict = judge(capture, masks(), replace(found, facts=facts), 0.99)
    assert verdict.outcome == outcome
    assert f"after {done} of 100 steps" in verdict.sentence()


def test_half_a_turn_and_few_photographs_are_known_before_any_fit() -> None:
    assert not coverage(ring())
    half = ring()
    kept = [v for v in half.views if v.centre[1] > 0]
    assert {r.subject for r in coverage(half.with_views(kept))} >= {"coverage"}
    assert {r.subject for r in coverage(half.with_views(half.views[:8]))} >= {"views"}


def test_a_ring_about_any_axis_is_whole_and_one_side_is_not() -> None:
    """No axis is told; the world's z points anywhere."""
    turn = np.eye(4)
    turn[:3, :3] = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    told = ring()
    still = replace(told, sessions=(replace(told.sessions[0], axis=None, axis_point=None),), light="part")
    lying = still.with_views([replace(v, camera_from_part=v.camera_from_part @ turn) for v in still.views])
    assert np.rad2deg(geometry(lying).gap_rad) < 40 and not coverage(lying)
    side = np.array([v.centre for v in lying.views])
    near = [v for v in lying.views if v.centre[0] > np.quantile(side[:, 0], 0.4)]
    assert {r.subject for r in coverage(lying.with_views(near))} >= {"coverage"}


def test_views_that_are_kept_apart_leave_no_gap() -> None:
    """Three rings of eight: every eighth view stands at the same side of each."""
    eight = [ring((e,), views=8).views for e in (15.0, 35.0, 55.0)]
    capture = ring().with_views(hold_out([v for views in eight for v in views]))
    assert not coverage(capture)


def test_one_camera_far_away_does_not_move_the_middle() -> None:
    capture = ring()
    far = capture.views[3].camera_from_part.copy()
    far[:3, 3] *= 1e4
    views = [replace(v, camera_from_part=far) if i == 3 else v for i, v in enumerate(capture.views)]
    assert not coverage(capture.with_views(views))


def test_a_light_that_nobody_told_is_said() -> None:
    told = ring((25.0,))
    assumed = replace(told, light="part", light_told=False)
    verdict = judge(assumed, masks(), fitted(assumed), 0.99)
    assert "--light room" in verdict.sentence() and "material: not identified" in verdict.sentence()
    known = replace(told, light="part")
    assert judge(known, masks(), fitted(known), 0.99).outcome == "accepted"


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
        ("appearance", lambda: (ring(), masks(), {"psnr": (15.0, 14.0)})),
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


def test_a_surface_that_is_mostly_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With tunnels in it, too: a deep pot alone is no Swiss cheese."""
    capture, pots = ring(), fitted(ring())
    monkeypatch.setattr("recon.interior.interior_share", lambda *_: 0.3)
    assert judge(capture, masks(), pots, 0.99).outcome == "accepted"
    monkeypatch.setattr("recon.verdict.tangles", lambda *_: 40)
    told = judge(capture, masks(), pots, 0.99)
    assert told.outcome == "refused" and "30% of the surface lies in tunnels" in told.sentence()


GRID = np.mgrid[-1:1:48j, -1:1:48j, -1:1:48j].astype(np.float32)
BLOCK = np.abs(GRID).max(0) - 0.8
AROUND = np.hypot(GRID[0], GRID[1])


def solid(field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mesh of a field that is negative inside."""
    return isosurface(field.astype(np.float32), np.full(3, -1.0), np.full(3, 1.0))


def cheese(rng: np.random.Generator) -> np.ndarray:
    """A block full of tunnels and voids."""
    noise = gaussian_filter(rng.standard_normal(BLOCK.shape), 1.6)
    return np.maximum(10 * BLOCK, (np.quantile(noise, 0.35) - noise) / noise.std())


def perforated() -> np.ndarray:
    """A plate with 64 through holes."""
    hole = np.hypot((GRID[0] + 0.85) % 0.2125 - 0.10625, (GRID[1] + 0.85) % 0.2125 - 0.10625)
    plate = np.maximum(np.abs(GRID[:2]).max(0) - 0.85, np.abs(GRID[2]) - 0.1)
    return np.maximum(plate, 0.06 - hole)


HONEST = {
    "perforated plate": perforated(),
    "block with a bore": np.maximum(BLOCK, 0.12 - AROUND),
    "pipe": np.maximum(np.maximum(AROUND - 0.22, 0.16 - AROUND), np.abs(GRID[2]) - 0.9),
    "heat sink": np.maximum(BLOCK, -np.maximum(np.abs((GRID[0] + 0.85) % 0.25 - 0.125) - 0.07, -(GRID[2] + 0.5))),
}


def test_swiss_cheese_is_refused(rng: np.random.Generator) -> None:
    vertices, faces = solid(cheese(rng))
    assert tangles(vertices, faces) > 20
    verdict = judge(ring(), masks(), with_mesh(vertices, faces), 0.99)
    assert "shape" in {r.subject for r in verdict.reasons}, verdict.measures
    assert "CAD" in verdict.sentence()


@pytest.mark.parametrize("name", HONEST)
def test_many_holes_or_deep_ones_are_no_swiss_cheese(name: str) -> None:
    vertices, faces = solid(HONEST[name])
    verdict = judge(ring(), masks(), with_mesh(vertices, faces), 0.99)
    assert "shape" not in {r.subject for r in verdict.reasons}, verdict.measures
    if name == "perforated plate":
        assert tangles(vertices, faces) == 64


def test_voids_count_as_tangles() -> None:
    field = np.maximum(BLOCK, 0.3 - np.linalg.norm(GRID, axis=0))
    assert tangles(*solid(field)) == 1
    assert interior_share(*solid(field)) == pytest.approx(4 * np.pi * 0.09 / (4 * np.pi * 0.09 + 6 * 1.6**2), rel=0.1)


def with_mesh(vertices: np.ndarray, faces: np.ndarray):
    n = len(vertices)
    return fitted(ring(), vertices=vertices, faces=faces, views_seen=np.full(n, 8), residual=np.full(n, 0.02))


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
