"""Painters on real photographs with real masks: what they change, what shows, what it costs.

    python benchmarks/inpaint.py [--data FOLDER] [--count N] [--seed S] [--tiny] [--sheet FILE]

FOLDER is a few-shot set as `flawsmith train-inpaint` takes it; the default is the magnetic tiles of the real input data
(Huang et al. 2018). Each row paints the same N masks of real defects on the same N photographs without any. Rows whose
weights are not here are left out and named.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.errors import FlawsmithError, RenderError  # noqa: E402
from core.seeds import child, child_seed  # noqa: E402
from defects.generative.augment import Example, Moves, augmented  # noqa: E402
from defects.generative.examples import read_examples  # noqa: E402
from defects.generative.paint import paint_photo  # noqa: E402
from defects.generative.painter import GOOD, Painter  # noqa: E402
from defects.generative.rules import CopyPaste, InpaintFloor, Overlay, PerlinBlend  # noqa: E402
from defects.generative.seam import seam_visibility  # noqa: E402
from flawsmith.versions import commit  # noqa: E402

WORDS = {"blowhole": "pit", "break": "chip", "crack": "crack", "fray": "scuff", "uneven": "stain"}
"""The tiles' words in those of a painter that never saw them."""


def tasks(examples: Sequence[Example], count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray, str]]:
    """Photographs without damage, masks of real damage that fit into them, and its name."""
    good, marked = [e for e in examples if e.damage == GOOD], [e for e in examples if e.damage != GOOD]
    kinds = sorted({e.damage for e in marked})
    made = []
    for k in range(100 * count):
        rng = child(seed, "task", k)
        kind = kinds[len(made) % len(kinds)]
        known = [e for e in marked if e.damage == kind]
        mask = augmented(known[int(rng.integers(len(known)))], rng, Moves()).mask
        image = good[int(rng.integers(len(good)))].image
        h, w = min(mask.shape[0], image.shape[0]), min(mask.shape[1], image.shape[1])
        whole = np.zeros(image.shape[:2], bool)
        whole[:h, :w] = mask[:h, :w]
        if whole.sum() >= 16 and whole.mean() < 0.4:
            made.append((image, whole, kind))
        if len(made) == count:
            break
    return made


def row(painter: Painter, todo: Sequence[tuple[np.ndarray, np.ndarray, str]], seed: int) -> tuple[list[str], list]:
    """Cells of one row, and (before, mask, after) of what was painted."""
    outside, overlaps, seams, shown, quiet, spent = 0, [], [], [], 0, []
    for k, (image, mask, kind) in enumerate(todo):
        damage = kind if kind in painter.types else WORDS.get(kind, kind)
        started = time.process_time()
        try:
            made = paint_photo(image, mask, damage, painter, child_seed(seed, k), tries=1)
        except RenderError:
            quiet += 1
            continue
        finally:
            spent.append(time.process_time() - started)
        outside += int((made.image != image).any(axis=2)[~mask].sum())
        overlaps.append(made.facts["label_iou"])
        seams.append(seam_visibility(made.image, mask, image))
        shown.append((image, mask, made.image))
    cells = [
        str(outside), f"{np.mean(overlaps):.2f}" if overlaps else "-", f"{quiet / len(todo):.1%}",
        f"{np.median(seams):.2f}" if seams else "-", f"{np.median(spent):.2f}",
    ]  # fmt: skip
    return cells, shown


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    data = Path(os.environ.get("FLAWSMITH_REAL_DATA") or ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=data / "photos" / "magnetic_tile")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="the embedded model too")
    parser.add_argument("--sheet", type=Path, help="write before, mask and after of a few to this PNG")
    asked = parser.parse_args()
    try:
        examples = read_examples(asked.data)
    except FlawsmithError as error:
        print(error, file=sys.stderr)
        return 2
    todo = tasks(examples, asked.count, asked.seed)
    painters: list[Painter] = [
        PerlinBlend(types=(*Overlay().types, *WORDS)),
        CopyPaste(examples),
        Overlay(),
        InpaintFloor(),
    ]
    missing = ["sd15: no weights here"]
    if asked.tiny:
        from defects.generative.tiny.backend import TinyPainter

        try:
            painters.append(TinyPainter())
        except FlawsmithError as error:
            missing.append(f"tiny: {error}")
    print(f"{datetime.date.today()}, {platform.processor() or platform.machine()}, commit {commit()[:10]}, "
          f"{len(todo)} masks, seed {asked.seed}\n")  # fmt: skip
    print("| painter | px changed outside | label IoU | no-op | seam (real 1.00 = unseen) | CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    sheets = []
    for painter in painters:
        cells, shown = row(painter, todo, asked.seed)
        print(f"| {painter.name} | {' | '.join(cells)} |", flush=True)
        sheets.append(shown[:6])
    for line in missing:
        print(f"\nleft out: {line}")
    if asked.sheet:
        cv2.imwrite(str(asked.sheet), sheet(sheets))
    return 0


def sheet(rows: Sequence[Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]], side: int = 150) -> np.ndarray:
    """One row a painter: before, mask, after."""
    lines = []
    for shown in rows:
        cells = []
        for before, mask, after in shown:
            red = before.copy()
            red[mask] = (230, 40, 40)
            cells += [cv2.resize(i, (side, side), interpolation=cv2.INTER_AREA) for i in (before, red, after)]
        cells += [np.full((side, side, 3), 255, np.uint8)] * (18 - len(cells))
        lines.append(np.concatenate(cells, axis=1))
    return np.concatenate(lines)[..., ::-1]


if __name__ == "__main__":
    sys.exit(main())
