"""A sheet of photographs before, with the mask, and after, one row a type of damage: docs/images/photo-route.png.

    flawsmith simulate-capture examples/parts/bearing_housing.step --out out/sheet --views 6 --size 720 --backdrop paper
    python tools/photo_sheet.py --capture out/sheet --mm-per-px 0.2 [--backend overlay] [--out FILE] [--seed N]

Without --capture the photographs are those of the example capture, which are small. Defects are drawn flat, at one
scale for all; what the hull of a capture would add is perspective.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.blueprint import Blueprint  # noqa: E402
from core.errors import PlacementError, RenderError  # noqa: E402
from core.files import write_bytes  # noqa: E402
from core.models import load  # noqa: E402
from core.seeds import child, child_seed  # noqa: E402
from defects.generative.crop import bounds  # noqa: E402
from defects.generative.paint import Painted, paint_photo  # noqa: E402
from defects.generative.painter import Painter  # noqa: E402
from defects.generative.photo import mask_for, photos_in, png_bytes, read_mask, read_photo  # noqa: E402
from flawsmith.paint_choice import PaintChoice, damage_for, painter_of  # noqa: E402
from flawsmith.paint_ground import PhotoGround, flat_ground  # noqa: E402
from flawsmith.paint_masks import draw_mark  # noqa: E402
from scenes import library  # noqa: E402

SHOWN = ("scratch_deep", "gouge_tool", "scuff_rub", "rust_patch", "paint_peel", "stray_print")
LEAST_PX = {"scratch_deep": 70, "stray_print": 150}
"""Of a mark that shows a kind's shape; of the others 250. In photographs half as wide a quarter."""
SIDE, TRIES = 186, 16


def painted(
    ground: list[PhotoGround], name: str, painter: Painter, seed: int
) -> tuple[np.ndarray, Painted, str] | None:
    """(photograph, what was painted, the backend's word) of one blueprint at the first place that shows it well."""
    blueprint = load(Blueprint, library.folder("blueprints") / f"{name}.yaml")
    damage = damage_for(name, blueprint.kind, PaintChoice(), painter)
    for attempt in range(TRIES):
        here = ground[child(seed, name, attempt, "photograph").integers(len(ground))]
        least = max(16, int(LEAST_PX.get(name, 250) * (max(here.photo.size) / 720) ** 2))
        try:
            free = np.zeros(here.photo.size, bool)
            mark = draw_mark(here, blueprint, child(seed, name, attempt), free, least)
            made = paint_photo(
                here.photo, mark.mask, damage, painter, child_seed(seed, name, attempt), part=here.part,
                look=mark.look,
            )  # fmt: skip
        except (PlacementError, RenderError):
            continue
        return here.photo.pixels, made, damage
    return None


def strip(before: np.ndarray, made: Painted, caption: str) -> np.ndarray:
    """(SIDE + 16, 3 SIDE, 3): the mask with as much again around it, before, its outline, after; enlarged alike."""
    y0, y1, x0, x1 = bounds(made.requested)
    half = max(28, int(0.75 * max(y1 - y0, x1 - x0)))
    h, w = before.shape[:2]
    y, x = np.clip((y0 + y1) // 2, half, max(h - half, half)), np.clip((x0 + x1) // 2, half, max(w - half, half))
    at = slice(max(y - half, 0), y + half), slice(max(x - half, 0), x + half)
    shown = np.where(made.requested[..., None], (0.35 * before + 0.65 * np.array([230, 40, 40])), before).astype(
        np.uint8
    )
    cells = [cv2.resize(i[at], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for i in (before, shown, made.image)]
    head = np.full((16, 3 * SIDE, 3), 255, np.uint8)
    cv2.putText(head, caption, (3, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([head, np.concatenate(cells, axis=1)])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--capture", type=Path, default=ROOT / "examples" / "captures" / "bearing_housing")
    parser.add_argument("--backend", choices=("overlay", "tiny"), default="overlay")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "photo-route.png")
    parser.add_argument("--mm-per-px", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    painter = painter_of(PaintChoice(backend=asked.backend), Path.cwd())
    ground = []
    for file in photos_in(asked.capture / "images")[:4]:
        photo = read_photo(file)
        part = read_mask(mask_for(file, asked.capture / "masks"), photo)
        inner = cv2.erode(part.astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
        ground.append(flat_ground(photo, asked.mm_per_px, inner))
    strips = []
    for name in SHOWN:
        found = painted(ground, name, painter, asked.seed)
        if found is None:
            print(f"{name}: no place showed it", file=sys.stderr)
            continue
        before, made, damage = found
        print(f"{name}: {made.facts['label_iou']:.0%} of the mask", file=sys.stderr, flush=True)
        strips.append(strip(before, made, f"{name} ({damage}): before, mask, after"))
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % 2)
    rows = [np.concatenate(strips[i : i + 2], axis=1) for i in range(0, len(strips), 2)]
    write_bytes(asked.out, png_bytes(np.concatenate(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
