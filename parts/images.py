"""Image files of a part's materials as arrays, no larger than is reasonable."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np

from core.errors import InputError

MAX_SIDE = 8192
MAX_TEXELS = 2**27
"""Of all images of a part together: two of the largest, 400 MB."""
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TGA", "TIFF")


@dataclass
class Budget:
    """Texels still allowed for one part."""

    texels: int = MAX_TEXELS

    def spend(self, width: int, height: int, what: str) -> None:
        if max(width, height) > MAX_SIDE:
            raise InputError(f"{what} is {width} x {height}", f"at most {MAX_SIDE} pixels a side", "make it smaller")
        if width * height > self.texels:
            raise InputError(
                f"{what} is {width} x {height} and the part's images together are too large",
                f"{MAX_TEXELS // 2**20} million texels a part", "make them smaller",
            )  # fmt: skip
        self.texels -= width * height


def decoded(data: bytes, what: str, budget: Budget) -> np.ndarray:
    """(h, w, 3) uint8 of an image file, as it is encoded (no colour conversion), alpha left out.

    The size is checked from the header, before memory is spent. InputError when it cannot be read or is too large.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                budget.spend(*picture.size, what)
                return _eight_bits(picture)
    except UnidentifiedImageError as error:
        raise InputError(f"{what} is no image", f"an image: {', '.join(FORMATS)}", "export it again") from error
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        reason = " ".join(str(error).split())[:80]
        raise InputError(
            f"{what} cannot be read ({reason})", f"an image: {', '.join(FORMATS)}", "export it again"
        ) from error


def _eight_bits(picture) -> np.ndarray:
    if picture.mode.startswith("I"):  # 16 bits of grey, which a plain conversion would clip
        grey = np.asarray(picture.convert("I"), np.int64)
        return np.repeat(np.clip((grey + 128) // 257, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(picture.convert("RGB"), np.uint8)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """(height, width, c) uint8, bilinear."""
    from PIL import Image

    layers = [Image.fromarray(image[..., i]) for i in range(image.shape[2])]
    size = (width, height)
    return np.stack([np.asarray(p.resize(size, Image.Resampling.BILINEAR)) for p in layers], axis=2)
