"""A folder of photographs with a capture.yaml, and what is said when something is wrong with a capture."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import trimesh
import yaml

from core.errors import FlawsmithError, InputError
from recon.capture import Capture, load
from recon.capture.model import View
from recon.capture.poses import OPENCV_FROM_OPENGL
from recon.hull import visual_hull
from recon.merge.load import together, yaml_sessions
from recon.silhouettes import hull_agreement
from tests.recon.known import ring
from tests.recon.test_capture import save_colmap, save_images, save_transforms
from tests.recon.test_capture_turntable import CHARUCO, SIZE, K, apart, cameras, draw
from tests.recon.turntables import photograph, turntable


@pytest.fixture(scope="module")
def painted() -> Capture:
    """A barrel with a random grey on every face, which can be followed from photograph to photograph."""
    rng = np.random.Generator(np.random.PCG64(5))
    barrel = trimesh.creation.icosphere(4, 0.05)
    vertices = np.array(barrel.vertices) * (1, 0.8, 1.2)
    paint = np.kron(rng.uniform(0.05, 0.9, len(barrel.faces) // 4), np.ones(4))
    return turntable(vertices, np.array(barrel.faces), 24, (300, 400), (25.0,), paint=paint)


def save_yaml(folder: Path, **values: Any) -> None:
    (folder / "capture.yaml").write_text(yaml.safe_dump(values))


def test_texture_gives_poses(painted: Capture, tmp_path: Path) -> None:
    save_images(painted, tmp_path, False)
    k = painted.views[0].intrinsics
    camera = {"focal_px": float(k[0, 0]), "principal_px": [float(k[0, 2]), float(k[1, 2])]}
    save_yaml(tmp_path, camera=camera, sessions=[{"images": "images/*.png"}])
    found = load(tmp_path)
    assert found.light == "room" and not found.metric and "points on the part" in found.notes[0]
    assert apart(*(np.array([v.camera_from_part for v in c.views]) for c in (found, painted))) < 0.3
    assert np.nanmean(hull_agreement(found, visual_hull(found, 64))) > 0.97
    rooms = [[v.room_from_part @ c.views[0].room_from_part.T for v in c.views] for c in (found, painted)]
    np.testing.assert_allclose(rooms[0], rooms[1], atol=0.02)


def test_a_focal_length_that_nothing_says_is_noted(painted: Capture, tmp_path: Path) -> None:
    save_images(painted, tmp_path, False)
    save_yaml(tmp_path, sessions=[{"images": "images/*.png", "elevation_deg": 25}])
    assert any("focal length not identified" in note for note in load(tmp_path, checked=False).notes)


def test_board_gives_a_metric_capture(tmp_path: Path) -> None:
    middle = np.array([0.054, -0.042, 0.02])
    part = trimesh.creation.box((0.03, 0.02, 0.02))
    vertices, faces = np.array(part.vertices) + middle - (0, 0, 0.01), np.array(part.faces)
    for i, pose in enumerate(cameras(8, (30.0,), middle, 0.35)):
        blank = View(f"{i}", np.zeros((*SIZE, 3)), np.zeros(SIZE), K, pose, np.eye(3))
        view = photograph(vertices, faces, blank, fine=1)
        board = draw(CHARUCO, pose, hide=False)
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.where(view.mask > 0.5, 120, board).astype(np.uint8))
        (tmp_path / "masks").mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / "masks" / f"{i}.png"), np.round(255 * view.mask).astype(np.uint8))
    save_yaml(tmp_path, camera={"focal_px": 1100, "principal_px": [403, 297]}, board=CHARUCO.model_dump(mode="json"))
    found = load(tmp_path, max_side=400)
    assert found.metric and found.scale_from == "marker board, 12 mm squares"
    hull = visual_hull(found, 64)
    low, high = hull[0].min(0), hull[0].max(0)
    np.testing.assert_allclose((low + high)[:2] / 2, middle[:2], atol=0.001)
    assert np.ptp(hull[0][:, 0]) == pytest.approx(0.03, rel=0.1)


def _edit(change: Callable[[dict], Any]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "transforms.json"
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return apply


def _each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def apply(data: dict) -> None:
        for frame in data["frames"]:
            frame["transform_matrix"] = change(np.array(frame["transform_matrix"])).tolist()

    return _edit(apply)


def _images(change: Callable[[np.ndarray], np.ndarray], which: slice = slice(None)) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        for path in sorted((folder / "masks").iterdir())[which]:
            cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))

    return apply


def _resize_one(folder: Path) -> None:
    path = folder / "images" / "003.png"
    cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path)), (64, 48)))


def _copy_one(folder: Path) -> None:
    (folder / "images" / "004.png").write_bytes((folder / "images" / "003.png").read_bytes())


def _integers(folder: Path) -> None:
    from PIL import Image

    path = folder / "images" / "003.png"
    Image.fromarray(cv2.imread(str(path), 0).astype(np.int32)).save(path.with_suffix(".tif"))
    _edit(lambda d: d["frames"][3].update(file_path="images/003.tif"))(folder)


BAD = {
    "few views": (_edit(lambda d: d.update(frames=d["frames"][:4])), "has 4 views"),
    "no pose": (_edit(lambda d: d["frames"][2].pop("transform_matrix")), "frame 2 has no transform_matrix"),
    "no focal length": (_edit(lambda d: (d.pop("fl_x"), d.pop("fl_y"))), "focal length"),
    "nan focal length": (_edit(lambda d: d.update(fl_x=float("nan"))), "NaN"),
    "focal length in mm": (_edit(lambda d: d.update(fl_x=5.0, fl_y=5.0)), "focal length 5"),
    "principal point": (_edit(lambda d: d.update(cx=900)), "principal point"),
    "nan pose": (_edit(lambda d: d["frames"][1]["transform_matrix"][0].__setitem__(0, float("nan"))), "no pose"),
    "scaled rotation": (_each(lambda m: m @ np.diag([2.0, 2, 2, 1])), "orthonormal"),
    "left-handed cameras": (_each(lambda m: m @ np.diag([1.0, 1, -1, 1])), "negate the third column of every matrix"),
    "left-handed world": (_each(lambda m: np.diag([1.0, 1, -1, 1]) @ m), "negate the third row of every matrix"),
    "one left-handed": (
        _edit(lambda d: d["frames"][3].update(transform_matrix=np.diag([1.0, 1, -1, 1]).tolist())),
        "003: its pose is left-handed",
    ),
    "OpenCV axes": (_each(lambda m: m @ OPENCV_FROM_OPENGL), "y and z flipped"),
    "world to camera": (_each(lambda m: np.linalg.inv(m @ OPENCV_FROM_OPENGL)), "world-to-camera"),
    "world to camera in OpenGL axes": (_each(np.linalg.inv), "world-to-camera"),
    "empty masks": (_images(np.zeros_like), "empty or full"),
    "full masks": (_images(lambda m: np.full_like(m, 255)), "empty or full"),
    "mixed sizes": (_resize_one, "128x96"),
    "same photograph, two poses": (_copy_one, "same photograph"),
    "missing image": (lambda f: (f / "images" / "005.png").unlink(), "does not exist"),
    "broken image": (lambda f: (f / "images" / "005.png").write_bytes(b"PNG"), "not an image"),
    "far camera": (
        _edit(lambda d: d["frames"][3]["transform_matrix"][0].__setitem__(3, 1e290)),
        "e+289 units away: expected at most 1e+07",
    ),
    "cropped mask": (
        _images(lambda m: m[:40], slice(0, 1)),
        "128x40 pixels, and its photograph 128x96",
    ),
    "strange pixels": (_integers, "int32 pixels"),
    "far axis": (
        _edit(lambda d: d.update(flawsmith={"sessions": [{"name": "1", "axis": [1e200, 0, 1e200]}]})),
        "axis",
    ),
    "one name twice": (
        _edit(lambda d: d.update(flawsmith={"sessions": [{"name": "a"}, {"name": "a"}]})),
        "'a' more than once",
    ),
    "no json": (lambda f: (f / "transforms.json").write_text("{"), "not JSON"),
    "wrong light": (_edit(lambda d: d.update(flawsmith={"light": "sun"})), "'room'"),
}


@pytest.fixture(scope="module")
def small() -> Capture:
    part = trimesh.util.concatenate(
        [
            trimesh.creation.box((1, 0.6, 0.4)),
            trimesh.creation.cylinder(0.2, 0.6, transform=trimesh.transformations.translation_matrix((0.25, 0.1, 0.3))),
        ]
    )
    return turntable(np.array(part.vertices), np.array(part.faces), 16, elevations_deg=(20.0, 55.0))


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_one_sentence(small: Capture, tmp_path: Path, what: str) -> None:
    spoil, words = BAD[what]
    save_images(small, tmp_path, False)
    save_transforms(small, tmp_path)
    spoil(tmp_path)
    with pytest.raises(FlawsmithError) as raised:
        load(tmp_path)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")


def test_a_copy_with_its_pose_is_left_out(small: Capture, tmp_path: Path) -> None:
    save_images(small, tmp_path, False)
    save_transforms(small, tmp_path)
    (tmp_path / "images" / "copy.png").write_bytes((tmp_path / "images" / "003.png").read_bytes())
    _edit(lambda d: d["frames"].append({**d["frames"][3], "file_path": "images/copy"}))(tmp_path)
    found = load(tmp_path, checked=False)
    assert len(found.views) == len(small.views) and "copy" in found.notes[0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sessions": [{"images": "images/*.jpg"}]}, "matches 0 photographs"),
        ({"sessions": [{"images": "images/*.png", "angles_deg": [0, 10]}]}, "2 angles_deg and 16"),
        ({"sessions": [{"name": "a"}, {"name": "b"}]}, "one session at a time"),
        ({"camera": {"focal_mm": 35}, "sessions": [{"images": "images/*.png"}]}, "sensor_width_mm"),
        ({"sessions": [{"images": "images/*.png", "empty_plate": "none.png"}]}, "none.png does not exist"),
        ({"sessions": [{"images": "images/*.png", "empty_plate": "../plate.png"}]}, "plate.png, outside"),
        ({"camera": {"focal_px": 200}, "sessions": [{"images": "images/*.png"}]}, "marker board"),
        ({"camera": {"focal_px": 1e300}, "sessions": [{"images": "images/*.png"}]}, "a focal length of 1e+300 px"),
        ({"sessions": [{"name": "a"}, {"name": "a"}]}, "'a' more than once"),
        ({"session": []}, "did you mean 'sessions'"),
    ],
)
def test_bad_folders_are_one_sentence(small: Capture, tmp_path: Path, values: dict, words: str) -> None:
    save_images(small, tmp_path, False)
    save_yaml(tmp_path, **values)
    with pytest.raises(FlawsmithError) as raised:
        load(tmp_path)
    assert words in str(raised.value)


def test_mixed_photographs_are_refused(small: Capture, tmp_path: Path) -> None:
    save_images(small, tmp_path, False)
    _resize_one(tmp_path)
    save_yaml(tmp_path, sessions=[{"images": "images/*.png"}])
    with pytest.raises(InputError, match="64x48"):
        load(tmp_path)


def test_sessions_without_names_are_numbered_and_keep_their_own_photographs(tmp_path: Path) -> None:
    save_yaml(tmp_path, sessions=[{"images": "a/*.png"}, {"images": "b/*.png"}])
    assert yaml_sessions(tmp_path) == ("1", "2")
    ball = ring()
    one, two = (ball.with_views([replace(v, name=f"{n}/{v.name}") for v in ball.views]) for n in "ab")
    assert [v.name[0] for v in together([one, two]).views] == ["a"] * 24 + ["b"] * 24
    with pytest.raises(InputError, match="photograph a/000 in two sessions"):
        together([one, one])


def test_a_photograph_with_values_that_are_no_numbers_is_refused(small: Capture, tmp_path: Path) -> None:
    import OpenImageIO as oiio

    save_images(small, tmp_path, False)
    save_transforms(small, tmp_path)
    pixels = np.full((96, 128, 3), 0.2, np.float32)
    pixels[4, 5] = np.nan
    image = oiio.ImageOutput.create(str(tmp_path / "images" / "003.exr"))
    image.open(str(tmp_path / "images" / "003.exr"), oiio.ImageSpec(128, 96, 3, "float"))
    image.write_image(pixels)
    image.close()
    _edit(lambda d: d["frames"][3].update(file_path="images/003.exr"))(tmp_path)
    with pytest.raises(InputError, match="3 values that are NaN or infinite"):
        load(tmp_path)


@pytest.mark.parametrize("cut", [0, 7, 0.5, "huge"])
def test_points_that_are_cut_are_said_before_they_are_read(small: Capture, tmp_path: Path, cut: Any) -> None:
    save_images(small, tmp_path, False)
    save_colmap(small, tmp_path, "bin")
    (path,) = tmp_path.rglob("points3D.bin")
    point = bytes(43) + (2).to_bytes(8, "little") + bytes(16)
    whole = (3).to_bytes(8, "little") + 3 * point
    if cut == "huge":
        path.write_bytes((2**60).to_bytes(8, "little") + whole[8:])
    else:
        path.write_bytes(whole[: int(len(whole) * cut) if cut == 0.5 else cut])
    with pytest.raises(InputError, match=r"points3D\.bin is cut or damaged"):
        load(tmp_path)
