"""A photograph as the array that everything is measured against: upright, sRGB, 8 bits, no alpha; and its masks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms

from core.arrays import frozen
from core.errors import InputError
from core.files import sha256_bytes, write_bytes
from defects.generative.decode import Picture, decoded

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
MASK_SUFFIXES = ("_mask", "-mask", "_label", "")
TURNED = "turned upright by its EXIF orientation"
SAME = 2
"""Of 255, by which profiles of sRGB from different makers differ."""


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
    picture = decoded(data, path)
    notes = list(picture.notes)
    if picture.image.mode == "I":
        raise InputError(f"{path} holds integers of 32 bits, or with a sign", "8 or 16 bits a channel",
                         "convert it to PNG first")  # fmt: skip
    if picture.orientation != 1:
        notes.append(TURNED)
    if picture.deep is not None:
        notes.append("16 bits a channel rounded to 8")
    pixels, part = picture.upright(np.asarray(_srgb(picture.image, notes))), None
    if picture.alpha is not None and picture.alpha.min() < 255:
        alpha = picture.upright(picture.alpha)
        part = alpha >= 128
        if not part.any():
            raise InputError(f"{path} is transparent all over", "a photograph that is opaque on the part",
                             "save it without alpha, or choose another")  # fmt: skip
        if not picture.multiplied:
            pixels = np.rint(pixels * (alpha[..., None] / 255.0)).astype(np.uint8)
        notes.append("laid over black by its alpha")
        part = None if part.all() else part
    return Photo(path.stem, pixels, sha256_bytes(data), part, tuple(notes), picture.stored_size)


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

    A file whose brightest value is below half of white is an id map: everything above 0 counts. So is one of 32-bit
    integers, and one with a palette, unless all colours that it uses are black, white or grey. What is transparent does
    not count; where all that is opaque has one colour, the opaque pixels are the mask.
    """
    picture = decoded(_data(path, "a mask"), path)
    values, white = _brightest(picture)
    alpha = picture.alpha
    if alpha is not None and alpha.min() < 255:
        opaque = values[alpha > 0]
        one = bool(opaque.size) and bool((opaque == opaque[0]).all())
        values, white = (alpha, 255) if one else (np.where(alpha > 0, values, np.zeros_like(values)), white)
    least = white // 2 if values.max() > white // 2 else 0
    return picture.upright(values > least)


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
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the file name {path.name!a}", "a name in UTF-8", "rename it") from error
    if not path.is_file():
        raise InputError(f"{path} does not exist", what, "check the path")
    return path.read_bytes()


def _brightest(picture: Picture) -> tuple[np.ndarray, int]:
    """(h, w) integers of the brightest channel as stored, and the value that is white; without colour, of ids."""
    image = picture.image
    if picture.deep is not None:
        return picture.deep if picture.deep.ndim == 2 else picture.deep.max(axis=2), 65535
    if image.mode == "I":
        return np.asarray(image), 2**31
    if image.mode == "P":
        return _indexed(image), 255
    values = np.asarray(image.convert("L") if image.mode in ("1", "L", "LA") else image.convert("RGB"))
    return values if values.ndim == 2 else values.max(axis=2), 255


def _indexed(image: Image.Image) -> np.ndarray:
    """(h, w) uint8 of a picture with a palette: its greys, or its indices (255: any above 0) where it has colours."""
    colours = np.asarray(image.convert("RGBA"))[..., :3]
    if (colours == colours[..., :1]).all():
        return colours[..., 0]
    return np.where(np.asarray(image) > 0, np.uint8(255), np.uint8(0))


def _srgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """RGB in sRGB. A profile that cannot be read is told in `notes`, and its values are taken as they are."""
    profile = image.info.get("icc_profile")
    plain = image.convert("RGB") if image.mode in ("P", "PA", "1") else image
    plain = plain.convert(plain.mode[:-1]) if plain.mode in ("RGBA", "LA") else plain
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            name = ImageCms.getProfileDescription(source).strip()
            target = ImageCms.createProfile("sRGB")
            way: Any = ImageCms.buildTransform(source, target, plain.mode, "RGB", ImageCms.Intent.PERCEPTUAL)
            if plain.mode == "RGB" and _changes_little(way):
                return plain
            done = ImageCms.applyTransform(plain, way)
            assert done is not None
            notes.append(f"from {plain.mode} with the profile '{name}' to sRGB")
            return done
        except (ImageCms.PyCMSError, OSError, ValueError) as error:
            notes.append(f"its colour profile was ignored ({' '.join(str(error).split())})")
    if plain.mode != "RGB":
        notes.append(f"from {plain.mode} to RGB")
    return plain.convert("RGB")


def _changes_little(way: Any) -> bool:
    """Whether a transform from RGB leaves every colour of a coarse cube within SAME: the profile is sRGB, whatever its
    name; and one that is not stays not, named so or not."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    found: Any = ImageCms.applyTransform(Image.fromarray(cube), way)
    return int(np.abs(np.asarray(found).astype(int) - cube).max()) <= SAME
