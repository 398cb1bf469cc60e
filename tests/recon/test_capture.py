"""Every format gives the same capture; real captures load and their hulls meet their masks."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from core.colour import linear_from_srgb, srgb_from_linear
from core.errors import InputError
from recon.capture import Capture, load
from recon.capture.model import hold_out
from recon.capture.pixels import resized, scaled, undistorted
from recon.capture.poses import OPENCV_FROM_OPENGL, from_opengl, table_from_poses, turn_of
from recon.hull import visual_hull
from recon.silhouettes import hull_agreement, overlap
from tests.recon.known import ring
from tests.recon.turntables import turntable

AXIS = np.array([0, 0, 1.0])


@pytest.fixture(scope="module")
def truth() -> Capture:
    stud = trimesh.creation.cylinder(0.2, 0.6, transform=trimesh.transformations.translation_matrix((0.2, 0, 0.3)))
    both = trimesh.util.concatenate([trimesh.creation.box((1, 0.6, 0.4)), stud])
    return turntable(np.array(both.vertices), np.array(both.faces), 16)


def save_images(capture: Capture, folder: Path, alpha: bool) -> None:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for view in capture.views:
        mask = np.round(255 * view.mask).astype(np.uint8)
        straight = np.where(view.mask[..., None] > 0, view.image / np.maximum(view.mask[..., None], 1e-6), 0)
        bgr = np.round(255 * srgb_from_linear(straight if alpha else view.image)[..., ::-1]).astype(np.uint8)
        cv2.imwrite(str(folder / "images" / f"{view.name}.png"), np.dstack([bgr, mask]) if alpha else bgr)
        if not alpha:
            cv2.imwrite(str(folder / "masks" / f"{view.name}.png"), mask)


def save_transforms(capture: Capture, folder: Path, **more: object) -> Path:
    view = capture.views[0]
    k = view.intrinsics
    frames = [
        {
            "file_path": f"images/{v.name}",
            "transform_matrix": (np.linalg.inv(v.camera_from_part) @ OPENCV_FROM_OPENGL).tolist(),
        }
        for v in capture.views
    ]
    height, width = view.size
    shared = {"fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2], "cy": k[1, 2], "w": width, "h": height}
    path = folder / "transforms.json"
    path.write_text(json.dumps({**shared, **more, "frames": frames}))
    return path


def save_middlebury(capture: Capture, folder: Path) -> None:
    lines = [str(len(capture.views))]
    for v in capture.views:
        k = v.intrinsics - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
        numbers = [*k.ravel(), *v.camera_from_part[:3, :3].ravel(), *v.camera_from_part[:3, 3]]
        lines.append(" ".join([f"images/{v.name}.png", *(repr(float(n)) for n in numbers)]))
    (folder / "part_par.txt").write_text("\n".join(lines))


def save_colmap(capture: Capture, folder: Path, suffix: str) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    model = pycolmap.Reconstruction()
    view = capture.views[0]
    k, (height, width) = view.intrinsics, view.size
    params = [k[0, 0], k[1, 1], k[0, 2], k[1, 2]]
    camera = pycolmap.Camera(camera_id=1, model="PINHOLE", width=width, height=height, params=params)
    model.add_camera_with_trivial_rig(camera)
    for number, v in enumerate(capture.views, 1):
        image = pycolmap.Image(name=f"{v.name}.png", camera_id=1, image_id=number)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(v.camera_from_part[:3]))
    place = folder / "sparse" / "0"
    place.mkdir(parents=True)
    (model.write_binary if suffix == "bin" else model.write_text)(str(place))


def same(found: Capture, truth: Capture, pose: float = 1e-6) -> None:
    assert [v.name.split("/")[-1] for v in found.views] == [v.name for v in truth.views]
    for a, b in zip(found.views, truth.views, strict=True):
        np.testing.assert_allclose(a.intrinsics, b.intrinsics, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(a.camera_from_part, b.camera_from_part, atol=pose)
        assert np.abs(a.mask - b.mask).max() < 0.01
        assert np.abs(a.image - b.image).max() < 0.02
        assert a.held_out == b.held_out


@pytest.mark.parametrize("alpha", [True, False])
def test_transforms(truth: Capture, tmp_path: Path, alpha: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    save_images(truth, tmp_path, alpha)
    save_transforms(truth, tmp_path)
    found = load(tmp_path)
    same(found, truth)
    assert found.light == "part" and not found.metric
    assert all((v.room_from_part == np.eye(3)).all() for v in found.views)
    assert sum(v.held_out for v in found.views) == 2
    monkeypatch.chdir(tmp_path)
    assert load(".").name == found.name == tmp_path.name


def test_our_own_keys(truth: Capture, tmp_path: Path) -> None:
    """A turntable's light stands still in the room: from its axis alone the turns follow."""
    save_images(truth, tmp_path, True)
    session = {"name": "1", "axis_point": truth.sessions[0].axis_point.tolist(), "axis": [0, 0, 1]}  # type: ignore[union-attr]
    save_transforms(
        truth, tmp_path, flawsmith={"metric": True, "scale_from": "known", "light": "room", "sessions": [session]}
    )
    found = load(tmp_path)
    assert found.metric and found.light == "room" and found.scale_from == "known"
    for a, b in zip(found.views, truth.views, strict=True):
        np.testing.assert_allclose(a.room_from_part, b.room_from_part, atol=1e-6)


