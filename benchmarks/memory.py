"""Memory of the two processes over a long run: does image 300 need more than image 30?

    python benchmarks/memory.py [--frames 300 --early 30 --size 128 --samples 1]

One run through the whole pipeline, from drawing to the last file, with finishes, stations, backdrops and kinds of
defect mixed (dents change the mesh), windowed twin, all labels, denoiser on. Resident set sizes are read after every
image; each figure is the median of the ten images up to it, since every image has another mesh. The parent is read
again at both ends after the C library has given its free heap back to the system: growth there would be a leak.
Linux only (/proc).
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import render_throughput

from core.heap import steady_heap
from flawsmith.dataset import DatasetWriter
from flawsmith.pipeline import header, make_image
from flawsmith.recipe import Recipe
from flawsmith.shots import load_stock
from flawsmith.versions import commit
from render.client import Renderer

ROOT = Path(__file__).resolve().parent.parent
AVERAGED = 10
AIM = 0.05


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--frames", type=int, default=300)
    options.add_argument("--early", type=int, default=30, help="the image that the last one is compared with")
    options.add_argument("--size", type=int, default=128)
    options.add_argument("--samples", type=int, default=1)
    chosen = options.parse_args()
    if not 0 < chosen.early < chosen.frames:
        options.error(f"--early {chosen.early} --frames {chosen.frames}: expected 0 < early < frames")
    if not Path("/proc/self/statm").exists():
        options.error("this system has no /proc: expected Linux")
    report(chosen, *measure(chosen))


def measure(chosen: argparse.Namespace) -> tuple[dict[str, list[float]], list[float]]:
    """Resident MB of each process after every image, and what the parent holds at both ends."""
    stock = load_stock(recipe(chosen))
    seen: dict[str, list[float]] = {"worker (Blender)": [], "parent": []}
    held: list[float] = []
    began = time.perf_counter()
    steady_heap()
    with tempfile.TemporaryDirectory() as made, Renderer() as renderer:
        writer = DatasetWriter(Path(made), header(stock))
        for index in range(chosen.frames):
            frame, facts, defected = make_image(stock, index, chosen.frames, renderer)
            writer.add(frame, facts, defected.defects)
            del frame, facts, defected
            assert renderer.pid is not None
            for name, process in zip(seen, (str(renderer.pid), "self"), strict=True):
                seen[name].append(resident_mb(process))
            if index + 1 in (chosen.early, chosen.frames):
                held.append(held_mb())
            if (index + 1) % chosen.early == 0:
                told = ", ".join(f"{name} {values[-1]:.0f} MB" for name, values in seen.items())
                print(f"{index + 1}: {told}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return seen, held


def recipe(chosen: argparse.Namespace) -> Recipe:
    values = {
        "part": {"path": "examples/parts/bearing_housing.step"}, "images": chosen.frames, "seed": 11,
        "material": ["milled_steel", "gloss_paint_blue", "sand_cast_iron"], "defects_per_image": 1,
        "blueprints": ["scratch_deep", "dent_impact", "pit_crater"], "station": ["soft_box", "dome"],
        "camera": "area_5mp_25mm", "backdrop": ["paper", "tray"], "size_px": chosen.size, "samples": chosen.samples,
        "viewpoint": {"kind": "look_at_defect", "field_defects": None, "field_mm": 30},
        "min_label_px": 1, "min_visibility": 0,
    }  # fmt: skip
    return Recipe.model_validate(values).within(ROOT)


def resident_mb(process: str) -> float:
    """Resident set size of a process, megabytes. process: its id, or "self"."""
    for line in Path("/proc", process, "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"process {process} has no VmRSS: expected one that lives")


def held_mb() -> float:
    """Resident megabytes of this process without garbage and, under glibc, without free heap."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
    return resident_mb("self")


def level(values: list[float], image: int) -> float:
    """Median of the images up to number `image`, the first ones (start-up) never among them when there are others."""
    return statistics.median(values[max(image // 2, image - AVERAGED) : image])


def report(chosen: argparse.Namespace, seen: dict[str, list[float]], held: list[float]) -> None:
    print(f"{date.today()}, {render_throughput.cpu_name()}, commit {commit()[:10]}, {chosen.size}x{chosen.size}")
    print(f"aim: after {chosen.frames} images within {AIM:.0%} of {chosen.early} images\n")
    print(
        f"| process | MB after {chosen.early} | MB after {chosen.frames} | change | most seen |\n|---|---|---|---|---|"
    )
    both = [sum(pair) for pair in zip(*seen.values(), strict=True)]
    for name, values in {**seen, "both": both}.items():
        early, late = level(values, chosen.early), level(values, chosen.frames)
        print(f"| {name} | {early:.0f} | {late:.0f} | {late / early - 1:+.1%} | {max(values):.0f} |")
    early, late = held
    print(f"| parent, free heap given back | {early:.0f} | {late:.0f} | {late / early - 1:+.1%} | |")


if __name__ == "__main__":
    main()
