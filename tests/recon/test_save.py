"""What other tools get: GLB and OBJ that show the maps where the fit has them, and light that comes from its side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial import KDTree

import parts
from core.colour import srgb_from_linear
from core.errors import InputError
from core.part import Part
from core.seeds import child
from core.texture import TEXTURE, UV, look_up
from defects.procedural.own_finish import looks
from flawsmith.images import read_exr
from recon.bake import Maps, bake
from recon.capture.model import Capture
from recon.metrics import compare_shapes
from recon.model_files import images
from recon.result import Reconstruction
from recon.save import REPORT, read, save
from recon.verdict import judge
from tests.recon.known import masks
from tests.recon.painted import RADIUS, checker, photographed, unpainted


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Capture, Reconstruction, Maps]:
    capture = photographed(views=12, size=64)
    found = replace(unpainted(capture), environment=spot())
    found = replace(found, facts={"views": [{"held_out": v.held_out, "psnr_db": 30.0, "iou": 0.99}
                                            for v in capture.views]})  # fmt: skip
    maps = bake(capture, found, 256)
    verdict = judge(capture, masks(12), found, 0.99)
    return save(tmp_path_factory.mktemp("saved"), capture, found, verdict, {}, maps), capture, found, maps


def spot() -> np.ndarray:
    """(64, 128, 3): dark, but for a patch about +Y, level with the table."""
    image = np.full((64, 128, 3), 0.1, np.float32)
    image[28:36, 92:100] = 10.0  # azimuth 90 degrees
    return image


def load(folder: Path, name: str) -> Part:
    return parts.load(folder / name, unit="m" if name.endswith("obj") else None, smooth_angle_deg=50)


@pytest.mark.parametrize("name", ["part.glb", "part.obj"])
def test_a_loaded_file_shows_the_maps(made, name: str) -> None:
    """In the part's frame, in metres, one closed surface, the checker where it was painted."""
    folder, _, found, maps = made
    part = load(folder, name)
    assert len(part.mesh.vertices) == len(found.vertices)
    assert (part.mesh.neighbours >= 0).all()
    apart = compare_shapes((part.mesh.vertices, part.mesh.faces), (found.vertices, found.faces), child(1, "apart"))
    assert apart.chamfer_mm < 1e-4
    assert [m.wrap for m in part.maps] == ["extend"]
    assert (part.mesh.face[TEXTURE] == 0).all() and UV in part.mesh.corner
    faces = np.arange(len(part.mesh.faces))
    albedo, gloss = looks(part.mesh, part.maps, faces, np.full((len(faces), 3), 1 / 3))
    middle = part.mesh.triangles.mean(1)
    _, own = KDTree(found.vertices[found.faces].mean(1)).query(middle)
    expected = look_up(images(maps)["albedo.png"], maps.atlas.uv[own].mean(1), "extend") / 255
    np.testing.assert_allclose(srgb_from_linear(albedo), expected, atol=0.012)
    seen = middle[:, 2] > 0
    assert np.abs(albedo[seen] - checker(middle[seen])).mean() < 0.07
    np.testing.assert_allclose(gloss, np.tile([0.5, 0.0], (len(faces), 1)), atol=0.003)


def test_seams_do_not_show_in_the_normals(made) -> None:
    import trimesh

    scene: trimesh.Scene = trimesh.load(made[0] / "part.glb")  # type: ignore[assignment]
    mesh = next(iter(scene.geometry.values()))
    assert len(mesh.vertices) > len(made[2].vertices)
    outwards = mesh.vertices / np.linalg.norm(mesh.vertices, axis=1, keepdims=True)
    assert (mesh.vertex_normals * outwards).sum(1).min() > 0.999
    assert mesh.extents == pytest.approx(2 * RADIUS, rel=0.01)


def test_the_environment_lies_as_blender_reads_it(made) -> None:
    """+Y is a quarter of the picture to the left of the middle."""
    image = read_exr(made[0] / "environment.exr")
    assert image.shape == (64, 128, 3)
    row, column = np.unravel_index(image[..., 0].argmax(), (64, 128))
    assert 28 <= row < 36 and 28 <= column < 36


def test_maps_are_listed_and_belong_to_the_part(made, tmp_path: Path) -> None:
    saved = read(made[0])
    assert set(saved.maps) == {"albedo", "roughness", "metallic", "confidence"}
    assert saved.facts["maps"]["size"] == 256
    np.testing.assert_allclose(saved.uv, made[3].atlas.uv, atol=1e-6)
    for name in made[0].iterdir():
        (tmp_path / name.name).write_bytes(name.read_bytes())
    (tmp_path / "albedo.png").write_bytes((tmp_path / "roughness.png").read_bytes())
    with pytest.raises(InputError, match=r"albedo\.png has been changed"):
        read(tmp_path)


@pytest.fixture
def bent(made, tmp_path: Path) -> tuple[Path, Maps]:
    """The same with a normal map that leans to the right by up to 30 degrees, and up."""
    folder, capture, found, maps = made
    lean = np.linspace(0, 0.5, maps.atlas.size)
    normal = np.stack([*np.broadcast_arrays(lean, 0.3 * lean[:, None]), np.ones((len(lean), len(lean)))], -1)
    normal = (normal / np.linalg.norm(normal, axis=2, keepdims=True)).astype(np.float32)
    maps = replace(maps, normal=normal)
    return save(tmp_path / "bent", capture, found, read(folder).verdict, {}, maps), maps


def test_a_normal_map_is_saved_and_read_back(bent) -> None:
    """To a third of a degree, by its own name and inside part.glb; draft and standard have none."""
    folder, maps = bent
    assert set(read(folder).maps) == {"albedo", "roughness", "metallic", "confidence", "normal"}
    assert "norm -clamp on normal.png" in (folder / "part.mtl").read_text()
    stored = cv2.imread(str(folder / "normal.png"))[..., ::-1] / 127.5 - 1
    stored /= np.linalg.norm(stored, axis=2, keepdims=True)
    assert np.rad2deg(np.arccos((stored * maps.normal).sum(2).clip(-1, 1))).max() < 0.4
    for name in ("part.glb", "part.obj"):
        (loaded,) = load(folder, name).maps
        assert loaded.normal is not None
        np.testing.assert_array_equal(loaded.normal, images(maps)["normal.png"])


@pytest.mark.parametrize("harm", ["missing", "changed", "a picture"])
def test_a_normal_map_that_is_not_its_own_is_refused(bent, harm: str) -> None:
    path = bent[0] / "normal.png"
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-20] if harm == "changed" else (bent[0] / "albedo.png").read_bytes())
    with pytest.raises(InputError, match=r"normal\.png"):
        read(bent[0])


@pytest.mark.parametrize("name", ["../normal.png", "/etc/hostname", "part.npz"])
def test_a_report_names_no_other_files(bent, name: str) -> None:
    facts = json.loads((bent[0] / REPORT).read_text())
    facts["maps"]["sha256"][name] = "0" * 64
    (bent[0] / REPORT).write_text(json.dumps(facts))
    with pytest.raises(InputError, match="lists a map"):
        read(bent[0])


def test_the_same_fit_gives_the_same_files(made, tmp_path: Path) -> None:
    folder, capture, found, _ = made
    again = save(tmp_path, capture, found, read(folder).verdict, {}, bake(capture, found, 256))
    for name in ("part.glb", "part.obj", "part.npz", "albedo.png", "reconstruction.json"):
        assert (again / name).read_bytes() == (folder / name).read_bytes(), name
