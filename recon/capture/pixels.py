"""Photographs as arrays: read, made linear, freed of lens distortion, made smaller by area."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from core.colour import linear_from_srgb
from core.errors import InputError
from core.files import sha256_bytes

Encoding = Literal["srgb", "linear"]
WIDEST = 32766
"""Pixels a side that OpenCV can remap."""
PHOTOMETRIC, ORIENTATION, EXTRA_SAMPLES = 262, 274, 338
WHITE_IS_ZERO, STRAIGHT_ALPHA = 0, 2
"""Tags of TIFF Revision 6.0, 1992, and their values."""


def read_pixels(path: Path) -> np.ndarray:
    """(h, w, 1, 3 or 4) as stored: uint8, uint16 or float32; channels in the order red, green, blue, alpha.

    The orientation tag of a photograph is not applied: calibrations are of the stored pixels.
    """
    if path.suffix.lower() == ".exr":
        return _photograph(_read_exr(path), path)
    data = np.fromfile(path, np.uint8)
    try:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION) if len(data) else None
    except cv2.error:  # a header that asks for more than OpenCV's own limits
        array = None
    if array is None:
        raise InputError(f"{path} cannot be decoded", "a whole PNG, JPEG, TIFF or WebP", "copy or convert it again")
    _photograph(array, path)
    tiff = _refuse_unsure(data.tobytes(), array, path)
    if tiff and array.dtype == np.uint8 and array.shape[2:] == (4,):  # OpenCV gives them multiplied by alpha
        with Image.open(path) as image:
            return np.asarray(image.convert("RGBA"))
    if array.ndim == 2:
        return array[:, :, None]
    return array[:, :, [2, 1, 0, 3][: array.shape[2]]] if array.shape[2] in (3, 4) else array[:, :, :1]


def _refuse_unsure(data: bytes, array: np.ndarray, path: Path) -> bool:
    """Whether the file is a TIFF. InputError where OpenCV gives other pixels than are stored: it turns a TIFF by its
    orientation, does not know of 16 bits which end is white, takes any fourth channel for alpha, leaves out what is
    beside grey, and swaps the bytes of
    16 bits beside a PNG's transparent colour (4.11)."""
    tiff, why = data[:4] in (b"II*\0", b"MM\0*"), ""
    if tiff:
        tags = _tags(data, path)
        extra = tuple(np.atleast_1d(tags.get(EXTRA_SAMPLES, ())))
        if tags.get(ORIENTATION, 1) != 1:
            why = f"is turned or mirrored by its orientation tag, {tags[ORIENTATION]}"
        elif array.dtype == np.uint16 and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
            why = "has 16 bits of which 0 is white"
        elif array.shape[2:] == (4,) and extra[:1] != (STRAIGHT_ALPHA,):
            why = "has a fourth channel that is no plain alpha"
        elif array.ndim == 2 and extra:
            why = "is grey with a second channel"
    elif array.dtype == np.uint16 and b"tRNS" in data[: data.find(b"IDAT")]:
        why = "has 16 bits and one transparent colour"
    if why:
        raise InputError(f"{path} {why}", "pixels as they were calibrated", "convert it to a plain PNG")
    return tiff


def _tags(data: bytes, path: Path) -> dict[int, Any]:
    """Of a TIFF's first picture."""
    try:
        found = TiffImagePlugin.ImageFileDirectory_v2(data[:8])
        stream = io.BytesIO(data)
        stream.seek(found.next)
        found.load(stream)
        return dict(found)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, struct.error) as error:
        raise InputError(f"{path} has tags that cannot be read ({error})", "a whole TIFF", "write it again") from error


def same_pixels(first: Path, second: Path) -> bool:
    """Decoded: a file saved again has other bytes."""
    one, other = read_pixels(first), read_pixels(second)
    return one.dtype == other.dtype and np.array_equal(one, other)


