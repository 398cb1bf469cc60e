"""The volumetric solver on CUDA: surfaces and radiance as on the CPU, and a ring whose hole the start lacks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from core.seeds import child
from recon.finish import finished
from recon.fit import Settings, Stage, preset, reconstruct
from recon.fit.settings import Finish
from recon.hashgrid import HashGrid, HashLayout
from recon.montecarlo.denoise import denoised
from recon.montecarlo.environment import Environment
from recon.montecarlo.estimator import Points, shade
from recon.shading import Optics
from recon.solve import solve
from recon.visibility import Occluder
from recon.volume import VolumeSettings, topology
from recon.volume.field import genus, joined
from recon.volume.flexicubes import Flex, Grid, extract
from tests.recon.synthetic import turntable
from tests.recon.test_volume_topology import egg, ring

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def test_a_whole_fit_as_the_command_makes_it() -> None:
    """Start, stages and last pass of preset `full`, small: as good as on the CPU."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.5)
    capture = turntable(ball, views=16, size=96)
    stages = tuple(replace(s, steps=10) for s in preset("full").stages)
    settings = replace(
        preset("full"), stages=stages, opening_cells=0, finish=Finish(96, steps=4, draws=4, final_draws=4)
    )
    found = {d: solve(capture, settings, seed=1, device=d) for d in ("cpu", "cuda")}
    error = {d: float(np.abs(np.linalg.norm(f.vertices, axis=1) - 0.5).mean()) for d, f in found.items()}
    assert error["cuda"] < max(1.5 * error["cpu"], 0.01), error


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(8))


def test_the_hash_grid_and_its_gradients() -> None:
    points, found = noise(500, 3).clamp(-1, 1), []
    for device in ("cpu", "cuda"):
        start = torch.tensor([0.2, -0.1, 0.4], device=device)
        grid = HashGrid.start(HashLayout(log2_entries=10), (-1.0, -1.0, -1.0), 2.0, start, child(0, "paint"))
        at = points.to(device).clone().requires_grad_()
        colour = grid.logits(at)
        (colour**2).sum().backward()
        gradients = [t.grad for t in (at, *grid.raw)]
        found.append([v.detach().cpu() for v in (colour, *(g for g in gradients if g is not None))])
    assert len(found[0]) == 7
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_the_surface_and_its_gradients() -> None:
    grid = Grid.around(np.full(3, -1.0), np.full(3, 1.0), 24)
    values = grid.points().norm(dim=1) - 0.8 + 0.02 * noise(grid.samples)
    values = torch.where(grid.points().abs().max(1).values > 1.0, values.abs() + 0.1, values)
    alpha, found = 0.2 * noise(grid.cell_count, 8), []
    for device in ("cpu", "cuda"):
        given = values.to(device).clone().requires_grad_()
        dual = extract(given, grid, Flex(alpha=alpha.to(device)))
        (dual.vertices**2).sum().backward()
        assert given.grad is not None
        across = joined(dual.faces, len(dual.vertices)).neighbours
        found.append([t.detach().cpu() for t in (dual.vertices, dual.faces, given.grad, across)])
    for here, there in zip(*found, strict=True):
        torch.testing.assert_close(there, here, atol=1e-4, rtol=1e-3)


def test_radiance() -> None:
    found = []
    for device in ("cpu", "cuda"):
        vertices = torch.tensor([[-9.0, -9, 1], [9.0, -9, 1], [0.0, 9, 1]], device=device)
        roof = Occluder(vertices, torch.tensor([[0, 1, 2]], dtype=torch.int32, device=device))
        n = 256
        at = Points(
            torch.zeros(n, 3, device=device),
            torch.tensor([0.0, 0, 1], device=device).expand(n, 3).contiguous(),
            torch.tensor([3.0, 0, 0.5], device=device),
            torch.eye(3, device=device),
        )
        white = torch.full((n, 3), 0.6, device=device)
        material = Optics(white, white[:, :1], white[:, :1] * 0.5)
        light = Environment.of(noise(16, 32, 3).abs().to(device))
        draws = torch.rand(n, 64, 5, generator=torch.Generator().manual_seed(3)).to(device)
        found.append(shade(at, material, light, draws, roof).times(white).mean(0).cpu())
    torch.testing.assert_close(found[1], found[0], rtol=5e-3, atol=1e-4)


def test_the_denoiser() -> None:
    light, depth = noise(20, 20, 3).abs(), torch.full((20, 20), 2.0)
    normals, covered = torch.zeros(20, 20, 3), torch.ones(20, 20, dtype=torch.bool)
    normals[..., 2] = 1
    here = denoised(light, normals, depth, covered, 1.5)
    there = denoised(light.cuda(), normals.cuda(), depth.cuda(), covered.cuda(), 1.5)
    torch.testing.assert_close(there.cpu(), here, atol=1e-5, rtol=1e-4)


def test_a_ring_from_an_egg() -> None:
    capture = turntable(ring(0.7, 0.28), views=12, size=56, elevations=(-40.0, 20.0, 50.0))
    settings = VolumeSettings(cells=22, side_px=56, steps=100, views_per_step=3)
    _, faces = topology(capture, settings, 3, egg(), device="cuda")
    assert genus(faces) == 1


def test_the_pass_with_maps() -> None:
    """From one fit on the CPU the last pass finds on CUDA what it finds there, within the noise of its draws."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.02)
    ball.metadata["smooth"] = True
    capture = turntable(ball, views=12, size=64)
    short = Settings("short", (Stage(64, 0.12, 60, 2e-2, 0.3, still=20),), hull_resolution=48, stereo=False)
    fit = reconstruct(capture, short, seed=3)
    brief = Finish(side_px=64, steps=40, views_per_step=2, draws=8, final_draws=32)
    here, there = (finished(capture, fit, brief, seed=3, device=device) for device in ("cpu", "cuda"))
    assert there.facts["finish"]["skipped_steps"] == 0
    assert abs(there.facts["held_out_psnr_db"] - here.facts["held_out_psnr_db"]) < 0.7
    assert np.abs(there.vertices - here.vertices).mean() < 0.002 * 0.02
