"""A sheet to look at: held-out pairs of every type, clean, mask, as rendered, as sampled."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from core.errors import InputError
from core.files import atomic_path
from defects.generative.painter import Crop, Finisher, Painter
from defects.generative.tiny.pairs import Pairs

HEIGHT = 14
"""Of the caption over a strip, pixels."""


def strip(painter: Painter, pairs: Pairs, i: int, samples: int = 2) -> np.ndarray:
    """(n + HEIGHT, (3 + samples) n, 3) uint8 RGB: clean, mask, rendered truth, samples of seeds 0, 1, ..."""
    pair = pairs.pair(i)
    crop = Crop(pair.clean, pair.mask, pair.part, pair.mm_per_px)
    made = painter.paint([crop] * samples, [pair.kind] * samples, list(range(samples)))
    mask = np.repeat(pair.mask[..., None].astype(np.float32), 3, 2)
    clean, white, truth, *shown = (_codes(v) for v in (pair.clean, mask, pair.defected, *made))
    if isinstance(painter, Finisher):
        shown = [painter.finish(clean, v, pair.mask, pair.kind, k, pair.part) for k, v in enumerate(shown)]
    picture = np.concatenate([clean, white, truth, *shown], 1)
    caption = np.zeros((HEIGHT, picture.shape[1], 3), np.uint8)
    cv2.putText(caption, pair.kind, (3, HEIGHT - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([caption, picture])


def _codes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)


def sheet(path: Path, painter: Painter, pairs: Pairs, each: int = 2, columns: int = 2) -> int:
    """Write a sheet with up to `each` pairs of every type, the first ones: nothing is chosen. How many it shows."""
    order = [i for kind in np.unique(pairs.kind) for i in np.flatnonzero(pairs.kind == kind)[:each]]
    strips = [strip(painter, pairs, int(i)) for i in order]
    strips += [np.zeros_like(strips[0])] * (-len(strips) % columns)
    picture = np.concatenate([np.concatenate(strips[i::columns], 0) for i in range(columns)], 1)
    with atomic_path(path) as part:
        if not cv2.imwrite(str(part), picture[..., ::-1]):
            raise InputError(f"{path} cannot be written", "a folder that can be written to", "choose another path")
    return len(order)
