"""Writers of small part files, whole or damaged, for the tests."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np

RECORD = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attribute", "<u2")])


def box_triangles(size: tuple[float, float, float], corner: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """(12, 3, 3) outward triangles."""
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * size + corner
    return np.array([corners[[q[i] for i in three]] for q in quads for three in ((0, 1, 2), (0, 2, 3))])


def write_stl(path: Path, triangles: np.ndarray, claimed: int | None = None) -> Path:
    """Binary STL; `claimed` is the count in the header when it shall lie."""
    records = np.zeros(len(triangles), RECORD)
    records["points"] = triangles
    count = len(triangles) if claimed is None else claimed
    path.write_bytes(b"\0" * 80 + struct.pack("<I", count) + records.tobytes())
    return path


def stl_text(triangles: np.ndarray, name: str = "box") -> str:
    lines = [f"solid {name}"]
    for t in triangles:
        lines += [" facet normal 0 0 0", "  outer loop"]
        lines += [f"   vertex {p[0]:.9g} {p[1]:.9g} {p[2]:.9g}" for p in t]
        lines += ["  endloop", " endfacet"]
    return "\n".join([*lines, f"endsolid {name}", ""])


def obj_text(triangles: np.ndarray, head: str = "") -> str:
    points = triangles.reshape(-1, 3)
    lines = [head] + [f"v {p[0]:.9g} {p[1]:.9g} {p[2]:.9g}" for p in points]
    return "\n".join(lines + [f"f {3 * i + 1} {3 * i + 2} {3 * i + 3}" for i in range(len(triangles))]) + "\n"


def ply_bytes(triangles: np.ndarray, form: str) -> bytes:
    """PLY in form 'ascii', 'binary_little_endian' or 'binary_big_endian'."""
    points, count = triangles.reshape(-1, 3), len(triangles)
    head = (
        f"ply\nformat {form} 1.0\ncomment test\nelement vertex {3 * count}\nproperty float x\nproperty float y\n"
        f"property float z\nelement face {count}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    faces = np.arange(3 * count).reshape(-1, 3)
    if form == "ascii":
        body = [f"{p[0]:.9g} {p[1]:.9g} {p[2]:.9g}" for p in points] + [f"3 {f[0]} {f[1]} {f[2]}" for f in faces]
        return head + ("\n".join(body) + "\n").encode()
    order = "<" if "little" in form else ">"
    table = np.zeros(count, [("n", "u1"), ("f", order + "i4", 3)])
    table["n"], table["f"] = 3, faces
    return head + points.astype(order + "f4").tobytes() + table.tobytes()


def gltf(
    triangles: np.ndarray, nodes: list[dict], materials: list[dict] | None = None, uri: str | None = None
) -> tuple[dict, bytes]:
    """JSON and buffer of a glTF whose mesh 0, 'body', holds `triangles`; a primitive for each material."""
    points = triangles.reshape(-1, 3).astype("<f4")
    parts = np.array_split(np.arange(len(points)), max(len(materials or []), 1))
    index = np.arange(len(points), dtype="<u4")
    accessors: list[dict] = [{"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3"}]
    primitives = []
    for i, rows in enumerate(parts):
        accessors.append(
            {
                "bufferView": 1,
                "byteOffset": int(rows[0]) * 4,
                "componentType": 5125,
                "count": len(rows),
                "type": "SCALAR",
            }
        )
        primitives.append({"attributes": {"POSITION": 0}, "indices": i + 1, **({"material": i} if materials else {})})
    body = points.tobytes() + index.tobytes()
    value = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": nodes,
        "meshes": [{"name": "body", "primitives": primitives}],
        "accessors": accessors,
        "bufferViews": [
            {"buffer": 0, "byteLength": points.nbytes},
            {"buffer": 0, "byteOffset": points.nbytes, "byteLength": index.nbytes},
        ],
        "buffers": [{"byteLength": len(body), **({"uri": uri} if uri else {})}],
        **({"materials": materials} if materials else {}),
    }
    return value, body


def glb_bytes(value: dict, body: bytes) -> bytes:
    text = json.dumps(value).encode()
    text += b" " * (-len(text) % 4)
    body += b"\0" * (-len(body) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def iges_with(source: Path, target: Path, flag: int, unit: str, largest: float) -> Path:
    """A copy of an IGES file with another unit flag, unit name and largest coordinate in its global section."""
    lines = source.read_text().splitlines()
    text = "".join(line[:72] for line in lines if line[72] == "G")
    before, after = text.split(",1.,2,2HMM,", 1)
    fields = after.split(",")
    place = next(i for i, f in enumerate(fields) if f == "50.")
    fields[place] = f"{largest:g}"
    text = f"{before},1.,{flag},{len(unit)}H{unit}," + ",".join(fields)
    chunks = [text[i : i + 72] for i in range(0, len(text), 72)]
    section = [f"{c:<72}G{i:07d}" for i, c in enumerate(chunks, 1)]
    start = [line for line in lines if line[72] == "S"]
    rest = [line for line in lines if line[72] in "DP"]
    end = [line for line in lines if line[72] == "T"]
    end = [f"S{len(start):07d}G{len(section):07d}" + end[0][16:]]
    target.write_text("\n".join([*start, *section, *rest, *end]) + "\n")
    return target
