"""Monte Carlo shading: no energy from nothing, no bias, less noise by weighing, true gradients, true shadows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from recon.montecarlo import ggx
from recon.montecarlo.denoise import denoised
from recon.montecarlo.environment import Environment
from recon.montecarlo.estimator import Points, Radiance, shade, tangent_frame
from recon.shading import Optics
from recon.visibility import Occluder


def uniform(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def optics(n: int, roughness: float, metallic: float, albedo: float = 0.6) -> Optics:
    return Optics(torch.full((n, 3), albedo), torch.full((n, 1), roughness), torch.full((n, 1), metallic))


def point(n: int = 1, tilt: float = 0.6) -> Points:
    """The same point n times, seen `tilt` radians from its normal, on a table turned by 0.7."""
    c, s = np.cos(0.7), np.sin(0.7)
    turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float32)
    normal = torch.tensor([0.3, -0.4, 0.866])
    normal = normal / normal.norm()
    side = tangent_frame(normal[None])[0, :, 0]
    eye = 4 * (np.cos(tilt) * normal + np.sin(tilt) * side)
    return Points(torch.zeros(n, 3), normal.expand(n, 3), eye, turn)


def room(lamp: float = 30.0) -> torch.Tensor:
    """(8, 16, 3): a dim sky and one bright texel, repeated to (64, 128, 3) so that midpoints are near exact."""
    sky = 0.2 + 0.3 * uniform(8, 16, 3, seed=7)
    sky[1, 5] = lamp
    return sky.repeat_interleave(8, 0).repeat_interleave(8, 1)


def exact(at: Points, material: Optics, radiance: torch.Tensor) -> torch.Tensor:
    """(3,) by quadrature over a finer grid of the same light."""
    fine = Environment.of(radiance.repeat_interleave(6, 0).repeat_interleave(6, 1))
    ways, angle = fine.centres()
    frame = tangent_frame(at.normals[:1])[0]
    local = ways @ at.room_from_part @ frame
    towards = (at.eye / at.eye.norm()) @ frame
    one = Optics(material.albedo[:1], material.roughness[:1], material.metallic[:1])
    diffuse, mirrored = ggx.lobes(towards.expand_as(local), local, one)
    light = fine.radiance.reshape(-1, 3) * angle[:, None]
    return (one.albedo * diffuse * light).sum(0) + (mirrored * light).sum(0)


@pytest.mark.parametrize("roughness", [0.2, 0.5, 1.0])
def test_white_furnace(roughness: float) -> None:
    """Under even light of one a white metal gives back no more than it gets, and a smooth one nearly all; a white
    plastic's diffuse part gives its share exactly."""
    even, white, n = Environment.of(torch.ones(16, 32, 3)), torch.ones(3), 1024
    metal = shade(point(n), optics(n, roughness, 1.0, 1.0), even, uniform(n, 64, 5)).times(white).mean()
    assert {0.2: 0.97, 0.5: 0.85, 1.0: 0.3}[roughness] < float(metal) < 1.005
    plastic = shade(point(n), optics(n, roughness, 0.0, 1.0), even, uniform(n, 64, 5)).diffuse.mean()
    assert float(plastic) == pytest.approx(1.0, abs=0.01)


def test_what_a_rough_white_metal_keeps() -> None:
    """At alpha = 1, seen along the normal, the integral of the mirrored lobe is 1 - ln 2 in closed form."""
    even, n = Environment.of(torch.ones(16, 32, 3)), 1024
    found = shade(point(n, 0.0), optics(n, 1.0, 1.0, 1.0), even, uniform(n, 64, 5))
    assert float(found.mirrored.mean()) == pytest.approx(1 - np.log(2), rel=0.01)


@pytest.mark.parametrize(("roughness", "metallic"), [(0.4, 0.0), (0.4, 1.0), (0.8, 0.5)])
def test_no_bias_against_quadrature(roughness: float, metallic: float) -> None:
    at, material = point(512), optics(512, roughness, metallic)
    true = exact(at, material, room())
    for strategy in ("both", "light", "material"):
        found = shade(at, material, Environment.of(room()), uniform(512, 64, 5), strategy=strategy)
        each = found.times(material.albedo)
        error = each.std(0) / np.sqrt(512)
        assert bool(((each.mean(0) - true).abs() < 4 * error + 0.004 * true).all()), strategy


