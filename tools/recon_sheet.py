"""What a reconstruction got right, two views a row: docs/images/reconstruction.jpg.

    flawsmith simulate-capture examples/parts/bearing_housing.step --material powder_coat_grey --size 256 --views 18 \\
        --elevation 15 --elevation 45 --out out/capture
    flawsmith reconstruct out/capture --preset draft --out out/part
    python tools/recon_sheet.py out/capture out/part [--views 4,26] [--out FILE]

Photograph, normals of the visual hull, of the fit and of the truth, fitted albedo. Normals in the camera: x to
the right is red, y up is green, towards the camera is blue.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import trimesh

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.colour import srgb_from_linear  # noqa: E402
from core.errors import FlawsmithError, InputError  # noqa: E402
from core.files import write_bytes  # noqa: E402
from defects.generative.crop import bounds  # noqa: E402
from recon.by_rays import Drawn  # noqa: E402
from recon.capture import load  # noqa: E402
from recon.fit import preset  # noqa: E402
from recon.hull import visual_hull  # noqa: E402
from recon.save import ARRAYS  # noqa: E402

FINE, GAP, MARGIN, GROUND = 3, 4, 6, 255
"""Rays a pixel and axis; pixels between pictures, and around the part; grey behind it."""


def rows(capture: Path, part: Path, views: list[int]) -> np.ndarray:
    """(h, w, 3) uint8. InputError when the capture has no truth or no such view."""
    read, truth = load(capture), capture / "truth" / "part.ply"
    if not truth.is_file():
        raise InputError(f"{capture} without truth/part.ply", "a simulated capture", "make one: simulate-capture")
    if not all(0 <= n < len(read.views) for n in views):
        raise InputError(f"views {views}", f"numbers from 0 to {len(read.views) - 1}", "choose others")
    if not (part / ARRAYS).is_file():
        raise InputError(
            f"{part} without {ARRAYS}", "a folder of flawsmith reconstruct", "reconstruct the capture first"
        )
    known = trimesh.load_mesh(truth, process=False)
    with np.load(part / ARRAYS) as found:
        ours, albedo = Drawn(found["vertices"], found["faces"], FINE), srgb_from_linear(found["albedo"])
    hull = Drawn(*visual_hull(read, preset("draft").hull_resolution), FINE)
    true = Drawn(np.asarray(known.vertices), np.asarray(known.faces), FINE)
    shown = [read.views[n] for n in views]
    boxes = [bounds(v.mask > 0) for v in shown]
    half = [max((b[k + 1] - b[k]) // 2 + MARGIN for b in boxes) for k in (0, 2)]
    lines = []
    for view, box in zip(shown, boxes, strict=True):
        seen = srgb_from_linear(view.image) * view.mask[..., None] + GROUND / 255 * (1 - view.mask[..., None])
        told = [m.normals(view, GROUND / 255) for m in (hull, ours, true)]
        cells = [_codes(c) for c in (seen, *told, ours.coloured(view, np.asarray(albedo), GROUND / 255))]
        y, x = (slice(max((box[k] + box[k + 1]) // 2 - half[k // 2], 0), None) for k in (0, 2))
        cells = [_filled(c[y, x][: 2 * half[0], : 2 * half[1]], 2 * half[0], 2 * half[1]) for c in cells]
        bare = np.full((2 * half[0], GAP, 3), GROUND, np.uint8)
        lines.append(np.concatenate([c for cell in cells for c in (cell, bare)][:-1], axis=1))
    bare = np.full((GAP, lines[0].shape[1], 3), GROUND, np.uint8)
    return np.concatenate([line for row in lines for line in (row, bare)][:-1])


def _codes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def _filled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """With ground to the right and below, where a picture ends before its window does."""
    h, w = image.shape[:2]
    return np.pad(image, ((0, height - h), (0, width - w), (0, 0)), constant_values=GROUND)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("part", type=Path, help="folder that flawsmith reconstruct made")
    parser.add_argument("--views", default="4,26", help="numbers of photographs, separated by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "reconstruction.jpg")
    asked = parser.parse_args()
    try:
        sheet = rows(asked.capture, asked.part, [int(n) for n in asked.views.split(",")])
    except FlawsmithError as error:
        print(error, file=sys.stderr)
        return 2
    done, data = cv2.imencode(asked.out.suffix, sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    if not done:
        raise RuntimeError(f"OpenCV could not write {asked.out.suffix}")
    write_bytes(asked.out, data.tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
