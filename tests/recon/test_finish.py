"""The pass with maps: it explains photographs better than what it began with, repeats, and can be cut short."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.ndimage import distance_transform_edt

from core.errors import GeometryError
from core.seeds import child
from recon.bake import GUTTER
from recon.capture.model import Capture
from recon.finish import finished
from recon.finish.picture import even_draws, facing
from recon.fit import Settings, Stage, preset, reconstruct
from recon.fit.settings import Finish
from recon.relit import gain, harmonics, soft_light
from recon.result import Reconstruction
from recon.solve import solve
from recon.strips import strip
from tests.recon.bumpy import bumpy_ball, bumpy_normals, degrees, mapped_normals, room_light, smooth_ball
from tests.recon.synthetic import turntable

RADIUS = 0.02
SHORT = Settings("short", (Stage(64, 0.12, 60, 2e-2, 0.3, still=20),), hull_resolution=48, stereo=False, bounces=False)
BRIEF = Finish(side_px=64, steps=40, views_per_step=2, draws=4, final_draws=16)


def fields(points: np.ndarray) -> np.ndarray:
    """Light and dark fields of 6 mm, finer than the vertices of SHORT."""
    odd = (np.floor(points / 0.006).astype(int).sum(1) % 2).astype(float)[:, None]
    return np.repeat(0.2 + 0.45 * odd, 3, axis=1)


@pytest.fixture(scope="module")
def ball() -> Capture:
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    mesh.metadata["smooth"] = True
    return turntable(mesh, fields, views=16, size=64)


@pytest.fixture(scope="module")
def before(ball: Capture) -> Reconstruction:
    torch.set_num_threads(1)
    return reconstruct(ball, SHORT, seed=3)


@pytest.fixture(scope="module")
def after(ball: Capture, before: Reconstruction) -> Reconstruction:
    torch.set_num_threads(1)
    return finished(ball, before, BRIEF, seed=3)


@pytest.mark.slow
def test_views_that_it_never_saw_are_met_better(before: Reconstruction, after: Reconstruction) -> None:
    assert after.facts["held_out_psnr_db"] > before.facts["held_out_psnr_db"] + 1.0
    assert after.facts["before_finish"]["held_out_psnr_db"] == before.facts["held_out_psnr_db"]
    assert after.facts["finish"]["steps"] == BRIEF.steps
    assert after.facts["finish"]["skipped_steps"] == 0


def test_fields_finer_than_the_vertices_are_in_the_map(after: Reconstruction) -> None:
    """Texels differ from the vertices' colours there, and between light and dark by at least half of what is true."""
    assert after.maps is not None
    atlas, albedo = after.maps.atlas, after.maps.albedo.mean(2)
    corners = after.vertices[after.faces[atlas.face[atlas.covered]]]
    places = np.einsum("npc,np->nc", corners, atlas.bary[atlas.covered])
    true, found = fields(places)[:, 0], albedo[atlas.covered]
    trusted = after.maps.confidence[atlas.covered] > 0.5
    light, dark = (found[trusted & (true > 0.4) == wanted].mean() for wanted in (True, False))
    assert light / dark > 0.5 * 0.65 / 0.2
    assert after.maps.roughness.shape == albedo.shape


def test_the_mesh_stays_what_it_was_but_for_its_places(before: Reconstruction, after: Reconstruction) -> None:
    assert np.array_equal(before.faces, after.faces)
    moved = np.linalg.norm(before.vertices - after.vertices, axis=1)
    assert 0 < moved.mean() < 0.02 * RADIUS
    assert len(after.shadings) == len(before.shadings)
    assert np.isfinite(after.environment).all()
    assert after.environment.min() > 0


@pytest.fixture(scope="module")
def bumps() -> tuple[Capture, Reconstruction, Reconstruction]:
    """A ball with bumps on one half, fitted from its light and its mean shape, without a normal map and with one."""
    torch.set_num_threads(1)
    capture = turntable(bumpy_ball(5), views=12, size=80, elevations=(15.0, 50.0), grid=2)
    start, brief = smooth_ball(capture), replace(BRIEF, side_px=80, steps=60)
    without = finished(capture, start, replace(brief, relief_rate=0.0), seed=3)
    return capture, without, finished(capture, start, brief, seed=3)


@pytest.mark.slow
def test_bumps_finer_than_the_mesh_are_in_the_normal_map(bumps) -> None:
    """Not as colour, which meets photographs nearly as well. Where there are none, no noise is painted either."""
    _, without, found = bumps
    assert without.maps is not None and found.maps is not None
    assert found.facts["held_out_psnr_db"] > without.facts["held_out_psnr_db"] + 0.5
    places, _, mapped = mapped_normals(found, found.maps)
    truth, seen = bumpy_normals(places), found.maps.confidence[found.maps.atlas.covered] > 0.5
    _, _, plain = mapped_normals(without, without.maps)
    rough, flat = seen & (places[:, 0] > 0.35 * RADIUS), seen & (places[:, 0] < -0.05 * RADIUS)
    assert degrees(mapped, truth)[rough].mean() < 0.72 * degrees(plain, bumpy_normals(places))[rough].mean()
    assert degrees(mapped, truth)[flat].mean() < 0.5
    relief = mapped - places / np.linalg.norm(places, axis=1, keepdims=True)
    true = truth - places / np.linalg.norm(places, axis=1, keepdims=True)
    assert np.corrcoef(relief[rough].ravel(), true[rough].ravel())[0, 1] > 0.8


