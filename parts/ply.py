"""PLY (Turk 1994), ASCII and binary of both byte orders: vertices, polygons and face colours; no unit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.colour import linear_from_srgb
from core.errors import InputError
from parts.limits import refuse_many_faces
from parts.polygons import triangulated
from parts.raw import Raw
from parts.units import Scale, Unit, asked

_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}


@dataclass
class _Element:
    """properties: (name, type, type of the count when it is a list)."""

    name: str
    count: int
    properties: list[tuple[str, str, str | None]]


def read_ply(path: Path, unit: Unit | None, max_faces: int) -> tuple[Raw, Scale]:
    """Polygons as triangles, in file units."""
    with path.open("rb") as stream:
        order, elements, start = _header(stream.read(65536), path.name)
    faces_claimed = sum(e.count for e in elements if e.name == "face")
    refuse_many_faces(faces_claimed, path.name, max_faces)
    if any(e.name == "tristrips" for e in elements):
        raise InputError(f"{path.name} stores triangle strips", "a PLY file with faces", "export it with faces")
    data = path.read_bytes()[start:]
    values = _ascii(data, elements, path.name) if order == "" else _binary(data, elements, order, path.name)
    raw = _raw(values, path)
    return raw, asked(unit, raw.vertices[np.isfinite(raw.vertices).all(1)], path.name, "PLY")


def _broken(name: str, why: str) -> InputError:
    return InputError(f"{name} is truncated or damaged ({why})", "a complete PLY file", "export or copy it again")


def _header(data: bytes, name: str) -> tuple[str, list[_Element], int]:
    """Byte order ('' for ASCII), elements, and where the body begins."""
    end = data.find(b"end_header")
    if not data.startswith(b"ply") or end < 0:
        raise _broken(name, "no PLY header")
    start = data.find(b"\n", end) + 1
    if start == 0:
        raise _broken(name, "nothing after the header")
    order, elements = None, []
    for line in data[:end].decode("ascii", "replace").splitlines():
        words = line.split()
        try:
            if words[:1] == ["format"]:
                order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
            elif words[:1] == ["element"]:
                elements.append(_Element(words[1], int(words[2]), []))
            elif words[:2] == ["property", "list"]:
                elements[-1].properties.append((words[4], _TYPES[words[3]], _TYPES[words[2]]))
            elif words[:1] == ["property"]:
                elements[-1].properties.append((words[2], _TYPES[words[1]], None))
        except (KeyError, IndexError, ValueError) as error:
            raise _broken(name, f"header line '{line.strip()[:60]}'") from error
    if order is None or any(e.count < 0 for e in elements):
        raise _broken(name, "no format or a negative count")
    return order, elements, start


def _binary(data: bytes, elements: list[_Element], order: str, name: str) -> dict[str, dict[str, object]]:
    values: dict[str, dict[str, object]] = {}
    at = 0
    for element in elements:
        least = sum(np.dtype(c or t).itemsize for _, t, c in element.properties)
        if at + least * element.count > len(data):
            raise _broken(name, f"{element.count:,} of '{element.name}' do not fit in {len(data)} bytes")
        if not any(c for _, _, c in element.properties):
            dtype = np.dtype([(n, order + t) for n, t, _ in element.properties])
            table = np.frombuffer(data, dtype, element.count, at)
            values[element.name] = {n: table[n] for n, _, _ in element.properties}
            at += dtype.itemsize * element.count
        else:
            values[element.name], at = _lists(data, at, element, order, name)
    return values


def _lists(data: bytes, at: int, element: _Element, order: str, name: str) -> tuple[dict[str, object], int]:
    """An element with lists: at one stroke when all lists are as long as the first ones, else row by row."""
    widths = _first_widths(data, at, element, order) if element.count else []
    fields = []
    for (title, kind, counter), width in zip(element.properties, widths, strict=True):
        fields += (
            [(f"#{title}", order + counter), (title, order + kind, (width,))] if counter else [(title, order + kind)]
        )
    dtype = np.dtype(fields)
    if element.count and at + dtype.itemsize * element.count <= len(data):
        table = np.frombuffer(data, dtype, element.count, at)
        if all((table[f"#{t}"] == w).all() for (t, _, c), w in zip(element.properties, widths, strict=True) if c):
            return {t: table[t] for t, _, _ in element.properties}, at + dtype.itemsize * element.count
    result: dict[str, list[object]] = {t: [] for t, _, _ in element.properties}
    for _ in range(element.count):
        for title, kind, counter in element.properties:
            count, single = 1, np.dtype(order + kind)
            if counter:
                head = np.dtype(order + counter)
                if at + head.itemsize > len(data):
                    raise _broken(name, f"'{element.name}' ends early")
                count = int(np.frombuffer(data, head, 1, at)[0])
                at += head.itemsize
            if count < 0 or at + single.itemsize * count > len(data):
                raise _broken(name, f"'{element.name}' ends early")
            row = np.frombuffer(data, single, count, at)
            at += single.itemsize * count
            result[title].append(row if counter else row[0])
    return dict(result), at


def _first_widths(data: bytes, at: int, element: _Element, order: str) -> list[int]:
    widths = []
    for _, kind, counter in element.properties:
        width = 1
        if counter and at + np.dtype(counter).itemsize <= len(data):
            width = max(int(np.frombuffer(data, order + counter, 1, at)[0]), 0)
            at += np.dtype(counter).itemsize
        at += np.dtype(kind).itemsize * width
        widths.append(width)
    return widths


def _ascii(data: bytes, elements: list[_Element], name: str) -> dict[str, dict[str, object]]:
    lines = data.decode("ascii", "replace").splitlines()
    lines = [line for line in lines if line.strip()]
    if sum(e.count for e in elements) > len(lines):
        raise _broken(name, f"{len(lines)} lines for {sum(e.count for e in elements)} records")
    values: dict[str, dict[str, object]] = {}
    at = 0
    for element in elements:
        table: dict[str, list[object]] = {t: [] for t, _, _ in element.properties}
        for line in lines[at : at + element.count]:
            words = line.split()
            try:
                for title, kind, counter in element.properties:
                    count = int(words.pop(0)) if counter else 1
                    taken, words = words[:count], words[count:]
                    if len(taken) < count:
                        raise ValueError("too few numbers")
                    row = [float(w) for w in taken] if kind[0] == "f" else [int(w) for w in taken]
                    table[title].append(row if counter else row[0])
            except (ValueError, IndexError) as error:
                raise _broken(name, f"line '{line.strip()[:60]}'") from error
        at += element.count
        values[element.name] = dict(table)
    return values


def _raw(values: dict[str, dict[str, object]], path: Path) -> Raw:
    vertex, face = values.get("vertex", {}), values.get("face", {})
    if not {"x", "y", "z"} <= set(vertex):
        raise _broken(path.name, "vertices have no x, y, z")
    points = np.stack([np.asarray(vertex[k], np.float64) for k in "xyz"], 1)
    rings = face.get("vertex_indices", face.get("vertex_index", ()))
    if len(rings) == 0:  # type: ignore[arg-type]
        raise InputError(f"{path.name} holds points without faces", "a surface", "mesh the point cloud first")
    if isinstance(rings, np.ndarray) and rings.shape[1] == 3:
        faces, owner = rings.astype(np.int64), np.arange(len(rings))
    else:
        polygons = [list(map(int, r)) for r in rings]  # type: ignore[attr-defined, call-overload]
        if any(not 0 <= i < len(points) for r in polygons for i in r):
            raise _broken(path.name, "a face names a missing vertex")
        faces, owner = triangulated([r for r in polygons if len(r) >= 3], points)
        kept = np.flatnonzero([len(r) >= 3 for r in polygons])
        owner = kept[owner] if len(owner) else owner
    colour, colours = None, ()
    if {"red", "green", "blue"} <= set(face):
        rgb = np.stack([np.asarray(face[k], np.float64) for k in ("red", "green", "blue")], 1)[owner]
        rgb = rgb / 255 if rgb.max(initial=0) > 1 else rgb
        table, colour = np.unique(np.round(rgb, 4), axis=0, return_inverse=True)
        colours = tuple((float(r), float(g), float(b)) for r, g, b in linear_from_srgb(table))
        colour = colour.reshape(-1)
    return Raw(points, faces, (path.stem,), np.zeros(len(faces), int), colour=colour, colours=colours)
