"""Milliseconds of one rendered view, forward and backward, by mesh and picture size, for every backend that works.

    python benchmarks/recon_raster.py [--device cpu|cuda] [--out FOLDER]

The torch twin is left out: it is for reading. On CUDA the device is synchronised around each pass.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from datetime import date
from pathlib import Path

import torch

from core.errors import InputError
from recon.raster import BACKENDS
from recon.raster.timing import ball, once

SIZES = ((256, 4), (256, 5), (800, 5), (800, 6))
"""Picture side in pixels and subdivisions of a sphere (5120, 20480 and 81920 faces)."""
REPEATS = 9


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
            points, topology = ball(level, side, chosen.device)
            once(backend, points, topology, side)
            times = [once(backend, points, topology, side) for _ in range(REPEATS)]
            ahead, back = (1e3 * statistics.median(t) for t in zip(*times, strict=True))
            rows.append(
                {"backend": name, "side": side, "faces": len(topology.faces), "forward_ms": ahead, "backward_ms": back}
            )
            print(f"| {name} | {side} | {len(topology.faces)} | {ahead:.1f} | {back:.1f} |", flush=True)
    if chosen.out is not None:
        (chosen.out / "recon_raster.json").write_text(json.dumps({"device": device, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
