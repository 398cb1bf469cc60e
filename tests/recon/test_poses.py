"""Poses: those that were shaken come back, those that were right stay, and the part is not carried away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from core.seeds import child
from recon.capture.model import Capture
from recon.fit import Settings, Stage, reconstruct
from recon.fit.poses import _motion, _twist
from tests.recon.synthetic import turntable

RADIUS = 0.02
PLAIN = Settings(
    "short", (Stage(64, 0.12, 80, 2e-2, 0.5, still=30), Stage(64, 0.08, 160, 1e-2, 0.15)), hull_resolution=48,
    stereo=False, bounces=False,
)  # fmt: skip
REFINED = PLAIN.with_poses_refined()


def fields(points: np.ndarray) -> np.ndarray:
    odd = (np.floor(points / 0.009).astype(int).sum(1) % 2).astype(float)[:, None]
    return np.repeat(0.25 + 0.35 * odd, 3, axis=1)


@pytest.fixture(scope="module")
def block() -> Capture:
    torch.set_num_threads(1)
    mesh = trimesh.creation.box((1.6 * RADIUS, 1.1 * RADIUS, 0.8 * RADIUS))
    return turntable(mesh, fields, views=16, size=64)


def shaken(capture: Capture, degrees: float) -> Capture:
    rng = child(4, "shaken")
    views = []
    for view in capture.views:
        twist = np.concatenate([np.deg2rad(degrees) * rng.normal(size=3), 0.2e-3 * degrees * rng.normal(size=3)])
        views.append(replace(view, camera_from_part=view.camera_from_part @ _motion(twist)))
    return capture.with_views(views)


def off_deg(capture: Capture, poses: np.ndarray, held_out: bool) -> float:
    """Mean angle to the true poses, less the turn that all views share."""
    true = np.stack([v.camera_from_part for v in capture.views])
    turns = np.stack([_twist(np.linalg.inv(t) @ p)[:3] for t, p in zip(true, poses, strict=True)])
    chosen = np.array([v.held_out == held_out for v in capture.views])
    shared = turns[[not v.held_out for v in capture.views]].mean(0)
    return float(np.rad2deg(np.linalg.norm(turns[chosen] - shared, axis=1).mean()))


@pytest.mark.slow
def test_shaken_poses_come_back_half_way_and_views_are_met_better(block: Capture) -> None:
    given = shaken(block, 1.0)
    found, plain = (reconstruct(given, settings, seed=2) for settings in (REFINED, PLAIN))
    before = off_deg(block, np.stack([v.camera_from_part for v in given.views]), False)
    assert before > 1.2
    assert off_deg(block, found.camera_from_part, False) < 0.75 * before
    assert off_deg(block, found.camera_from_part, True) < 0.85 * before
    assert found.facts["held_out_psnr_db"] > plain.facts["held_out_psnr_db"] + 2.0
    assert np.array_equal(plain.camera_from_part, np.stack([v.camera_from_part for v in given.views]))


@pytest.mark.slow
def test_right_poses_drift_by_less_than_half_a_pixel(block: Capture) -> None:
    """The part is 28 px from its middle to its corners: half a pixel is one degree."""
    found = reconstruct(block, REFINED, seed=2)
    assert off_deg(block, found.camera_from_part, False) < 0.8
    middle = (found.vertices.max(0) + found.vertices.min(0)) / 2
    assert np.linalg.norm(middle[:2]) < 0.02 * RADIUS, "nobody saw how far down it goes"


def test_halved_stages_do_the_same_steps_at_the_same_rates() -> None:
    for stage in (Stage(64, 0.1, 80, 2e-2, 0.5, still=30), Stage(64, 0.1, 81, 1e-2, 0.1, still=60)):
        first, second = stage.halved()
        assert first.steps + second.steps == stage.steps
        assert first.still + second.still == stage.still
        assert second.vertex_rate * second.fall == pytest.approx(stage.vertex_rate * stage.fall)
        assert first.vertex_rate * first.fall == pytest.approx(second.vertex_rate)


def test_motions_and_their_twists() -> None:
    rng = child(1, "twists")
    for _ in range(20):
        twist = rng.normal(size=6) * 0.6
        motion = _motion(twist)
        assert np.allclose(motion[:3, :3] @ motion[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.allclose(_twist(motion), twist, atol=1e-9)
    assert np.array_equal(_motion(np.zeros(6)), np.eye(4))
