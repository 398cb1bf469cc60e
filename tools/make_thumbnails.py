"""Render the thumbnails that `flawsmith list --sheet` shows: one small picture for each file of the library.

    python tools/make_thumbnails.py [FOLDER ...]     # materials blueprints stations cameras backdrops

Writes scenes/library/thumbnails/FOLDER/NAME.jpg; what is there and newer than its file is kept.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.errors import FlawsmithError, PlacementError
from flawsmith import Recipe, images, run
from flawsmith.dataset import read_manifest
from flawsmith.listing import FOLDERS
from flawsmith.resolve import library_names
from scenes import library

PARTS = Path(__file__).resolve().parent.parent / "examples"
SIDE, SAMPLES = 240, 48
WHOLE = {"kind": "fixed", "up": "+z", "elevation_deg": 50, "azimuth_deg": -60}
CLOSE = {"kind": "look_at_defect", "field_defects": 3.2, "tilt_deg": 12, "off_centre": 0}
BASE: dict[str, Any] = {
    "part": "parts/bearing_housing.step", "material": "milled_steel", "blueprints": ["scratch_handling"],
    "station": "soft_box", "camera": "area_5mp_25mm", "viewpoint": WHOLE, "backdrop": "paper", "images": 1,
    "size_px": SIDE, "samples": SAMPLES, "twin": "none", "outputs": [], "exports": [],
    "good_fraction": 1.0, "tries": 30,
}  # fmt: skip
KEYS = {"materials": "material", "stations": "station", "cameras": "camera", "backdrops": "backdrop"}


def recipe_for(folder: str, name: str, flat: bool = True) -> Recipe:
    """The whole housing with one thing changed; a defect close up, `flat`: on a plane, where it is easiest to see."""
    if folder == "blueprints":
        changes: dict[str, Any] = {"blueprints": [name], "good_fraction": 0.0, "viewpoint": CLOSE}
        if flat:
            changes["part"] = {"path": BASE["part"], "regions": ["planar"]}
    else:
        changes = {KEYS[folder]: name}
    return Recipe.model_validate(BASE | changes).within(PARTS)


def make(folder: str, name: str) -> bool:
    """Write one thumbnail unless it is there; True when it was made."""
    path = library.folder("thumbnails") / folder / f"{name}.jpg"
    source = library.folder(folder) / f"{name}.yaml"
    if path.exists() and path.stat().st_mtime > source.stat().st_mtime:
        return False
    with tempfile.TemporaryDirectory() as temporary:
        try:
            photo = _photo(recipe_for(folder, name), Path(temporary) / "flat")
        except PlacementError:
            photo = _photo(recipe_for(folder, name, flat=False), Path(temporary) / "anywhere")
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    return True


def _photo(recipe: Recipe, out: Path) -> np.ndarray:
    run(recipe, out, device="auto")
    return images.read_photo(out / read_manifest(out)[0].files["image"].path)


def main(folders: list[str]) -> int:
    failed = 0
    for folder in folders or list(FOLDERS):
        for name in library_names(folder):
            try:
                made = make(folder, name)
            except FlawsmithError as error:
                print(f"{folder}/{name}: {error}", file=sys.stderr)
                failed += 1
                continue
            print(f"{folder}/{name}: {'made' if made else 'kept'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
