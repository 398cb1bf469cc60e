"""Training pairs of the embedded diffusion model: one surface, rendered clean and with a defect, and the defect's mask.

    python tools/make_pairs.py OUT [--pairs 8192 --seed 0 --first 0 --step 1]

Every shard is one part in one finish: OUT/pairs-00012.npz with arrays whose first axis is the pair, see `SHARD`. A
shard is whole or absent, so the same command goes on where it was stopped, and several may run with other --first.
The image is what the pipeline would have made of the same draw (library parts, finishes, stations, blueprints, same
seeds in twin and image), but small, with few samples, few bounces and a sensor without noise: training adds its own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh

from core.blueprint import Blueprint
from core.colour import srgb_from_linear
from core.errors import InputError, PlacementError, RenderError
from core.files import atomic_path
from core.material import Material
from core.models import load
from core.seeds import child, child_seed
from defects.procedural.kinds import KINDS
from flawsmith.pipeline import job_of
from flawsmith.recipe import Recipe
from flawsmith.resolve import library_names
from flawsmith.shots import Shot, Stock, draw_shot, load_stock
from render.client import Renderer
from render.frames import read_frame, read_ids
from scenes import library

SHARD = {
    "clean": "(n, side, side, 3) uint8 sRGB",
    "change": "(n, side, side, 3) int16, defected less clean, in steps of clean",
    "mask": "(n, side, side) bool, the defect's label at pixel centres",
    "part": "(n, side, side) bool, the part and the defect",
    "mm_per_px": "(n,) float32",
    "kind": "(n,) names", "blueprint": "(n,) names", "station": "(n,) names", "material": "(n,) names",
}  # fmt: skip
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "parts"
UNLIKE = {"draem_overlay", "hole_missing", "boss_missing", "hole_blocked"}
"""No damage of a surface: a rule-based overlay, and features of the part's shape."""
DARK = {"backlight"}
FIELDS = ({"log_uniform": [0.4, 1.0]}, {"log_uniform": [0.7, 2.4]})
"""What the crop spans, in diameters of the sphere about all that the defect changes, which is wider than its mask."""
LEAST_PX, MOST_SHARE, LEAST_CHANGE = 12, 0.6, 8
"""A pair is kept when its mask has so many pixels, is no larger share of the crop, and a tenth of the mask's pixels
change by so many of 255 steps: what nobody sees teaches nothing."""
BOUNCES = 4
QUIET = {"full_well_e": 1e9, "read_noise_e": 0.0}


