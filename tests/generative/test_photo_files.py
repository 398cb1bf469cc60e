"""Photographs as people have them: turned, deep, transparent, printed; and masks that do not fit."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import InputError
from defects.generative.photo import Photo, mask_for, photos_in, read_marks, read_mask, read_photo, write_painted

RAMP = np.stack(np.meshgrid(np.arange(0, 240, 8), np.arange(0, 200, 10)), -1).astype(np.uint8)
PIXELS = np.concatenate([RAMP, np.full((*RAMP.shape[:2], 1), 77, np.uint8)], axis=2)
H, W = PIXELS.shape[:2]


def saved(path: Path, image: Image.Image, **kw) -> Path:
    image.save(path, **kw)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_upright(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {
        1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1], 5: PIXELS.transpose(1, 0, 2),
        6: np.rot90(PIXELS, 1), 7: PIXELS[::-1, ::-1].transpose(1, 0, 2), 8: np.rot90(PIXELS, -1),
    }[orientation]  # fmt: skip
    path = saved(tmp_path / "p.png", Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    photo = read_photo(path)
    assert (photo.pixels == PIXELS).all()
    assert bool(photo.notes) == (orientation != 1)
    assert photo.turned_in_place == (orientation in (2, 3, 4))


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    deep = PIXELS.astype(np.uint16) * 257 + 100
    cv2.imwrite(str(tmp_path / "d.png"), deep[..., ::-1])
    photo = read_photo(tmp_path / "d.png")
    assert (photo.pixels == PIXELS).all() and "16 bits" in photo.notes[0]
    cv2.imwrite(str(tmp_path / "g.tif"), deep[..., 0])
    assert (read_photo(tmp_path / "g.tif").pixels == PIXELS[..., :1]).all()


def test_sixteen_bits_and_turned(tmp_path: Path) -> None:
    deep = np.rot90(PIXELS, 1).astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "d.png"), deep[..., ::-1])
    data = (tmp_path / "d.png").read_bytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes()[6:]
    chunk = b"eXIf" + body
    whole = data[:33] + len(body).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[33:]
    (tmp_path / "d.png").write_bytes(whole)
    assert (read_photo(tmp_path / "d.png").pixels == PIXELS).all()


def test_alpha_is_black_and_tells_the_part(tmp_path: Path) -> None:
    alpha = np.zeros((H, W, 1), np.uint8)
    alpha[5:15, 5:20] = 255
    photo = read_photo(saved(tmp_path / "a.png", Image.fromarray(np.concatenate([PIXELS, alpha], 2))))
    assert photo.part is not None and (photo.part == (alpha[..., 0] > 0)).all()
    assert (photo.pixels[photo.part] == PIXELS[photo.part]).all() and not photo.pixels[~photo.part].any()
    opaque = read_photo(saved(tmp_path / "o.png", Image.fromarray(np.concatenate([PIXELS, alpha | 255], 2))))
    assert opaque.part is None and (opaque.pixels == PIXELS).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA"])
def test_grey_palette_and_bits(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(PIXELS).convert(mode)
    photo = read_photo(saved(tmp_path / "m.png", image))
    assert (photo.pixels == np.asarray(image.convert("RGB"))).all() and photo.part is None


def test_cmyk_comes_as_rgb(tmp_path: Path) -> None:
    image = Image.fromarray(PIXELS).convert("CMYK")
    photo = read_photo(saved(tmp_path / "c.tif", image))
    assert np.abs(photo.pixels.astype(int) - PIXELS).max() <= 1 and "CMYK" in photo.notes[0]


def test_a_colour_profile_is_converted(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = read_photo(saved(tmp_path / "s.png", Image.fromarray(PIXELS), icc_profile=profile))
    assert (same.pixels == PIXELS).all()
    broken = read_photo(saved(tmp_path / "b.png", Image.fromarray(PIXELS), icc_profile=b"x" * 200))
    assert (broken.pixels == PIXELS).all() and "ignored" in broken.notes[0]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    mask = np.zeros((H, W), bool)
    mask[3:5, 3:9] = True
    painted = PIXELS.copy()
    painted[mask] = 0
    write_painted(tmp_path / "x" / "p.png", painted, PIXELS, mask)
    assert (read_photo(tmp_path / "x" / "p.png").pixels == painted).all()
    with pytest.raises(AssertionError):
        write_painted(tmp_path / "y.png", painted, PIXELS, np.roll(mask, 1))
    assert not (tmp_path / "y.png").exists()


def test_masks_of_any_habit(tmp_path: Path) -> None:
    mask = np.zeros((H, W), bool)
    mask[3:5, 3:9] = True
    photo = Photo("p", PIXELS)
    grey = np.where(mask, 255, 0).astype(np.uint8)
    alpha = np.dstack([np.zeros((H, W, 3), np.uint8), grey])
    for name, image in {
        "grey": Image.fromarray(grey), "bits": Image.fromarray(mask), "ids": Image.fromarray(mask.astype(np.uint8) * 3),
        "rgb": Image.fromarray(np.repeat(grey[..., None], 3, 2)), "alpha": Image.fromarray(alpha),
        "deep": Image.fromarray(grey.astype(np.uint16) * 257),
    }.items():  # fmt: skip
        assert (read_mask(saved(tmp_path / f"{name}.png", image), photo) == mask).all(), name


@pytest.mark.parametrize(
    "palette", [[255, 255, 255, 0, 0, 0], [0, 0, 0, 255, 255, 255], [0, 0, 0, 3, 3, 3], [90, 90, 90, 200, 200, 200]]
)
def test_a_palette_of_greys_means_its_greys(tmp_path: Path, palette: list[int]) -> None:
    mask = np.zeros((H, W), bool)
    mask[3:5, 3:9] = True
    bright = palette[0] < palette[3]
    image = Image.fromarray((mask == bright).astype(np.uint8), "P")
    image.putpalette([*palette, 200, 0, 0])  # a colour that no pixel uses
    assert (read_mask(saved(tmp_path / "m.png", image), Photo("p", PIXELS)) == mask).all()


def test_a_palette_of_colours_means_ids(tmp_path: Path) -> None:
    ids = np.zeros((H, W), np.uint8)
    ids[3:5, 3:9], ids[7, 7] = 1, 200
    image = Image.fromarray(ids, "P")
    image.putpalette([255, 255, 255, 128, 0, 0] + [0, 0, 0] * 198 + [9, 9, 9])
    assert (read_mask(saved(tmp_path / "m.png", image), Photo("p", PIXELS)) == (ids > 0)).all()


def test_a_mask_of_the_unturned_photograph_is_explained(tmp_path: Path) -> None:
    photo = Photo("p", PIXELS, stored_size=(W, H))
    path = saved(tmp_path / "m.png", Image.fromarray(np.zeros((W, H), np.uint8)))
    with pytest.raises(InputError, match="before it was turned upright"):
        read_mask(path, photo)


@pytest.mark.parametrize("data", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_what_is_no_picture_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "p.png").write_bytes(data)
    with pytest.raises(InputError, match="cannot be decoded"):
        read_photo(tmp_path / "p.png")


def test_a_sentence_names_the_file_and_no_object_of_ours(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"p\.png cannot be decoded: expected") as error:
        read_photo(tmp_path / "p.png")
    assert "BytesIO" not in str(error.value)


@pytest.mark.parametrize(
    ("dtype", "said"), [(np.int32, "integers of 32 bits"), (np.int16, "with a sign"), (np.float32, "floating-point")]
)
def test_values_without_a_white_are_refused_by_name(tmp_path: Path, dtype: type, said: str) -> None:
    image = Image.fromarray(PIXELS[..., 0].astype(np.int32 if dtype is np.int16 else dtype))
    path = saved(tmp_path / "d.tif", image)
    if dtype is np.int16:
        cv2.imwrite(str(path), PIXELS[..., 0].astype(np.int16))
    with pytest.raises(InputError, match=rf"d\.tif holds .*{said}.*8 or 16 bits"):
        read_photo(path)


def test_a_photograph_that_shows_nothing_is_refused(tmp_path: Path) -> None:
    clear = np.dstack([PIXELS, np.zeros((H, W), np.uint8)])
    with pytest.raises(InputError, match=r"c\.png is transparent all over"):
        read_photo(saved(tmp_path / "c.png", Image.fromarray(clear)))


def test_large_photographs_are_read_whatever_pillow_thinks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", H * W // 3)
    path = saved(tmp_path / "p.png", Image.fromarray(PIXELS))
    assert read_photo(path).size == (H, W) and read_marks(path).shape == (H, W)
    assert H * W // 3 == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("read", [read_photo, read_marks])
def test_huge_pictures_are_refused_by_their_header(tmp_path: Path, read) -> None:
    """Nothing is decoded: there is next to nothing behind this header."""
    data = bytearray(saved(tmp_path / "p.png", Image.fromarray(PIXELS)).read_bytes())
    data[16:24] = struct.pack(">II", 30000, 20000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (tmp_path / "p.png").write_bytes(data)
    with pytest.raises(InputError, match=r"30000 x 20000 pixels: expected at most 512 Mpx; shrink it first"):
        read(tmp_path / "p.png")


def test_a_cut_file_is_one_sentence(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.random.Generator(np.random.PCG64(1)).integers(0, 255, (90, 90, 3)).astype(np.uint8)).save(
        buffer, "JPEG"
    )
    (tmp_path / "p.jpg").write_bytes(buffer.getvalue()[: buffer.tell() // 2])
    with pytest.raises(InputError, match="cannot be decoded"):
        read_photo(tmp_path / "p.jpg")


def test_folders_of_photographs_and_masks(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "a_mask.png"):
        Image.fromarray(PIXELS).save(tmp_path / name)
    assert [p.name for p in photos_in(tmp_path)] == ["a.png", "b.jpg"]
    assert mask_for(tmp_path / "a.png", tmp_path).name == "a_mask.png"
    with pytest.raises(InputError, match="no mask for b"):
        mask_for(tmp_path / "b.jpg", tmp_path)
    with pytest.raises(InputError, match="nowhere does not exist"):
        mask_for(tmp_path / "b.jpg", tmp_path / "nowhere")
    with pytest.raises(InputError, match="no photograph"):
        photos_in(tmp_path / "nowhere")
