"""Pose files with values of the wrong kind, or that cannot be: one sentence that names file, frame and key."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from core.errors import InputError
from core.seeds import child
from recon.capture import colmap, folder, llff, middlebury, nerf
from recon.capture.boards import Board, opencv_board
from recon.capture.follow import follow
from recon.capture.pixels import read_pixels
from recon.capture.source import image_size
from recon.merge.load import told_registered
from tests.picture_files import deep_png, write_tiff

POSE = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5], [0, 0, 0, 1]]


def grey(path: Path, level: int = 100, size: tuple[int, int] = (8, 8)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, level, np.uint8))


def transforms(folder: Path, change: Callable[[dict], Any]) -> Path:
    """Two frames with a pose each and all of our own keys, after `change`."""
    frames = []
    for i in range(2):
        grey(folder / f"{i}.png", 90 + i)
        frames.append({"file_path": f"{i}.png", "transform_matrix": copy.deepcopy(POSE), "session": "1"})
    data = {"fl_x": 10, "frames": frames, "flawsmith": {"sessions": [{"name": "1", "axis": [0, 0, 1]}]}}
    change(data)
    path = folder / "transforms.json"
    path.write_text(json.dumps(data))
    return path


def shared(**values: Any) -> Callable[[dict], Any]:
    return lambda data: data.update(values)


def second(**values: Any) -> Callable[[dict], Any]:
    return lambda data: data["frames"][1].update(values)


def ours(**values: Any) -> Callable[[dict], Any]:
    return lambda data: data["flawsmith"].update(values)


def one(**values: Any) -> Callable[[dict], Any]:
    return lambda data: data["flawsmith"]["sessions"][0].update(values)


ONES, TWICE = np.ones((3, 3)).tolist(), (2 * np.eye(3)).tolist()
BAD = {
    "focal length a text": (shared(fl_x="abc"), "transforms.json: fl_x is", '"abc"'),
    "focal length in a list": (shared(fl_x=[710]), "transforms.json: fl_x is [710]", "a number"),
    "focal length of one frame": (second(fl_x="10"), "frame 1: fl_x is", "a number"),
    "focal length true": (shared(fl_x=True), "fl_x is true", "a number"),
    "focal length infinite": (shared(fl_x=float("inf")), "fl_x is Infinity", "a number"),
    "focal length of 400 digits": (shared(fl_x=10**400), "fl_x is 1000", "a number"),
    "angle of view 0": (shared(camera_angle_x=0), "camera_angle_x is 0", "above 0 and below 3.142"),
    "centre null": (shared(cx=None), "cx is null", "a number"),
    "width 0": (shared(w=0), "w is 0", "above 0"),
    "width a text": (second(w="x"), "frame 1: w is", "above 0"),
    "distortion a text": (shared(k1="a"), "k1 is", "a number"),
    "camera model": (shared(camera_model="ORTHO"), "camera_model is ORTHO", "OPENCV_FISHEYE"),
    "size cropped": (
        shared(w=16, h=8),
        "frame 0: the file says 16x8 pixels, the photograph has 8x8",
        "cropped or turned",
    ),
    "fisheye a text": (shared(is_fisheye="yes"), "is_fisheye is 'yes'", "true or false"),
    "fisheye or not": (shared(is_fisheye=True, camera_model="OPENCV"), "camera_model is OPENCV", "is_fisheye true"),
    "radial beyond k3": (shared(k4=0.1), "k4 without a fisheye", "undistort"),
    "image nowhere": (second(file_path="."), "frame 1 names '.'", "the name of a file"),
    "image of half a character": (second(file_path="a\ud800"), "frame 1 names 'a", "the name of a file"),
    "image with a long name": (second(file_path="a" * 300), "frame 1 names 'aaa", "the name of a file"),
    "mask with a long name": (second(mask_path="a" * 300), "frame 1 names 'aaa", "the name of a file"),
    "camera model a number": (second(camera_model=5), "frame 1: camera_model is 5", "a text"),
    "frame a number": (lambda d: d["frames"].append(3), "frame 2 is 3", "a mapping"),
    "frame null": (lambda d: d["frames"].append(None), "frame 2 is null", "a mapping"),
    "image a number": (second(file_path=3), "frame 1: file_path is 3", "a text"),
    "image a list": (second(file_path=["a"]), "frame 1: file_path is", "a text"),
    "image without name": (second(file_path=""), "frame 1: file_path is", "a text"),
    "image elsewhere": (second(file_path="images/../../b.png"), "frame 1 names images/../../b.png, outside"),
    "image anywhere": (second(file_path="/etc/b.png"), "frame 1 names /etc/b.png, outside"),
    "mask elsewhere": (second(mask_path="../b.png"), "frame 1 names ../b.png, outside"),
    "mask a number": (second(mask_path=3), "frame 1: mask_path is 3", "a text"),
    "session a list": (second(session=[1]), "frame 1: session is [1]", "a text"),
    "turn a text": (second(room_from_part="x"), "frame 1: room_from_part", "3x3 rotation"),
    "turn of three": (second(room_from_part=[1, 2, 3]), "frame 1: room_from_part", "3x3 rotation"),
    "turn ragged": (second(room_from_part=[[1], [2, 3]]), "frame 1: room_from_part", "3x3 rotation"),
    "turn of zeros": (second(room_from_part=[[0, 0, 0]] * 3), "frame 1: room_from_part", "determinant 0"),
    "turn of ones": (second(room_from_part=ONES), "frame 1: room_from_part", "no rotation"),
    "turn scaled": (second(room_from_part=TWICE), "frame 1: room_from_part", "determinant 8"),
    "turn a mirror": (second(room_from_part=np.diag([1, 1, -1]).tolist()), "room_from_part", "determinant -1"),
    "turn NaN": (second(room_from_part=[[float("nan")] * 3] * 3), "frame 1: room_from_part", "finite"),
    "bottom row": (second(transform_matrix=[*POSE[:3], [0, 0, 0.1, 1]]), "bottom row 0, 0, 0.1, 1", "0, 0, 0, 1"),
    "by columns": (second(transform_matrix=np.array(POSE).T.tolist()), "frame 1: transform_matrix", "transposed"),
    "our keys a text": (shared(flawsmith="yes"), "flawsmith is", "a mapping"),
    "our keys a list": (shared(flawsmith=[1]), "flawsmith is [1]", "a mapping"),
    "our key misspelt": (ours(registred=True), "unknown key 'registred'", "did you mean 'registered'"),
    "sessions a text": (ours(sessions="1"), "'sessions' is '1'", "a list"),
    "sessions a mapping": (ours(sessions={"a": 1}), "'sessions' is a mapping", "a list"),
    "session without name": (ours(sessions=[{}]), "'sessions.0.name'", "missing"),
    "axis a text": (one(axis="z"), "'sessions.0.axis' is 'z'", "a list"),
    "axis of zeros": (one(axis=[0, 0, 0]), "'sessions.0.axis'", "not all 0"),
    "axis NaN": (one(axis=[0, 0, float("nan")]), "'sessions.0.axis.2' is nan", "finite"),
    "axis point of two": (one(axis_point=[1, 2]), "'sessions.0.axis_point.2'", "missing"),
    "metric no": (ours(metric="no"), "'metric' is 'no'", "boolean"),
    "registered false": (ours(registered="false"), "'registered' is 'false'", "boolean"),
    "scale from": (ours(scale_from={"a": 1}), "'scale_from' is a mapping", "string"),
}


@pytest.mark.parametrize("what", BAD)
def test_values_of_transforms(tmp_path: Path, what: str) -> None:
    change, *words = BAD[what]
    path = transforms(tmp_path, change)
    with pytest.raises(InputError) as raised:
        nerf.read(path)
    said = str(raised.value)
    assert "transforms.json" in said and all(w in said for w in words), said
    assert "\n" not in said and said.endswith(".")


def test_what_may_be_left_out_of_transforms(tmp_path: Path) -> None:
    """Null where a key is optional, a whole number for a session's name, three rows of a pose."""
    left = second(session=None, mask_path=None, room_from_part=None, transform_matrix=POSE[:3])
    path = transforms(tmp_path, lambda d: (left(d), d.update(k1=None, camera_model=None), one(name=1)(d)))
    source = nerf.read(path)
    assert [s.session for s in source.shots] == ["1", "1"] and list(source.sessions) == ["1"]
    np.testing.assert_array_equal(source.shots[0].camera_from_part, source.shots[1].camera_from_part)
    assert not source.metric and source.light is None and source.shots[0].distortion == ()


