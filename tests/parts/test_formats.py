"""The same box through every format, and what each format can say: names, colours, places, units."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import parts
from core.part import Part
from tests.parts import files

SIZE = (50.0, 20.0, 10.0)
BOX = files.box_triangles(SIZE, (3, 4, 5))
DATA = Path(__file__).parent / "data"


def check_box(part: Part, low: tuple[float, float, float] = (3, 4, 5), size: tuple[float, float, float] = SIZE) -> None:
    mesh = part.mesh
    np.testing.assert_allclose(mesh.bounds * 1e3, [low, np.add(low, size)], atol=1e-5)
    assert mesh.volume == pytest.approx(np.prod(size) * 1e-9, rel=1e-6)
    assert (len(mesh.vertices), len(mesh.faces)) == (8, 12)
    assert (mesh.neighbours >= 0).all()
    assert part.report["repairs"]["closed"] is True
    np.testing.assert_allclose(mesh.corner["normal"], np.repeat(mesh.face_normals[:, None], 3, 1), atol=1e-9)
    assert len(np.unique(mesh.face["patch"])) == 6
    assert part.select("planar").all() and not part.select("cylindrical").any()


def written(folder: Path, kind: str) -> Path:
    path = folder / f"box.{kind.partition('-')[0]}"
    if kind == "stl-binary":
        return files.write_stl(path, BOX)
    if kind == "stl-solid-header":
        files.write_stl(path, BOX)
        path.write_bytes(b"solid but binary".ljust(80) + path.read_bytes()[80:])
    elif kind == "stl-ascii":
        path.write_text(files.stl_text(BOX))
    elif kind == "obj":
        path.write_text(files.obj_text(BOX))
    else:
        path.write_bytes(files.ply_bytes(BOX, kind.partition("-")[2]))
    return path


KINDS = ["stl-binary", "stl-solid-header", "stl-ascii", "obj"]
KINDS += ["ply-ascii", "ply-binary_little_endian", "ply-binary_big_endian"]


@pytest.mark.parametrize("kind", KINDS)
def test_box_through_formats_without_unit(tmp_path: Path, kind: str) -> None:
    part = parts.load(written(tmp_path, kind), unit="mm")
    check_box(part)
    assert part.report["repairs"]["vertices_welded"] == 28
    assert part.report["units"]["decided_by"] == "given"


@given(
    size=st.tuples(*[st.floats(0.5, 2000)] * 3),
    corner=st.tuples(*[st.floats(-100, 100)] * 3),
    unit=st.sampled_from(["mm", "cm", "inch"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_box_keeps_its_size_and_volume(tmp_path: Path, size, corner, unit) -> None:
    path = files.write_stl(tmp_path / "b.stl", files.box_triangles(size, corner))
    part = parts.load(path, unit=unit)
    metres = {"mm": 1e-3, "cm": 1e-2, "inch": 0.0254}[unit]
    np.testing.assert_allclose(part.size_m, np.array(size) * metres, atol=2e-5 * metres, rtol=1e-6)
    assert part.mesh.volume > 0
    assert part.mesh.volume == pytest.approx(float(np.prod(part.size_m)), rel=1e-4)


def test_ascii_stl_keeps_solid_names(tmp_path: Path) -> None:
    path = tmp_path / "two.stl"
    second = files.box_triangles((1, 1, 1), (100, 0, 0))
    path.write_text(files.stl_text(BOX, "base plate") + files.stl_text(second, "pin"))
    part = parts.load(path, unit="mm")
    assert part.solid_names == ("base plate", "pin")
    assert part.select("solid:pin").sum() == 12
    np.testing.assert_allclose(part.mesh.triangles[part.select("solid:pin")].min((0, 1)), [0.1, 0, 0], atol=1e-9)


def test_touching_solids_are_not_welded_together(tmp_path: Path) -> None:
    path = tmp_path / "two.stl"
    path.write_text(files.stl_text(BOX, "a") + files.stl_text(files.box_triangles(SIZE, (53, 4, 5)), "b"))
    part = parts.load(path, unit="mm")
    assert len(part.mesh.vertices) == 16
    assert part.report["repairs"]["non_manifold_edges"] == 0
    assert part.mesh.volume == pytest.approx(2e-5, rel=1e-6)


def test_obj_polygons_objects_and_material_colours(tmp_path: Path) -> None:
    corners = np.unique(BOX.reshape(-1, 3), axis=0)
    quads = [[1, 2, 4, 3], [5, 7, 8, 6], [1, 5, 6, 2], [3, 4, 8, 7], [1, 3, 7, 5], [-7, -3, -1, -5]]
    lines = ["mtllib shop.mtl", "o plate", *(f"v {x} {y} {z}" for x, y, z in corners), "usemtl red"]
    lines += ["f " + " ".join(f"{i}//1" for i in q) for q in quads[:3]]
    lines += ["usemtl steel", *("f " + " ".join(map(str, q)) for q in quads[3:])]
    (tmp_path / "box.obj").write_text("\n".join(lines))
    (tmp_path / "shop.mtl").write_text("newmtl red\nKd 0.753 0.188 0.125\nnewmtl steel\nKd 0.7 0.7 0.7\n")
    part = parts.load(tmp_path / "box.obj", unit="mm")
    check_box(part)
    assert part.solid_names == ("plate",)
    assert part.select("colour:#c03020").sum() == 6
    assert part.select("material:steel").sum() == 6
    other = parts.load(tmp_path / "box.obj", unit="mm")
    (tmp_path / "shop.mtl").write_text("newmtl red\nKd 1 0 0\nnewmtl steel\nKd 0.7 0.7 0.7\n")
    assert other.sha256 == part.sha256
    assert parts.load(tmp_path / "box.obj", unit="mm").sha256 != part.sha256


def test_concave_polygons_are_cut_by_ears(tmp_path: Path) -> None:
    outline = np.array([[0, 0], [30, 0], [30, 10], [10, 10], [10, 30], [0, 30]])
    low, high = np.c_[outline, np.zeros(6)], np.c_[outline, np.full(6, 5)]
    lines = [f"v {x} {y} {z}" for x, y, z in np.r_[low, high]]
    lines += ["f 6 5 4 3 2 1", "f 7 8 9 10 11 12"]
    lines += [f"f {i + 1} {(i + 1) % 6 + 1} {(i + 1) % 6 + 7} {i + 7}" for i in range(6)]
    path = tmp_path / "l.obj"
    path.write_text("\n".join(lines))
    part = parts.load(path, unit="mm")
    assert part.mesh.volume == pytest.approx(500 * 5e-9, rel=1e-9)
    assert part.mesh.areas.sum() == pytest.approx((2 * 500 + 120 * 5) * 1e-6, rel=1e-9)
    assert part.report["repairs"]["closed"]


def test_ply_face_colours_become_regions(tmp_path: Path) -> None:
    text = files.ply_bytes(BOX, "ascii").decode()
    text = text.replace("end_header", "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header")
    lines = text.splitlines()
    lines = [
        f"{line} {'192 48 32' if i % 2 else '10 20 30'}" if line.startswith("3 ") and i > 45 else line
        for i, line in enumerate(lines)
    ]
    path = tmp_path / "box.ply"
    path.write_text("\n".join(lines) + "\n")
    part = parts.load(path, unit="mm")
    assert part.report["colours"] == ["#0a141e", "#c03020"]
    assert part.select("colour:#c03020").sum() == 6


def test_glb_places_names_colours_and_turns_y_up(tmp_path: Path) -> None:
    small = files.box_triangles((0.05, 0.02, 0.01))
    nodes = [
        {"name": "fixture", "children": [1, 2], "translation": [0, 0.1, 0]},
        {"name": "left", "mesh": 0},
        {"name": "right", "mesh": 0, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -0.2, 0, 0, 1]},  # mirrored
    ]
    steel = {"name": "steel", "pbrMetallicRoughness": {"baseColorFactor": [0.5271, 0.0296, 0.0144, 1]}}
    value, body = files.gltf(small, nodes, [steel, {"name": "grey"}])
    path = tmp_path / "cell.glb"
    path.write_bytes(files.glb_bytes(value, body))
    part = parts.load(path)
    assert part.solid_names == ("left", "right")
    assert part.mesh.volume == pytest.approx(2 * 1e-5, rel=1e-5)  # the mirrored one is outward too
    left = part.mesh.triangles[part.select("solid:left")].reshape(-1, 3)
    np.testing.assert_allclose([left.min(0), left.max(0)], [[0, -0.01, 0.1], [0.05, 0, 0.12]], atol=1e-8)
    right = part.mesh.triangles[part.select("solid:right")].reshape(-1, 3)
    np.testing.assert_allclose([right.min(0)[0], right.max(0)[0]], [-0.25, -0.2], atol=1e-8)
    assert part.select("assembly:fixture").all()
    assert part.report["assembly"][0]["children"][1] == {"name": "right", "solid": 1}
    assert part.select("colour:#c03020").sum() == 12 and part.select("material:steel").sum() == 12


def test_gltf_with_buffer_beside_it(tmp_path: Path) -> None:
    value, body = files.gltf(files.box_triangles((0.05, 0.02, 0.01)), [{"mesh": 0}], uri="a%20b.bin")
    (tmp_path / "a b.bin").write_bytes(body)
    (tmp_path / "box.gltf").write_text(json.dumps(value))
    part = parts.load(tmp_path / "box.gltf")
    assert part.solid_names == ("body",)
    np.testing.assert_allclose(part.size_m, [0.05, 0.01, 0.02], atol=1e-8)


def test_iges_box(tmp_path: Path) -> None:
    part = parts.load(DATA / "box.igs")
    check_box(part, (0, 0, 0))
    assert part.report["cad_faces"] == 6


def test_loading_twice_is_identical(tmp_path: Path, housing: Part) -> None:
    again = parts.load(Path(__file__).parents[2] / "examples" / "parts" / "bearing_housing.step")
    assert np.array_equal(again.mesh.vertices, housing.mesh.vertices)
    assert np.array_equal(again.mesh.faces, housing.mesh.faces)
    for name, labels in housing.mesh.face.items():
        assert np.array_equal(again.mesh.face[name], labels), name
    assert np.array_equal(again.mesh.corner["normal"], housing.mesh.corner["normal"])
    assert (again.sha256, again.report) == (housing.sha256, housing.report)


def test_report_is_written_as_json(tmp_path: Path, housing: Part) -> None:
    path = parts.write_report(housing, tmp_path / "part.json")
    value = json.loads(path.read_text())
    assert value["size_mm"] == [120.0, 120.0, 53.0]
    assert value["units"] == {"unit": "mm", "decided_by": "file", "metres_per_unit_read": 1.0}
    assert value["faces"] == len(housing.mesh.faces)
    assert value["warnings"] == []
