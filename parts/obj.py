"""Wavefront OBJ with MTL: objects or groups as solids, materials with their diffuse colour; no unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.colour import linear_from_srgb
from core.errors import InputError
from parts.container import beside
from parts.limits import refuse_many_faces
from parts.polygons import triangulated
from parts.raw import Raw, distinct
from parts.units import Scale, Unit, asked

_TEXTURES = ("map_", "bump", "disp", "decal", "norm", "refl")


@dataclass
class _Scanned:
    points: list[tuple[float, float, float]] = field(default_factory=list)
    rings: list[list[int]] = field(default_factory=list)
    solid: list[int] = field(default_factory=list)
    material: list[int] = field(default_factory=list)
    solids: dict[str, int] = field(default_factory=dict)
    materials: dict[str, int] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)


def read_obj(path: Path, unit: Unit | None, max_faces: int) -> tuple[Raw, Scale]:
    """Polygons as triangles, in file units. Solids are objects (`o`), or groups (`g`) where there are no objects."""
    refuse_many_faces(path.stat().st_size // 100, path.name, max_faces)
    scanned = _scan(path, max_faces)
    points = np.array(scanned.points, np.float64).reshape(-1, 3)
    if not scanned.rings:
        raise InputError(f"{path.name} holds no faces", "a surface", "export the mesh again")
    if max(map(max, scanned.rings)) >= len(points) or min(map(min, scanned.rings)) < 0:
        raise InputError(f"{path.name} has faces that name missing vertices", "a complete OBJ file", "export it again")
    faces, owner = triangulated(scanned.rings, points)
    refuse_many_faces(len(faces), path.name, max_faces)
    palette, files, notes = _palette(path, scanned.libraries)
    table = list(dict.fromkeys(palette.values()))
    lookup = np.array([*(table.index(palette[m]) if m in palette else -1 for m in scanned.materials), -1])
    material = np.array(scanned.material)[owner]
    used, solid = np.unique(np.array(scanned.solid)[owner], return_inverse=True)
    names = list(scanned.solids)
    raw = Raw(
        vertices=points,
        faces=faces,
        solid_names=distinct([names[i] or path.stem for i in used.tolist()]),
        solid=solid,
        colour=lookup[material],
        colours=tuple(table),
        material=material,
        material_names=tuple(scanned.materials),
        files=tuple(files),
        notes=tuple(notes),
    )
    return raw, asked(unit, points[np.isfinite(points).all(1)], path.name, "OBJ")


def _scan(path: Path, max_faces: int) -> _Scanned:
    out = _Scanned(solids={"": 0})
    has_objects = False
    solid, material = 0, -1
    text = path.read_bytes()
    if b"\0" in text[:4096]:
        raise InputError(f"{path.name} is binary", "OBJ text", "check what the file really is")
    for number, line in enumerate(text.decode("utf-8", "replace").replace("\\\n", " ").splitlines(), 1):
        key, _, rest = line.strip().partition(" ")
        try:
            if key == "v":
                x, y, z = rest.split()[:3]
                out.points.append((float(x), float(y), float(z)))
            elif key == "f":
                ring = [int(w.partition("/")[0]) for w in rest.split()]
                if len(ring) < 3 or 0 in ring:
                    raise ValueError("a face needs three vertices, counted from 1")
                out.rings.append([i - 1 if i > 0 else len(out.points) + i for i in ring])
                out.solid.append(solid)
                out.material.append(material)
            elif key in ("o", "g"):
                if key == "o" and not has_objects:
                    has_objects = True
                if key == "o" or not has_objects:
                    solid = out.solids.setdefault(rest.strip(), len(out.solids))
            elif key == "usemtl":
                material = out.materials.setdefault(rest.strip(), len(out.materials))
            elif key == "mtllib":
                out.libraries.append(rest.strip())
        except ValueError as error:
            given = f"{path.name} line {number} is '{line.strip()[:60]}'"
            raise InputError(given, "OBJ with numbers in its v and f lines", "export it again") from error
        if len(out.rings) > max_faces:
            refuse_many_faces(len(out.rings), path.name, max_faces)
    return out


def _palette(path: Path, libraries: list[str]) -> tuple[dict[str, tuple[float, float, float]], list[Path], list[str]]:
    """Material name -> linear diffuse colour, the MTL files read, and notes on those that are missing."""
    palette: dict[str, tuple[float, float, float]] = {}
    files, notes = [], []
    for library in dict.fromkeys(libraries):
        place = beside(path.parent, library, path.name)
        if not place.is_file():
            notes.append(f"material file '{library}' is missing: colours are unknown")
            continue
        files.append(place)
        current = None
        for line in place.read_text("utf-8", "replace").splitlines():
            key, _, rest = line.strip().partition(" ")
            if key == "newmtl":
                current = rest.strip()
            elif key == "Kd" and current is not None:
                palette[current] = _diffuse(rest, place.name)
            elif key.lower().startswith(_TEXTURES) and rest.split():
                beside(path.parent, rest.split()[-1], place.name)
    return palette, files, notes


def _diffuse(text: str, name: str) -> tuple[float, float, float]:
    """Kd as linear RGB. MTL does not say what its numbers are; they are taken as what a screen shows (sRGB)."""
    try:
        values = [float(v) for v in text.split()[:3]]
        r, g, b = linear_from_srgb(np.array(values if len(values) == 3 else values[:1] * 3)).tolist()
    except ValueError as error:
        raise InputError(f"{name} has 'Kd {text[:40]}'", "three numbers", "correct the material file") from error
    return round(r, 6), round(g, 6), round(b, 6)
