"""A part file in, a Part out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.files import sha256_bytes, sha256_file, sha256_json
from core.mesh import NORMAL, Mesh
from core.part import Part
from parts import features, gltf, iges, obj, ply, step, stl
from parts.limits import MAX_FACES, refuse_many_faces
from parts.patches import corner_normals, facing, patches, smooth_edges
from parts.raw import Raw
from parts.repair import repaired
from parts.report import describe
from parts.skin import appearance, maps_of, painted
from parts.sniff import sniffed
from parts.topology import edges_of
from parts.units import Scale, Unit

CAD = {".step": "step", ".stp": "step", ".p21": "step", ".igs": "iges", ".iges": "iges"}
MESH = {".stl": "stl", ".obj": "obj", ".ply": "ply", ".glb": "gltf", ".gltf": "gltf"}


def load(
    path: Path | str,
    *,
    unit: Unit | None = None,
    tolerance_mm: float = 0.05,
    smooth_angle_deg: float = 30.0,
    max_faces: int = MAX_FACES,
    name: str | None = None,
    timeout_s: float = 300.0,
) -> Part:
    """Read STEP, IGES, STL, OBJ (+MTL), PLY or glTF into one welded, oriented mesh in metres with named regions.

    unit: of the file's numbers ("mm", "cm", "m", "inch", "um", "ft", or metres as a float): needed for STL, OBJ and
    PLY, overrides the file elsewhere. tolerance_mm: greatest chord error of CAD tessellation. smooth_angle_deg: edges
    that turn by less are smooth. max_faces: refuse more triangles. timeout_s: for the CAD kernel.
    Raises InputError, UnitError or GeometryError, each one sentence.
    """
    path = Path(path)
    kind = _kind(path, tolerance_mm, smooth_angle_deg)
    raw, scale = _read(path, kind, unit, tolerance_mm, max_faces, timeout_s)
    refuse_many_faces(len(raw.faces), path.name, max_faces)
    metric = raw.scaled(scale.metres).numbered()
    clean, repairs = repaired(metric, path.name)
    mesh = _mesh(clean, np.deg2rad(smooth_angle_deg))
    if raw.skin:
        mesh = painted(mesh, clean, raw.skin, metric.vertices[metric.faces])
    found = features.find(mesh)
    options = {"unit": unit, "tolerance_mm": tolerance_mm, "smooth_angle_deg": smooth_angle_deg}
    hashes = [sha256_file(p) for p in (path, *clean.files)]
    title = name or path.stem
    return Part(
        name=title,
        mesh=mesh,
        sha256=sha256_bytes(("".join(hashes) + sha256_json(options)).encode()),
        source=path.name,
        solid_names=clean.solid_names,
        colours=clean.colours,
        regions=features.regions(clean, mesh, found),
        maps=maps_of(raw.skin),
        report={
            **describe(title, path.name, kind, mesh, clean, scale, repairs, found, options), **appearance(raw.skin)
        },
    )  # fmt: skip


def _kind(path: Path, tolerance_mm: float, smooth_angle_deg: float) -> str:
    """The format by extension, after checks that need no reading."""
    if path.is_dir():
        raise InputError(f"{path} is a folder", "a part file", "name the file in it")
    if not path.is_file():
        raise InputError(f"{path} does not exist", "a part file", "check the path")
    kind = (CAD | MESH).get(path.suffix.lower())
    if kind is None:
        known = ", ".join([*CAD, *MESH])
        raise InputError(f"{path.name} has extension '{path.suffix}'", f"one of {known}", "export it in one of these")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty", f"a {kind.upper()} file", "export or copy it again")
    held = sniffed(path)
    if held not in (kind, None):
        raise InputError(f"{path.name} is named as {kind.upper()} but holds {held.upper()}", "a true name", "rename it")
    if not 1e-4 <= tolerance_mm <= 100:
        raise InputError(f"tolerance_mm is {tolerance_mm}", "0.0001 to 100 mm", "correct tolerance_mm")
    if not 0 < smooth_angle_deg < 180:
        raise InputError(f"smooth_angle_deg is {smooth_angle_deg}", "more than 0 and less than 180", "correct it")
    return kind


def _read(
    path: Path, kind: str, unit: Unit | None, tolerance_mm: float, max_faces: int, timeout_s: float
) -> tuple[Raw, Scale]:
    if kind == "step":
        return step.read_step(path, unit, tolerance_mm, max_faces, timeout_s)
    if kind == "iges":
        return iges.read_iges(path, unit, tolerance_mm, max_faces, timeout_s)
    readers: dict[str, Callable[[Path, Unit | None, int], tuple[Raw, Scale]]] = {
        "stl": stl.read_stl,
        "obj": obj.read_obj,
        "ply": ply.read_ply,
        "gltf": gltf.read_file,
    }
    return readers[kind](path, unit, max_faces)


def _mesh(raw: Raw, smooth_rad: float) -> Mesh:
    """The core mesh: patches, shading normals and labels on the repaired triangles."""
    edges = edges_of(raw.faces)
    known = None if raw.normals is None else facing(raw.normals, raw.vertices, raw.faces)
    bare = Mesh(raw.vertices, raw.faces)
    smooth = smooth_edges(edges, bare.face_normals, known, smooth_rad)
    normals = corner_normals(raw.vertices, raw.faces, edges, smooth, known)
    labels = {
        "patch": patches(edges, smooth, len(raw.faces)),
        "solid": raw.solid,
        "cad_face": raw.labels("cad_face"),
        "colour": raw.labels("colour"),
    }
    return Mesh(raw.vertices, raw.faces, {NORMAL: normals}, labels)
