"""A reconstruction as files: for Blender and other tools (GLB, OBJ, PLY, PNG, EXR), and for the rest of Flawsmith (npz,
JSON)."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from core.errors import InputError, RecipeError
from core.files import atomic_path, sha256_file, write_bytes, write_json
from core.models import FileModel, parse
from recon import model_files
from recon.capture.model import Capture
from recon.confidence import confidence
from recon.result import Reconstruction
from recon.verdict import Verdict

if TYPE_CHECKING:
    from recon.bake import Maps

REPORT = "reconstruction.json"
ARRAYS = "part.npz"
AGAIN = "reconstruct again, into another folder or after deleting this one"


@dataclass(frozen=True, eq=False)
class Saved:
    """What `read` gives back. vertices (n, 3) metres (or the capture's unit), faces (m, 3), albedo (n, 3) linear,
    roughness, metallic, confidence (n,), uv (m, 3, 2) of the maps. maps: name -> image file. facts: what
    reconstruction.json holds."""

    vertices: np.ndarray
    faces: np.ndarray
    albedo: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    confidence: np.ndarray
    uv: np.ndarray
    maps: Mapping[str, Path]
    facts: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        return Verdict.model_validate(self.facts["verdict"])


def save(
    out: Path,
    capture: Capture,
    found: Reconstruction,
    verdict: Verdict,
    provenance: Mapping[str, Any],
    maps: Maps,
    measured: Mapping[str, Any] | None = None,
) -> Path:
    """Write the part, its maps, its light and, last, reconstruction.json into `out`; docs/reconstruction.md lists them.

    A refused reconstruction is written too, to be looked at. measured: what else was found out about it.
    """
    save_model(Path(out), found, maps)
    save_facts(Path(out), capture, found, verdict, provenance, maps, measured)
    return Path(out)


def save_facts(
    out: Path,
    capture: Capture,
    found: Reconstruction,
    verdict: Verdict,
    provenance: Mapping[str, Any],
    maps: Maps,
    measured: Mapping[str, Any] | None = None,
) -> None:
    """reconstruction.json beside what `save_model` wrote."""
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
            "maps": {**maps.facts, "sha256": {n: sha256_file(out / n) for n in model_files.images(maps)}},
            "fit": dict(found.facts),
            "measured": dict(measured or {}),
            "history": [dict(h) for h in found.history],
            "provenance": dict(provenance),
        },
    )  # fmt: skip


def save_model(out: Path, found: Reconstruction, maps: Maps) -> None:
    """All files but reconstruction.json, which makes a folder a finished reconstruction."""
    trust = confidence(found)
    for name, image in model_files.images(maps).items():
        write_bytes(out / name, model_files.png(image))
    write_bytes(out / "part.glb", model_files.glb(found, maps))
    write_bytes(out / "part.obj", model_files.obj(found, maps))
    write_bytes(out / "part.mtl", model_files.mtl(maps))
    write_bytes(out / "part.ply", model_files.ply(found))
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, vertices=found.vertices, faces=found.faces, albedo=found.albedo.astype(np.float32),
        roughness=found.roughness.astype(np.float32), metallic=found.metallic.astype(np.float32), confidence=trust,
        uv=maps.atlas.uv.astype(np.float32),
    )  # fmt: skip
    write_bytes(out / ARRAYS, buffer.getvalue())
    _exr(out / "environment.exr", found.environment)


class _Capture(FileModel, extra="ignore"):
    name: str
    sha256: str
    metric: bool
    scale_from: str


class _Maps(FileModel, extra="ignore"):
    sha256: dict[str, str]


class _Provenance(FileModel, extra="ignore"):
    asked: dict[str, Any] = Field(default_factory=dict)


class _Facts(FileModel, extra="ignore"):
    """What others look up in reconstruction.json."""

    capture: _Capture
    maps: _Maps
    verdict: Verdict
    provenance: _Provenance


def read(folder: Path) -> Saved:
    """A saved reconstruction. InputError where a file is missing or not the one that `save` wrote."""
    folder = Path(folder)
    for name in (REPORT, ARRAYS):
        if not (folder / name).is_file():
            raise InputError(f"{folder} has no {name}", "a folder made by flawsmith reconstruct", AGAIN)
    try:
        facts = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise ValueError(f"{REPORT} holds a {type(facts).__name__}")
        hashes = parse(_Facts, facts, REPORT).maps.sha256
        if strange := [n for n in hashes if n not in model_files.NAMES]:
            raise ValueError(f"{REPORT} lists a map '{strange[0]}'")
        maps = {name.removesuffix(".png"): folder / name for name in hashes}
        saved = Saved(*_arrays(folder / ARRAYS), maps=maps, facts=facts)
        changed = [p for p in maps.values() if sha256_file(p) != hashes[p.name]]
    except (ValueError, OSError, RecursionError, RecipeError) as error:
        why = error.given if isinstance(error, RecipeError) else error
        raise InputError(f"{folder} cannot be read ({why})", "the files of flawsmith reconstruct", AGAIN) from error
    if not _one_mesh(saved):
        raise InputError(f"{folder / ARRAYS} holds arrays that do not fit together", "one mesh", AGAIN)
    if changed:
        raise InputError(f"{changed[0]} has been changed", "the map that was baked", AGAIN)
    return saved


def _arrays(path: Path) -> list[np.ndarray]:
    """In the order of `Saved`. ValueError where they cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[f.name] for f in fields(Saved) if f.name not in ("maps", "facts")]
    except Exception as error:  # zipfile, its decompressors and NumPy raise a dozen kinds for damaged files
        raise ValueError(f"{path.name}: {error or type(error).__name__}") from error


def _one_mesh(saved: Saved) -> bool:
    """Numbers of the right shapes, and corners that exist."""
    faces, n, m = saved.faces, saved.vertices.shape[:1], saved.faces.shape[:1]
    shapes = {"vertices": (*n, 3), "albedo": (*n, 3), "roughness": n, "metallic": n, "confidence": n, "uv": (*m, 3, 2)}
    for name, shape in shapes.items():
        array = getattr(saved, name)
        if array.dtype.kind != "f" or array.shape != shape or not np.isfinite(array).all():
            return False
    if faces.dtype.kind not in "iu" or faces.shape != (*m, 3) or not faces.size:
        return False
    return bool(faces.min() >= 0 and faces.max() < len(saved.vertices))


def _exr(path: Path, radiance: np.ndarray) -> None:
    """(h, w, 3) linear as half float, equirectangular, room frame, in Blender's layout: the azimuth falls from 180
    degrees at the left to -180 at the right."""
    import OpenImageIO

    oiio: Any = OpenImageIO
    h, w, channels = radiance.shape
    with atomic_path(path) as temporary:
        made = oiio.ImageOutput.create(str(temporary))
        spec = oiio.ImageSpec(w, h, channels, "half")
        pixels = np.ascontiguousarray(radiance[:, ::-1], np.float32)
        if made is None or not (made.open(str(temporary), spec) and made.write_image(pixels) and made.close()):
            reason = oiio.geterror() if made is None else made.geterror()
            raise InputError(f"{path} cannot be written ({reason})", "a writable folder with free space", "make room")
