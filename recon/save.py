"""A reconstruction as files: for Blender and other tools (GLB, PLY, EXR), and for the rest of Flawsmith (npz, JSON)."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb
from trimesh.visual import ColorVisuals

from core.colour import srgb_from_linear
from core.errors import InputError
from core.files import atomic_path, write_bytes, write_json
from recon.capture.model import Capture
from recon.confidence import confidence
from recon.result import Reconstruction
from recon.verdict import Verdict

REPORT = "reconstruction.json"
ARRAYS = "part.npz"


@dataclass(frozen=True, eq=False)
class Saved:
    """What `read` gives back. vertices (n, 3) metres (or the capture's unit), faces (m, 3), albedo (n, 3) linear,
    roughness, metallic, confidence (n,). facts: reconstruction.json."""

    vertices: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    confidence: np.ndarray
    facts: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        return Verdict.model_validate(self.facts["verdict"])


def save(out: Path, capture: Capture, found: Reconstruction, verdict: Verdict, provenance: Mapping[str, Any]) -> Path:
    """Write part.glb, part.ply, part.npz, environment.exr and, last, reconstruction.json into `out`.

    part.glb: metres, +Y up as glTF has it (x, y, z of the part becomes x, z, -y), colours per vertex (linear, as the
    format says), one metallic-roughness material. A refused reconstruction is written too, to be looked at.
    """
    out = Path(out)
    trust = confidence(found)
    write_bytes(out / "part.glb", _glb(found))
    write_bytes(out / "part.ply", _ply(found))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, vertices=found.vertices, faces=found.faces, albedo=found.albedo.astype(np.float32),
        roughness=found.roughness.astype(np.float32), metallic=found.metallic.astype(np.float32), confidence=trust,
    )  # fmt: skip
    write_bytes(out / ARRAYS, buffer.getvalue())
    _exr(out / "environment.exr", found.environment)
    write_json(
        out / REPORT,
        {
            "capture": {"name": capture.name, "sha256": capture.sha256, "light": capture.light,
                        "metric": capture.metric, "scale_from": capture.scale_from, "notes": list(capture.notes)},
            "verdict": verdict.model_dump(mode="json"),
            "size_mm": [round(float(v) * 1e3, 4) for v in found.vertices.max(0) - found.vertices.min(0)],
            "material": {"roughness": float(np.median(found.roughness)), "metallic": float(np.median(found.metallic))},
            "cameras": [
                {"view": v.name, "held_out": v.held_out, "camera_from_part": pose.round(9).tolist(),
                 "intrinsics": v.intrinsics.round(6).tolist()}
                for v, pose in zip(capture.views, found.camera_from_part, strict=True)
            ],
            "fit": dict(found.facts),
            "history": [dict(h) for h in found.history],
            "provenance": dict(provenance),
        },
    )  # fmt: skip
    return out


def read(folder: Path) -> Saved:
    """A saved reconstruction. InputError where a file is missing or not what `save` writes."""
    folder = Path(folder)
    for name in (REPORT, ARRAYS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} has no {name}", "a folder made by flawsmith reconstruct", "reconstruct again")
    try:
        facts = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            names = ("vertices", "faces", "albedo", "roughness", "metallic", "confidence")
            saved = Saved(*(arrays[n] for n in names), facts=facts)
    except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder} cannot be read ({error})", "the files of flawsmith reconstruct", "reconstruct again"
        ) from error
    n = len(saved.vertices)
    right = saved.faces.ndim == 2 and saved.faces.max(initial=0) < n and saved.albedo.shape == (n, 3)
    if not right or not np.isfinite(saved.vertices).all():
        raise InputError(f"{folder / ARRAYS} holds arrays that do not fit together", "one mesh", "reconstruct again")
    return saved


def _glb(found: Reconstruction) -> bytes:
    turned = found.vertices[:, [0, 2, 1]] * [1.0, 1.0, -1.0]
    mesh = trimesh.Trimesh(turned, found.faces, process=False)
    colours = np.c_[np.clip(found.albedo, 0, 1), np.ones(len(turned))]
    mesh.visual = ColorVisuals(mesh, vertex_colors=(colours * 255).round().astype(np.uint8))
    return export_glb(trimesh.Scene(mesh), tree_postprocessor=_material(found))


def _material(found: Reconstruction):
    """Adds the one metallic-roughness material that multiplies the vertex colours."""

    def change(tree: dict[str, Any]) -> None:
        tree["materials"] = [
            {
                "name": "captured",
                "pbrMetallicRoughness": {
                    "baseColorFactor": [1.0, 1.0, 1.0, 1.0],
                    "metallicFactor": float(np.median(found.metallic)),
                    "roughnessFactor": float(np.median(found.roughness)),
                },
            }
        ]
        for mesh in tree["meshes"]:
            for primitive in mesh["primitives"]:
                primitive["material"] = 0

    return change


def _ply(found: Reconstruction) -> bytes:
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    colours = np.c_[srgb_from_linear(found.albedo), np.ones(len(found.vertices))]
    mesh.visual = ColorVisuals(mesh, vertex_colors=(colours * 255).round().astype(np.uint8))
    exported = mesh.export(file_type="ply")
    assert isinstance(exported, bytes)
    return exported


def _exr(path: Path, radiance: np.ndarray) -> None:
    """(h, w, 3) linear as half float, equirectangular, room frame."""
    import OpenImageIO

    oiio: Any = OpenImageIO
    h, w, channels = radiance.shape
    with atomic_path(path) as temporary:
        made = oiio.ImageOutput.create(str(temporary))
        spec = oiio.ImageSpec(w, h, channels, "half")
        pixels = np.ascontiguousarray(radiance, np.float32)
        if made is None or not (made.open(str(temporary), spec) and made.write_image(pixels) and made.close()):
            reason = oiio.geterror() if made is None else made.geterror()
            raise InputError(f"{path} cannot be written ({reason})", "a writable folder with free space", "make room")
