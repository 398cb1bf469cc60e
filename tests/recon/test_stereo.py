"""Pockets that no outline shows, found by pairs of photographs; what is not open stays."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from core.seeds import child
from recon.capture.model import Capture
from recon.hull import visual_hull
from recon.nearest import Surface
from recon.stereo import dug
from recon.stereo.depths import depth_maps, hull_range, neighbours, photo_of
from recon.stereo.semiglobal import semiglobal
from recon.visibility import Occluder
from tests.recon.synthetic import turntable


def pocketed() -> trimesh.Trimesh:
    """A block of 40 x 40 x 20 mm with a pocket of 24 x 24 x 12 mm in its top."""
    block = trimesh.creation.box((0.04, 0.04, 0.02))
    tool = trimesh.creation.box((0.024, 0.024, 0.02)).apply_translation((0, 0, 0.008))
    return trimesh.boolean.difference([block, tool], engine="manifold")


def mottled(points: np.ndarray) -> np.ndarray:
    """As a casting's skin is, and coarse enough for the small pictures of this test."""
    waves = np.sin(points @ np.array([[2100.0, 900, 0], [-700, 1900, 800], [300, -500, 2300]]).T)
    return np.repeat(0.5 + 0.12 * waves.prod(1, keepdims=True) + 0.06 * waves.sum(1, keepdims=True), 3, axis=1)


@pytest.fixture(scope="module")
def capture() -> Capture:
    torch.set_num_threads(1)
    return turntable(pocketed(), mottled, views=24, size=112, elevations=(50.0,), grid=2)


@pytest.fixture(scope="module")
def hull(capture: Capture) -> tuple[np.ndarray, np.ndarray]:
    return visual_hull(capture, 64)


def surface_distances(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    return Surface(vertices, faces).closest(points).distance


def floor_height(vertices: np.ndarray) -> float:
    """Median height (m) of what lies under the middle of the pocket, its own bottom left out."""
    inner = (np.abs(vertices[:, :2]).max(1) < 0.007) & (vertices[:, 2] > -0.008)
    return float(np.median(vertices[inner, 2]))


@pytest.mark.slow
def test_a_pocket_is_dug_to_its_floor(capture: Capture, hull: tuple[np.ndarray, np.ndarray]) -> None:
    assert floor_height(hull[0]) > 0.004  # the hull has a lid
    vertices, faces = dug(capture.training, *hull, 64)
    assert floor_height(vertices) == pytest.approx(-0.002, abs=0.0015)
    truth = pocketed()
    closer = [
        np.mean(surface_distances(np.asarray(truth.sample(4000, seed=1)), v, f)) for v, f in (hull, (vertices, faces))
    ]
    assert closer[1] < 0.6 * closer[0]
    assert trimesh.Trimesh(vertices, faces, process=False).is_watertight


@pytest.mark.slow
def test_a_smooth_ball_stays_as_the_hull_is() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.02)
    ball.metadata["smooth"] = True
    capture = turntable(ball, views=16, size=96, grid=2)
    hull = visual_hull(capture, 48)
    vertices, _ = dug(capture.training, *hull, 48)
    before, after = (np.linalg.norm(v, axis=1).mean() for v in (hull[0], vertices))
    assert after == pytest.approx(before, rel=0.005)


def test_depths_lie_between_the_hulls_two_sides(capture: Capture, hull: tuple[np.ndarray, np.ndarray]) -> None:
    solid = Occluder.of(*hull)
    for one in depth_maps(capture.training, *hull, max_side=80, planes=40):
        near, far = hull_range(one.photo, solid)
        known = np.isfinite(one.depth)
        assert known.mean() > 0.02
        assert (one.depth[known] >= near[known] - 1e-9).all()
        assert (one.depth[known] <= far[known] + 2 * one.spacing).all()


def test_a_range_is_the_hulls_own(hull: tuple[np.ndarray, np.ndarray], capture: Capture) -> None:
    photo = photo_of(0, capture.views[0], 64)
    near, far = hull_range(photo, Occluder.of(*hull))
    inside = np.isfinite(near)
    deep = (photo.rays() * near[..., None] + photo.eye)[inside]
    assert np.abs(surface_distances(deep, *hull)).max() < 1e-5
    assert (far[inside] >= near[inside] - 1e-6).all()


def test_neighbours_are_near_but_not_the_same(capture: Capture) -> None:
    photos = [photo_of(i, v, 32) for i, v in enumerate(capture.training)]
    for photo in photos:
        found = neighbours(photo, photos, np.zeros(3))
        assert photo.number not in [p.number for p in found]
        assert 1 <= len(found) <= 5


def test_semiglobal_matching_mends_noise_but_keeps_a_step() -> None:
    rng = child(4, "noise")
    truth = np.where(np.arange(40)[None] < 20, 5, 14) * np.ones((30, 1), int)
    cost = np.ones((20, 30, 40), np.float32)
    cost[np.arange(20)[:, None, None] == truth] = 0.5
    cost += rng.normal(0, 0.2, cost.shape).astype(np.float32)
    assert (np.abs(cost.argmin(0) - truth) <= 1).mean() < 0.8
    found = semiglobal(cost, np.zeros(truth.shape)).argmin(0)
    assert (np.abs(found - truth) <= 1).mean() > 0.94


def test_an_isolated_view_gives_no_depths(capture: Capture, hull: tuple[np.ndarray, np.ndarray]) -> None:
    alone = dug(capture.training[:1], *hull, 48)
    assert surface_distances(alone[0], *hull).max() < 0.0015