@pytest.mark.parametrize("told", [{"registered": True}, {"registered": False}, {}, None])
def test_registered_is_true_false_or_unsaid(tmp_path: Path, told: dict | None) -> None:
    assert told_registered(transforms(tmp_path, shared(flawsmith=told))) is (told or {}).get("registered")


def test_registered_as_a_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'registered' is 'false'"):
        told_registered(transforms(tmp_path, ours(registered="false")))


def test_nesting_without_end(tmp_path: Path) -> None:
    path = tmp_path / "transforms.json"
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match="is not JSON"):
        nerf.read(path)


CAMERA = {"focal_px": 20}
YAML = {
    "three coefficients": ({"camera": {**CAMERA, "distortion": [0.1] * 3}}, "'camera.distortion'", "not 3"),
    "images from the root": ({"sessions": [{"images": "/tmp/*.png"}]}, "'/tmp/*.png'", "below the folder"),
    "images unnamed": ({"sessions": [{"images": ""}]}, "images is ''", "below the folder"),
    "stars in a name": ({"sessions": [{"images": "a**"}]}, "images is 'a**'", "below the folder"),
    "images beside": ({"sessions": [{"images": "../*/*.png"}]}, "'../*/*.png'", "leads out of the folder"),
}


@pytest.mark.parametrize("what", YAML)
def test_values_of_capture_yaml(tmp_path: Path, what: str) -> None:
    told, *words = YAML[what]
    grey(tmp_path / "0.png")
    path = tmp_path / "capture.yaml"
    path.write_text(yaml.safe_dump(told))
    with pytest.raises(InputError) as raised:
        folder.read(path)
    assert "capture.yaml" in str(raised.value) and all(w in str(raised.value) for w in words), raised.value


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"squares": (1, 5)}, "1 x 5 squares"),
        ({"squares": (40, 40)}, "800 markers"),
        ({"kind": "apriltag", "squares": (20, 20)}, "400 markers"),
        ({"dictionary": "Board"}, "dictionary 'Board'"),
        ({"dictionary": "getPredefinedDictionary"}, "dictionary"),
        ({"dictionary": "DICT_NONE"}, "dictionary 'DICT_NONE'"),
    ],
)
def test_boards_that_nobody_can_print(values: dict, words: str) -> None:
    board = Board(**{"squares": (5, 4), "square_mm": 12, "marker_mm": 9, **values})
    with pytest.raises(InputError, match=words):
        opencv_board(board)