@pytest.mark.slow
def test_strips_show_the_bumps(bumps) -> None:
    """What a report shows of a view is nearer to its photograph than the same without the normal map."""
    capture, _, found = bumps
    assert found.maps is not None
    for number in (2, 7):
        with_, none = (strip(capture, found, m, number) for m in (found.maps, replace(found.maps, normal=None)))
        assert with_.psnr_db > none.psnr_db + 0.3
        assert np.abs(with_.normals - none.normals).max() > 0.05


def test_soft_light_is_what_a_cosine_gathers() -> None:
    """Against quadrature, for the lamps and the sky of the room; a normal that does not bend changes nothing."""
    light, rng = room_light(64), child(3, "normals")
    normals = rng.standard_normal((50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rise, turn = (np.pi / 2 - (np.arange(64) + 0.5) / 64 * np.pi), (np.arange(128) + 0.5) / 64 * np.pi - np.pi
    ways = np.stack(np.broadcast_arrays(np.cos(rise)[:, None] * np.cos(turn), np.cos(rise)[:, None] * np.sin(turn),
                                        np.sin(rise)[:, None]), -1)  # fmt: skip
    share = light * (np.cos(rise)[:, None, None] * (np.pi / 64) ** 2) / np.pi
    true = np.clip(normals @ ways.reshape(-1, 3).T, 0, None) @ share.reshape(-1, 3)
    assert np.abs(harmonics(normals) @ soft_light(light) - true).max() < 0.09 * true.max()
    np.testing.assert_allclose(gain(light, normals, normals), 1)


@pytest.mark.slow
def test_without_a_rate_the_normal_map_stays_flat(bumps) -> None:
    _, without, found = bumps
    assert without.maps is not None and found.maps is not None and without.maps.normal is not None
    assert np.array_equal(without.maps.normal, np.broadcast_to([0.0, 0, 1], without.maps.normal.shape))
    far = np.asarray(distance_transform_edt(~found.maps.atlas.covered)) > GUTTER
    assert found.maps.normal is not None
    assert np.ptp(found.maps.normal[far], axis=0).max() == 0, "what no chart needs is left alone"


def test_a_part_of_one_colour_keeps_it(ball: Capture, before: Reconstruction) -> None:
    torch.set_num_threads(1)
    grey = replace(before, albedo=np.full_like(before.albedo, 0.4))
    plain = replace(grey, facts={**grey.facts, "one_colour": True})
    brief = replace(BRIEF, steps=6, final_draws=4)
    kept, free = (finished(ball, found, brief, seed=5) for found in (plain, grey))
    assert np.abs(kept.albedo - 0.4).max() < 1e-3 < 0.01 < np.abs(free.albedo - 0.4).max()
    assert not np.array_equal(kept.environment, before.environment), "light goes on"


def test_same_seed_same_maps(ball: Capture, before: Reconstruction) -> None:
    torch.set_num_threads(1)
    brief = replace(BRIEF, steps=3, final_draws=4)
    first, second, other = (finished(ball, before, brief, seed=s) for s in (5, 5, 6))
    assert first.maps is not None
    assert second.maps is not None
    assert other.maps is not None
    assert np.array_equal(first.vertices, second.vertices)
    assert np.array_equal(first.maps.albedo, second.maps.albedo)
    assert first.maps.normal is not None and second.maps.normal is not None
    assert np.array_equal(first.maps.normal, second.maps.normal)
    assert np.ptp(first.maps.normal) > 0
    assert not np.array_equal(first.maps.albedo, other.maps.albedo)


def test_a_time_limit_is_recorded(ball: Capture, before: Reconstruction) -> None:
    cut = finished(ball, before, replace(BRIEF, final_draws=4), deadline=time.monotonic() - 1)
    assert cut.facts["stopped_early"]
    assert cut.facts["finish"]["steps"] == 0


def test_steps_that_are_not_finite_are_refused(ball: Capture, before: Reconstruction) -> None:
    broken = replace(before, environment=np.full_like(before.environment, np.inf))
    with pytest.raises(GeometryError, match="not finite"):
        finished(ball, broken, replace(BRIEF, steps=3))


def test_solve_adds_the_pass_where_a_preset_has_it(ball: Capture) -> None:
    torch.set_num_threads(1)
    short = replace(SHORT, stages=(Stage(48, 0.2, 10, 1e-2, still=4),))
    assert solve(ball, short).maps is None
    found = solve(ball, replace(short, finish=replace(BRIEF, steps=2, final_draws=4)))
    assert found.maps is not None
    assert found.facts["seconds"] > found.facts["finish"]["seconds"]
    assert solve(ball, replace(short, finish=BRIEF, minutes=0.0)).maps is None
    assert preset("full").finish is not None


def test_normals_that_look_away_are_bent_to_the_eye() -> None:
    normals = torch.tensor([[0.0, 0, 1], [0.0, 1, -0.2], [0, 0, -1.0]])
    towards = torch.tensor([[0.0, 0, 2]]).expand(3, 3)
    bent = facing(normals, towards)
    assert torch.allclose(bent[0], normals[0])
    assert float(bent[1, 2]) > 0
    assert torch.allclose(bent.norm(dim=1), torch.ones(3))


def test_draws_of_a_point_lie_evenly() -> None:
    """Of 16 draws each sixteenth of an axis holds one, whatever the shift."""
    found = even_draws(50, 16, torch.Generator().manual_seed(1))
    assert found.shape == (50, 16, 5)
    spread = found.sort(dim=1).values.diff(dim=1)
    assert float((spread - 1 / 16).abs().max()) < 1 / 16 + 1e-6
    assert not torch.equal(found[0], found[1])