def test_weighing_both_is_quieter_than_the_worse_and_near_the_better() -> None:
    """A lamp on a rough plastic is found by light draws, a mirror's sky by its own: the balance has no bad case."""
    noise = {}
    for roughness, metallic in ((0.12, 1.0), (0.9, 0.0)):
        for strategy, k in (("both", 8), ("light", 16), ("material", 16)):
            found = shade(
                point(2000, 0.4),
                optics(2000, roughness, metallic),
                Environment.of(room()),
                uniform(2000, k, 5),
                strategy=strategy,
            )
            noise[roughness, strategy] = float(found.times(torch.full((3,), 0.6)).var(0).mean())
    assert noise[0.12, "both"] < 0.5 * noise[0.12, "light"]
    assert noise[0.9, "both"] < 0.5 * noise[0.9, "material"]
    for one in ("light", "material"):
        assert sum(noise[rough, one] / noise[rough, "both"] for rough in (0.12, 0.9)) > 2


def test_draws_follow_their_densities() -> None:
    """The mean of 1 / density over draws is the solid angle that can be drawn; a histogram agrees with the map."""
    light = Environment.of(room())
    drawn = light.draw(uniform(40_000, 2))
    assert float((1 / light.density(drawn)).mean()) == pytest.approx(4 * np.pi, rel=0.05)
    row, column = light.texel(drawn)
    lamp = (row // 8 == 1) & (column // 8 == 5)
    _, angle = light.centres()
    power = (light.radiance.mean(-1).reshape(-1) * angle).reshape(64, 128)
    assert float(lamp.float().mean()) == pytest.approx(float(power[8:16, 40:48].sum() / power.sum()), abs=0.01)
    towards = torch.nn.functional.normalize(torch.tensor([[0.6, 0.1, 0.7]]), dim=1).expand(40_000, 3)
    alpha = torch.full((40_000, 1), 0.3)
    own = ggx.draw(towards, alpha, uniform(40_000, 2, seed=3))
    inside = own[:, 2] > 0.3
    even = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(5)), dim=1)
    density = ggx.density(towards[:1].expand_as(even), even, alpha[:1].expand(len(even), 1))[:, 0]
    share = float((density * (even[:, 2] > 0.3)).mean() * 4 * np.pi)
    assert float(inside.float().mean()) == pytest.approx(share, abs=0.02)


def test_gradients_with_fixed_draws() -> None:
    at, draws = point(4), uniform(4, 16, 5)
    radiance, start = room(3.0)[::8, ::8].contiguous(), optics(4, 0.5, 0.3)
    light = Environment.of(radiance)
    inputs = [start.albedo, start.roughness, start.metallic, radiance]

    def value(albedo: torch.Tensor, rough: torch.Tensor, metal: torch.Tensor, sky: torch.Tensor) -> Radiance:
        return shade(
            at, Optics(albedo, rough, metal), Environment(sky, light.rows, light.columns), draws, strategy="light"
        )

    given = [i.clone().requires_grad_() for i in inputs]
    (value(*given).times(given[0]) ** 2).sum().backward()
    for number, one in enumerate(inputs):
        way = uniform(*one.shape, seed=11 + number) - 0.5
        step = 1e-2
        ends = []
        for sign in (1, -1):
            moved = list(inputs)
            moved[number] = one + sign * step * way
            ends.append(float((value(*moved).times(moved[0]) ** 2).sum()))
        gradient = given[number].grad
        assert gradient is not None
        assert float((gradient * way).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02)


def test_shadows_and_their_ramp() -> None:
    """A floor under a large roof a little above it is dark; half the ramp is half the darkness."""
    roof = trimesh.creation.box((40, 40, 0.2))
    roof.apply_translation((0, 0, 1.0))
    stands = Occluder(
        torch.tensor(np.array(roof.vertices), dtype=torch.float32),
        torch.tensor(np.array(roof.faces), dtype=torch.int32),
    )
    at = Points(torch.zeros(32, 3), torch.tensor([0.0, 0, 1]).expand(32, 3), torch.tensor([3.0, 0, 0.5]), torch.eye(3))
    even, draws = Environment.of(torch.ones(16, 32, 3)), uniform(32, 64, 5)
    bright, half, dark = (
        float(shade(at, optics(32, 1.0, 0.0), even, draws, stands, shadow).diffuse.mean()) for shadow in (0.0, 0.5, 1.0)
    )
    assert bright == pytest.approx(1.0, abs=0.05)
    assert dark < 0.05
    assert half == pytest.approx((bright + dark) / 2, rel=1e-4)


