"""How long a backend takes for one view, there and back."""

from __future__ import annotations

import statistics
import time

import numpy as np
import torch
import trimesh

from recon.raster.protocol import Rasterizer, Topology


def once(backend: Rasterizer, points: torch.Tensor, topology: Topology, side: int) -> tuple[float, float]:
    """Seconds of the forward and of the backward pass. points: (n, 3) homogeneous pixels."""
    positions = points.clone().requires_grad_()
    values = torch.linspace(0, 1, 4 * len(points), device=points.device).reshape(-1, 4).requires_grad_()
    _wait(points)
    start = time.perf_counter()
    fragments = backend.rasterize(positions, topology, (side, side))
    seen = backend.antialias(backend.interpolate(values, topology.faces, fragments), positions, topology, fragments)
    _wait(points)
    middle = time.perf_counter()
    (seen**2).sum().backward()
    _wait(points)
    return middle - start, time.perf_counter() - middle


def ball(subdivisions: int, side: int, device: str) -> tuple[torch.Tensor, Topology]:
    """(n, 3) homogeneous pixels of a ball that fills most of a square picture, and its topology."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    k = np.array([[1.2 * side, 0, side / 2], [0, 1.2 * side, side / 2], [0, 0, 1]])
    points = torch.tensor((mesh.vertices + np.array([0.0, 0.0, 3.0])) @ k.T, dtype=torch.float32, device=device)
    return points, Topology.of(mesh.faces, len(points), device)


def seconds(backend: Rasterizer, device: str, side: int = 512, repeats: int = 5) -> float:
    """Median of both passes over a ball of 20480 faces, once warm."""
    points, topology = ball(5, side, device)
    return statistics.median([sum(once(backend, points, topology, side)) for _ in range(repeats + 2)][2:])


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()
