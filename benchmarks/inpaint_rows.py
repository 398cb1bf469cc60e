"""The rows of benchmarks/inpaint.py: which painters are here, and how each is loaded for a ground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from inpaint_data import WORDS, Ground

from core.errors import FlawsmithError, InputError
from defects.generative.augment import Example
from defects.generative.painter import GOOD, Painter
from defects.generative.rules import CopyPaste, InpaintFloor, Overlay, PerlinBlend
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.teach import Teaching, teach
from defects.generative.tiny.train import WEIGHTS

TAUGHT = "tiny taught"
LEARNED = ("tiny", TAUGHT, "sd15")


def painters(ground: Ground, asked: argparse.Namespace) -> tuple[dict[str, Callable[[], Painter]], list[str]]:
    """How to load each row, and what is not here."""
    every = (*Overlay().types, *WORDS, *{t.damage for t in ground.tasks})
    rows: dict[str, Callable[[], Painter]] = {
        "perlin": lambda: PerlinBlend(types=every), "copy-paste": lambda: CopyPaste(ground.given),
        "overlay": Overlay, "opencv": lambda: InpaintFloor(types=every),
    }  # fmt: skip
    missing = []
    if asked.tiny is None:
        missing.append("tiny: not asked for (--tiny)")
    else:
        try:
            TinyPainter(asked.tiny or None)
            rows["tiny"] = lambda: TinyPainter(asked.tiny or None, steps=asked.sampling)
        except FlawsmithError as error:
            missing.append(f"tiny: {error}")
    if asked.taught:
        folder = taught(ground, asked)
        rows[TAUGHT] = lambda: TinyPainter(folder / WEIGHTS, steps=asked.sampling)
    if asked.sd15 is None:
        missing.append("sd15: no weights given (--sd15 LEARNED BASE)")
    else:
        from defects.generative.sd15.backend import Sd15Painter

        learned, base = asked.sd15
        try:
            Sd15Painter(Path(learned), base)
            rows["sd15"] = lambda: Sd15Painter(Path(learned), base)
        except FlawsmithError as error:
            missing.append(f"sd15: {error}")
    if not asked.rows:
        return rows, missing
    unknown = set(asked.rows.split(",")) - set(rows)
    if unknown:
        raise InputError(f"rows {', '.join(sorted(unknown))}", f"of {', '.join(rows)}", "correct --rows")
    return {name: load for name, load in rows.items() if name in asked.rows.split(",")}, missing


def taught(ground: Ground, asked: argparse.Namespace) -> Path:
    """Folder of `tiny` taught this ground's given examples and good photographs; what is there goes on."""
    good = [Example(i, np.zeros(i.shape[:2], bool), np.ones(i.shape[:2], bool), GOOD) for i in ground.good]
    how = Teaching(steps=asked.taught, seed=asked.seed, draws=min(Teaching.draws, Teaching.batch * asked.taught))
    folder = asked.keep / ground.name.replace(" ", "-")
    return teach([*ground.given, *good], folder, how, lambda line: print(line, file=sys.stderr, flush=True))
