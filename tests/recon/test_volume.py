"""The surface of a signed grid: closed, of the right genus and volume, near the truth, with true gradients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GeometryError
from core.seeds import child
from recon.metrics import compare_shapes
from recon.volume import cells
from recon.volume.flexicubes import Flex, Grid, extract

Field = Callable[[torch.Tensor], torch.Tensor]


def sphere(p: torch.Tensor) -> torch.Tensor:
    return p.norm(dim=1) - 0.8


def torus(p: torch.Tensor) -> torch.Tensor:
    return torch.hypot(torch.hypot(p[:, 0], p[:, 1]) - 0.65, p[:, 2]) - 0.27


def box(
    p: torch.Tensor, half: tuple[float, float, float], middle: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> torch.Tensor:
    q = (p - p.new_tensor(middle)).abs() - p.new_tensor(half)
    return q.clamp(min=0).norm(dim=1) + q.max(1).values.clamp(max=0)


def pocketed(p: torch.Tensor) -> torch.Tensor:
    """A block of 1.6 x 1.2 x 0.8 with a pocket 0.8 x 0.6 wide and 0.5 deep from above."""
    return torch.maximum(box(p, (0.8, 0.6, 0.4)), -box(p, (0.4, 0.3, 0.5), (0, 0, 0.4)))


def mesh_of(values: torch.Tensor, grid: Grid, centres: bool = False) -> trimesh.Trimesh:
    dual = extract(values, grid, centres=centres)
    return trimesh.Trimesh(dual.vertices.detach().numpy(), dual.faces.numpy(), process=False)


def grid_of(resolution: int) -> Grid:
    return Grid.around(np.full(3, -1.0), np.full(3, 1.0), resolution)


def assert_manifold(mesh: trimesh.Trimesh) -> None:
    """Every edge has exactly two faces, once in each direction, and every vertex one fan."""
    ends = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    codes = ends[:, 0].astype(np.int64) * len(mesh.vertices) + ends[:, 1]
    back = ends[:, 1].astype(np.int64) * len(mesh.vertices) + ends[:, 0]
    assert len(np.unique(codes)) == len(codes)
    assert np.array_equal(np.sort(codes), np.sort(back))
    following = {(int(f[k]), int(f[(k + 1) % 3])): int(f[(k + 2) % 3]) for f in mesh.faces for k in range(3)}
    fans = np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices))
    for vertex, start in dict(following.keys()).items():
        at, turns = following[(vertex, start)], 1
        while at != start:
            at, turns = following[(vertex, at)], turns + 1
        assert turns == fans[vertex]


@pytest.mark.parametrize(
    ("field", "volume", "euler", "limit"),
    [
        (sphere, 4 / 3 * np.pi * 0.8**3, 2, 0.005),
        (torus, 2 * np.pi**2 * 0.65 * 0.27**2, 0, 0.015),
        (pocketed, 1.6 * 1.2 * 0.8 - 0.8 * 0.6 * 0.5, 2, 0.03),
    ],
)
def test_analytic_shapes(field: Field, volume: float, euler: int, limit: float) -> None:
    grid = grid_of(40)
    for centres in (False, True):
        mesh = mesh_of(field(grid.points()), grid, centres=centres)
        assert_manifold(mesh)
        assert mesh.volume == pytest.approx(volume, rel=limit)
        assert mesh.euler_number == euler
        off = field(torch.as_tensor(mesh.vertices, dtype=torch.float32)).abs()
        assert float(off.mean()) < 0.05 * grid.step
        assert float(off.max()) < 0.75 * grid.step


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
@settings(max_examples=25, deadline=None)
def test_noise_gives_manifolds_too(seed: int, share: float) -> None:
    """Random signs hold every ambiguous pattern, and pairs of them that the plain rule joins twice."""
    rng = child(seed, "noise")
    grid = Grid((0.0, 0.0, 0.0), 1.0, (8, 8, 8))
    values = torch.as_tensor(rng.uniform(size=grid.shape) - share, dtype=torch.float32)
    for axis in range(3):
        values.select(axis, 0).abs_().add_(0.1)
        values.select(axis, -1).abs_().add_(0.1)
    mesh = mesh_of(values.reshape(-1), grid)
    assert_manifold(mesh)
    assert mesh.volume > 0


def test_both_cells_of_a_face_join_the_same_edges() -> None:
    """A face is the high side of one cell and the low side of the next: their own rules must agree on it."""
    for signs in range(16):
        for flipped in (False, True):
            for axis in range(3):
                found = []
                for side in (1, 0):
                    inside = [False] * 8
                    for i, corner in enumerate(cells.FACES[2 * axis + side]):
                        inside[int(corner)] = bool(signs >> i & 1)
                    found.append(cells._joined(inside, cells.FACES[2 * axis + side], flipped))
                assert found[0] == found[1]


def test_chamfer_to_a_torus() -> None:
    grid = grid_of(40)
    mesh = mesh_of(torus(grid.points()), grid)
    true = trimesh.creation.torus(0.65, 0.27, major_sections=256, minor_sections=128)
    scores = compare_shapes((mesh.vertices, mesh.faces), (true.vertices, true.faces), child(1, "chamfer"), samples=5000)
    assert scores.chamfer < 0.035 * grid.step
    assert scores.normal_deg < 3


def test_a_step_of_half_the_size_is_four_times_as_near() -> None:
    off = []
    for resolution in (16, 32):
        grid = grid_of(resolution)
        mesh = mesh_of(sphere(grid.points()), grid)
        off.append(np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.8).mean())
    assert off[1] < 0.35 * off[0]


def test_gradients_against_finite_differences() -> None:
    grid = Grid((-1.0, -1.0, -1.0), 0.5, (5, 5, 5))
    drawn = torch.Generator().manual_seed(4)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=drawn, dtype=torch.float64)

    values = sphere(grid.points(dtype=torch.float64)) + 0.02 * noise(grid.samples)
    inputs = [
        values,
        0.3 * noise(grid.samples, 3),
        0.3 * noise(grid.cell_count, 8),
        0.3 * noise(grid.cell_count, 12),
        0.3 * noise(grid.cell_count),
    ]
    like_vertices = extract(values, grid, Flex(*inputs[1:]), centres=True).vertices
    pull = noise(like_vertices.shape)

    def loss(*given: torch.Tensor) -> torch.Tensor:
        dual = extract(given[0], grid, Flex(*given[1:]), centres=True)
        return (dual.vertices * pull).sum() + 3 * dual.spread

    assert torch.autograd.gradcheck(loss, [i.clone().requires_grad_() for i in inputs], eps=1e-7, atol=1e-4)


def test_what_is_not_a_shape_is_refused() -> None:
    grid = grid_of(8)
    with pytest.raises(GeometryError, match="nothing inside"):
        extract(torch.ones(grid.samples), grid)
    with pytest.raises(GeometryError, match="leaves its grid"):
        extract(-torch.ones(grid.samples), grid)
