"""The rasterizers against their readable twin and against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InputError
from recon import raster
from recon.raster import fastest, rasterizer
from recon.raster.protocol import Rasterizer, Topology
from recon.raster.texture import lookup
from recon.raster.timing import ball, seconds
from recon.raster.torch_twin import TorchRasterizer
from recon.raster.warp_backend import WarpRasterizer

SIZE = (23, 31)
K = torch.tensor([[30.0, 0.0, 15.3], [0.0, 30.0, 11.6], [0.0, 0.0, 1.0]])


def icosphere() -> tuple[torch.Tensor, np.ndarray]:
    """A sphere of 80 faces, 3 in front of the camera, camera frame."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.9)
    return torch.tensor(ball.vertices + np.array([0.05, -0.02, 3.0]), dtype=torch.float32), np.asarray(ball.faces)


def picture(backend: Rasterizer, points: torch.Tensor, colours: torch.Tensor, topology: Topology) -> torch.Tensor:
    positions = points @ K.T
    fragments = backend.rasterize(positions, topology, SIZE)
    seen = backend.interpolate(torch.cat([colours, torch.ones(len(colours), 1)], 1), topology.faces, fragments)
    return backend.antialias(seen, positions, topology, fragments)


@pytest.fixture(scope="module")
def scene() -> tuple[torch.Tensor, torch.Tensor, Topology]:
    points, faces = icosphere()
    behind = points + torch.tensor([0.7, 0.3, 1.0])
    both = torch.cat([points, behind])
    colours = torch.tensor(np.linspace(0.0, 1.0, 3 * len(both)).reshape(-1, 3) ** 2, dtype=torch.float32)
    return both, colours, Topology.of(np.concatenate([faces, faces + len(points)]), len(both))


def test_values_equal_the_twin(scene: tuple) -> None:
    points, colours, topology = scene
    fast, slow = WarpRasterizer(), TorchRasterizer()
    positions = points @ K.T
    a, b = (r.rasterize(positions, topology, SIZE) for r in (fast, slow))
    assert torch.equal(a.face, b.face)
    assert (a.face >= 0).float().mean() > 0.4
    torch.testing.assert_close(a.bary, b.bary, atol=2e-5, rtol=0)
    torch.testing.assert_close(a.depth, b.depth, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        picture(fast, points, colours, topology), picture(slow, points, colours, topology), atol=1e-4, rtol=0
    )


