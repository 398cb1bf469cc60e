"""What a pose file says about a capture before a pixel is read: one Shot a photograph, and what binds them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, UnidentifiedImageError

from core.errors import InputError
from recon.capture.model import Session

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".exr")
FOCAL_OVER_SIDE = (0.2, 60.0)
"""Focal lengths outside this range of the image's longer side (136 degrees to 1 degree of view) are mistakes."""
FARTHEST = 1e7
"""Units from the part's origin, or of any vector: lengths beyond it are mistakes, and their squares no numbers soon."""
MASK_FOLDERS = ("masks", "mask", "silhouettes")


@dataclass(frozen=True, eq=False)
class Shot:
    """One photograph as its pose file has it.

    intrinsics: (3, 3) for an image of `size` (height, width), pixel centres at 0.5. distortion: OpenCV's order
    (k1, k2, p1, p2, k3, ...), four of them where `fisheye`. camera_from_part: (4, 4), OpenCV camera.
    """

    name: str
    image: Path
    mask: Path | None
    intrinsics: np.ndarray
    size: tuple[int, int]
    camera_from_part: np.ndarray
    distortion: tuple[float, ...] = ()
    fisheye: bool = False
    session: str = "1"
    room_from_part: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Source:
    """A pose file read. light: None where it does not say. mask_recipe: how this format's masks are made when there
    are none ("dino": the published threshold of the Middlebury dino). plates: session -> photograph without the part.
    """

    kind: str
    path: Path
    shots: tuple[Shot, ...]
    metric: bool = False
    scale_from: str = "unknown: the poses have no unit"
    light: Literal["room", "part"] | None = None
    sessions: Mapping[str, Session] = field(default_factory=dict)
    plates: Mapping[str, Path] = field(default_factory=dict)
    mask_recipe: str = ""
    notes: tuple[str, ...] = ()


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of the stored pixels, from the header only."""
    if not path.is_file():
        raise InputError(f"{path} does not exist", "an image for every pose", "restore it or remove its pose")
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except Image.DecompressionBombError as error:
        most = f"{2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} million pixels"
        raise InputError(f"{path} has more than {most}", f"at most {most}", "make it smaller") from error
    except (UnidentifiedImageError, OSError) as error:
        if path.suffix.lower() == ".exr":
            from recon.capture.pixels import read_pixels

            height, width = read_pixels(path).shape[:2]
            return height, width
        raise InputError(f"{path} is not an image ({error})", "PNG, JPEG, TIFF, WebP or EXR", "convert it") from error


def inside(folder: Path, named: str, where: str) -> Path:
    """The file `named` below `folder`. InputError where the name leads out of it: a capture that came from elsewhere
    must not read what else is on this machine. Links are the user's own."""
    if Path(named).is_absolute() or os.path.normpath(named).startswith(".."):
        raise InputError(
            f"{where} names {named}, outside {folder}", "files below the folder of the poses",
            "copy the photographs there and correct the names",
        )  # fmt: skip
    return folder / named


def find_image(folder: Path, named: str, where: str) -> Path:
    """`named` below `folder`, with or without its suffix. where: who says so, for the message."""
    path = inside(folder, named, where)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return path
    for suffix in IMAGE_SUFFIXES:
        if path.with_name(path.name + suffix).is_file():
            return path.with_name(path.name + suffix)
    return path


def find_mask(image: Path, root: Path) -> Path | None:
    """masks/NAME.png, masks/NAME.jpg.png (COLMAP) or NAME_mask.png; None where there is none."""
    for folder in dict.fromkeys((root, image.parent.parent, image.parent)):
        for kind in MASK_FOLDERS:
            for name in (f"{image.stem}.png", f"{image.name}.png", image.name, f"{image.stem}_mask.png"):
                path = folder / kind / name
                if path.is_file() and path != image:
                    return path
    beside = image.with_name(f"{image.stem}_mask.png")
    return beside if beside.is_file() else None


def pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
