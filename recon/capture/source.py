"""What a pose file says about a capture before a pixel is read: one Shot a photograph, and what binds them."""

from __future__ import annotations

import os
import re
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
LONGEST = 255
"""Bytes of one name, on the file systems in use."""
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
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        if path.suffix.lower() == ".exr":
            from recon.capture.pixels import read_pixels

            height, width = read_pixels(path).shape[:2]
            return height, width
        raise InputError(f"{path} is not an image ({error})", "PNG, JPEG, TIFF, WebP or EXR", "convert it") from error


def inside(folder: Path, named: str, where: str) -> Path:
    """The file `named` below `folder`. InputError where the name leads out of it: a capture that came from elsewhere
    must not read what else is on this machine. Links are the user's own."""
    parts = Path(named).parts
    long = max((len(p.encode(errors="replace")) for p in parts), default=0) > LONGEST
    if not parts or long or re.search("[\0\ud800-\udfff]", named):
        shown = named if len(named) <= 60 else f"{named[:57]}..."
        raise InputError(f"{where} names {shown!r}", "the name of a file", "correct the names")
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
    """masks/NAME.png, masks/NAME.jpg.png (COLMAP) or NAME_mask.png; None where there is none. Of images/a/NAME.jpg, in
    folders below folders, masks/a/NAME.png and the like: a masks/NAME.png would be that of images/b/NAME.jpg too."""
    inner = image.parent.relative_to(root).parts if image.is_relative_to(root) else ()
    if len(inner) > 1:
        folders = [Path(*inner[1:]), Path(*inner)]
        places = [root / kind / below for kind in MASK_FOLDERS for below in folders]
        places += [root / inner[0] / kind / folders[0] for kind in MASK_FOLDERS]
        places += [image.parent / kind for kind in MASK_FOLDERS]
    else:
        above = dict.fromkeys((root, image.parent.parent, image.parent))
        places = [folder / kind for folder in above for kind in MASK_FOLDERS]
    for place in places:
        for name in (f"{image.stem}.png", f"{image.name}.png", image.name, f"{image.stem}_mask.png"):
            path = place / name
            if path.is_file() and path != image:
                return path
    beside = image.with_name(f"{image.stem}_mask.png")
    return beside if beside.is_file() else None


def of_stored(
    k: np.ndarray, told: tuple[float, float], size: tuple[int, int], where: str, file: str = "the file"
) -> np.ndarray:
    """K of the stored image of `size`, from that of one of `told`, both (height, width). InputError where the two are
    not in proportion: an image that was cropped or turned since has another camera."""
    (h, w), (height, width) = told, size
    if abs(w * height - h * width) > 1.5 * max(h, w, height, width):
        raise InputError(
            f"{where}: {file} says {w:g}x{h:g} pixels, the photograph has {width}x{height}: it was cropped or turned",
            "photographs of the proportions that were calibrated", "restore them, or calibrate the stored ones",
        )  # fmt: skip
    return np.diag([width / w, height / h, 1.0]) @ k


def pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]])