def thumbprint(path: Path) -> str:
    """A hash that files of the same pixels share, of an eighth of the size where that is quicker to decode."""
    if path.suffix.lower() == ".exr":
        return sha256_bytes(read_pixels(path).tobytes())
    data = np.fromfile(path, np.uint8)
    try:
        small = cv2.imdecode(data, cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        small = None
    return sha256_bytes(data.tobytes() if small is None else repr(small.shape).encode() + small.tobytes())


def _read_exr(path: Path) -> np.ndarray:
    import OpenImageIO

    oiio: Any = OpenImageIO
    buffer = oiio.ImageBuf(str(path))
    if buffer.has_error:
        raise InputError(f"{path} cannot be decoded ({buffer.geterror()})", "an OpenEXR image", "write it again")
    spec = buffer.spec()
    if (spec.x, spec.y, spec.width, spec.height) != (spec.full_x, spec.full_y, spec.full_width, spec.full_height):
        raise InputError(
            f"{path} holds {spec.width}x{spec.height} of {spec.full_width}x{spec.full_height} pixels (its data window)",
            "whole photographs", "write it again without cropping",
        )  # fmt: skip
    names = [str(n) for n in spec.channelnames]
    wanted = next((c for c in (["R", "G", "B"], ["Y"]) if set(c) <= set(names)), None)
    if wanted is None:
        raise InputError(f"{path} has the channels {', '.join(names[:8])}", "R, G, B or Y, and A",
                         "write one layer, without its name")  # fmt: skip
    wanted = wanted * (3 if wanted == ["Y"] and "A" in names else 1) + ["A"] * ("A" in names)
    return np.asarray(buffer.get_pixels(oiio.FLOAT), np.float32)[:, :, [names.index(n) for n in wanted]]


def _photograph(array: np.ndarray, path: Path) -> np.ndarray:
    """InputError for pixels that no camera writes."""
    if array.dtype not in (np.uint8, np.uint16, np.float32):
        raise InputError(f"{path} has {array.dtype} pixels", "8 or 16 bit, or 32 bit floating point", "convert it")
    if array.dtype == np.float32 and not np.isfinite(array).all():
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise InputError(f"{path} has {count} values that are NaN or infinite", "finite radiance", "write it again")
    return array


def linear_rgba(path: Path, encoding: Encoding) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour (h, w, 3) float32 linear, and alpha (h, w) in [0, 1] or None where the file has none or it is all one.

    Colour comes multiplied by alpha: what the camera would see before black.
    """
    stored = read_pixels(path)
    alpha = None
    if stored.shape[2] == 4:
        alpha = _unit(stored[:, :, 3])
        alpha = None if alpha.min() > 0.999 else alpha
    colour = _linear(stored[:, :, :3], encoding)
    colour = np.repeat(colour, 3, axis=2) if colour.shape[2] == 1 else colour
    return (colour if alpha is None or stored.dtype == np.float32 else colour * alpha[..., None]), alpha


def read_mask(path: Path) -> np.ndarray:
    """(h, w) float32 in [0, 1]: alpha where it varies, else the brightest channel."""
    stored = read_pixels(path)
    if stored.shape[2] == 4 and stored[:, :, 3].min() < stored[:, :, 3].max():
        return _unit(stored[:, :, 3])
    mask = _unit(stored[:, :, :3].max(2))
    # a mask stored as 0 and 1 in 8 bits
    return mask * 255 if stored.dtype == np.uint8 and 0 < mask.max() <= 1 / 255 else mask


def mask_like(path: Path, size: tuple[int, int]) -> np.ndarray:
    """`read_mask`, of any resolution. InputError where its sides are not in the proportion of `size`, (height, width)
    of the photograph."""
    mask = read_mask(path)
    (h, w), (height, width) = mask.shape, size
    if abs(w * height - h * width) > 1.5 * max(h, w, height, width):
        raise InputError(
            f"{path} has {w}x{h} pixels, and its photograph {width}x{height}",
            "a mask of the photograph's proportions", "make it from the stored photograph, uncropped",
        )  # fmt: skip
    return mask


def undistorted(
    array: np.ndarray, intrinsics: np.ndarray, distortion: tuple[float, ...], fisheye: bool, nearest: bool = False
) -> np.ndarray:
    """The same pinhole camera without its lens distortion; what the photograph does not show is 0."""
    if not any(distortion):
        return array
    height, width = array.shape[:2]
    if max(height, width) > WIDEST:
        raise InputError(
            f"a photograph of {width}x{height} pixels with lens distortion",
            f"at most {WIDEST} a side",
            "make it smaller",
        )
    centred = intrinsics.copy()
    centred[:2, 2] -= 0.5
    coefficients = np.array(distortion, float)
    rectify = cv2.fisheye.initUndistortRectifyMap if fisheye else cv2.initUndistortRectifyMap
    x, y = rectify(centred, coefficients, np.eye(3), centred, (width, height), cv2.CV_32FC1)
    x[beyond_fold(centred, distortion, fisheye, (height, width))] = -2.0  # beside the photograph
    how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
    return cv2.remap(array, x, y, how, borderMode=cv2.BORDER_CONSTANT, borderValue=(0.0,))


def beyond_fold(
    intrinsics: np.ndarray, distortion: tuple[float, ...], fisheye: bool, size: tuple[int, int]
) -> np.ndarray:
    """(h, w) bool: pixels of the pinhole camera that are further from the axis than where the lens model turns back.
    Polynomials do so beyond what was calibrated; what they say there is a second picture of the middle."""
    height, width = size
    ray_x = (np.arange(width) - intrinsics[0, 2]) / intrinsics[0, 0]
    ray_y = (np.arange(height) - intrinsics[1, 2]) / intrinsics[1, 1]
    away = np.hypot(ray_x[None], ray_y[:, None])
    steps = np.linspace(0, float(away.max()), 1025)
    k = np.array([*distortion, *[0.0] * 8])[:8]
    if fisheye:
        angle = np.arctan(steps)
        reached = angle * np.polyval([*k[3::-1], 1.0], angle**2)
    else:
        square = steps**2
        below = np.polyval([*k[:4:-1], 1.0], square)
        reached = steps * np.polyval([k[4], k[1], k[0], 1.0], square) / np.where(below > 0, below, np.nan)
    back = ~(np.diff(reached) > 0)
    return away > (steps[back.argmax()] if back.any() else np.inf)


def smaller(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """(height, width) whose longer side is at most `max_side`; never larger than `size`."""
    if max_side is None or max(size) <= max_side:
        return size
    scale = max_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Area mean over the new pixels where it shrinks, linear where it grows."""
    if array.shape[:2] == tuple(size):
        return array
    shrinks = array.shape[0] >= size[0] and array.shape[1] >= size[1]
    return cv2.resize(array, (size[1], size[0]), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def scaled(intrinsics: np.ndarray, size: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """K for an image of `new` (height, width) instead of `size`; pixel centres are at 0.5, so K scales as a whole."""
    return np.diag([new[1] / size[1], new[0] / size[0], 1.0]) @ intrinsics


def _unit(stored: np.ndarray) -> np.ndarray:
    top = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}.get(stored.dtype, 1.0)
    return (stored / top).astype(np.float32)


def _linear(stored: np.ndarray, encoding: Encoding) -> np.ndarray:
    if stored.dtype == np.float32 or encoding == "linear":
        return _unit(stored)
    codes = 256 if stored.dtype == np.uint8 else 65536
    return linear_from_srgb(np.arange(codes) / (codes - 1))[stored]
