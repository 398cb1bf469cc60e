"""Contact sheets for the documentation: every kind of defect on some finishes under some stations, and every finish.

python tools/gallery.py kinds --out docs/images [--only scratch,dent]
python tools/gallery.py materials --out docs/images
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import yaml

from core.colour import srgb_from_linear
from core.distributions import constant
from core.errors import FlawsmithError, RenderError
from flawsmith.contact_sheet import tile_sheet
from flawsmith.pipeline import make_image
from flawsmith.recipe import Recipe
from flawsmith.resolve import library_names
from flawsmith.shots import Stock, load_stock
from render.client import Renderer
from scenes.library import load_backdrops, load_stations
from scenes.materials import load_materials
from scenes.viewpoints import Fixed, LookAtDefect

ROOT = Path(__file__).resolve().parent.parent
PART = "examples/parts/bearing_housing.step"
FINISHES = ("milled_steel", "sand_cast_iron", "powder_coat_grey")
STATIONS = ("soft_box", "low_angle_dark_field", "bright_field_ring")
OTHERS = {
    "burr": ("milled_steel", "milled_aluminium", "machined_brass"),
    "chatter": ("milled_steel", "turned_steel", "milled_aluminium"),
    "crack": ("ground_steel", "sand_cast_iron", "milled_steel"),
    "pit": ("milled_steel", "sand_cast_iron", "milled_aluminium"),
    "porosity": ("milled_aluminium", "die_cast", "sand_cast_iron"),
    "print_fault": ("powder_coat_grey", "gloss_paint_green", "milled_aluminium"),
    "rust": ("milled_steel", "sand_cast_iron", "ground_steel"),
    "heat_tint": ("ground_steel", "turned_steel", "polished_steel"),
    "peel": ("powder_coat_grey", "gloss_paint_blue", "anodised_black"),
    "paint_run": ("powder_coat_grey", "gloss_paint_blue", "gloss_paint_green"),
}
"""Kinds that belong to some finishes only: cut metal, castings, a bare metal, or a coat."""
LIGHTS = {"heat_tint": ("dome", "coaxial", "bright_field_ring")}
"""Kinds that are colour in a mirror: nothing but light from where the mirror looks shows them."""
ON_PLANES = ("heat_tint",)
GREY_CARD = 0.13
"""Exposure by radiance of the sheet of materials: white paper under the soft box at about three quarters."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("kinds", "materials"))
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--only", default="", help="names, separated by commas")
    options.add_argument("--size", type=int, default=224)
    options.add_argument("--samples", type=int, default=32)
    chosen = options.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    chosen.out.mkdir(parents=True, exist_ok=True)
    with Renderer() as renderer:
        if chosen.what == "kinds":
            for name, pictures in kinds(renderer, only, chosen.size, chosen.samples):
                sheet = tile_sheet(pictures, tile=chosen.size, columns=len(STATIONS))
                sheet.save(chosen.out / f"kind_{name}.jpg", quality=88)
                print(name, flush=True)
        else:
            pictures = list(materials(renderer, only, chosen.size, chosen.samples))
            tile_sheet(pictures, tile=chosen.size, columns=5).save(chosen.out / "materials.jpg", quality=88)


def recipe(finishes: tuple[str, ...], blueprints: tuple[str, ...], size: int, samples: int, **more) -> Recipe:
    made = Recipe.model_validate(
        {
            "part": {"path": PART}, "material": finishes, "blueprints": blueprints,
            "station": STATIONS, "camera": "macro_5mp_50mm", "viewpoint": "look_at_defect", "images": 1,
            "size_px": size, "samples": samples, "backdrop": "paper", "tries": 8, "min_visibility": 3, **more,
        }
    )  # fmt: skip
    return made.within(ROOT)


def kinds(renderer: Renderer, only: set[str], size: int, samples: int) -> Iterator[tuple[str, list]]:
    """A sheet per blueprint: rows are finishes, columns stations; the worst fault of a cell is written into it."""
    names = [n for n in library_names("blueprints") if not only or n in only]
    for name in names:
        written = yaml.safe_load((ROOT / "scenes" / "library" / "blueprints" / f"{name}.yaml").read_text())
        finishes = OTHERS.get(written["kind"], FINISHES)
        changes = {"station": LIGHTS.get(written["kind"], STATIONS)}
        if written["kind"] in ON_PLANES:
            changes["part"] = {"path": PART, "regions": ["planar"]}
        stock = load_stock(recipe(finishes, (name,), size, samples, **changes))
        pictures = []
        for row, material in enumerate(stock.resolved.materials):
            for column, station in enumerate(stock.resolved.stations):
                narrowed = narrow(stock, material=material, station=station)
                pictures.append(
                    (f"{material.name}, {station.name}", shown(narrowed, row * 10 + column, renderer, size))
                )
        yield name, pictures


def materials(renderer: Renderer, only: set[str], size: int, samples: int) -> Iterator[tuple[str, np.ndarray]]:
    """One oblique picture of every finish under the soft box, without defects, all at one exposure."""
    for name in library_names("materials"):
        if load_materials()[name].captured or (only and name not in only):
            continue
        view = Fixed(kind="fixed", elevation_deg=42, azimuth_deg=-60)
        stock = load_stock(recipe((name,), ("scratch_deep",), size, samples, good_fraction=1.0, backdrop="paper"))
        changes = {"stations": (load_stations()["soft_box"],), "backdrops": (load_backdrops()["paper"],)}
        stock = replace(stock, resolved=replace(stock.resolved, viewpoints=(view,), **changes))
        yield name, shown(at_one_exposure(stock), 3, renderer, size)


def at_one_exposure(stock: Stock) -> Stock:
    """The same camera with a fixed exposure: a meter would make black parts grey."""
    fixed = {"exposure": "fixed", "gain_per_radiance": GREY_CARD, "gain_db": constant(0.0)}
    cameras = tuple(c.model_copy(update=fixed) for c in stock.resolved.cameras)
    return replace(stock, resolved=replace(stock.resolved, cameras=cameras))


def narrow(stock: Stock, *, material, station) -> Stock:
    resolved = replace(stock.resolved, materials=(material,), stations=(station,))
    close = LookAtDefect(kind="look_at_defect", tilt_deg=12, field_defects=3.0, off_centre=0.0)
    return replace(stock, resolved=replace(resolved, viewpoints=(close,)))


def shown(stock: Stock, index: int, renderer: Renderer, size: int) -> np.ndarray:
    """(size, size, 3) uint8; what no try shows well is shown as it is, a refusal as its own words."""
    try:
        try:
            frame, _, _ = make_image(stock, index, 1, renderer)
        except RenderError:
            anything = stock.resolved.recipe.model_copy(update={"min_visibility": 0.0})
            faint = replace(stock, resolved=replace(stock.resolved, recipe=anything))
            frame, _, _ = make_image(faint, index, 1, renderer)
    except FlawsmithError as error:
        board = np.full((size, size, 3), 40, np.uint8)
        for i, line in enumerate(str(error)[k : k + 34] for k in range(0, 240, 34)):
            cv2.putText(board, line, (6, 20 + 16 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (220, 220, 220), 1, cv2.LINE_AA)
        return board
    return np.round(srgb_from_linear(frame.rgb) * 255).astype(np.uint8)


if __name__ == "__main__":
    main()