def test_gradients_equal_the_twin(scene: tuple) -> None:
    points, colours, topology = scene
    target = torch.linspace(0, 1, SIZE[0] * SIZE[1] * 4).reshape(*SIZE, 4)
    found = []
    for backend in (WarpRasterizer(), TorchRasterizer()):
        p, c = points.clone().requires_grad_(), colours.clone().requires_grad_()
        ((picture(backend, p, c, topology) - target) ** 2).sum().backward()
        found.append((p.grad, c.grad))
    (fast_p, fast_c), (slow_p, slow_c) = found
    torch.testing.assert_close(fast_c, slow_c, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(fast_p, slow_p, atol=float(slow_p.abs().max()) * 2e-4, rtol=0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_moving_gradients_are_the_finite_differences_of_the_area_average(axis: int) -> None:
    """A bright ball before darkness: the summed alpha must change with the ball as its projected area does."""
    points, faces = icosphere()
    topology = Topology.of(faces, len(points))
    weights = torch.linspace(0.5, 1.5, SIZE[1])[None, :] * torch.linspace(0.7, 1.3, SIZE[0])[:, None]

    def total(shift: torch.Tensor) -> torch.Tensor:
        seen = picture(WarpRasterizer(), points + shift, torch.ones(len(points), 3), topology)
        return (seen[..., 3] * weights).sum()

    shift = torch.zeros(3, requires_grad=True)
    total(shift).backward()
    step = 0.06 * torch.eye(3)[axis]
    samples = [float(total(step * s) - total(-step * s)) / (0.12 * s) for s in (0.5, 0.75, 1.0)]
    assert float(shift.grad[axis]) == pytest.approx(np.mean(samples), rel=0.06, abs=0.5)


def test_silhouettes_cover_the_area_that_geometry_says() -> None:
    """Half planes at every angle: antialiased alpha summed equals the exact area of the triangle to 1 %."""
    for angle in np.linspace(0.1, 6.1, 13):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        corners = np.array([[-7.3, -5.1], [8.2, -4.4], [0.6, 7.9]]) @ turn.T + [15.4, 11.7]
        area = 0.5 * abs(np.linalg.det(np.c_[corners, np.ones(3)]))
        positions = torch.tensor(np.c_[corners * 2.0, [2.0] * 3], dtype=torch.float32)
        topology = Topology.of(np.array([[0, 1, 2]]), 3)
        backend = WarpRasterizer()
        fragments = backend.rasterize(positions, topology, SIZE)
        alpha = backend.interpolate(torch.ones(3, 1), topology.faces, fragments)
        assert float(backend.antialias(alpha, positions, topology, fragments).sum()) == pytest.approx(area, rel=0.01)


def test_same_positions_same_bits(scene: tuple) -> None:
    points, colours, topology = scene
    first, second = (picture(WarpRasterizer(), points, colours, topology) for _ in range(2))
    assert torch.equal(first, second)


def test_faces_behind_the_camera_are_left_out() -> None:
    points, faces = icosphere()
    topology = Topology.of(faces, len(points))
    fragments = WarpRasterizer().rasterize((points - torch.tensor([0.0, 0.0, 6.0])) @ K.T, topology, SIZE)
    assert not bool(fragments.covered.any())


def test_a_mip_level_is_the_mean_of_its_texels() -> None:
    image = torch.rand(16, 16, 2, generator=torch.Generator().manual_seed(3))
    uv = torch.full((1, 1, 2), 0.5)
    torch.testing.assert_close(lookup(image, uv, torch.full((1, 1), 4.0))[0, 0], image.mean((0, 1)))
    corner = torch.tensor([[[0.5 / 16, 1 - 0.5 / 16]]])
    torch.testing.assert_close(lookup(image, corner, None)[0, 0], image[0, 0])
    half = lookup(image, corner, torch.full((1, 1), 0.5))[0, 0]
    coarse = lookup(image, corner, torch.full((1, 1), 1.0))[0, 0]
    torch.testing.assert_close(half, (image[0, 0] + coarse) / 2)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("name", ["warp", "nvdiffrast"])
def test_on_the_gpu_as_on_the_cpu(scene: tuple, name: str) -> None:
    """Values and gradients of the Warp kernels on CUDA against the CPU; nvdiffrast, where installed, statistically."""
    points, colours, topology = scene
    try:
        backend = rasterizer(name)
    except InputError as error:
        pytest.skip(str(error))
    there = Topology(topology.faces.cuda(), topology.neighbours.cuda())
    results = []
    for one, where, device in ((WarpRasterizer(), topology, "cpu"), (backend, there, "cuda")):
        p = points.to(device).clone().requires_grad_()
        positions = p @ K.to(device).T
        fragments = one.rasterize(positions, where, SIZE)
        seen = one.interpolate(colours.to(device), where.faces, fragments)
        image = one.antialias(seen, positions, where, fragments)
        (image**2).sum().backward()
        results.append((image.detach().cpu(), p.grad.cpu()))
    (image, gradient), (other, other_gradient) = results
    if name == "warp":
        torch.testing.assert_close(other, image, atol=1e-4, rtol=0)
        torch.testing.assert_close(other_gradient, gradient, atol=float(gradient.abs().max()) * 1e-3, rtol=0)
    else:
        assert float((other - image).abs().mean()) < 0.01


def test_backends_by_name() -> None:
    assert rasterizer("warp").name == "warp" == fastest("cpu").name
    with pytest.raises(InputError, match="one of warp"):
        rasterizer("gl")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="nvdiffrast"):
            rasterizer("nvdiffrast")


@pytest.mark.parametrize(("warp", "other", "chosen"), [(1.0, 2.0, "warp"), (2.0, 1.0, "nvdiffrast")])
def test_on_a_gpu_the_faster_backend_is_taken(
    warp: float, other: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Installed(TorchRasterizer):
        name = "nvdiffrast"

    times = {"warp": warp, "nvdiffrast": other}
    monkeypatch.setattr(raster, "NvdiffrastRasterizer", Installed)
    monkeypatch.setattr(raster, "seconds", lambda backend, device: times[backend.name])
    assert fastest("cuda").name == chosen and fastest("cpu").name == "warp"


def test_a_backend_is_timed_over_a_whole_view() -> None:
    points, topology = ball(2, 64, "cpu")
    covered = TorchRasterizer().rasterize(points, topology, (64, 64)).covered
    assert 0.2 < covered.float().mean() < 0.9, "the ball fills much of the picture"
    assert seconds(WarpRasterizer(), "cpu", side=64, repeats=1) > 0
