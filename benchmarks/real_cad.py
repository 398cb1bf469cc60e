"""Import and render every CAD file of a folder; a Markdown table of what came out and what was refused.

python benchmarks/real_cad.py --data FOLDER [--size 96] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from core.colour import srgb_from_linear
from core.errors import FlawsmithError
from flawsmith.contact_sheet import tile_sheet
from flawsmith.pipeline import make_image
from flawsmith.recipe import Recipe
from flawsmith.shots import load_stock
from render.client import Renderer

CAD = (".step", ".stp", ".igs", ".iges", ".glb", ".gltf", ".stl", ".ply", ".obj")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--out", type=Path, default=None)
    options.add_argument("--size", type=int, default=96)
    options.add_argument("--samples", type=int, default=8)
    chosen = options.parse_args()
    pictures: list[tuple[str, np.ndarray]] = []
    print("| file | size, mm | triangles | image | seconds |\n|---|---|---|---|---|")
    with Renderer() as renderer:
        for path in sorted(p for p in chosen.data.rglob("*") if p.suffix.lower() in CAD):
            started = time.perf_counter()
            size, count, told, picture = one(path, renderer, chosen)
            took = time.perf_counter() - started
            print(f"| {path.relative_to(chosen.data)} | {size} | {count} | {told} | {took:.1f} |", flush=True)
            if picture is not None:
                pictures.append((path.name, picture))
    out = chosen.out or Path(tempfile.mkdtemp(prefix="flawsmith-cad-"))
    out.mkdir(parents=True, exist_ok=True)
    tile_sheet(pictures, tile=max(chosen.size, 160)).save(out / "real_cad.png")


def one(path: Path, renderer: Renderer, chosen: argparse.Namespace) -> tuple[str, str, str, np.ndarray | None]:
    """Size, triangles, what happened, and the picture of one file with a scratch and a dent on it."""
    values = {
        "part": {"path": path.name}, "material": "milled_steel", "blueprints": ["scratch_deep"], "images": 1,
        "station": "soft_box", "camera": "area_5mp_25mm", "viewpoint": {"kind": "look_at_defect", "field_defects": 6},
        "tries": 30,
        "size_px": chosen.size, "samples": chosen.samples, "min_label_px": 16, "backdrop": "paper",
    }  # fmt: skip
    size = count = "-"
    try:
        stock = load_stock(Recipe.model_validate(values).within(path.parent))
        size = " x ".join(f"{v * 1e3:.1f}" for v in stock.part.size_m)
        count = str(len(stock.part.mesh.faces))
        frame, _, defected = make_image(stock, 0, 1, renderer)
    except FlawsmithError as error:
        return size, count, f"refused: {error}".replace("|", "/").replace(str(path.parent), "."), None
    told = ", ".join(f"{d.kind} {int((frame.ids == d.id).sum())} px" for d in defected.defects)
    pixels = np.round(srgb_from_linear(frame.rgb) * 255).astype(np.uint8)
    rim = cv2.dilate((frame.ids > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) - (frame.ids > 0)
    pixels[rim > 0] = (255, 60, 60)
    return size, count, told, pixels


if __name__ == "__main__":
    main()