def test_middlebury(truth: Capture, tmp_path: Path) -> None:
    save_images(truth, tmp_path, False)
    save_middlebury(truth, tmp_path)
    same(load(tmp_path), truth)


@pytest.mark.parametrize("suffix", ["bin", "txt"])
def test_colmap(truth: Capture, tmp_path: Path, suffix: str) -> None:
    save_images(truth, tmp_path, False)
    save_colmap(truth, tmp_path, suffix)
    same(load(tmp_path), truth)


def test_llff(truth: Capture, tmp_path: Path) -> None:
    save_images(truth, tmp_path, False)
    rows = []
    for v in truth.views:
        c2w = np.linalg.inv(v.camera_from_part)
        right, down, forward, at = c2w[:3, 0], c2w[:3, 1], c2w[:3, 2], c2w[:3, 3]
        matrix = np.stack([down, right, -forward, at, [*v.size, v.intrinsics[0, 0]]], 1)
        rows.append([*matrix.ravel(), 1.0, 10.0])
    np.save(tmp_path / "poses_bounds.npy", np.array(rows))
    found = load(tmp_path, checked=False)
    for a, b in zip(found.views, truth.views, strict=True):
        np.testing.assert_allclose(a.camera_from_part, b.camera_from_part, atol=1e-9)
        # LLFF has the principal point in the middle
        np.testing.assert_allclose(a.intrinsics[:2, 2], (64, 48))


def test_an_axis_is_found_in_the_poses(truth: Capture) -> None:
    table = table_from_poses(np.array([v.camera_from_part for v in truth.views]))
    np.testing.assert_allclose(table.axis, AXIS, atol=1e-9)
    np.testing.assert_allclose(table.point, truth.sessions[0].axis_point, atol=1e-6)
    assert table.residual < 1e-9
    for view in truth.views:
        np.testing.assert_allclose(turn_of(view.camera_from_part, truth.sessions[0]), view.room_from_part, atol=1e-9)


def test_light_can_be_said(truth: Capture, tmp_path: Path) -> None:
    save_images(truth, tmp_path, True)
    save_transforms(truth, tmp_path)
    found = load(tmp_path, light="room")
    for a, b in zip(found.views, truth.views, strict=True):
        np.testing.assert_allclose(a.room_from_part, b.room_from_part, atol=1e-6)
    assert "axis was found" in found.notes[0]


def test_smaller_images_keep_the_rays(truth: Capture, tmp_path: Path) -> None:
    save_images(truth, tmp_path, True)
    save_transforms(truth, tmp_path)
    whole, half = load(tmp_path), load(tmp_path, max_side=64)
    points = np.random.Generator(np.random.PCG64(1)).normal(0, 0.3, (50, 3))
    for a, b in zip(whole.views, half.views, strict=True):
        assert b.size == (48, 64)
        np.testing.assert_allclose(a.project(points)[0] / 2, b.project(points)[0], atol=1e-9)
        assert float(a.mask.mean()) == pytest.approx(float(b.mask.mean()), abs=1e-5)
        assert overlap(resized(a.mask, b.size) > 0.5, b.mask > 0.5) > 0.99


