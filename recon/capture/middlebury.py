"""Middlebury multi-view sets: `*_par.txt`, one line an image with K, R and t."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.errors import InputError
from recon.capture.poses import rigid
from recon.capture.source import Shot, Source, find_mask, image_size, inside


def recognise(path: Path) -> Path | None:
    if path.is_file():
        return path if path.name.endswith("_par.txt") else None
    return next(iter(sorted(path.glob("*_par.txt"))), None)


def read(path: Path) -> Source:
    """K counts from pixel centres there (the top left one is 0, 0), so half a pixel is added. Lengths are metres
    (vision.middlebury.edu/mview/data)."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        count, rows = int(lines[0][0]), lines[1:]
        numbers = np.array([[float(v) for v in row[1:]] for row in rows])
    except (ValueError, IndexError) as error:
        raise InputError(f"{path} cannot be read ({error})", "name, K, R, t: 22 columns", "copy it again") from error
    if len(rows) != count or numbers.shape != (count, 21):
        raise InputError(
            f"{path} announces {count} images and has {len(rows)} lines of {numbers.shape[-1]} numbers",
            "a line of 21 numbers an image",
            "copy it again",
        )
    shots = []
    for row, n in zip(rows, numbers, strict=True):
        image = inside(path.parent, row[0], str(path))
        k = n[:9].reshape(3, 3).copy()
        k[:2, 2] += 0.5
        pose = rigid(n[9:18].reshape(3, 3), n[18:])
        mask = find_mask(image, path.parent)
        shots.append(Shot(image.stem, image, mask, k, image_size(image), pose))
    recipe = "dino" if path.name.lower().startswith("dino") else ""
    return Source("middlebury", path, tuple(shots), True, "Middlebury calibration, metres", mask_recipe=recipe)
