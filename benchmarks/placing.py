"""CPU seconds to place and paint each kind of defect on the example housing, and to draw a whole shot of it.

python benchmarks/placing.py [--repeats 5] [--kinds scratch dent ...] [--profile]
"""

from __future__ import annotations

import argparse
import cProfile
import datetime
import platform
import pstats
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from core.defect import DefectedPart
from core.errors import InputError, PlacementError
from defects.procedural.apply import defect_part
from defects.procedural.catalogue import load_catalogue
from defects.procedural.kinds import KINDS
from flawsmith.recipe import Recipe
from flawsmith.shots import Stock, draw_shot, load_stock
from scenes import library

PARTS = Path(__file__).parents[1] / "examples" / "parts"
MATERIALS = ("milled_steel", "gloss_paint_blue")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--kinds", nargs="*", default=list(KINDS))
    options.add_argument("--profile", action="store_true", help="where the time goes, over all kinds")
    chosen = options.parse_args()
    print(f"{datetime.date.today()}, {platform.machine()}, Python {platform.python_version()}, one process")
    profiler = cProfile.Profile()
    if chosen.profile:
        profiler.enable()
    means = report(chosen.kinds, chosen.repeats)
    profiler.disable()
    print(f"| mean | | {means[0]:.3f} | {means[1]:.3f} | |")
    if chosen.profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(35)


def report(kinds: list[str], repeats: int) -> tuple[float, float]:
    """Print a row for every kind; the mean over kinds of placing and of drawing a shot, CPU seconds."""
    catalogue = load_catalogue(library.folder("blueprints"))
    print("| kind | blueprint | place and paint, s | draw a shot, s | faces added |\n|---|---|---|---|---|")
    placing, shots = [], []
    for kind in kinds:
        name, stock, made = _first([n for n, b in catalogue.items() if b.kind == kind])
        draw_shot(stock, 0, repeats + 1, 0)
        placing.append(_median(lambda i, stock=stock: place(stock, i), repeats))
        shots.append(_median(lambda i, stock=stock: draw_shot(stock, i, repeats + 1, 0), repeats))
        added = len(made.defected.faces) - len(stock.part.mesh.faces)
        print(f"| {kind} | {name} | {placing[-1]:.3f} | {shots[-1]:.3f} | {added} |", flush=True)
    return statistics.fmean(placing), statistics.fmean(shots)


def place(stock: Stock, seed: int) -> DefectedPart:
    (material,) = stock.resolved.materials
    blueprint = stock.resolved.blueprints[0].blueprint
    return defect_part(stock.part, [blueprint], material=material, seed=seed, prepared=stock.works[material.name])


def _first(names: list[str]) -> tuple[str, Stock, DefectedPart]:
    """The first blueprint and finish that go together on the housing."""
    for name in names:
        for material in MATERIALS:
            try:
                stock = _stock(name, material)
                return name, stock, place(stock, 0)
            except (InputError, PlacementError):
                continue
    raise SystemExit(f"none of {', '.join(names)} fits the housing")


def _stock(blueprint: str, material: str) -> Stock:
    values = {
        "part": {"path": "bearing_housing.step"}, "material": material, "blueprints": [blueprint], "images": 1,
        "station": "bright_field_ring", "camera": "area_5mp_25mm", "viewpoint": {"kind": "look_at_defect"},
        "size_px": 512, "backdrop": "paper",
    }  # fmt: skip
    return load_stock(Recipe.model_validate(values).within(PARTS))


def _median(run: Callable[[int], object], repeats: int) -> float:
    taken = []
    for seed in range(1, repeats + 1):
        started = time.process_time()
        run(seed)
        taken.append(time.process_time() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
