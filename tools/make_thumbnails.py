"""Render the thumbnails that `flawsmith list --sheet` shows: one small picture for each file of the library.

    PYTHONPATH=. python tools/make_thumbnails.py [FOLDER ...]     # materials blueprints stations cameras backdrops

Writes scenes/library/thumbnails/FOLDER/NAME.jpg; what is there and newer than its file is kept.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.colour import srgb_from_linear
from core.errors import FlawsmithError
from core.seeds import child
from defects.procedural.kinds import KINDS
from flawsmith.listing import FOLDERS
from flawsmith.pipeline import make_image
from flawsmith.recipe import Recipe
from flawsmith.resolve import Resolved, library_names, weighted_blueprints
from flawsmith.shots import Stock, load_stock
from render.client import Renderer
from scenes import library
from scenes.materials import load_materials
from tools.gallery import at_one_exposure

PARTS = Path(__file__).resolve().parent.parent / "examples"
SIDE, SAMPLES = 200, 32
WHOLE = {"kind": "fixed", "up": "+z", "elevation_deg": 50, "azimuth_deg": -60}
CLOSE = {"kind": "look_at_defect", "field_defects": 3.2, "tilt_deg": 12, "off_centre": 0}
FINISHES = ("milled_steel", "powder_coat_grey", "gloss_paint_blue")
"""A defect is shown on the first of these that it can sit on."""
HOUSING = "parts/bearing_housing.step"
PART_OF = {"boss_missing": "parts/stepped_shaft.step"}
"""The housing has no boss that stands free."""
BASE: dict[str, Any] = {
    "part": {"path": HOUSING, "regions": ["planar"]}, "material": "milled_steel",
    "blueprints": ["scratch_handling"], "station": "soft_box", "camera": "area_5mp_25mm", "viewpoint": WHOLE,
    "backdrop": "paper", "images": 1, "size_px": SIDE, "samples": SAMPLES, "twin": "none", "outputs": [],
    "good_fraction": 1.0, "tries": 20,
}  # fmt: skip
KEYS = {"materials": "material", "stations": "station", "cameras": "camera", "backdrops": "backdrop"}

Wanted = Iterator[tuple[str, Stock]]


def stale(folder: str) -> list[str]:
    """Names of the library files that have no thumbnail newer than themselves."""
    names = [n for n in library_names(folder) if folder != "materials" or not load_materials()[n].captured]
    return [n for n in names if not _fresh(target(folder, n), library.folder(folder) / f"{n}.yaml")]


def target(folder: str, name: str) -> Path:
    return library.folder("thumbnails") / folder / f"{name}.jpg"


def _fresh(picture: Path, source: Path) -> bool:
    return picture.exists() and picture.stat().st_mtime > source.stat().st_mtime


def wholes(folder: str, names: list[str]) -> Wanted:
    """The whole housing with one thing changed."""
    stock = load_stock(recipe(**{KEYS[folder]: names}))
    if folder == "materials":
        stock = at_one_exposure(stock)
    elif folder == "cameras":  # a thumbnail of single pixels would show a corner of the part
        whole = tuple(c.model_copy(update={"readout": "bin"}) for c in stock.resolved.cameras)
        stock = replace(stock, resolved=replace(stock.resolved, cameras=whole))
    for name in names:
        yield name, replace(stock, resolved=only(stock.resolved, folder, name))


def closeups(names: list[str]) -> Wanted:
    """A defect close up, on a plane, where it is easiest to see."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in names:
        groups[finish_for(name), PART_OF.get(name, HOUSING)].append(name)
    for (finish, part), members in groups.items():
        stock = load_stock(
            recipe(
                part={"path": part, "regions": ["planar"]}, material=finish, blueprints=members, good_fraction=0.0,
                viewpoint=CLOSE,
            )
        )  # fmt: skip
        for name in members:
            entries = tuple(e for e in stock.resolved.blueprints if e.blueprint.name == name)
            yield name, replace(stock, resolved=replace(stock.resolved, blueprints=entries))


def recipe(**changes: Any) -> Recipe:
    return Recipe.model_validate(BASE | changes).within(PARTS)


def only(resolved: Resolved, folder: str, name: str) -> Resolved:
    return replace(resolved, **{folder: tuple(v for v in getattr(resolved, folder) if v.name == name)})


def finish_for(blueprint: str) -> str:
    """The first finish that the blueprint's kind can sit on."""
    entry = weighted_blueprints(recipe(blueprints=[blueprint]))[0].blueprint
    kind = KINDS[entry.kind]
    values = kind.parameters(entry.sample(child(0, "thumbnail")), blueprint)
    return next(f for f in FINISHES if kind.lacks is None or kind.lacks(values, load_materials()[f]) is None)


def photo(stock: Stock, renderer: Renderer) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8. A defect that finds no place on a plane may sit anywhere."""
    try:
        frame, _, _ = make_image(stock, 0, 1, renderer)
    except FlawsmithError:
        if stock.allowed is None:
            raise
        return photo(replace(stock, allowed=None), renderer)
    return np.round(srgb_from_linear(frame.rgb) * 255).astype(np.uint8)


def main(folders: list[str]) -> int:
    failed = 0
    with Renderer() as renderer:
        for folder in folders or list(FOLDERS):
            names = stale(folder)
            wanted = closeups(names) if folder == "blueprints" else wholes(folder, names)
            for name, stock in wanted if names else ():
                try:
                    picture = photo(stock, renderer)
                except FlawsmithError as error:
                    print(f"{folder}/{name}: {error}", file=sys.stderr)
                    failed += 1
                    continue
                path = target(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 86])
                print(f"{folder}/{name}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
