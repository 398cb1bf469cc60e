"""Milliseconds of one rendered view, forward and backward, by mesh and picture size, for every backend that works.

    python benchmarks/recon_raster.py [--device cpu|cuda] [--out FOLDER]

The torch twin is left out: it is for reading. On CUDA the device is synchronised around each pass.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from datetime import date
from pathlib import Path

import numpy as np
import torch
import trimesh

from core.errors import InputError
from recon.raster import BACKENDS
from recon.raster.protocol import Rasterizer, Topology

SIZES = ((256, 4), (256, 5), (800, 5), (800, 6))
"""Picture side in pixels and subdivisions of a sphere (5120, 20480 and 81920 faces)."""
REPEATS = 9


def once(backend: Rasterizer, points: torch.Tensor, topology: Topology, side: int) -> tuple[float, float]:
    """Seconds of the forward and of the backward pass."""
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


def _wait(tensor: torch.Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--device", default="cpu")
    options.add_argument("--out", type=Path, default=None)
    chosen = options.parse_args()
    torch.set_num_threads(1)
    device = torch.cuda.get_device_name() if chosen.device == "cuda" else platform.processor() or platform.machine()
    print(f"{date.today()}, {device}, torch {torch.__version__}; median of {REPEATS}\n")
    print("| backend | side, px | faces | forward, ms | backward, ms |\n|---|---|---|---|---|")
    rows = []
    for name in ("warp", "nvdiffrast"):
        try:
            backend = BACKENDS[name]()
        except InputError as error:
            print(f"| {name} | {error} | | | |")
            continue
        for side, level in SIZES:
            ball = trimesh.creation.icosphere(subdivisions=level)
            away = np.array([0.0, 0.0, 3.0])
            points = torch.tensor(ball.vertices + away, dtype=torch.float32, device=chosen.device)
            k = torch.tensor([[1.2 * side, 0, side / 2], [0, 1.2 * side, side / 2], [0, 0, 1.0]], device=chosen.device)
            topology = Topology.of(ball.faces, len(points), chosen.device)
            once(backend, points @ k.T, topology, side)
            times = [once(backend, points @ k.T, topology, side) for _ in range(REPEATS)]
            ahead, back = (1e3 * statistics.median(t) for t in zip(*times, strict=True))
            rows.append(
                {"backend": name, "side": side, "faces": len(ball.faces), "forward_ms": ahead, "backward_ms": back}
            )
            print(f"| {name} | {side} | {len(ball.faces)} | {ahead:.1f} | {back:.1f} |", flush=True)
    if chosen.out is not None:
        (chosen.out / "recon_raster.json").write_text(json.dumps({"device": device, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