def two_walls() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Light, normals, depth and cover of two walls that meet in a corner, one bright and one dark, and a margin."""
    light, normals = torch.full((24, 24, 3), 0.2), torch.zeros(24, 24, 3)
    light[:, 12:] = 1.0
    normals[:, :12, 0], normals[:, 12:, 1] = 1.0, 1.0
    covered = torch.ones(24, 24, dtype=torch.bool)
    covered[:3] = False
    return light, normals, torch.full((24, 24), 5.0), covered


def test_the_denoiser_quiets_and_keeps_edges() -> None:
    light, normals, depth, covered = two_walls()
    noisy = light * (0.5 + uniform(24, 24, 3))
    clean = denoised(noisy, normals, depth, covered, 2.0)
    assert float((clean - light)[covered].std()) < 0.25 * float((noisy - light)[covered].std())
    flat = denoised(light, normals, depth, covered, 2.0)
    torch.testing.assert_close(flat, light * covered[..., None])
    step = depth.clone()
    step[:, 12:] = 9.0
    same = normals[:, :1].expand(24, 24, 3)
    torch.testing.assert_close(denoised(light, same, step, covered, 2.0)[covered], light[covered], atol=1e-3, rtol=0)
    torch.testing.assert_close(denoised(noisy, normals, depth, covered, 0.0)[covered], noisy[covered])


def test_the_denoiser_is_linear_in_the_light() -> None:
    _, normals, depth, covered = two_walls()
    one, two = uniform(24, 24, 3, seed=1).requires_grad_(), uniform(24, 24, 3, seed=2)
    whole = denoised(one + 2 * two, normals, depth, covered, 1.5)
    parts = denoised(one, normals, depth, covered, 1.5) + 2 * denoised(two, normals, depth, covered, 1.5)
    torch.testing.assert_close(whole, parts)
    whole.sum().backward()
    assert one.grad is not None
    assert float(one.grad.sum()) == pytest.approx(3 * int(covered.sum()), rel=1e-4)


def near_room(uneven: float) -> Environment:
    """Lamps four units away on one side and farther on the other, in a room that is brighter where they are near."""
    h, w = 32, 64
    side = torch.cos((torch.arange(w) + 0.5) / w * 2 * np.pi)[None].expand(h, w)
    return Environment.of((1.2 + side)[..., None].repeat(1, 1, 3), 0.25 + uneven * (side - 1))


@pytest.mark.parametrize(("uneven", "limit"), [(0.0, 0.005), (0.05, 0.03)])
def test_draws_of_near_lamps_have_the_density_that_is_said(uneven: float, limit: float) -> None:
    """Off the middle, densities sum to one over the sphere, and draws fall where they are high."""
    light, offset = near_room(uneven), torch.tensor([0.5, 0.3, -0.2])
    ways, angle = Environment.of(torch.ones(128, 256, 3)).centres()
    density = light.density(ways, offset.expand_as(ways))
    assert float((density * angle).sum()) == pytest.approx(1.0, abs=limit)
    drawn = light.draw(uniform(1, 60000, 2, seed=5), offset[None, None])[0]
    expected = (ways * (density * angle)[:, None]).sum(0)
    assert torch.allclose(drawn.mean(0), expected, atol=0.01)
    assert float((light.draw(uniform(1, 60000, 2, seed=5))[0].mean(0) - expected).norm()) > 0.03


def test_a_near_lamp_dims_with_the_square_of_its_distance() -> None:
    """One texel a unit ball's two radii away: half a radius nearer, it lights a point (2 / 1.5)^2 times as strongly."""
    sky = torch.zeros(64, 128, 3)
    sky[2, 40] = 1000.0
    light = Environment.of(sky, torch.full((64, 128), 0.5))
    towards = Environment.of(sky).centres()[0].reshape(64, 128, 3)[2, 40]
    n, found = 64, []
    for offset in (0.0, 0.5):
        at = Points(
            (offset * towards).expand(n, 3), towards.expand(n, 3), 3 * towards, torch.eye(3), torch.zeros(3)
        )  # fmt: skip
        found.append(float(shade(at, optics(n, 0.9, 0.0), light, uniform(n, 32, 5)).diffuse.mean()))
    assert found[1] / found[0] == pytest.approx((2 / 1.5) ** 2, rel=0.03)


def test_draws_find_single_texels_in_the_first_row_and_in_the_last() -> None:
    """Rows are searched in one list: the last row's columns are found as finely as the first's."""
    sky = torch.full((64, 128, 3), 1e-3)
    sky[63, 17] = 1e4
    sky[0, 99] = 1e4
    light = Environment.of(sky)
    ways, angle = light.centres()
    share = (light.density(ways) * angle).reshape(64, 128)
    rows, columns = light.texel(light.draw(uniform(1, 20000, 2, seed=9))[0])
    for row, column in ((63, 17), (0, 99)):
        hit = ((rows == row) & (columns == column)).float().mean()
        assert float(hit) == pytest.approx(float(share[row, column]), abs=0.01)
        assert float(share[row, column]) > 0.4