@given(st.floats(-0.3, 0.3), st.floats(-0.1, 0.1), st.floats(-0.01, 0.01), st.floats(-8, 8), st.floats(0.7, 1.5))
@settings(max_examples=25, deadline=None)
def test_undistorted_is_a_pinhole(k1: float, k2: float, p1: float, off: float, zoom: float) -> None:
    """A dot drawn where the distorting lens images a point is found, afterwards, where the pinhole images it."""
    k = np.array([[120 * zoom, 0, 80 + off], [0, 120 * zoom, 60 - off], [0, 0, 1.0]])
    centred = k - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    point = np.array([[0.12, -0.1, 1.0]])
    distortion = (k1, k2, p1, 0.0, 0.0)
    (x, y), *_ = cv2.projectPoints(point, np.zeros(3), np.zeros(3), centred, np.array(distortion))[0].reshape(-1, 2)
    rows, columns = np.mgrid[:120, :160]
    dot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    found = undistorted(dot, k, distortion, False)
    centre = np.array([(found * columns).sum(), (found * rows).sum()]) / found.sum() + 0.5
    np.testing.assert_allclose(centre, (k @ point[0])[:2], atol=0.06)


@given(st.integers(2, 400), st.integers(2, 400), st.integers(2, 200))
@settings(max_examples=30, deadline=None)
def test_scaled_intrinsics_map_corners_to_corners(height: int, width: int, new: int) -> None:
    k = np.array([[300.0, 0, width / 2], [0, 310, height / 3], [0, 0, 1]])
    small = scaled(k, (height, width), (new, 2 * new))
    corner = np.linalg.solve(k, [width, height, 1.0])
    np.testing.assert_allclose((small @ corner)[:2], (2 * new, new), rtol=1e-9)


def test_opengl_looks_along_minus_z() -> None:
    c2w = np.eye(4)
    c2w[:3, 3] = (0, 0, 5)
    pose = from_opengl(c2w)
    np.testing.assert_allclose(pose @ [0, 1, 0, 1], [0, -1, 5, 1])


def test_nothing_known_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no capture"):
        load(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "absent")


def test_16_bit_and_linear_files(truth: Capture, tmp_path: Path) -> None:
    save_images(truth, tmp_path, False)
    save_transforms(truth, tmp_path)
    for view in truth.views:
        cv2.imwrite(
            str(tmp_path / "images" / f"{view.name}.png"), np.round(65535 * view.image[..., ::-1]).astype(np.uint16)
        )
    found = load(tmp_path, linear_from="linear")
    assert np.abs(found.views[0].image - truth.views[0].image).max() < 2e-5
    twice = load(tmp_path, checked=False)
    np.testing.assert_allclose(twice.views[0].image, linear_from_srgb(truth.views[0].image), atol=1e-4)


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "views", "least"),
    [
        ("nerf_chair", 50, 0.97),
        ("middlebury_dinoSparseRing", 16, 0.95),
        ("flowerpot", 43, 0.95),
        ("moldGoldCape", 60, 0.93),
    ],
)
def test_real_captures(real_data: Path, name: str, views: int, least: float) -> None:
    capture = load(real_data / "captures" / name, max_side=256, checked=name != "moldGoldCape")
    assert len(capture.views) == views
    assert capture.held_out
    hull = visual_hull(capture, 96)
    agreement = hull_agreement(capture, hull)
    assert np.nanmean(agreement) >= least


@pytest.mark.real
def test_real_pixels_match_the_known_cameras(real_data: Path) -> None:
    """Against the projection matrices that come with the data."""
    folder = real_data / "captures" / "flowerpot"
    capture = load(folder, max_side=200, checked=False)
    known = json.loads((folder / "cameras_opencv.json").read_text())["frames"]
    points = np.random.Generator(np.random.PCG64(3)).uniform(-20, 20, (20, 3))
    for view, one in zip(capture.views, known, strict=True):
        local = np.c_[points, np.ones(20)] @ np.array(one["w2c"])[:3].T
        pixel = local @ np.array(one["K"]).T
        scale = np.array([view.size[1] / one["w"], view.size[0] / one["h"]])
        np.testing.assert_allclose(view.project(points)[0], pixel[:, :2] / pixel[:, 2:] * scale, atol=1e-3)


@pytest.mark.parametrize(("count", "expected"), [(5, [4]), (7, [6]), (8, [7]), (17, [7, 15])])
def test_some_views_are_always_kept_from_the_fit(count: int, expected: list[int]) -> None:
    views = ring().views
    kept = hold_out([views[i % len(views)] for i in range(count)])
    assert [i for i, v in enumerate(kept) if v.held_out] == expected
