"""A photograph as the array that everything is measured against: upright, sRGB, 8 bits, no alpha; and its masks."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from core.arrays import frozen
from core.errors import InputError
from core.files import sha256_bytes, write_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MASK_SUFFIXES = ("_mask", "-mask", "_label", "")
TURNED = "turned upright by its EXIF orientation"
MOST_MPX = 512
"""Pixels of a photograph or mask, in millions: read from its header, before anything is decoded."""


@dataclass(frozen=True, eq=False)
class Photo:
    """pixels: (h, w, 3) uint8 sRGB, upright. part: (h, w) bool where the file's alpha says so, else None.

    sha256: of the file. notes: what was converted, in words. stored_size: (height, width) before it was turned upright.
    """

    name: str
    pixels: np.ndarray
    sha256: str = ""
    part: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    stored_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "pixels", frozen(self.pixels, np.uint8, (None, None, 3), "pixels"))
        if self.part is not None:
            put(self, "part", frozen(self.part, bool, self.size, "part"))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def turned_in_place(self) -> bool:
        """Whether turning it upright left its size as it was, so that a mask drawn on the stored pixels looks right."""
        return TURNED in self.notes and self.size == self.stored_size

    @property
    def grey(self) -> bool:
        """Whether all three channels are the same everywhere."""
        return bool((self.pixels == self.pixels[..., :1]).all())


def read_photo(path: Path) -> Photo:
    """Read and convert. InputError for what is no photograph, or shows nothing.

    The EXIF orientation is applied; an embedded colour profile is converted to sRGB (perceptual intent); CMYK, grey,
    palette and 16-bit values become 8-bit RGB. Where alpha varies, colour is multiplied by it and the part is where it
    is at least one half.
    """
    data = _data(path, "a photograph")
    image, notes = _opened(data, path)
    stored = (image.height, image.width)
    profile = image.info.get("icc_profile")
    turned = ImageOps.exif_transpose(image)
    if turned.size != image.size or (turned is not image and image.getexif().get(0x0112, 1) != 1):
        notes.append(TURNED)
    deep = _sixteen(data, image, path)
    if deep is not None:
        notes.append("16 bits a channel rounded to 8")
        turned = ImageOps.exif_transpose(_tagged(Image.fromarray(deep), image))
    alpha = _alpha(turned)
    colour = _srgb(turned, profile, notes)
    pixels, part = np.asarray(colour), None
    if alpha is not None and alpha.min() < 255:
        part = alpha >= 128
        if not part.any():
            raise InputError(f"{path} is transparent all over", "a photograph that is opaque on the part",
                             "save it without alpha, or choose another")  # fmt: skip
        pixels = np.rint(pixels * (alpha[..., None] / 255.0)).astype(np.uint8)
        notes.append("laid over black by its alpha")
        part = None if part.all() else part
    return Photo(path.stem, pixels, sha256_bytes(data), part, tuple(notes), stored)


def read_mask(path: Path, photo: Photo) -> np.ndarray:
    """(h, w) bool of a mask file drawn on `photo`, white where the defect goes; not yet checked (`check_mask`).

    See `read_marks`. InputError for another size.
    """
    mask = read_marks(path)
    if mask.shape != photo.size:
        turned = f" (the size of {photo.name} before it was turned upright)" if mask.shape == photo.stored_size else ""
        raise InputError(
            f"mask {path} is {mask.shape[1]} x {mask.shape[0]} pixels{turned}",
            f"{photo.size[1]} x {photo.size[0]} as its photograph {photo.name}",
            "draw the mask on the photograph as a viewer shows it",
        )
    return mask


def read_marks(path: Path) -> np.ndarray:
    """(h, w) bool of a mask file of any size, upright, white where the defect goes.

    A file whose brightest value is below 128 is an id map: everything above 0 counts. So is one with a palette, unless
    all colours that it uses are black, white or grey. Only alpha: the opaque pixels.
    """
    image, _ = _opened(_data(path, "a mask"), path)
    image = ImageOps.exif_transpose(image)
    alpha = _alpha(image)
    values = _indexed(image) if image.mode == "P" else _brightest(image)
    if alpha is not None and values.min() == values.max():
        values = alpha
    if values.dtype == bool:
        return values
    scale = 257 if values.max() > 255 else 1
    return values > (0 if values.max() < 128 * scale else 127 * scale)


def check_mask(mask: np.ndarray, photo: Photo, part: np.ndarray | None = None, name: str = "the mask") -> np.ndarray:
    """The mask (h, w) bool itself, cut to the part. InputError: other size, empty, full, or beside the part."""
    if mask.shape != photo.size:
        raise InputError(
            f"{name} is {mask.shape[1]} x {mask.shape[0]} pixels",
            f"{photo.size[1]} x {photo.size[0]} as its photograph {photo.name}",
            "draw it on this photograph",
        )
    part = photo.part if part is None else part
    if not mask.any():
        raise InputError(f"{name} of {photo.name} is empty", "white where the defect goes", "draw it")
    if mask.all():
        raise InputError(
            f"{name} of {photo.name} covers the whole photograph", "white only where the defect goes", "draw it smaller"
        )
    inside = mask if part is None else mask & part
    if not inside.any():
        raise InputError(
            f"{name} of {photo.name} touches nothing of the part", "white on the part", "move it onto the part"
        )
    return inside


def png_bytes(pixels: np.ndarray) -> bytes:
    """(h, w, 3) uint8 RGB or (h, w) -> lossless PNG."""
    done, data = cv2.imencode(".png", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert done, "OpenCV could not encode a PNG"
    return data.tobytes()


def write_painted(path: Path, painted: np.ndarray, photo: np.ndarray, mask: np.ndarray) -> None:
    """Write a painted photograph losslessly, after reading the file back in memory: outside `mask` it must equal
    `photo`, pixel for pixel."""
    data = png_bytes(painted)
    back: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert (back[..., ::-1][~mask] == photo[~mask]).all(), f"{path.name}: pixels outside the mask changed"
    write_bytes(path, data)


def photos_in(path: Path) -> list[Path]:
    """The photograph itself, or those of a folder by name, masks left out. InputError where there is none."""
    if path.is_file():
        return [path]
    found = sorted(p for p in path.glob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else []
    stems = {p.stem for p in found}
    found = [p for p in found if not any(p.stem == f"{s}{end}" for s in stems for end in MASK_SUFFIXES if end)]
    if not found:
        raise InputError(f"{path} holds no photograph", f"files with {', '.join(SUFFIXES)}", "check the path")
    return found


def mask_for(photo: Path, masks: Path) -> Path:
    """The mask file of a photograph: `masks` itself, or NAME, NAME_mask, NAME-mask or NAME_label in that folder."""
    if masks.is_file():
        return masks
    if not masks.exists():
        raise InputError(f"{masks} does not exist", "a mask, or a folder of masks", "check the path")
    for end in MASK_SUFFIXES:
        for suffix in SUFFIXES:
            path = masks / f"{photo.stem}{end}{suffix}"
            if path.is_file() and path.resolve() != photo.resolve():
                return path
    raise InputError(
        f"{masks} holds no mask for {photo.name}", f"{photo.stem}.png or {photo.stem}_mask.png", "add it, or draw one"
    )


def _data(path: Path, what: str) -> bytes:
    if not path.is_file():
        raise InputError(f"{path} does not exist", what, "check the path")
    return path.read_bytes()


def _opened(data: bytes, path: Path) -> tuple[Image.Image, list[str]]:
    try:
        with _without_limit():
            image = Image.open(io.BytesIO(data))
            _refuse_huge(image, path)
            frames = getattr(image, "n_frames", 1)
            image.load()
    except (OSError, ValueError, SyntaxError) as error:
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({' '.join(str(error).split())})"
        raise InputError(
            f"{path} cannot be decoded{why}", "a whole PNG, JPEG, TIFF, BMP or WebP", "copy or convert it again"
        ) from error
    return image, [f"the first of its {frames} pictures"] if frames > 1 else []


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


def _indexed(image: Image.Image) -> np.ndarray:
    """(h, w) uint8 of a picture with a palette: its greys, or its indices (255: any above 0) where it has colours."""
    colours = np.asarray(image.convert("RGBA"))[..., :3]
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    return np.where(np.asarray(image) > 0, np.uint8(255), np.uint8(0))


def _brightest(image: Image.Image) -> np.ndarray:
    """(h, w) of the brightest channel; bool where the file has one bit."""
    values = np.asarray(image if image.mode in ("L", "1", "I;16", "I") else image.convert("RGB"))
    return values.max(axis=2) if values.ndim == 3 else values


def _sixteen(data: bytes, image: Image.Image, path: Path) -> np.ndarray | None:
    """(h, w) or (h, w, 3 or 4) uint8 of a file with 16 bits a channel, rounded, not turned; else None."""
    found = _deep(data, image)
    if image.mode.startswith("F") or (image.mode == "I" and found is None):
        what = "floating-point values" if image.mode.startswith("F") else "integers of 32 bits, or with a sign"
        raise InputError(f"{path} holds {what}", "8 or 16 bits a channel", "convert it to PNG first")
    return None if found is None else np.rint(found / 257.0).astype(np.uint8)


def _deep(data: bytes, image: Image.Image) -> np.ndarray | None:
    """(h, w) or (h, w, 3 or 4) uint16 of a file that has it; else None."""
    if image.format not in ("PNG", "TIFF", "PPM"):
        return None
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    found: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if found is None or found.dtype != np.uint16:
        return None
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(found.shape[2] if found.ndim == 3 else 0)
    return found[..., order] if order else found


def _tagged(image: Image.Image, source: Image.Image) -> Image.Image:
    image.info["exif"] = source.getexif().tobytes()
    return image


def _alpha(image: Image.Image) -> np.ndarray | None:
    if image.mode in ("RGBA", "LA", "PA"):
        return np.asarray(image.getchannel("A"))
    if "transparency" in image.info:
        return np.asarray(image.convert("RGBA").getchannel("A"))
    return None


def _srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """RGB in sRGB. A profile that cannot be read is told in `notes`, and its values are taken as they are."""
    plain = image.convert("RGB") if image.mode in ("P", "PA", "1", "I", "I;16") else image
    plain = plain.convert(plain.mode[:-1]) if plain.mode in ("RGBA", "LA") else plain
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(source).strip()
            if name.lower().startswith("srgb"):
                return plain.convert("RGB")
            target = ImageCms.createProfile("sRGB")
            done = ImageCms.profileToProfile(plain, source, target, ImageCms.Intent.PERCEPTUAL, "RGB")
            assert done is not None
            notes.append(f"from {plain.mode} with the profile '{name}' to sRGB")
            return done
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            notes.append(f"its colour profile was ignored ({' '.join(str(error).split())})")
    if plain.mode != "RGB":
        notes.append(f"from {plain.mode} to RGB")
    return plain.convert("RGB")
