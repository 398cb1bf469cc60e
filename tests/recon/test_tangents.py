"""The frame of the normal map: along u, square to the normal, v on its own side, whatever way charts lie."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.finish.relief import EDGES, Finer, half_of
from recon.tangents import Fans, bent, normal_map, smooth_normals, tangents
from recon.unwrap import unwrap


def sheet(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A square of 4 x 4 fields in the plane z = 0; its texture coordinates are `matrix` (2, 2) times x and y."""
    side = np.linspace(-1, 1, 5)
    x, y = np.meshgrid(side, side)
    vertices = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    first = (np.arange(4)[:, None] * 5 + np.arange(4)).ravel()
    faces = np.concatenate([np.stack([first, first + 1, first + 6], 1), np.stack([first, first + 6, first + 5], 1)])
    return vertices, faces, (vertices[:, :2] @ np.asarray(matrix, float).T)[faces]


def frames(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray) -> tuple[Fans, torch.Tensor, torch.Tensor]:
    fans = Fans.of(faces, uv)
    normals = smooth_normals(torch.tensor(vertices), fans.faces)
    return fans, normals, tangents(fans, torch.tensor(vertices), normals)


@given(st.floats(-3, 3), st.floats(0.3, 3), st.floats(-2, 2), st.booleans())
@settings(max_examples=40, deadline=None)
def test_on_a_plane_they_are_the_directions_of_u_and_v(turn: float, wide: float, shear: float, mirrored: bool) -> None:
    c, s = np.cos(turn), np.sin(turn)
    matrix = np.array([[c, -s], [s, c]]) @ np.array([[wide, shear], [0, -1.0 if mirrored else 1.0]])
    fans, normals, along = frames(*sheet(matrix))
    ways = np.linalg.inv(matrix)  # columns: where x and y go along u, along v
    expected = np.append(ways[:, 0] / np.linalg.norm(ways[:, 0]), 0)
    np.testing.assert_allclose(along.numpy(), np.tile(expected, (len(along), 1)), atol=2e-5)
    assert set(fans.side.tolist()) == {-1.0 if mirrored else 1.0}
    across = float(fans.side[0]) * np.cross([0, 0, 1.0], expected)
    assert across[:2] @ ways[:, 1] > 0
    assert len(fans.vertex) == len(normals)


def test_normals_are_the_files_own() -> None:
    """Weighted by angles, as loaders do: a cube's corner looks along its diagonal however its sides are cut."""
    cube = trimesh.creation.box((2, 2, 2))
    faces = torch.tensor(np.array(cube.faces)).long()
    normals = smooth_normals(torch.tensor(np.array(cube.vertices)), faces)
    np.testing.assert_allclose(normals.numpy(), cube.vertices / np.sqrt(3), atol=1e-9)


def test_charts_do_not_share_tangents_and_one_chart_does() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices, faces = np.array(ball.vertices), np.array(ball.faces)
    atlas = unwrap(vertices, faces, 256)
    fans, normals, along = frames(vertices, faces, atlas.uv)
    assert len(fans.vertex) > len(vertices)
    np.testing.assert_array_equal(fans.vertex[fans.fan.long()].numpy(), faces)
    np.testing.assert_allclose(fans.uv[fans.fan.long()].numpy(), atlas.uv, atol=1e-6)
    assert float((along * normals[fans.vertex]).sum(1).abs().max()) < 1e-6
    assert float((along.norm(dim=1) - 1).abs().max()) < 1e-6
    sides = torch.zeros(len(fans.vertex)).index_add(0, fans.fan.long().reshape(-1), fans.side.repeat_interleave(3))
    count = torch.bincount(fans.fan.long().reshape(-1))
    assert bool((sides.abs() == count).all()), "a fan lies one side up"


