"""A box whose six sides each show a whole picture, written as GLB and as OBJ with MTL."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.parts.files import box_triangles

SIZE_M = (0.04, 0.03, 0.02)
QUARTERS = np.array([[[188, 0, 0], [0, 188, 0]], [[0, 0, 188], [188, 188, 188]]], np.uint8)
"""Red and green above blue and grey; 188 in sRGB is 0.503 of full scale."""
SIDES = {  # outward axis and sign -> (right, up) of the picture seen from outside
    (0, 1): ((0, 1, 0), (0, 0, 1)),
    (0, -1): ((0, -1, 0), (0, 0, 1)),
    (1, 1): ((-1, 0, 0), (0, 0, 1)),
    (1, -1): ((1, 0, 0), (0, 0, 1)),
    (2, 1): ((1, 0, 0), (0, 1, 0)),
    (2, -1): ((1, 0, 0), (0, -1, 0)),
}


def corners() -> tuple[np.ndarray, np.ndarray]:
    """(12, 3, 3) triangles of the box about the origin, metres, +Z up, and (12, 3, 2) uv, origin at the lower left."""
    triangles = box_triangles(SIZE_M, (-SIZE_M[0] / 2, -SIZE_M[1] / 2, -SIZE_M[2] / 2))
    return triangles, true_uv(triangles)


def true_uv(triangles: np.ndarray) -> np.ndarray:
    """(m, 3, 2) uv of corners (m, 3, 3) that lie on the sides of the box, each triangle inside one side."""
    out = np.zeros((len(triangles), 3, 2))
    for i, t in enumerate(triangles):
        normal = np.cross(t[1] - t[0], t[2] - t[0])
        axis = int(np.abs(normal).argmax())
        right, up = SIDES[axis, int(np.sign(normal[axis]))]
        for k, way in enumerate((right, up)):
            along = int(np.abs(way).argmax())
            out[i, :, k] = way[along] * t[:, along] / SIZE_M[along] + 0.5
    return out


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def write_glb(
    path: Path, material: Mapping[str, Any], images: list[bytes | str], *, triangles=None, uv=None, more=None
) -> Path:
    """One mesh with one material. images: bytes are embedded, strings are uris; texture i shows image i.

    triangles, uv: instead of the box's. more: further top-level keys of the JSON.
    """
    t, default = corners()
    t, uv = (t, default) if triangles is None else (triangles, uv)
    points = t.reshape(-1, 3)[:, [0, 2, 1]] * [1, 1, -1]
    marks = np.asarray(uv).reshape(-1, 2) * [1, -1] + [0, 1]
    chunks = [points.astype("<f4").tobytes(), marks.astype("<f4").tobytes()]
    chunks += [i for i in images if isinstance(i, bytes)]
    views, at = [], 0
    for chunk in chunks:
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(chunk)})
        at += len(chunk) + -len(chunk) % 4
    body = b"".join(c + b"\0" * (-len(c) % 4) for c in chunks)
    embedded = iter(range(2, len(chunks)))
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "box"}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "materials": [dict(material)],
        "textures": [{"source": i} for i in range(len(images))],
        "images": [{"uri": i} if isinstance(i, str) else {"bufferView": next(embedded), "mimeType": "image/png"}
                   for i in images],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(points), "type": "VEC3",
             "min": points.min(0).tolist(), "max": points.max(0).tolist()},
            {"bufferView": 1, "componentType": 5126, "count": len(points), "type": "VEC2"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(body)}],
        **(more or {}),
    }  # fmt: skip
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(body))
    path.write_bytes(
        head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    )
    return path


def write_obj(path: Path, mtl: str, images: Mapping[str, bytes]) -> Path:
    """The box in millimetres as `path`, with its MTL and images beside it."""
    triangles, uv = corners()
    lines = ["mtllib box.mtl", "usemtl paint"]
    lines += [f"v {p[0]:.9g} {p[1]:.9g} {p[2]:.9g}" for p in triangles.reshape(-1, 3) * 1e3]
    lines += [f"vt {p[0]:.9g} {p[1]:.9g}" for p in uv.reshape(-1, 2)]
    lines += ["f " + " ".join(f"{3 * i + k}/{3 * i + k}" for k in (1, 2, 3)) for i in range(len(triangles))]
    path.write_text("\n".join(lines) + "\n")
    (path.parent / "box.mtl").write_text("newmtl paint\n" + mtl + "\n")
    for name, data in images.items():
        (path.parent / name).write_bytes(data)
    return path
