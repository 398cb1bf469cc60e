"""Light that a part sends on to itself, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from recon.bounce import Walls, walls
from recon.light import COARSE, directions
from recon.shading import vertex_normals


def walls_of(mesh: trimesh.Trimesh) -> tuple[Walls, np.ndarray]:
    vertices = torch.tensor(np.asarray(mesh.vertices, np.float32))
    faces = torch.tensor(np.asarray(mesh.faces, np.int32))
    ways = torch.tensor(directions(COARSE), dtype=torch.float32)
    return walls(vertices, vertex_normals(vertices, faces.long()), faces, ways, 1e-4), np.asarray(mesh.vertices)


def received(found: Walls) -> np.ndarray:
    """(n,) share of each vertex' irradiance that comes from the part."""
    return torch.sparse.mm(found.factors, torch.ones(found.factors.shape[1], 1))[:, 0].numpy()


def test_the_inside_of_a_ball_receives_only_from_itself() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    ball.invert()
    assert received(walls_of(ball)[0]) == pytest.approx(1.0, abs=0.02)


def test_a_convex_part_receives_nothing() -> None:
    assert received(walls_of(trimesh.creation.icosphere(subdivisions=3))[0]).max() == 0


def test_light_in_a_closed_ball_grows_as_the_series_says() -> None:
    """Direct light 1 and albedo a everywhere: a + a^2 + a^3 comes by way of the walls."""
    ball = trimesh.creation.icosphere(subdivisions=3)
    ball.invert()
    found, vertices = walls_of(ball)
    light = found.light(torch.ones(len(vertices), 3), torch.full((len(vertices), 3), 0.5))
    assert light.numpy() == pytest.approx(0.5 + 0.25 + 0.125, abs=0.03)


def test_a_floor_receives_from_a_high_wall_what_the_form_factor_says() -> None:
    """A floor point at a distance d from a wall of height h, both long: (1 - d / sqrt(d^2 + h^2)) / 2."""
    floor = trimesh.creation.box((20, 2, 0.1))
    wall = trimesh.creation.box((20, 0.1, 1))
    floor.apply_translation((0, 1.05, -0.05))
    wall.apply_translation((0, 0, 0.5))
    corners = np.concatenate([floor.vertices, wall.vertices])
    fine = trimesh.remesh.subdivide_to_size(corners, np.concatenate([floor.faces, wall.faces + 8]), 0.5)
    found, vertices = walls_of(trimesh.Trimesh(fine[0], fine[1], process=False))
    inner = (np.abs(vertices[:, 0]) < 1) & (np.abs(vertices[:, 2]) < 1e-9) & (vertices[:, 1] > 0.3)
    inner &= vertices[:, 1] < 1.8
    distance = vertices[inner, 1] - 0.05
    assert inner.sum() > 5
    off = received(found)[inner] - (1 - distance / np.hypot(distance, 1)) / 2
    assert abs(off.mean()) < 0.01
    assert np.abs(off).max() < 0.06  # one row of 192 directions
