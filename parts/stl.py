"""STL, binary and ASCII (3D Systems 1988): bare triangles without unit; the ASCII form may name several solids."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from core.errors import InputError
from parts.limits import refuse_many_faces
from parts.raw import Raw, distinct
from parts.units import Scale, Unit, asked

_RECORD = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE)
_SOLID = re.compile(rb"^[ \t]*solid\b([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def read_stl(path: Path, unit: Unit | None, max_faces: int) -> tuple[Raw, Scale]:
    """Triangles in file units. The binary form is told by its length, since binary headers may begin with 'solid'."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(84)
    claimed = int.from_bytes(head[80:84], "little") if len(head) == 84 else -1
    ascii_like = head.lstrip()[:5].lower() == b"solid"
    if ascii_like and size != 84 + 50 * claimed:
        raw = _ascii(path, max_faces)
    else:
        raw = _binary(path, size, claimed, max_faces)
    return raw, asked(unit, raw.vertices[np.isfinite(raw.vertices).all(1)], path.name, "STL")


def _binary(path: Path, size: int, claimed: int, max_faces: int) -> Raw:
    if claimed < 0:
        raise InputError(f"{path.name} holds only {size} bytes", "an STL file", "export or copy it again")
    if size < 84 + 50 * claimed:
        raise InputError(
            f"{path.name} is truncated or not STL ({size} bytes for {claimed:,} triangles)",
            f"{84 + 50 * claimed:,} bytes",
            "export or copy it again",
        )
    refuse_many_faces(claimed, path.name, max_faces)
    if claimed == 0:
        raise InputError(f"{path.name} holds no triangles", "at least one surface", "export the solid again")
    records = np.fromfile(path, _RECORD, claimed, offset=84)
    points = records["points"].reshape(-1, 3).astype(np.float64)
    notes = (f"{size - 84 - 50 * claimed} bytes after the last triangle ignored",) if size > 84 + 50 * claimed else ()
    return Raw(points, np.arange(len(points)).reshape(-1, 3), (path.stem,), np.zeros(claimed, int), notes=notes)


def _ascii(path: Path, max_faces: int) -> Raw:
    # the shortest possible facet takes about 70 bytes: a size that cannot be within the limit need not be read
    refuse_many_faces(path.stat().st_size // 400, path.name, max_faces)
    data = path.read_bytes()
    refuse_many_faces(data.lower().count(b"endfacet"), path.name, max_faces)
    starts = list(_SOLID.finditer(data))
    bounds = [m.start() for m in starts[1:]] + [len(data)]
    points, solid, names = [], [], []
    for match, end in zip(starts, bounds, strict=True):
        body = data[match.end() : end]
        triangles = _facets(body, path.name)
        if not len(triangles):
            continue
        points.append(triangles)
        solid.append(np.full(len(triangles) // 3, len(names)))
        names.append(match.group(1).decode("utf-8", "replace").strip() or path.stem)
    if not points:
        raise InputError(f"{path.name} holds no triangles", "at least one surface", "export the solid again")
    vertices = np.concatenate(points)
    return Raw(vertices, np.arange(len(vertices)).reshape(-1, 3), distinct(names), np.concatenate(solid))


def _facets(body: bytes, name: str) -> np.ndarray:
    """(3 f, 3) points of one solid's text."""
    lower = body.lower()
    found = _VERTEX.findall(body)
    complete = lower.count(b"endfacet") * 3 == len(found) == lower.count(b"vertex") and b"endsolid" in lower
    if not complete:
        raise InputError(f"{name} is truncated or damaged", "ASCII STL up to 'endsolid'", "export or copy it again")
    try:
        return np.array(found, dtype="S32").astype(np.float64).reshape(-1, 3)
    except ValueError as error:
        raise InputError(f"{name} has a vertex that is not three numbers", "numbers", "export it again") from error
