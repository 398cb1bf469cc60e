"""The grid of light: a turn of the table loses nothing, and shading agrees with closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.light import COARSE, FINE, directions, equirectangular, frames, lobes, taps, upright
from recon.shading import Optics, diffuse_light, lobe_sharpness, specular_light
from recon.shading import taps as torch_taps
from recon.visibility import Occluder
from tests.recon.standings import standing


def about(axis: np.ndarray, angle: float) -> np.ndarray:
    return trimesh.transformations.rotation_matrix(angle, axis)[:3, :3]


@settings(max_examples=25, deadline=None)
@given(st.floats(-7, 7), st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.2))
def test_a_turn_keeps_every_band_of_light(angle: float, way: tuple[float, float, float]) -> None:
    """About any table axis: what a part receives in each band is what the room sends there."""
    axis = np.array(way) / np.linalg.norm(way)
    light = frames(about(axis, angle), np.eye(3), axis)
    radiance = np.abs(np.sin(np.arange(FINE[0] * FINE[1]) * 12.9898)) ** 3
    received = (light.gather @ radiance).reshape(COARSE).mean(1)
    sent = radiance.reshape(COARSE[0], 2, FINE[1]).mean((1, 2))
    np.testing.assert_allclose(received, sent, rtol=1e-4)


def test_a_whole_step_only_shifts() -> None:
    step = 2 * np.pi / COARSE[1]
    radiance = np.random.Generator(np.random.PCG64(1)).random(FINE[0] * FINE[1])
    still = frames(np.eye(3), np.eye(3), np.array([0.0, 0.0, 1.0])).gather @ radiance
    turned = frames(about(np.array([0, 0, 1.0]), step), np.eye(3), np.array([0.0, 0.0, 1.0])).gather @ radiance
    np.testing.assert_allclose(turned.reshape(COARSE), np.roll(still.reshape(COARSE), -1, axis=1), atol=1e-5)


def test_even_light_gives_its_radiance() -> None:
    """Irradiance over pi under radiance 1 from everywhere is 1, and a half sky gives a half to a wall."""
    normals = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.6, 0.0, 0.8]])
    open_sky = torch.ones(3, COARSE[0] * COARSE[1])
    even = diffuse_light(normals, open_sky, standing(), torch.ones(FINE[0] * FINE[1], 3))
    torch.testing.assert_close(even, torch.ones(3, 3), atol=0.02, rtol=0)
    sky = torch.tensor((directions(FINE)[:, 2] > 0).astype(np.float32))[:, None].expand(-1, 3)
    half = diffuse_light(normals[1:2], open_sky[1:2], standing(), sky)
    torch.testing.assert_close(half, torch.full((1, 3), 0.5), atol=0.02, rtol=0)


def test_a_mirror_shows_the_light_above_it() -> None:
    spot = torch.full((FINE[0] * FINE[1], 3), 0.1)
    spot[: FINE[1]] = 10.0
    optics = Optics(torch.ones(2, 3), torch.full((2, 1), 0.2), torch.ones(2, 1))
    points = torch.zeros(2, 3)
    normals = torch.tensor([[0.0, 0.0, 1.0], [0.7071, 0.0, 0.7071]])
    open_sky = torch.ones(2, COARSE[0] * COARSE[1])
    blurred = lobes(lobe_sharpness(torch.tensor(0.2))) @ spot
    shine = specular_light(points, normals, open_sky, optics, standing(), blurred)
    assert float(shine[0, 0]) > 10 * float(shine[1, 0])
    dark = specular_light(points, normals, torch.zeros_like(open_sky), optics, standing(), blurred)
    assert float(dark.abs().max()) == 0.0


def test_lobes_keep_even_light_and_narrow_with_gloss() -> None:
    for rough in (0.2, 0.5, 1.0):
        kernel = lobes(lobe_sharpness(torch.tensor(rough)))
        torch.testing.assert_close(kernel.sum(1), torch.ones(len(kernel)), atol=1e-5, rtol=0)
    assert float(lobes(lobe_sharpness(torch.tensor(0.3)))[5, 5]) > float(lobes(lobe_sharpness(torch.tensor(0.9)))[5, 5])


def test_both_taps_agree_and_sum_to_one() -> None:
    ways = np.random.Generator(np.random.PCG64(2)).standard_normal((200, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    cells, weights = taps(ways, FINE)
    same, again = torch_taps(torch.tensor(ways), FINE)
    assert (cells == same.numpy()).all()
    np.testing.assert_allclose(weights, again.numpy(), atol=1e-6)
    np.testing.assert_allclose(weights.sum(1), 1.0, atol=1e-9)
    blended = np.einsum("nk,nkc->nc", weights, directions(FINE)[cells])
    assert (np.einsum("nk,nk->n", blended, ways) > 0.9).all()


def test_equirectangular_has_the_pole_on_top() -> None:
    radiance = np.repeat(directions(FINE)[:, 2:], 3, axis=1)
    sky = equirectangular(radiance, upright(np.array([0.0, 0.0, 1.0])))
    assert sky[0].min() > 0.9
    assert sky[-1].max() < -0.9
    upside = equirectangular(radiance, upright(np.array([0.0, 0.0, -1.0])))
    assert upside[0].max() < -0.9


def test_a_wall_shadows_one_side() -> None:
    """A point on the ground beside a wall sees the sky of the other side only."""
    wall = trimesh.creation.box((0.1, 4, 4), transform=trimesh.transformations.translation_matrix([0.5, 0, 0]))
    mesh = Occluder(
        torch.tensor(np.array(wall.vertices), dtype=torch.float32), torch.tensor(np.array(wall.faces, np.int32))
    )
    point, up = torch.zeros(1, 3), torch.tensor([[0.0, 0.0, 1.0]])
    ways = np.array([[0.9, 0.0, 0.44], [-0.9, 0.0, 0.44], [0.0, 0.0, -1.0]])
    assert mesh.unshadowed(point, up, ways, 1e-4)[0].tolist() == [0, 1, 0]
    eyes = np.array([[3.0, 0.0, 1.0], [-3.0, 0.0, 1.0]])
    assert mesh.seen_from(point, up, eyes, 1e-4)[:, 0].tolist() == [0, 1]


def test_the_way_up_is_turned_the_shortest_way() -> None:
    for way in ([0, 0, 1.0], [0, 0, -1.0], [0.3, -0.5, 0.2]):
        turn = upright(np.array(way))
        np.testing.assert_allclose(turn @ way / np.linalg.norm(way), [0, 0, 1], atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0)
