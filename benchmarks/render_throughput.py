"""CPU seconds per image: a bare bpy render of a scene, Flawsmith with all labels, with its twin, and BlenderProc.

    python benchmarks/render_throughput.py [--size 512 --samples 64 --rounds 5] [--blenderproc-python PYTHON]

All rows render the same scene with the denoiser on, in turn, round after round (another defect, so another scene, in
each); the figures are user and system time of the process that renders plus, for Flawsmith, of the one that places
defects, develops and writes the files. Start-up, loading and a small first frame are left out for all. The bare
row is the worker's own beauty scene, saved as a .blend and rendered to PNG by a script that only imports bpy.
BlenderProc renders that .blend with its class and instance segmentation; without --blenderproc-python it is skipped.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from core.seeds import child
from flawsmith.dataset import DatasetWriter
from flawsmith.pipeline import Reasons, facts_of, header, job_of
from flawsmith.recipe import Recipe
from flawsmith.shots import Stock, draw_shot, load_stock
from flawsmith.versions import commit
from render.client import Renderer
from render.frames import read_frame

ROOT = Path(__file__).resolve().parent.parent
CHILDREN = ROOT / "benchmarks"
BARE, LABELS, TWIN, PEER = (
    "bare bpy",
    "Flawsmith, all labels",
    "Flawsmith, all labels and windowed twin",
    "BlenderProc 2.8, segmentation",
)
AIMS = {LABELS: 1.10, TWIN: 1.40}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=512)
    options.add_argument("--samples", type=int, default=64)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--material", default="milled_steel")
    options.add_argument("--blenderproc-python", default=None, help="a Python with blenderproc 2.8 and bpy 4.5")
    chosen = options.parse_args()
    rows: dict[str, list[float]] = {}
    groups: dict[str, list[dict[str, float]]] = {LABELS: [], TWIN: []}
    with tempfile.TemporaryDirectory() as made, Renderer() as renderer:
        work = Path(made)
        stocks = {twin: stock(chosen, twin) for twin in ("none", "windowed")}
        small = argparse.Namespace(size=max(16, chosen.size // 10), samples=1, material=chosen.material)
        ours(stock(small, "none"), 0, renderer, work / "warm")  # starts the worker
        for i in range(chosen.rounds):
            blend = save_scene(stocks["none"], i, work)
            bare = child_lines([sys.executable, CHILDREN / "bare_scene.py", "render", blend, "1"])
            rows.setdefault(BARE, []).append(bare[-1]["cpu_seconds"])
            for twin, name in (("none", LABELS), ("windowed", TWIN)):
                spent = ours(stocks[twin], i, renderer, work / f"{twin}{i}")
                rows.setdefault(name, []).append(sum(spent.values()))
                groups[name].append(spent)
            if chosen.blenderproc_python:
                size = str(chosen.size)
                command = [chosen.blenderproc_python, CHILDREN / "blenderproc_scene.py", blend, size, size]
                peer = child_lines([*command, str(chosen.samples), "1"])
                rows.setdefault(PEER, []).append(peer[-1]["cpu_seconds"])
            print(f"round {i + 1}", {k: round(v[-1], 2) for k, v in rows.items()}, file=sys.stderr, flush=True)
    report(chosen, rows, groups)


def save_scene(stock: Stock, index: int, work: Path) -> Path:
    """The scene of one image as a .blend, made by the worker's own code from the worker's own job."""
    job = job_of(stock, draw_shot(stock, index, 1, 0), work / f"scene{index}")
    path = work / f"job{index}.json"
    path.write_text(job.model_dump_json())
    child_lines([sys.executable, CHILDREN / "bare_scene.py", "save", path, work / f"scene{index}.blend"])
    return work / f"scene{index}.blend"


def stock(chosen: argparse.Namespace, twin: str) -> Stock:
    values = {
        "part": {"path": "examples/parts/bearing_housing.step"}, "material": chosen.material, "images": 1,
        "blueprints": ["scratch_deep", "dent_impact", "pit_crater"], "defects_per_image": 1, "station": "soft_box",
        "camera": "area_5mp_25mm", "viewpoint": {"kind": "look_at_defect", "field_defects": None, "field_mm": 40},
        "size_px": chosen.size, "samples": chosen.samples, "backdrop": "paper", "twin": twin, "seed": 3,
    }  # fmt: skip
    return load_stock(Recipe.model_validate(values).within(ROOT))


def ours(stock: Stock, index: int, renderer: Renderer, out: Path) -> dict[str, float]:
    """Where the CPU seconds of one whole image go, from drawing to the last file."""
    begun, blender = own_seconds(), worker_seconds(renderer)
    shot = draw_shot(stock, index, 1, 0)
    drawn = own_seconds()
    job = job_of(stock, shot, out / "job")
    rendered = renderer.render(job, out / "job")
    asked = own_seconds()
    frame = read_frame(job, rendered, shot.scene.sensor, child(stock.seed, "noise"))
    DatasetWriter(out / "dataset", header(stock)).add(frame, facts_of(stock, shot, Reasons()), shot.defected.defects)
    shutil.rmtree(out)
    done = own_seconds()
    groups = dict(rendered.seconds)
    return groups | {
        "worker, the rest": max(0.0, worker_seconds(renderer) - blender - sum(groups.values())),
        "draw, place and paint": drawn - begun,
        "job files": asked - drawn,
        "read, develop and write": done - asked,
    }


def worker_seconds(renderer: Renderer) -> float:
    """User and system time of the worker so far, from outside where there is a /proc; else 0."""
    stat = Path("/proc", str(renderer.pid), "stat")
    if not stat.exists():
        return 0.0
    ticks = stat.read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def child_lines(command: list) -> list[dict]:
    """JSON lines that a child prints. CalledProcessError carries its last words."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        done.check_returncode()
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def report(chosen: argparse.Namespace, rows: dict[str, list[float]], groups: dict[str, list[dict]]) -> None:
    """Markdown tables. Differences and ratios are taken within a round, then their median."""
    print(
        f"{date.today()}, {cpu_name()} ({os.cpu_count()} cores, no GPU used), commit {commit()[:10]}, "
        f"{chosen.size}x{chosen.size}, {chosen.samples} samples, {chosen.material}, denoiser on;"
    )
    print(f"median of {chosen.rounds}, interleaved; CPU seconds an image\n")
    print("| row | CPU s | least | most | over bare, s | ratio to bare | aim |\n|---|---|---|---|---|---|---|")
    for name, values in rows.items():
        pairs = list(zip(values, rows[BARE], strict=True))
        ratio, more = (statistics.median(f(v, b) for v, b in pairs) for f in (float.__truediv__, float.__sub__))
        aim = f"{AIMS[name]:.2f}" if name in AIMS else ""
        spread = f"{statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f}"
        print(f"| {name} | {spread} | {more:.2f} | {ratio:.2f} | {aim} |")
    if PEER not in rows:
        print(f"\n{PEER}: skipped, no --blenderproc-python given.")
    print("\n| where Flawsmith's CPU seconds go | labels | labels and twin |\n|---|---|---|")
    for key in groups[TWIN][0]:
        both = (statistics.median(g.get(key, 0.0) for g in groups[name]) for name in (LABELS, TWIN))
        print(f"| {key} | " + " | ".join(f"{seconds:.2f}" for seconds in both) + " |")


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor()


if __name__ == "__main__":
    started = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - started:.0f} s in all", file=sys.stderr)