@given(st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_they_turn_with_the_part(seed: int) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    turn = trimesh.transformations.random_rotation_matrix(rng.random(3))[:3, :3]
    vertices, faces, uv = sheet(np.array([[0.7, 0.2], [-0.1, 0.5]]))
    vertices = vertices + 0.1 * rng.standard_normal(vertices.shape)
    one, other = frames(vertices, faces, uv)[2], frames(vertices @ turn.T, faces, uv)[2]
    np.testing.assert_allclose(other.numpy(), one.numpy() @ turn.T, atol=1e-5)


def test_relief_bends_normals_as_its_map_is_read() -> None:
    """A viewer adds x tangent + y bitangent + z normal of the map; gradients are those of finite differences."""
    generator = torch.Generator().manual_seed(3)
    normals, along = (torch.randn(5, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    side = torch.tensor([[1.0], [-1], [1], [-1], [1]], dtype=torch.float64)
    relief = (0.3 * torch.randn(5, 2, generator=generator, dtype=torch.float64)).requires_grad_()
    found = bent(normals, along, side, relief)
    image = torch.tensor(normal_map(relief.detach().numpy())).double()
    read = image[:, :1] * along + image[:, 1:2] * side * torch.linalg.cross(normals, along) + image[:, 2:] * normals
    torch.testing.assert_close(found, torch.nn.functional.normalize(read, dim=1), atol=1e-6, rtol=0)
    assert torch.autograd.gradcheck(lambda r: bent(normals, along, side, r), (relief,))


def test_relief_is_what_the_vertices_cannot_have() -> None:
    """A tilt of a whole chart is taken out, whatever lies beside it; ripples finer than an edge stay."""
    charted = torch.zeros(64, 64, dtype=torch.bool)
    charted[8:40, 8:56] = True
    finer = Finer.of(charted, 6.0 / EDGES)
    tilt = torch.where(charted[..., None], torch.tensor([0.3, -0.2]), torch.tensor([9.0, 9.0]))
    assert float(finer(tilt)[charted].abs().max()) < 1e-5
    ripple = torch.sin(torch.arange(64) * 2 * torch.pi / 6).expand(64, 64)[..., None].expand(64, 64, 2)
    inside = finer(ripple)[16:32, 16:48]
    assert float((inside - ripple[16:32, 16:48]).abs().max()) < 0.05
    wave = torch.sin(torch.arange(64) * 2 * torch.pi / 40).expand(64, 64)[..., None].expand(64, 64, 2)
    assert float(finer(wave)[16:32, 16:48].norm() / wave[16:32, 16:48].norm()) < 0.6


@pytest.mark.parametrize("harm", ["flat face", "no area in the map"])
def test_faces_without_area_do_no_harm(harm: str) -> None:
    vertices, faces, uv = sheet(np.eye(2))
    if harm == "flat face":
        vertices[6] = vertices[7]
    else:
        uv[3] = uv[3, :1]
    _, normals, along = frames(vertices, faces, uv)
    assert bool(torch.isfinite(normals).all()) and bool(torch.isfinite(along).all())
    assert float((along.norm(dim=1) - 1).abs().max()) < 1e-6


def test_only_what_both_halves_tell_is_kept() -> None:
    """Ripples that both have stay; noise of their own as strong as the ripples goes, nearly all of it."""
    generator = torch.Generator().manual_seed(1)
    charted = torch.ones(96, 96, dtype=torch.bool)
    finer = Finer.of(charted, 4.0)
    wave = 0.2 * torch.sin(torch.arange(96) * 2 * torch.pi / 8).expand(96, 96)
    signal = torch.stack([wave, torch.zeros_like(wave)], -1) * (torch.arange(96) < 48)[:, None, None]
    noise = 0.1 * torch.randn(2, 96, 96, 2, generator=generator)
    kept = finer.agreed(signal + noise)
    ripples, plain = kept[12:36, 12:84], kept[60:84, 12:84]
    assert 0.6 < float((ripples * signal[12:36, 12:84]).sum() / (signal[12:36, 12:84] ** 2).sum()) < 1
    assert float(plain.norm()) < 0.25 * float(noise.mean(0)[60:84, 12:84].norm())
    torch.testing.assert_close(finer.agreed(torch.stack([signal, signal]))[12:36], signal[12:36])
    assert float(finer.agreed(torch.stack([signal, -signal])).abs().max()) == 0
    assert [half_of(n) for n in range(6)] == [0, 0, 1, 1, 0, 0]