@pytest.mark.parametrize("squares", [(-9, 7), (0, 7)])
def test_boards_have_squares(squares: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        Board(squares=squares, square_mm=12, marker_mm=9)


def rows() -> np.ndarray:
    """LLFF: two images of 8 x 8."""
    matrix = np.c_[[[0, 1, 0], [1, 0, 0], [0, 0, -1.0]], [0, 0, 5], [8, 8, 10]]
    return np.tile(np.r_[matrix.ravel(), 1, 10], (2, 1))


def _emptied(table: np.ndarray) -> np.ndarray:
    table[1, :15] = 0
    return table


def _flat(table: np.ndarray) -> np.ndarray:
    table[1, 4] = 0
    return table


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_emptied, "row 1 holds no pose"),
        (_flat, "image 8x0, focal length 10 px"),
        (lambda t: t.astype("U20"), "holds <U20"),
        (lambda t: t[:, :16], "has shape"),
    ],
)
def test_values_of_llff(tmp_path: Path, spoil: Callable[[np.ndarray], np.ndarray], words: str) -> None:
    for i in range(2):
        grey(tmp_path / "images" / f"{i}.png")
    path = tmp_path / "poses_bounds.npy"
    np.save(path, rows())
    assert len(llff.read(path).shots) == 2
    np.save(path, spoil(rows()))
    with pytest.raises(InputError, match=words):
        llff.read(path)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY junk", b"PK\x03\x04 junk", b"junk"])
def test_files_that_are_no_array(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "poses_bounds.npy").write_bytes(data)
    with pytest.raises(InputError, match=r"poses_bounds.npy cannot be read"):
        llff.read(tmp_path / "poses_bounds.npy")


def test_several_arrays_are_no_llff(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=rows(), b=rows())
    (tmp_path / "a.npz").rename(tmp_path / "poses_bounds.npy")
    with pytest.raises(InputError, match="several arrays"):
        llff.read(tmp_path / "poses_bounds.npy")


def test_binary_middlebury(tmp_path: Path) -> None:
    (tmp_path / "x_par.txt").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match=r"x_par.txt cannot be read"):
        middlebury.read(tmp_path / "x_par.txt")


