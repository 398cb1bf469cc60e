"""A picture file, decoded without guessing: what its numbers mean is read from its header, or the file is refused."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from core.errors import InputError

FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP")
MOST_MPX = 512
"""Pixels of a picture, in millions: read from its header, before anything is decoded."""
BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, OverflowError, struct.error)
"""What Pillow raises at files that are not what they say."""
ORIENTATION, WIDTH, HEIGHT, BITS, PHOTOMETRIC, EXTRA = 274, 256, 257, 258, 262, 338
"""Tags of EXIF and TIFF (TIFF Revision 6.0, 1992)."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, ASSOCIATED = 0, 1, 2, 1


@dataclass(frozen=True, eq=False)
class Picture:
    """As stored; `upright` turns what is made of it.

    image: 8 bits a channel or fewer, or one channel of integers (mode I). deep: (h, w) or (h, w, 3) uint16 where the
    file has 16 bits, of which image is the rounding. alpha: (h, w) uint8. multiplied: colour is stored times alpha.
    orientation: of EXIF, 1 to 8; turned: the decoder has seen to it. stored_size: (height, width). notes: what the
    reader should know, in words.
    """

    image: Image.Image
    deep: np.ndarray | None
    alpha: np.ndarray | None
    multiplied: bool
    orientation: int
    turned: bool
    stored_size: tuple[int, int]
    notes: tuple[str, ...]

    def upright(self, values: np.ndarray) -> np.ndarray:
        """(h, w, ...) turned as a viewer shows it."""
        return values if self.turned else turned(values, self.orientation)


def decoded(data: bytes, path: Path) -> Picture:
    """InputError, naming `path`, for what is no picture, is too large, or holds numbers without a white."""
    notes: list[str] = []
    try:
        with _without_limit():
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            _refuse_huge(image, path)
            tiff: dict[int, Any] = dict(getattr(image, "tag_v2", {})) if image.format == "TIFF" else {}
            depth = _depth(data, image, tiff)
            if frames := max(int(getattr(image, "n_frames", 1)) - 1, 0):
                notes.append(f"the first of its {frames + 1} pictures")
            orientation = _orientation(image, notes) if tiff else 1
            image.load()
    except BROKEN as error:
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({' '.join(str(error).split())})"
        raise InputError(
            f"{path} cannot be decoded{why}", "a whole PNG, JPEG, TIFF, BMP or WebP", "copy or convert it again"
        ) from error
    orientation = orientation if tiff else _orientation(image, notes)
    stored = (tiff[HEIGHT], tiff[WIDTH]) if tiff else (image.height, image.width)
    if image.mode.startswith("F"):
        raise _refused(path, "floating-point values")
    deep = alpha = None
    if depth == 16 and image.mode != "I":
        image, deep, alpha = _sixteen(data, image, tiff, path)
    elif depth not in (1, 2, 4, 8, 16, 32):
        raise _refused(path, f"{depth} bits a channel")
    else:
        alpha = _alpha(image)
    multiplied = deep is not None and tuple(tiff.get(EXTRA, ()))[:1] == (ASSOCIATED,)
    return Picture(image, deep, alpha, multiplied, orientation, bool(tiff), stored, tuple(notes))


def turned(values: np.ndarray, orientation: int) -> np.ndarray:
    """(h, w, ...) upright, by the EXIF orientation 1 to 8 that it is stored in."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(values[:: -1 if down else 1, :: -1 if across else 1])


@contextmanager
def _without_limit() -> Iterator[None]:
    """Pillow refuses what is larger than 89 Mpx as a bomb; `_refuse_huge` stands in its place."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _refuse_huge(image: Image.Image, path: Path) -> None:
    if image.width * image.height > MOST_MPX * 10**6:
        raise InputError(
            f"{path} has {image.width} x {image.height} pixels", f"at most {MOST_MPX} Mpx", "shrink it first"
        )


def _refused(path: Path, what: str) -> InputError:
    return InputError(f"{path} holds {what}", "8 or 16 bits a channel", "convert it to PNG first")


def _depth(data: bytes, image: Image.Image, tiff: dict[int, Any]) -> int:
    """Bits a channel."""
    if tiff:
        return max(tiff.get(BITS, (1,)))
    return data[24] if image.format == "PNG" else 8


def _orientation(image: Image.Image, notes: list[str]) -> int:
    try:
        value: Any = image.getexif().get(ORIENTATION, 1)
    except BROKEN as error:
        notes.append(f"its EXIF data was ignored ({' '.join(str(error).split())})")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _sixteen(
    data: bytes, image: Image.Image, tiff: dict[int, Any], path: Path
) -> tuple[Image.Image, np.ndarray, np.ndarray | None]:
    """The rounded image, its uint16 values, and alpha. Pillow keeps the high byte of colours; OpenCV reads them whole,
    turns a TIFF as Pillow does, but knows neither what a fourth channel is nor which end is white."""
    kind = tiff.get(PHOTOMETRIC, BLACK_IS_ZERO if image.mode.startswith("I") else RGB)
    clear = image.info.get("transparency")
    alpha = None
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.uint16)
        values = np.uint16(65535) - values if kind == WHITE_IS_ZERO else values
    else:
        if kind != RGB:
            raise _refused(path, f"16 bits a channel in {image.mode}")
        if clear is not None:
            raise _refused(path, "16 bits a channel and one transparent colour, which OpenCV reads with swapped bytes")
        found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        if found is None or found.dtype != np.uint16 or found.ndim != 3:
            raise _refused(path, "16 bits a channel, packed in a way that OpenCV does not read")
        values = found[..., 2::-1]
        alpha = found[..., 3] if image.mode in ("RGBA", "LA") else None
        values = values[..., 0] if image.mode == "LA" else values
    if alpha is None and clear is not None:
        alpha = np.where(values == clear, np.uint16(0), np.uint16(65535))
    rounded = Image.fromarray(_eight(values))
    rounded.info.update({k: v for k, v in image.info.items() if k == "icc_profile"})
    return rounded, values, None if alpha is None else _eight(alpha)


def _eight(values: np.ndarray) -> np.ndarray:
    """Rounded: there are no halves, as 257 is odd."""
    return np.ascontiguousarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8))


def _alpha(image: Image.Image) -> np.ndarray | None:
    if image.mode in ("RGBA", "LA", "PA"):
        return np.asarray(image.getchannel("A"))
    if "transparency" in image.info:
        return np.asarray(image.convert("RGBA").getchannel("A"))
    return None
