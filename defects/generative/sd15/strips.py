"""Validation strips: for every type a photograph, its mask and what the training makes of it so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.files import write_bytes
from core.seeds import child_seed
from defects.generative.augment import Example
from defects.generative.crop import crop_of, windows
from defects.generative.painter import GOOD
from defects.generative.photo import png_bytes
from defects.generative.sd15.backend import Sd15Painter
from defects.generative.sd15.models import Networks
from defects.generative.sd15.settings import TrainSettings


def write_strips(nets: Networks, examples: Sequence[Example], path: Path, settings: TrainSettings) -> None:
    """One row a type: the first example as it is, its mask, painted over, and the same with `good`."""
    painter = Sd15Painter.of(nets, settings.size, steps=settings.sample_steps, guidance=settings.guidance)
    rows = []
    for damage in nets.table.types:
        if damage == GOOD:
            continue
        example = next(e for e in examples if e.damage == damage)
        place = windows(example.mask, (settings.size,), nets.cell)[0]
        crop = crop_of(example.image, example.part, place, float("nan"))
        seed = child_seed(settings.seed, "strip", damage)
        made = painter.paint([crop, crop], [damage, GOOD], [seed, seed])
        shown = np.where(crop.mask[..., None], np.array([1.0, 0.2, 0.2], np.float32), crop.image)
        rows.append(np.concatenate([crop.image, shown, *made], axis=1))
    sheet = np.rint(np.clip(np.concatenate(rows), 0, 1) * 255).astype(np.uint8)
    write_bytes(path, png_bytes(sheet))
