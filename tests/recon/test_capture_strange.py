"""Captures that mean something else than they seem to: taken as they are meant, or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from core.camera import look_at
from core.errors import InputError
from recon.capture import colmap, folder, llff, nerf
from recon.capture.assemble import assemble
from recon.capture.check import _metres
from recon.capture.folder import SessionFile, _images, by_number
from recon.capture.given import number
from recon.capture.pixels import read_pixels, undistorted
from recon.capture.source import Shot, Source, find_mask, image_size
from tests.recon.test_capture_given import grey, second, shared, transforms

Z = np.array([0, 0, 1.0])
K = np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]])


def test_a_fisheye_by_either_key(tmp_path: Path) -> None:
    """instant-ngp says `is_fisheye`, nerfstudio a camera model."""
    lens = {"k1": 0.1, "k2": 0.02, "k3": 0.003, "k4": 0.0004}
    for told in ({"is_fisheye": True}, {"camera_model": "OPENCV_FISHEYE"}):
        for shot in nerf.read(transforms(tmp_path, shared(**told, **lens))).shots:
            assert shot.fisheye and shot.distortion == (0.1, 0.02, 0.003, 0.0004)
    plain = nerf.read(transforms(tmp_path, shared(is_fisheye=False, k1=0.1))).shots[0]
    assert not plain.fisheye and plain.distortion == (0.1, 0, 0, 0, 0)


def test_a_frames_own_angle_of_view_goes_before_a_shared_focal_length(tmp_path: Path) -> None:
    first, other = nerf.read(transforms(tmp_path, second(camera_angle_x=np.pi / 2))).shots
    assert first.intrinsics[0, 0] == 10 and other.intrinsics[0, 0] == pytest.approx(4)
    path = transforms(tmp_path, second(fl_y=7))
    assert nerf.read(path).shots[1].intrinsics[0, 0] == 7


def test_a_value_nested_without_end_is_one_sentence() -> None:
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError, match="k1 is nested too deeply: expected a number"):
        number("transforms.json", "k1", value)


def test_photographs_that_were_only_shrunk_keep_their_camera(tmp_path: Path) -> None:
    for told in ((16, 16), (17, 16), (800, 799)):
        k = nerf.read(transforms(tmp_path, shared(w=told[0], h=told[1]))).shots[0].intrinsics
        assert k[0, 0] == pytest.approx(10 * 8 / told[0])


def llff_folder(path: Path, names: list[str], rows: int, size: tuple[int, int] = (8, 8)) -> Path:
    for name in names:
        grey(path / "images" / f"{name}.png")
    row = np.concatenate([np.column_stack([np.eye(3), [0, 0, 5], [*size, 20.0]]).ravel(), [1, 9]])
    np.save(path / "poses_bounds.npy", np.tile(row, (rows, 1)))
    return path / "poses_bounds.npy"


@pytest.mark.parametrize(
    ("names", "rows"),
    [([f"i{k}" for k in range(1, 11)], 9), (["a10", "a2", "a30"], 21), (["a2", "a2b2", "a4"], 3 + 1)],
)
def test_rows_of_llff_are_not_guessed(tmp_path: Path, names: list[str], rows: int) -> None:
    with pytest.raises(InputError, match=f"{len(names)} images and poses_bounds.npy {rows} poses"):
        llff.read(llff_folder(tmp_path, names, rows))


def test_rows_of_llff_by_running_numbers(tmp_path: Path) -> None:
    path = llff_folder(tmp_path, ["i08", "i09", "i11"], 4)
    grey(tmp_path / "images" / ".i10.png")
    assert len(llff.read(path).shots) == 3 and llff._rows(tmp_path, [Path("i08"), Path("i09"), Path("i11")], 4)[0] == [
        0,
        1,
        3,
    ]
    with pytest.raises(InputError, match="16x8 pixels, the photograph has 8x8"):
        llff.read(llff_folder(tmp_path / "cropped", ["a", "b"], 2, (8, 16)))


def test_masks_of_images_in_folders_below_folders(tmp_path: Path) -> None:
    for side in ("a", "b"):
        grey(tmp_path / "images" / side / "000.png")
    a, b = (tmp_path / "images" / side / "000.png" for side in ("a", "b"))
    grey(tmp_path / "masks" / "000.png")
    assert find_mask(a, tmp_path) is find_mask(b, tmp_path) is None, "one mask cannot be that of both"
    for where in ("masks/a/000.png", "masks/images/b/000.png.png"):
        grey(tmp_path / where)
    assert find_mask(a, tmp_path) == tmp_path / "masks/a/000.png"
    assert find_mask(b, tmp_path) == tmp_path / "masks/images/b/000.png.png"
    grey(tmp_path / "images" / "001.png")
    grey(tmp_path / "masks" / "001.png")
    assert find_mask(tmp_path / "images" / "001.png", tmp_path) == tmp_path / "masks/001.png"


@pytest.mark.parametrize("k1", [0.0, -0.1, -0.2, 0.1])
def test_the_empty_plate_is_seen_through_the_same_lens(tmp_path: Path, k1: float) -> None:
    y, x = np.mgrid[:240, :320]
    table = cv2.GaussianBlur(np.where((x // 14 + y // 14) % 2, 150, 60).astype(np.uint8), (0, 0), 1)
    disc = np.hypot(x - 150, y - 120) < 35
    cv2.imwrite(str(tmp_path / "empty.png"), np.repeat(table[..., None], 3, 2))
    shots = []
    for k in range(6):
        shown = np.repeat(table[..., None], 3, 2)
        shown[disc] = (20, 40, 230)
        cv2.imwrite(str(tmp_path / f"{k}.png"), shown)
        eye = np.array([5 * np.cos(k), 5 * np.sin(k), 2])
        pose = np.linalg.inv(look_at(eye, np.zeros(3), Z))
        lens = (k1, 0.0, 0.0, 0.0) if k1 else ()
        shots.append(Shot(f"{k}", tmp_path / f"{k}.png", None, K, (240, 320), pose, lens))
    source = Source("folder", tmp_path / "empty.png", tuple(shots), light="part", plates={"1": tmp_path / "empty.png"})
    truth = undistorted(disc.astype(np.float32), K, (k1, 0.0, 0.0, 0.0), False) > 0.5
    for view in assemble(source).views:
        found = view.mask > 0.5
        assert (found & truth).sum() > 0.9 * (found | truth).sum()
    cv2.imwrite(str(tmp_path / "empty.png"), table[:, :200])
    with pytest.raises(InputError, match=r"200x240 pixels, and its photograph 0\.png 320x240"):
        assemble(source)


def test_an_empty_plate_among_the_photographs_is_none_of_them(tmp_path: Path) -> None:
    for k in range(8):
        grey(tmp_path / "up" / f"{k}.jpg")
    grey(tmp_path / "up" / "empty.jpg")
    grey(tmp_path / "up" / "other.jpg")
    session = SessionFile(name="1", images="up/*.jpg", empty_plate="up/empty.jpg")
    plates = [tmp_path / "up/empty.jpg", tmp_path / "up" / ".." / "up" / "other.jpg"]
    assert [p.stem for p in folder._images(tmp_path, session, plates)] == [f"{k}" for k in range(8)]


def write_exr(path: Path, names: tuple[str, ...], size: tuple[int, int] = (6, 8), window: int = 0) -> Path:
    """Channel c of pixel (y, x) holds c + x / 100. window: pixels of a display window about the data."""
    import OpenImageIO as oiio

    h, w = size
    spec = oiio.ImageSpec(w, h, len(names), oiio.FLOAT)
    spec.channelnames = names
    if window:
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = -window, -window, w + 2 * window, h + 2 * window
    values = np.arange(len(names))[None, None] + np.arange(w)[None, :, None] / 100 + np.zeros((h, 1, 1))
    out = oiio.ImageOutput.create(str(path))
    assert out.open(str(path), spec) and out.write_image(values.astype(np.float32))
    out.close()
    return path


def test_channels_of_exr_are_chosen_by_name(tmp_path: Path) -> None:
    import OpenImageIO as oiio

    known = {("R", "G", "B"): "RGB", ("R", "G", "B", "A", "Z"): "RGBA", ("Y",): "Y", ("Y", "A"): "YYYA"}
    for names, wanted in known.items():
        path = write_exr(tmp_path / "p.exr", names)
        stored = tuple(oiio.ImageBuf(str(path)).spec().channelnames)
        found = read_pixels(path)
        level = {n: names.index(n) for n in stored}
        assert found[0, 0].round(3).tolist() == [level[n] for n in wanted]
    with pytest.raises(InputError, match="has the channels Albedo"):
        read_pixels(write_exr(tmp_path / "p.exr", ("Albedo.R", "Albedo.G", "Albedo.B")))
    with pytest.raises(InputError, match="8x6 of 12x10 pixels"):
        read_pixels(write_exr(tmp_path / "p.exr", ("R", "G", "B"), window=2))


def test_a_text_without_end_in_a_png_is_one_sentence(tmp_path: Path) -> None:
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "a" * 2_000_000, zip=True)
    Image.new("L", (8, 8)).save(tmp_path / "p.png", pnginfo=told)
    with pytest.raises(InputError, match=r"p\.png is not an image"):
        image_size(tmp_path / "p.png")


@pytest.mark.parametrize("value", ["thirty", (30, 40), 0, -5])
def test_a_focal_length_in_exif_that_is_none_is_not_said(tmp_path: Path, value: object) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = value
    Image.new("L", (8, 8)).save(tmp_path / "p.jpg", exif=exif)
    assert folder._exif_focal(tmp_path / "p.jpg", (8, 8)) is None
    exif.get_ifd(0x8769)[0xA405] = 43
    Image.new("L", (8, 8)).save(tmp_path / "q.jpg", exif=exif)
    assert folder._exif_focal(tmp_path / "q.jpg", (8, 8)) == pytest.approx(43 / np.hypot(36, 24) * np.hypot(8, 8))


def test_a_photograph_too_wide_for_opencv_is_one_sentence() -> None:
    with pytest.raises(InputError, match="33000x4 pixels with lens distortion"):
        undistorted(np.zeros((4, 33000), np.float32), K, (0.1, 0, 0, 0), False)


@pytest.mark.parametrize("text", ["images: 2024-13-01", "focal_px: 0x_", f"focal_px: {'9' * 5000}"])
def test_yaml_values_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "capture.yaml").write_text(text)
    with pytest.raises(InputError, match=r"capture\.yaml is not YAML"):
        folder.read(tmp_path / "capture.yaml")


def colmap_image(name: bytes, points: int = 0, claimed: int | None = None) -> bytes:
    head = struct.pack("<I4d3dI", 1, 1, 0, 0, 0, 0, 0, 5, 1) + name + b"\0"
    return head + struct.pack("<Q", points if claimed is None else claimed) + b"\0" * 24 * points


def colmap_model(path: Path, images: list[bytes], size: tuple[int, int] = (8, 8)) -> Path:
    path.mkdir(parents=True)
    h, w = size
    (path / "cameras.bin").write_bytes(struct.pack("<QIiQQ4d", 1, 1, 1, w, h, 20, 20, w / 2, h / 2))
    (path / "images.bin").write_bytes(struct.pack("<Q", len(images)) + b"".join(images))
    (path / "points3D.bin").write_bytes(struct.pack("<Q", 0))
    grey(path / "images" / "a.png")
    return path


def test_images_of_colmap_that_claim_more_than_is_there(tmp_path: Path) -> None:
    assert len(colmap.read(colmap_model(tmp_path / "whole", [colmap_image(b"a.png", 3)])).shots) == 1
    for claimed in (4, 2, 2**28, 2**62):
        with pytest.raises(InputError, match=r"images\.bin is cut or damaged"):
            colmap.read(colmap_model(tmp_path / f"{claimed}", [colmap_image(b"a.png", 3, claimed)]))


def test_colmap_names_and_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no COLMAP model"):
        colmap.read(colmap_model(tmp_path / "name", [colmap_image(b"a\xff.png")]))
    with pytest.raises(InputError, match="camera 1 says 16x8 pixels, the photograph has 8x8"):
        colmap.read(colmap_model(tmp_path / "size", [colmap_image(b"a.png")], (8, 16)))


def test_a_file_of_any_name_beside_a_model(tmp_path: Path) -> None:
    path = colmap_model(tmp_path / "model", [colmap_image(b"a.png")])
    source = colmap.read(path)
    try:
        (path / b"b\xff".decode(errors="surrogateescape")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such names")
    assert len(assemble(source, light="part").sha256) == 64


@pytest.mark.parametrize(("distortion", "fisheye"), [((-0.9, 0, 0, 0), False), ((-0.9, 0, 0, 0), True)])
def test_what_a_lens_folds_back_is_not_shown_twice(distortion: tuple[float, ...], fisheye: bool) -> None:
    """Beyond the radius at which its polynomial turns, the model shows the middle again, turned inside out."""
    wide = np.array([[200.0, 0, 160], [0, 200, 120], [0, 0, 1]])
    ramp = np.hypot(*(np.mgrid[:240, :320] - np.array([119.5, 159.5])[:, None, None])).astype(np.float32) + 1
    found = undistorted(ramp, wide, distortion, fisheye)
    along = found[119, 160:]
    last = np.flatnonzero(along)[-1]
    assert 60 < last < 159 and (np.diff(along[:last]) >= 0).all() and not along[last + 1 :].any()
    assert undistorted(ramp, wide, (-0.1, 0, 0, 0), fisheye).min() > 0, "one that does not fold is shown whole"


def test_photographs_are_ordered_by_their_numbers(tmp_path: Path) -> None:
    names = ["a2/1.jpg", "a2/2.jpg", "a2/10.jpg", "a10/1.jpg", "a10/x.jpg", "b/01.jpg", "b/1.jpg"]
    assert [p.as_posix() for p in sorted(map(Path, reversed(names)), key=by_number)] == names
    for k in range(12):
        grey(tmp_path / f"{k}.png")
    assert [p.stem for p in _images(tmp_path, SessionFile(images="*.png"), [])] == [str(k) for k in range(12)]


def test_millimetres_are_no_metres() -> None:
    def source(unit: float, metric: bool) -> Source:
        poses = [look_at(unit * np.array([0.3 * np.cos(k), 0.3 * np.sin(k), 0.2]), np.zeros(3), Z) for k in range(8)]
        shots = [Shot(f"{k}", Path(f"{k}.png"), None, K, (240, 320), np.linalg.inv(p)) for k, p in enumerate(poses)]
        return Source("nerf", Path("transforms.json"), tuple(shots), metric)

    for fine in (source(1, True), source(1000, False)):
        _metres(fine)
    with pytest.raises(InputError, match=r"[23]\d\d m from the middle.*divide the positions by 1000"):
        _metres(source(1000, True))


def test_grey_tiff_with_alpha_does_not_lose_it(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4, 2), 90, np.uint8), "LA").save(tmp_path / "a.tif")
    with pytest.raises(InputError, match="grey with a second channel"):
        read_pixels(tmp_path / "a.tif")