@dataclass(frozen=True)
class Plan:
    out: Path
    seed: int
    side: int
    samples: int
    per_shard: int


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("out", type=Path)
    options.add_argument("--pairs", type=int, default=8192)
    options.add_argument("--first", type=int, default=0, help="shard to start from")
    options.add_argument("--step", type=int, default=1, help="make every step-th shard: for several processes")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--side", type=int, default=256)
    options.add_argument("--samples", type=int, default=8)
    options.add_argument("--per-shard", type=int, default=32)
    chosen = options.parse_args()
    plan = Plan(chosen.out, chosen.seed, chosen.side, chosen.samples, chosen.per_shard)
    plan.out.mkdir(parents=True, exist_ok=True)
    parts = simple_parts(plan.out / "parts") + sorted(EXAMPLES.glob("*.step"))
    with Renderer() as renderer:
        for index in range(chosen.first, -(-chosen.pairs // plan.per_shard), chosen.step):
            path = plan.out / f"pairs-{index:05d}.npz"
            if not path.exists():
                make_shard(plan, index, path, parts, renderer)


def make_shard(plan: Plan, index: int, path: Path, parts: list[Path], renderer: Renderer) -> None:
    """Write one shard: a part and a finish drawn for it, and as many pairs as `per_shard` draws give."""
    begun, cpu = time.monotonic(), cpu_seconds(renderer)
    lost: Counter[str] = Counter()
    stock = stock_of(plan, index, parts)
    rows = list(pairs(plan, index, stock, renderer, lost))
    if rows:
        with atomic_path(path) as part:
            np.savez_compressed(part, **{name: np.stack([r[name] for r in rows]) for name in SHARD})
    spent = (cpu_seconds(renderer) - cpu) / max(1, len(rows))
    print(
        f"{path.name} {stock.part.name} {stock.resolved.materials[0].name}: {len(rows)} pairs, {spent:.2f} CPU s each, "
        f"{time.monotonic() - begun:.0f} s; lost {dict(lost)}",
        flush=True,
    )


def stock_of(plan: Plan, index: int, parts: list[Path]) -> Stock:
    rng = child(plan.seed, "shard", index)
    part = parts[int(rng.integers(len(parts)))]
    finishes = [n for n in library_names("materials") if n != "as_captured"]
    finish = finishes[int(rng.integers(len(finishes)))]
    known = possible(load(Material, library.folder("materials") / f"{finish}.yaml"))
    kinds = Counter(b.kind for b in known)
    values = {
        "part": {"path": str(part), "unit": "mm" if part.suffix == ".stl" else None},
        "material": finish,
        "blueprints": [{"name": b.name, "weight": kinds[b.kind] ** -0.5} for b in known],
        "station": [n for n in library_names("stations") if n not in DARK],
        "camera": ["area_5mp_25mm", "area_5mp_12mm", "macro_5mp_50mm"],
        "viewpoint": [
            {"kind": "look_at_defect", "tilt_deg": {"uniform": [0, 45]}, "field_defects": f, "roll_deg": ANY,
             "off_centre": {"uniform": [-0.2, 0.2]}}
            for f in FIELDS
        ],
        "backdrop": [n for n in library_names("backdrops") if n != "void"],
        "images": plan.per_shard, "size_px": plan.side, "samples": plan.samples, "outputs": ["clean"],
        "seed": child_seed(plan.seed, "shard", index, "recipe"),
    }  # fmt: skip
    return load_stock(Recipe.model_validate(values).within(plan.out, allow_outside=True))


ANY = {"uniform": [0, 360]}


def possible(finish: Material) -> list[Blueprint]:
    """The library's surface damage that can exist on a finish (paint peels only where there is paint)."""
    found = []
    for name in library_names("blueprints"):
        blueprint = load(Blueprint, library.folder("blueprints") / f"{name}.yaml")
        kind = KINDS[blueprint.kind]
        try:
            kind.check(kind.parameters(blueprint.sample(child(0, "possible")), name), finish)
        except InputError:
            continue
        if name not in UNLIKE:
            found.append(blueprint)
    return found


def pairs(plan: Plan, index: int, stock: Stock, renderer: Renderer, lost: Counter[str]) -> Iterator[dict]:
    """The pairs of one shard. What cannot be placed, rendered or seen is left out and counted."""
    for image in range(plan.per_shard):
        try:
            shot = draw_shot(stock, image, plan.per_shard, 0)
            row = pair(stock, shot, renderer)
        except (PlacementError, RenderError) as error:
            lost[type(error).__name__] += 1
            continue
        if isinstance(row, str):
            lost[row] += 1
        else:
            yield row


def pair(stock: Stock, shot: Shot, renderer: Renderer) -> dict | str:
    """One row of a shard, or why there is none."""
    folder = renderer.folder / "pair"
    job = job_of(stock, shot, folder).model_copy(update={"max_bounces": BOUNCES})
    mark = shot.defected.defects[0]
    side = job.camera.width

    def large(files) -> bool:
        return LEAST_PX <= (read_ids(job, files) == mark.id).sum() <= MOST_SHARE * side * side

    rendered = renderer.render(job, folder, large)
    if rendered.skipped:
        shutil.rmtree(folder)
        return "size"
    frame = read_frame(job, rendered, shot.scene.sensor.model_copy(update=QUIET), child(shot.seed, "unused"))
    shutil.rmtree(folder)
    assert frame.clean is not None
    clean, image = (np.rint(srgb_from_linear(v) * 255).astype(np.int16) for v in (frame.clean, frame.rgb))
    mask = frame.ids == mark.id
    if np.percentile(np.abs(image - clean).max(2)[mask], 90) < LEAST_CHANGE:
        return "faint"
    return {
        "clean": clean.astype(np.uint8), "change": image - clean, "mask": mask, "part": frame.part | mask,
        "mm_per_px": np.float32(shot.scene.sampled["camera.mm_per_pixel"]), "kind": mark.kind,
        "blueprint": mark.blueprint, "station": shot.names["station"], "material": shot.material.name,
    }  # fmt: skip


def simple_parts(folder: Path) -> list[Path]:
    """A slab, a drum, a pebble and a cushion, in millimetres: flat, curved one way, curved both ways."""
    slab = trimesh.creation.box((70, 50, 14)).subdivide().subdivide()
    drum = trimesh.creation.cylinder(28, 60, sections=144)
    pebble = trimesh.creation.icosphere(4, 1.0)
    pebble.vertices *= 30 * (1 + 0.12 * np.sin(3 * pebble.vertices[:, :1]) * np.cos(4 * pebble.vertices[:, 1:2]))
    cushion = trimesh.creation.icosphere(4, 1.0)
    cushion.vertices = np.sign(cushion.vertices) * np.abs(cushion.vertices) ** 0.6 * (34, 34, 16)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, mesh in {"slab": slab, "drum": drum, "pebble": pebble, "cushion": cushion}.items():
        paths.append(folder / f"{name}.stl")
        if not paths[-1].exists():
            with atomic_path(paths[-1]) as part:
                mesh.export(part)
    return paths


def cpu_seconds(renderer: Renderer) -> float:
    """User and system time of this process and, where there is a /proc, of the renderer's."""
    own = sum(os.times()[:2])
    stat = Path("/proc", str(renderer.pid), "stat")
    if not stat.exists():
        return own
    ticks = stat.read_text().rpartition(")")[2].split()
    return own + (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
