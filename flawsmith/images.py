"""Image files of a dataset, byte for byte reproducible: PNG through OpenCV, EXR through OpenImageIO.

Photographs are full of noise, so Huffman coding alone is three times faster than a search for matches and no larger.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.colour import srgb_from_linear
from core.errors import DatasetError, InputError

PHOTO = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY]
LABEL = [cv2.IMWRITE_PNG_COMPRESSION, 3]
BILEVEL = [cv2.IMWRITE_PNG_BILEVEL, 1]
PICTURES = (".png", ".jpg", ".jpeg")
EXR_DATE = "2000:01:01 00:00:00"
"""OpenImageIO would write the time of day; a fixed one keeps files reproducible."""


def picture_path(path: Path) -> Path:
    """`path`, when its suffix is that of a picture that can be written. InputError, before anything is rendered."""
    if path.suffix.lower() not in PICTURES:
        raise InputError(f"{path} is no name of a picture", f"one that ends in {', '.join(PICTURES)}", "rename it")
    return path


def photo_bytes(linear: np.ndarray, bits: int = 8) -> bytes:
    """(h, w, 3) linear Rec.709 -> an sRGB PNG of 8 or 16 bits a channel, clipped to [0, 1] and rounded."""
    top = 2**bits - 1
    encoded = np.rint(srgb_from_linear(linear) * top).astype(np.uint8 if bits == 8 else np.uint16)
    return _png(encoded[..., ::-1], PHOTO)


def ids_bytes(ids: np.ndarray) -> bytes:
    """(h, w) uint8 id map -> grey PNG with those values."""
    return _png(np.ascontiguousarray(ids, np.uint8), LABEL)


def bool_bytes(mask: np.ndarray) -> bytes:
    """(h, w) bool -> one-bit PNG, white where true."""
    return _png(np.where(mask, np.uint8(255), np.uint8(0)), BILEVEL)


def fraction_bytes(value: np.ndarray) -> bytes:
    """(h, w) in [0, 1] -> 16-bit grey PNG, 65535 is one."""
    return _png(np.rint(np.clip(value, 0.0, 1.0) * 65535).astype(np.uint16), LABEL)


def write_exr(path: Path, pixels: np.ndarray, channels: tuple[str, ...], kind: str) -> None:
    """(h, w, k) float32 -> EXR of `kind` "float" or "half", lossless ZIP."""
    oiio = _openimageio()

    h, w, k = pixels.shape
    spec = oiio.ImageSpec(w, h, k, kind)
    spec.channelnames = channels
    spec.attribute("compression", "zip:1")
    spec.attribute("DateTime", EXR_DATE)
    out = oiio.ImageOutput.create(str(path))
    done = (
        out is not None
        and out.open(str(path), spec)
        and out.write_image(np.ascontiguousarray(pixels, np.float32))
        and out.close()
    )
    if not done:
        reason = out.geterror() if out is not None else oiio.geterror()
        raise DatasetError(f"{path} cannot be written ({reason})", "a writable folder with free space", "make room")


def read_exr(path: Path) -> np.ndarray:
    """(h, w, k) float32."""
    oiio = _openimageio()

    source = oiio.ImageInput.open(str(path))
    if source is None:
        raise DatasetError(f"{path} is not readable ({oiio.geterror()})", "an EXR file", "make the image again")
    pixels = source.read_image("float")
    spec = source.spec()
    source.close()
    return np.asarray(pixels, np.float32).reshape(spec.height, spec.width, spec.nchannels)


def read_photo(path: Path) -> np.ndarray:
    """(h, w, 3) uint8 or uint16 as encoded, RGB."""
    return _read(path, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)[..., ::-1]


def read_grey(path: Path) -> np.ndarray:
    """(h, w) uint8 or uint16."""
    return _read(path, cv2.IMREAD_UNCHANGED)


def _read(path: Path, flags: int) -> np.ndarray:
    data = np.frombuffer(path.read_bytes(), np.uint8)
    pixels: Any = cv2.imdecode(data, flags) if len(data) else None
    if pixels is None:
        raise DatasetError(f"{path} is not readable", "a PNG file", "make the image again")
    return pixels


def _openimageio() -> Any:
    import OpenImageIO

    return OpenImageIO


def _png(pixels: np.ndarray, options: list[int]) -> bytes:
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels), options)
    assert done, "OpenCV could not encode a PNG"
    return data.tobytes()
