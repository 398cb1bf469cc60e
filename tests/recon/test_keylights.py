"""Key lights: as bright as the grid says from afar, inverse-square from near by, and with shadows of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from recon.keylights import key_lights
from recon.light import FINE, directions
from recon.shading import KeyLight, diffuse_light, gathered, keyed_light
from tests.recon.standings import standing

CELLS = FINE[0] * FINE[1]


def normals_about(count: int = 400) -> torch.Tensor:
    ways = np.random.Generator(np.random.PCG64(4)).standard_normal((count, 3))
    return torch.tensor(ways / np.linalg.norm(ways, axis=1, keepdims=True), dtype=torch.float32)


def brightest(radiance: torch.Tensor, count: int, points: int, turn: float = 0.0) -> KeyLight:
    cells = torch.topk(gathered(radiance, standing(turn)).mean(1), count).indices
    return KeyLight(cells, torch.ones(points, count))


@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_far_lamps_in_an_open_sky_change_nothing_but_fineness(turn: float) -> None:
    """Taking cells out of a soft sky and shining them one by one gives the same irradiance, however the part stands."""
    sky = torch.tensor(1 + 0.8 * directions(FINE) @ [0.6, 0.0, 0.8], dtype=torch.float32)[:, None].expand(-1, 3)
    normals = normals_about()
    whole = torch.ones(len(normals), CELLS // 4)
    soft = diffuse_light(normals, whole, standing(turn), sky)
    key = brightest(sky, 60, len(normals), turn)
    keyed = keyed_light(torch.zeros_like(normals), normals, whole, standing(turn), sky, torch.zeros(CELLS), key)
    torch.testing.assert_close(keyed, soft, atol=0.02, rtol=0)


def test_a_near_lamp_falls_off_with_the_square_of_its_distance() -> None:
    """One bright cell three lengths away, against E = L w d^2 cos / r^2 of its exact position."""
    cell = 5 * FINE[1] + 7
    sky = torch.zeros(CELLS, 3)
    sky[cell] = 50.0
    nearness = torch.full((CELLS,), 1 / 3)
    lamp = 3 * torch.tensor(directions(FINE)[cell], dtype=torch.float32)
    points = 0.8 * normals_about(50)
    normals = torch.nn.functional.normalize(lamp - points + 0.4 * normals_about(50).roll(1, 0), dim=1)
    whole = torch.ones(50, CELLS // 4)
    key = KeyLight(torch.tensor([cell]), torch.ones(50, 1))
    found = keyed_light(points, normals, whole, standing(), sky, nearness, key)[:, 0]
    way = lamp - points
    distance = way.norm(dim=1)
    cosine = (normals * way).sum(1).clamp(min=0) / distance
    torch.testing.assert_close(found, 50 * 4 / CELLS * cosine * (3 / distance) ** 2, rtol=1e-4, atol=1e-6)


def test_distance_has_a_gradient() -> None:
    """The derivative by nearness against a central difference."""
    sky = torch.zeros(CELLS, 3, dtype=torch.float64)
    cell = 6 * FINE[1] + 3
    sky[cell] = 9.0
    stands = standing(dtype=torch.float64)
    points, normals = 0.7 * normals_about(20).double(), normals_about(20).roll(3, 0).double()
    key = KeyLight(torch.tensor([cell]), torch.ones(20, 1, dtype=torch.float64))
    whole = torch.ones(20, CELLS // 4, dtype=torch.float64)

    def total(near: torch.Tensor) -> torch.Tensor:
        return keyed_light(points, normals, whole, stands, sky, near.expand(CELLS), key).square().sum()

    near = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(total(near), near)
    step = 1e-5
    difference = (total(near.detach() + step) - total(near.detach() - step)) / (2 * step)
    assert float(slope) == pytest.approx(float(difference), rel=1e-5)
    assert abs(float(slope)) > 1e-3


@pytest.mark.parametrize(("distance", "open_"), [(3.0, False), (1.3, True)])
def test_a_wall_shadows_what_stands_behind_it_only(distance: float, open_: bool) -> None:
    """A wall 2 units away stands before a lamp 3 units away, and behind one 1.3 units away."""
    cell = 7 * FINE[1] + 11
    way = directions(FINE)[cell]
    turn = np.eye(4)
    turn[:3, :3] = trimesh.geometry.align_vectors([0, 0, 1], way)[:3, :3]
    turn[:3, 3] = 2 * way
    wall = trimesh.creation.box((3, 3, 0.05), transform=turn)
    sky = torch.full((CELLS, 3), 0.1)
    sky[cell] = 30.0
    points = torch.zeros(1, 3)
    normals = torch.tensor(way[None], dtype=torch.float32)
    vertices = torch.tensor(np.array(wall.vertices), dtype=torch.float32)
    faces = torch.tensor(np.array(wall.faces, np.int32))
    found = key_lights(
        torch.cat([vertices, points]), torch.cat([torch.zeros_like(vertices) + normals, normals]), faces,
        [(0, 0, standing())], sky, torch.full((CELLS,), 1 / distance), 1, 1e-3,
    )  # fmt: skip
    assert found.cells[0].tolist() == [cell]
    assert bool(found.of(0, slice(-1, None)).open[0, 0] == 1.0) is open_
