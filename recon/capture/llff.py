"""poses_bounds.npy (LLFF): a 3x5 matrix and two depths an image, images in sorted order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile

import numpy as np

from core.errors import InputError
from recon.capture.poses import rigid
from recon.capture.source import IMAGE_SUFFIXES, Shot, Source, find_mask, image_size, of_stored, pinhole


def recognise(path: Path) -> Path | None:
    path = path / "poses_bounds.npy" if path.is_dir() else path
    return path if path.name == "poses_bounds.npy" and path.is_file() else None


def read(path: Path) -> Source:
    """Columns of the 3x5: the camera's down, right and backward axes, its position, and (height, width, focal
    length in pixels); camera to world (github.com/Fyusion/LLFF, README)."""
    table = _table(path)
    folder = path.parent / "images"
    images = sorted(p for p in folder.glob("*") if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    rows, notes = _rows(folder, images, len(table))
    shots = []
    for image, number in zip(images, rows, strict=True):
        matrix = _matrix(path, number, table[number])
        height, width, focal = matrix[:, 4]
        size = image_size(image)
        k = of_stored(pinhole(focal, focal, width / 2, height / 2), (height, width), size, image.name, path.name)
        down, right, back = matrix[:, 0], matrix[:, 1], matrix[:, 2]
        pose = np.linalg.inv(rigid(np.stack([right, down, -back], 1), matrix[:, 3]))
        shots.append(Shot(image.stem, image, find_mask(image, path.parent), k, size, pose))
    return Source("llff", path, tuple(shots), False, "unknown: LLFF poses have no unit", notes=notes)


def _table(path: Path) -> np.ndarray:
    try:
        table = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, BadZipFile, MemoryError, TokenError) as error:
        raise InputError(f"{path} cannot be read ({error})", "an array (n, 17)", "copy it again") from error
    if not isinstance(table, np.ndarray) or table.dtype.kind not in "fiu":
        kind = f"{table.dtype}" if isinstance(table, np.ndarray) else "several arrays"
        raise InputError(f"{path} holds {kind}", "an array (n, 17) of numbers", "write it again")
    if table.ndim != 2 or table.shape[1] != 17:
        raise InputError(f"{path} has shape {table.shape}", "(n, 17)", "copy it again")
    return table.astype(float)


def _matrix(path: Path, number: int, row: np.ndarray) -> np.ndarray:
    """The 3x5 of one row. InputError where it holds no pose or no camera."""
    matrix = row[:15].reshape(3, 5)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :3])) < 1e-9 or not (matrix[:, 4] > 0).all():
        height, width, focal = matrix[:, 4]
        raise InputError(
            f"{path}, row {number} holds no pose and camera (image {width:g}x{height:g}, focal length {focal:g} px)",
            "three axes, a position, and height, width and focal length above 0",
            "compute the poses again, or remove the row with its image",
        )
    return matrix


def _rows(folder: Path, images: Sequence[Path], count: int) -> tuple[list[int], tuple[str, ...]]:
    """Which row of the table each image has. Where images are missing, the running numbers in their names tell, if
    they span the table exactly."""
    if len(images) == count:
        return list(range(count)), ()
    found = [re.search(r"(\d+)$", image.stem) for image in images]
    numbers = [int(m.group(1)) for m in found if m]
    whole = len(numbers) == len(images) > 1 and len(images) < count
    rising = all(a < b for a, b in pairwise(numbers))  # as text and as numbers alike
    if whole and rising and numbers[-1] - numbers[0] + 1 == count:
        note = f"{count - len(images)} of {count} poses have no image; rows chosen by the numbers in the images' names"
        return [n - numbers[0] for n in numbers], (note,)
    raise InputError(
        f"{folder} holds {len(images)} images and poses_bounds.npy {count} poses",
        "one image a pose, in sorted order",
        "restore the images that are missing",
    )
