"""What the numbers of a file mean: byte order, which end is white, what a fourth channel is, which profile it is in."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import InputError
from defects.generative.photo import check_mask, read_marks, read_photo
from tests.generative.test_photo_files import PIXELS, H, W, saved
from tests.picture_files import deep_png, write_tiff

DEEP = PIXELS.astype(np.uint16) * 257
WHITE_ZERO, BLACK_ZERO, RGB, CMYK = 0, 1, 2, 5


def marks() -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[3:5, 3:9] = True
    return mask


@pytest.mark.parametrize(("order", "photometric"), [("<", BLACK_ZERO), (">", BLACK_ZERO), ("<", WHITE_ZERO)])
def test_grey_of_sixteen_bits_in_either_order_and_sense(tmp_path: Path, order: str, photometric: int) -> None:
    flip = np.uint16(65535 if photometric == WHITE_ZERO else 0)
    photo = read_photo(write_tiff(tmp_path / "g.tif", DEEP[..., 0] ^ flip, photometric, order=order))
    assert (photo.pixels == PIXELS[..., :1]).all()
    mask = np.where(marks(), np.uint16(65535), np.uint16(0)) ^ flip
    assert (read_marks(write_tiff(tmp_path / "m.tif", mask, photometric, order=order)) == marks()).all()


def test_grey_of_eight_bits_where_zero_is_white(tmp_path: Path) -> None:
    assert (
        read_photo(write_tiff(tmp_path / "g.tif", 255 - PIXELS[..., 0], WHITE_ZERO)).pixels == PIXELS[..., :1]
    ).all()
    mask = np.where(marks(), 0, 255).astype(np.uint8)
    assert (read_marks(write_tiff(tmp_path / "m.tif", mask, WHITE_ZERO)) == marks()).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_turned_tiff_is_the_same_in_eight_and_sixteen_bits(tmp_path: Path, orientation: int, order: str) -> None:
    eight, deep = (
        read_photo(write_tiff(tmp_path / "p.tif", values, RGB, orientation, order=order)) for values in (PIXELS, DEEP)
    )
    stored = Image.fromarray(PIXELS)
    stored.getexif()[0x0112] = orientation
    viewer = read_photo(saved(tmp_path / "p.png", stored, exif=stored.getexif()))
    assert (eight.pixels == viewer.pixels).all() and (deep.pixels == viewer.pixels).all()
    assert eight.stored_size == deep.stored_size == (H, W)
    for photo in (eight, deep):
        assert any("turned upright" in note for note in photo.notes) == (orientation != 1)
        assert photo.turned_in_place == (orientation in (2, 3, 4))
    grey = write_tiff(tmp_path / "m.tif", np.where(marks(), np.uint16(65535), np.uint16(0)), BLACK_ZERO, orientation)
    bits = Image.fromarray(np.where(marks(), np.uint8(255), np.uint8(0)))
    bits.getexif()[0x0112] = orientation
    assert (read_marks(grey) == read_marks(saved(tmp_path / "m.png", bits, exif=bits.getexif()))).all()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_a_fourth_channel_is_what_the_file_says(tmp_path: Path, extra: int, deep: bool) -> None:
    """0: of no known meaning; 1: alpha, the colour multiplied by it; 2: alpha."""
    unit = 257 if deep else 1
    alpha = np.where(marks(), 160, 0)
    colour = np.rint(PIXELS * (alpha[..., None] / 255)) if extra == 1 else PIXELS
    values = (np.dstack([colour, alpha]) * unit).astype(np.uint16 if deep else np.uint8)
    photo = read_photo(write_tiff(tmp_path / "p.tif", values, RGB, extra=extra))
    if extra == 0:
        assert photo.part is None and (photo.pixels == PIXELS).all()
    else:
        assert photo.part is not None and (photo.part == marks()).all()
        over_black = np.rint(PIXELS * (alpha[..., None] / 255))
        assert np.abs(photo.pixels - over_black).max() <= 1
        assert photo.pixels[marks()].any()


def test_deep_colours_other_than_red_green_blue_are_refused(tmp_path: Path) -> None:
    ink = np.zeros((H, W, 4), np.uint16)
    with pytest.raises(InputError, match=r"p\.tif holds 16 bits a channel in CMYK"):
        read_photo(write_tiff(tmp_path / "p.tif", ink, CMYK))


def test_a_transparent_value_of_sixteen_bits(tmp_path: Path) -> None:
    values = DEEP[..., 0] + 5
    values[~marks()] = 1000
    photo = read_photo(deep_png(tmp_path / "g.png", values, (1000,)))
    assert photo.part is not None and (photo.part == marks()).all()
    with pytest.raises(InputError, match="one transparent colour"):
        read_photo(deep_png(tmp_path / "c.png", DEEP, (1000, 1000, 1000)))


def test_formats_that_were_never_promised_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a whole PNG, JPEG, TIFF, BMP or WebP"):
        read_photo(saved(tmp_path / "g.ppm", Image.fromarray(PIXELS)))


def test_an_opaque_mask_without_white_is_empty(tmp_path: Path) -> None:
    black = Image.fromarray(np.dstack([np.zeros((H, W, 3), np.uint8), np.full((H, W), 255, np.uint8)]))
    mask = read_marks(saved(tmp_path / "m.png", black))
    assert not mask.any()
    photo = read_photo(saved(tmp_path / "p.png", Image.fromarray(PIXELS)))
    with pytest.raises(InputError, match="is empty"):
        check_mask(mask, photo)


@pytest.mark.parametrize("ink", [(0, 0, 0), (200, 0, 0), (60, 60, 60), (255, 255, 255)])
@pytest.mark.parametrize("paper", [0, 255])
def test_strokes_on_a_transparent_layer_are_the_mask(tmp_path: Path, ink: tuple[int, int, int], paper: int) -> None:
    layer = np.full((H, W, 4), paper, np.uint8)
    layer[..., 3] = 0
    layer[marks()] = (*ink, 255)
    assert (read_marks(saved(tmp_path / "m.png", Image.fromarray(layer))) == marks()).all()


def test_what_is_transparent_does_not_count(tmp_path: Path) -> None:
    """White and black drawn, the rest left transparent, whatever colour a program keeps there."""
    layer = np.full((H, W, 4), 255, np.uint8)
    layer[..., 3] = 0
    layer[2:8, 2:12] = (0, 0, 0, 255)
    layer[marks()] = 255
    assert (read_marks(saved(tmp_path / "m.png", Image.fromarray(layer))) == marks()).all()


@pytest.mark.parametrize("ids", [(1, 3), (1, 200), (130, 200), (300, 2000)])
def test_maps_of_ids_in_sixteen_bits(tmp_path: Path, ids: tuple[int, int]) -> None:
    found = np.zeros((H, W), np.uint16)
    found[3, 3:9], found[4, 3:9] = ids
    assert (read_marks(saved(tmp_path / "m.png", Image.fromarray(found))) == marks()).all()


def linear_but_named_srgb() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    at = profile.find(b"para", 128 + 4 + 12 * struct.unpack(">I", profile[128:132])[0])
    assert struct.unpack(">H", profile[at + 8 : at + 10])[0] == 3, "the curve of sRGB: a power and a line"
    profile[at + 12 : at + 32] = struct.pack(">5i", *(int(v * 65536) for v in (1, 1, 0, 1, 0)))
    return bytes(profile)


def test_a_profile_is_what_it_does_not_what_it_is_called(tmp_path: Path) -> None:
    photo = read_photo(saved(tmp_path / "l.png", Image.fromarray(PIXELS), icc_profile=linear_but_named_srgb()))
    linear = PIXELS / 255
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055) * 255
    assert np.abs(photo.pixels - expected).max() <= 1.5
    assert "to sRGB" in photo.notes[0]


@pytest.mark.parametrize("exif", [b"garbage that is none", b"II*\0"])
def test_exif_data_that_cannot_be_read_is_told(tmp_path: Path, exif: bytes) -> None:
    path = saved(tmp_path / "p.png", Image.fromarray(PIXELS), exif=exif)
    photo = read_photo(path)
    assert (photo.pixels == PIXELS).all() and "EXIF data was ignored" in photo.notes[0]
    assert read_marks(path).shape == (H, W)


def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"b\xff.png")
    try:
        path.write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such names")
    with pytest.raises(InputError, match=r"file name 'b\\udcff\.png'"):
        read_photo(path)
