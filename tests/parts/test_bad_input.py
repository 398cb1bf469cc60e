"""Every bad file gives one sentence (given, expected, do) as an InputError, soon, and leaves the caller alive."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path

import numpy as np
import pytest

import parts
from core.errors import GeometryError, InputError
from parts import kernel
from tests.parts import files

EXAMPLES = Path(__file__).parents[2] / "examples" / "parts"
BOX = files.box_triangles((50, 20, 10))
METRES = files.box_triangles((0.05, 0.02, 0.01))


def refused(path: Path, match: str, **options) -> InputError:
    with pytest.raises(InputError, match=match) as caught:
        parts.load(path, **options)
    error = caught.value
    assert error.exit_code == 2
    assert "\n" not in str(error) and len(str(error)) < 400
    assert all((error.given, error.expected, error.do))
    return error


def put(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def test_missing_folder_extension_empty(tmp_path: Path) -> None:
    refused(tmp_path / "none.step", "does not exist")
    refused(tmp_path, "is a folder")
    refused(put(tmp_path / "part.dwg", b"x"), "extension '.dwg'")
    for suffix in ("step", "igs", "stl", "obj", "ply", "glb", "gltf"):
        refused(put(tmp_path / f"e.{suffix}", b""), "is empty", unit="mm")


@pytest.mark.parametrize("suffix", ["step", "igs", "stl", "obj", "ply", "glb", "gltf"])
def test_rubbish_under_every_name(tmp_path: Path, suffix: str) -> None:
    rubbish = np.random.Generator(np.random.PCG64(1)).integers(0, 256, 5000, np.uint8).tobytes()
    for data in (rubbish, rubbish[:7], b"hello world\n", b"\0" * 300):
        refused(put(tmp_path / f"r.{suffix}", data), f"r.{suffix}", unit="mm")


def test_content_of_another_format(tmp_path: Path) -> None:
    step = (EXAMPLES / "stepped_shaft.step").read_bytes()
    refused(put(tmp_path / "a.stl", step), "named as STL but holds STEP", unit="mm")
    refused(put(tmp_path / "a.step", files.ply_bytes(BOX, "ascii")), "named as STEP but holds PLY")
    refused(put(tmp_path / "a.glb", b"PK\3\4" + b"\0" * 99), "holds A ZIP ARCHIVE")
    refused(files.write_stl(tmp_path / "a.step", BOX), "does not begin with ISO-10303-21")


def test_truncated_files(tmp_path: Path) -> None:
    step = (EXAMPLES / "stepped_shaft.step").read_bytes()
    refused(put(tmp_path / "t.step", step[: len(step) // 2]), "truncated")
    whole = files.write_stl(tmp_path / "t.stl", BOX).read_bytes()
    refused(put(tmp_path / "t.stl", whole[:-30]), "truncated", unit="mm")
    text = files.stl_text(BOX)
    refused(put(tmp_path / "t2.stl", text[: len(text) * 2 // 3]), "truncated", unit="mm")
    for form in ("ascii", "binary_little_endian"):
        refused(put(tmp_path / "t.ply", files.ply_bytes(BOX, form)[:-25]), "truncated", unit="mm")
    value, body = files.gltf(METRES, [{"mesh": 0}])
    refused(put(tmp_path / "t.glb", files.glb_bytes(value, body)[:-40]), "truncated")
    refused(put(tmp_path / "u.glb", files.glb_bytes(value, body[:-40])), "valid glTF")
    igs = (Path(__file__).parent / "data" / "box.igs").read_text().splitlines()
    refused(put(tmp_path / "t.igs", "\n".join(igs[:-10])), "truncated")


def test_step_whose_body_is_damaged(tmp_path: Path) -> None:
    head = (EXAMPLES / "stepped_shaft.step").read_text().split("DATA;")[0]
    units = "#1=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.));"
    refused(put(tmp_path / "n.step", f"{head}DATA;\n{units}\nENDSEC;\nEND-ISO-10303-21;\n"), "no surface")
    refused(put(tmp_path / "d.step", f"{head}DATA;\n{units}\n#2=((((;\nENDSEC;\nEND-ISO-10303-21;\n"), "d.step")


def test_assembly_in_other_files(tmp_path: Path) -> None:
    text = (EXAMPLES / "stepped_shaft.step").read_text()
    link = "#9001=DOCUMENT_FILE('bolt.stp','',$,#9002,'',$);\n#9003=DOCUMENT_FILE('nut.stp','',$,#9002,'',$);\n"
    path = put(tmp_path / "top.step", text.replace("DATA;\n", "DATA;\n" + link, 1))
    error = refused(path, "2 other files")
    assert "bolt.stp, nut.stp" in error.given and "single STEP file" in error.do


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_vertices_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    bad = BOX.copy()
    bad[3, 1, 2] = value
    refused(files.write_stl(tmp_path / "n.stl", bad), "n.stl", unit="mm")
    refused(put(tmp_path / "n.obj", files.obj_text(bad)), "n.obj", unit="mm")
    refused(put(tmp_path / "n.ply", files.ply_bytes(bad, "ascii")), "n.ply", unit="mm")
    document, body = files.gltf(bad, [{"mesh": 0}])
    refused(put(tmp_path / "n.glb", files.glb_bytes(document, body)), "n.glb")


def test_flat_and_empty_glb(tmp_path: Path) -> None:
    document, body = files.gltf(METRES * [1, 1, 0], [{"mesh": 0}])
    with pytest.raises(GeometryError):
        parts.load(put(tmp_path / "f.glb", files.glb_bytes(document, body)))
    document["nodes"] = [{"name": "nothing"}]
    refused(put(tmp_path / "e.glb", files.glb_bytes(document, body)), "holds no triangles")


def test_ten_million_triangles_are_refused_from_the_header(tmp_path: Path) -> None:
    started = time.monotonic()
    huge = tmp_path / "huge.stl"
    with huge.open("wb") as stream:  # a sparse file: 500 MB by its length, nothing on the disk
        stream.write(b"\0" * 80 + struct.pack("<I", 10_000_000))
        stream.truncate(84 + 50 * 10_000_000)
    error = refused(huge, "10,000,000 triangles", unit="mm")
    assert "max_faces" in error.do
    head = files.ply_bytes(BOX, "binary_little_endian").replace(b"face 12", b"face 10000000")
    refused(put(tmp_path / "huge.ply", head), "10,000,000 triangles", unit="mm")
    document, body = files.gltf(METRES, [{"mesh": 0}])
    document["accessors"][1]["count"] = 30_000_000
    refused(put(tmp_path / "huge.glb", files.glb_bytes(document, body)), "10,000,000 triangles")
    for name in ("huge2.obj", "huge2.stl"):
        path = put(tmp_path / name, files.obj_text(BOX) if name.endswith("obj") else files.stl_text(BOX))
        with path.open("r+b") as stream:
            stream.truncate(4_000_000_000)
        refused(path, "triangles or more", unit="mm")
    assert time.monotonic() - started < 5


def test_max_faces_counts_what_cad_became() -> None:
    refused(EXAMPLES / "stepped_shaft.step", "triangles", max_faces=100)


def test_a_ply_that_lies_about_its_length(tmp_path: Path) -> None:
    data = files.ply_bytes(BOX, "binary_little_endian").replace(b"vertex 36", b"vertex 2900000")
    refused(put(tmp_path / "l.ply", data), "do not fit", unit="mm")


def test_gltf_references_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(b"\0" * 4096)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    for uri in (
        "../secret.bin",
        "%2e%2e/secret.bin",
        str(tmp_path / "secret.bin"),
        "file:///etc/passwd",
        "link.bin",
        "http://example.org/a.bin",
        "..\\secret.bin",
        "C:\\a.bin",
        "\\\\host\\share\\a.bin",
    ):
        value, _ = files.gltf(METRES, [{"mesh": 0}], uri=uri)
        refused(put(inside / "p.gltf", json.dumps(value)), "refers to")
    value, _ = files.gltf(METRES, [{"mesh": 0}], uri="missing.bin")
    refused(put(inside / "m.gltf", json.dumps(value)), "which is missing")


def test_obj_references_stay_in_their_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.mtl").write_text("newmtl a\nKd 1 0 0\n")
    inside = tmp_path / "inside"
    inside.mkdir()
    for reference in ("../secret.mtl", str(tmp_path / "secret.mtl")):
        refused(put(inside / "p.obj", files.obj_text(BOX, f"mtllib {reference}")), "refers to", unit="mm")
    (inside / "own.mtl").write_text("newmtl a\nKd 1 0 0\nmap_Kd ../../picture.png\n")
    refused(put(inside / "q.obj", files.obj_text(BOX, "mtllib own.mtl")), "refers to", unit="mm")
    part = parts.load(put(inside / "r.obj", files.obj_text(BOX, "mtllib gone.mtl")), unit="mm")
    assert any("gone.mtl" in w for w in part.report["warnings"])


def damaged(change) -> bytes:
    value, body = files.gltf(METRES, [{"mesh": 0}])
    change(value)
    return files.glb_bytes(value, body)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v["nodes"].__setitem__(0, {"mesh": 7}),
        lambda v: v["nodes"].__setitem__(0, {"mesh": 0, "children": [0]}),
        lambda v: v["nodes"].__setitem__(0, {"mesh": 0, "matrix": [1, 2, 3]}),
        lambda v: v["nodes"].__setitem__(0, {"mesh": 0, "rotation": "up"}),
        lambda v: v["nodes"].__setitem__(0, {"mesh": 0, "scale": [float("inf"), 1, 1]}),
        lambda v: v["accessors"][0].update(count=10**9),
        lambda v: v["accessors"][0].update(byteOffset=-400),
        lambda v: v["accessors"][0].update(componentType=1),
        lambda v: v["accessors"][0].update(type="VEC2"),
        lambda v: v["accessors"][1].update(bufferView=9),
        lambda v: v["accessors"][1].update(componentType=5126),
        lambda v: v["bufferViews"][0].update(byteStride=1),
        lambda v: v["buffers"][0].update(uri="data:application/octet-stream;base64,@@@"),
        lambda v: v["meshes"][0]["primitives"][0].update(material=4),
        lambda v: v["asset"].update(version="1.0"),
        lambda v: v.update(extensionsRequired=["KHR_draco_mesh_compression"]),
        lambda v: v.update(nodes={}),
        lambda v: v.update(scene=5),
    ],
)
def test_damaged_gltf_is_an_input_error(tmp_path: Path, change) -> None:
    refused(put(tmp_path / "d.glb", damaged(change)), "d.glb")


def test_faces_that_name_missing_vertices(tmp_path: Path) -> None:
    refused(put(tmp_path / "m.obj", files.obj_text(BOX) + "f 1 2 999\n"), "missing vertices", unit="mm")
    refused(put(tmp_path / "z.obj", files.obj_text(BOX) + "f 0 1 2\n"), "line", unit="mm")
    refused(put(tmp_path / "w.obj", files.obj_text(BOX) + "v one two three\n"), "line", unit="mm")
    data = files.ply_bytes(BOX, "ascii").replace(b"3 33 34 35", b"3 33 34 350")
    refused(put(tmp_path / "m.ply", data), "missing vert", unit="mm")
    refused(put(tmp_path / "p.obj", "v 0 0 0\nv 1 0 0\n"), "no faces", unit="mm")


def worker(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(kernel, "WORKER", put(folder / "worker.py", code))


def test_a_crash_of_the_kernel_does_not_reach_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(tmp_path, monkeypatch, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    refused(EXAMPLES / "stepped_shaft.step", r"crashed on stepped_shaft.step \(signal 11\)")
    worker(tmp_path, monkeypatch, "raise MemoryError('out of memory')\n")
    refused(EXAMPLES / "stepped_shaft.step", "out of memory")


def test_a_kernel_that_hangs_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker(tmp_path, monkeypatch, "import time\ntime.sleep(60)\n")
    started = time.monotonic()
    refused(EXAMPLES / "stepped_shaft.step", "not tessellated after 1 s", timeout_s=1)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("options", [{"tolerance_mm": 0}, {"tolerance_mm": -1}, {"smooth_angle_deg": 0}])
def test_impossible_options(options: dict[str, float]) -> None:
    refused(EXAMPLES / "stepped_shaft.step", next(iter(options)), **options)


def test_a_region_that_matches_nothing_lists_what_there_is(housing) -> None:
    with pytest.raises(InputError, match="planar, cylindrical") as caught:
        housing.select("machined")
    assert "region 'machined' matches nothing" in caught.value.given
