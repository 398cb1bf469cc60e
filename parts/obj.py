"""Wavefront OBJ with MTL: objects or groups as solids, materials with their colours and images; no unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.errors import InputError
from parts.limits import refuse_many_faces
from parts.mtl import Library, read_libraries
from parts.polygons import triangulated
from parts.raw import Raw, distinct
from parts.skin import Skin
from parts.units import Scale, Unit, asked


@dataclass
class _Scanned:
    points: list[tuple[float, float, float]] = field(default_factory=list)
    rings: list[list[int]] = field(default_factory=list)
    solid: list[int] = field(default_factory=list)
    material: list[int] = field(default_factory=list)
    solids: dict[str, int] = field(default_factory=dict)
    materials: dict[str, int] = field(default_factory=dict)
    libraries: list[str] = field(default_factory=list)
    coordinates: list[tuple[float, float]] = field(default_factory=list)
    textures: list[list[int]] = field(default_factory=list)


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
    library = read_libraries(path.parent, scanned.libraries, set(scanned.materials), path.name)
    palette = library.palette
    table = list(dict.fromkeys(palette.values()))
    lookup = np.array([*(table.index(palette[m]) if m in palette else -1 for m in scanned.materials), -1])
    material = np.array(scanned.material)[owner]
    used, solid = np.unique(np.array(scanned.solid)[owner], return_inverse=True)
    names = list(scanned.solids)
    skin = _skin(scanned, library, material, owner, faces)
    raw = Raw(
        vertices=points,
        faces=faces,
        solid_names=distinct([names[i] or path.stem for i in used.tolist()]),
        solid=solid,
        colour=lookup[material],
        colours=tuple(table),
        material=material,
        material_names=tuple(scanned.materials),
        files=tuple(library.files),
        notes=(*library.notes, *(n for k in (skin.looks if skin else ()) for n in (*k.notes, *k.faults))),
        skin=skin,
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
            elif key == "vt":
                u, v = (*rest.split()[:2], "0")[:2]
                out.coordinates.append((float(u), float(v)))
            elif key == "f":
                words = [w.split("/") for w in rest.split()]
                ring = [int(w[0]) for w in words]
                if len(ring) < 3 or 0 in ring:
                    raise ValueError("a face needs three vertices, counted from 1")
                out.rings.append([i - 1 if i > 0 else len(out.points) + i for i in ring])
                out.textures.append([_mark(w, len(out.coordinates)) for w in words])
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


def _mark(word: list[str], count: int) -> int:
    """The texture coordinate of a corner such as 3/7/2, counted from 0; -1 where it names none that there is."""
    if len(word) < 2 or not word[1]:
        return -1
    index = int(word[1])
    index = index - 1 if index > 0 else count + index
    return index if 0 <= index < count else -1


def _skin(
    scanned: _Scanned, library: Library, material: np.ndarray, owner: np.ndarray, faces: np.ndarray
) -> Skin | None:
    """None where no face has a material that a library describes."""
    names = list(scanned.materials)
    known = [i for i, n in enumerate(names) if n in library.looks]
    if not known:
        return None
    place = np.full(len(names) + 1, -1)
    place[known] = np.arange(len(known))
    return Skin(tuple(library.looks[names[i]] for i in known), place[material], _coordinates(scanned, owner, faces))


def _coordinates(scanned: _Scanned, owner: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(m, 3, 2) texture coordinates of the triangles cut from each polygon, NaN where it has none."""
    known = np.array([*scanned.coordinates, (np.nan, np.nan)])
    longest = max(map(len, scanned.rings))
    points = np.full((len(scanned.rings), longest), -1)
    marks = np.full((len(scanned.rings), longest), -1)
    for i, (ring, texture) in enumerate(zip(scanned.rings, scanned.textures, strict=True)):
        points[i, : len(ring)], marks[i, : len(ring)] = ring, texture
    at = (points[owner][:, None] == faces[:, :, None]).argmax(2)
    return known[np.take_along_axis(marks[owner], at, axis=1)]