def test_middlebury_of_an_image_elsewhere(tmp_path: Path) -> None:
    row = "../x.png 1 0 0 0 1 0 0 0 1 1 0 0 0 1 0 0 0 1 0 0 5"
    (tmp_path / "x_par.txt").write_text(f"1\n{row}\n")
    with pytest.raises(InputError, match=r"x_par.txt names ../x.png, outside"):
        middlebury.read(tmp_path / "x_par.txt")


@pytest.mark.parametrize(
    ("camera", "image", "words"),
    [
        ("0 0 700 700 96 96", "0.png", "camera 1 of 0.png has images of 0x0 pixels"),
        ("96 96 700 700 48 48", "../0.png", "image 1 names ../0.png, outside .*images"),
    ],
)
def test_colmap_models_that_are_off(tmp_path: Path, camera: str, image: str, words: str) -> None:
    pytest.importorskip("pycolmap")
    grey(tmp_path / "images" / "0.png")
    model = tmp_path / "sparse" / "0"
    model.mkdir(parents=True)
    (model / "cameras.txt").write_text(f"1 PINHOLE {camera}\n")
    (model / "images.txt").write_text(f"1 1 0 0 0 0 0 5 1 {image}\n\n")
    (model / "points3D.txt").write_text("")
    with pytest.raises(InputError, match=words):
        colmap.read(model)


def test_images_beyond_all_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 20)
    grey(tmp_path / "0.png")
    with pytest.raises(InputError, match=r"0.png has more than"):
        image_size(tmp_path / "0.png")


def test_a_header_that_lies(tmp_path: Path) -> None:
    """A BMP of 200000 x 200000 pixels, in 54 bytes: OpenCV throws."""
    path = tmp_path / "0.bmp"
    grey(path)
    data = bytearray(path.read_bytes())
    data[18:26] = np.array([200_000, 200_000], "<i4").tobytes()
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"0.bmp cannot be decoded"):
        read_pixels(path)


def test_an_even_part_cannot_be_followed(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """OpenCV throws where matches give no geometry at all: that is no match."""

    def none(*_: Any) -> None:
        raise cv2.error("Assertion failed !model.empty()")

    monkeypatch.setattr(cv2, "findFundamentalMat", none)
    picture = cv2.GaussianBlur(rng.uniform(0, 255, (120, 120)).astype(np.uint8), (0, 0), 1.5)
    assert follow([picture] * 3, [np.ones((120, 120))] * 3, False).points == 0


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("unit", [1, 257])
def test_tiff_is_read_as_it_is_stored(tmp_path: Path, order: str, unit: int) -> None:
    rng = child(3, "pixels")
    stored = (rng.integers(0, 256, (20, 30, 4)) * unit).astype(np.uint8 if unit == 1 else np.uint16)
    grey = write_tiff(tmp_path / "g.tif", stored[..., 0], 1, order=order)
    colour = write_tiff(tmp_path / "c.tif", stored[..., :3], 2, order=order)
    clear = write_tiff(tmp_path / "a.tif", stored, 2, extra=2, order=order)
    assert np.array_equal(read_pixels(grey)[..., 0], stored[..., 0])
    assert np.array_equal(read_pixels(colour), stored[..., :3])
    assert np.array_equal(read_pixels(clear), stored)


@pytest.mark.parametrize(
    ("photometric", "orientation", "channels", "extra", "said"),
    [
        (2, 3, 3, None, "turned or mirrored by its orientation tag, 3"),
        (2, 6, 3, None, "turned or mirrored by its orientation tag, 6"),
        (0, 1, 1, None, "16 bits of which 0 is white"),
        (2, 1, 4, 0, "a fourth channel that is no plain alpha"),
        (2, 1, 4, 1, "a fourth channel that is no plain alpha"),
    ],
)
def test_pixels_that_are_not_decoded_as_stored_are_refused(
    tmp_path: Path, photometric: int, orientation: int, channels: int, extra: int | None, said: str
) -> None:
    stored = np.full((20, 30, channels), 40000, np.uint16)
    values = stored[..., 0] if channels == 1 else stored
    path = write_tiff(tmp_path / "p.tif", values, photometric, orientation, extra)
    with pytest.raises(InputError, match=rf"p\.tif .*{said}"):
        read_pixels(path)


def test_a_deep_png_with_one_transparent_colour_is_refused(tmp_path: Path) -> None:
    path = deep_png(tmp_path / "p.png", np.full((20, 30, 3), 1000, np.uint16), (5, 5, 5))
    with pytest.raises(InputError, match=r"p\.png has 16 bits and one transparent colour"):
        read_pixels(path)
