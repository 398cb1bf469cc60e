"""IGES 5.3: the unit is read from the global section, because the kernel's GLB writer loses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import InputError, UnitError
from parts import gltf, kernel
from parts.raw import Raw
from parts.units import METRES, Scale, Unit, box_mm, metres_of

_FLAGS = {1: "inch", 2: "mm", 4: "ft", 6: "m", 9: "um", 10: "cm"}
_OTHERS = {5: 1609.344, 7: 1000.0, 8: 2.54e-5, 11: 2.54e-8}
_BY_NAME = {"IN": "inch", "INCH": "inch", "MM": "mm", "FT": "ft", "M": "m", "UM": "um", "CM": "cm"}
_SUSPECT = (25.4, 1 / 25.4, 1000.0, 1e-3, 10.0, 0.1)


@dataclass(frozen=True)
class Globals:
    """What the global section says. largest: greatest coordinate in file units, 0 when not given (field 20)."""

    unit: str
    metres: float
    model_scale: float
    largest: float


def read_iges(
    path: Path, unit: Unit | None, tolerance_mm: float, max_faces: int, timeout_s: float
) -> tuple[Raw, Scale]:
    """Raw in the kernel's millimetres, and the scale to metres, checked against the file's own largest coordinate.

    The kernel converts the file's unit to mm, but its GLB says metres: a factor 1000 that is put right here.
    """
    stated = global_section(path)
    factor, source, notes = 1.0, "file", []
    name = stated.unit
    if unit is not None:
        metres, name = metres_of(unit)
        factor, source = metres / stated.metres, "given"
        if abs(factor - 1) > 1e-9:
            notes.append(f"the file says {stated.unit}, but unit {name} was given and used")
    data = kernel.tessellate(path, "iges", tolerance_mm / factor, timeout_s)
    raw = gltf.read_gltf(data, path.name, None, max_faces, cad=True)
    if unit is None:
        notes += _twice_converted(raw.vertices)
        notes += _reconciled(raw.vertices, stated, path.name)
    return raw, Scale(1e-3 * factor, name, source, tuple(notes))


def _twice_converted(vertices_mm: np.ndarray) -> list[str]:
    """A hint for parts of several metres: converters that take mm for inches write files 25.4 times too large."""
    extent = np.ptp(vertices_mm, axis=0) * 1e-3
    if extent.max() <= 2.0:
        return []
    return [f"if a converter took mm for inches, the part is {box_mm(extent / 25.4)}: then give unit={1e-3 / 25.4:.7g}"]


def _reconciled(vertices_mm: np.ndarray, stated: Globals, name: str) -> list[str]:
    """Compare what the kernel returned with the largest coordinate that the file states; UnitError when they differ by
    the ratio of two units.
    """
    if stated.largest <= 0:
        return [f"the file states no largest coordinate: its unit ({stated.unit}) could not be checked"]
    found, expected = float(np.abs(vertices_mm).max()), stated.largest * stated.metres * 1e3
    for ratio in _SUSPECT:
        if abs(found / expected / ratio - 1) < 0.03:
            extent = np.ptp(vertices_mm, axis=0) * 1e-3
            raise UnitError(
                f"{name} says its largest coordinate is {expected:.5g} mm but reads {found:.5g} mm ({box_mm(extent)})",
                "one unit throughout",
                "give unit= after checking one length by hand",
            )
    if found > 1.02 * expected:
        return [f"coordinates reach {found:.5g} mm, beyond the {expected:.5g} mm that the file states"]
    return []


def global_section(path: Path) -> Globals:
    """Fields 13, 14, 15 and 20 of the global section (IGES 5.3, 2.2.4.3)."""
    lines = path.read_bytes().decode("latin-1").splitlines()
    marks = [line[72:73] for line in lines]
    if "G" not in marks or "D" not in marks:
        raise InputError(f"{path.name} has no IGES sections", "an IGES file", "check what the file really is")
    if "T" not in marks[-3:]:
        raise InputError(f"{path.name} is truncated (no terminate section)", "a complete IGES file", "copy it again")
    fields = _fields("".join(line[:72] for line, mark in zip(lines, marks, strict=True) if mark == "G"))
    fields += [""] * (24 - len(fields))
    flag, title = _number(fields[13], 0), fields[14].upper()
    if flag in _FLAGS or (flag == 3 and title in _BY_NAME) or (flag == 0 and title in _BY_NAME):
        unit = _FLAGS.get(int(flag)) or _BY_NAME[title]
        metres = METRES[unit]
    elif flag in _OTHERS:
        unit, metres = title or f"flag {flag:g}", _OTHERS[int(flag)]
    else:
        raise UnitError(
            f"{path.name} has unit flag '{fields[13]}' and unit name '{fields[14]}'",
            "a unit of IGES 5.3",
            "export as STEP",
        )
    if flag in _FLAGS and title in _BY_NAME and _BY_NAME[title] != _FLAGS[int(flag)]:
        raise UnitError(
            f"{path.name} has unit flag {flag:g} ({_FLAGS[int(flag)]}) but unit name '{title}'",
            "one unit",
            "export as STEP",
        )
    return Globals(unit, metres, _number(fields[12], 1.0) or 1.0, abs(_number(fields[19], 0.0)))


def _fields(text: str) -> list[str]:
    """Values of a free-format record; Hollerith strings (`3Habc`) may hold the delimiters."""
    delimiter, terminator = ",", ";"
    if text.startswith("1H"):
        delimiter = text[2]
        rest = text[4:]
        if rest.startswith("1H"):
            terminator = rest[2]
    fields, at, current = [], 0, ""
    while at < len(text):
        char = text[at]
        if char == "H" and current.strip().isdigit():
            length = int(current)
            fields.append(text[at + 1 : at + 1 + length].strip())
            at += 1 + length
            while at < len(text) and text[at] not in (delimiter, terminator):
                at += 1
            current = ""
            if at < len(text) and text[at] == terminator:
                return fields
            at += 1
            continue
        if char in (delimiter, terminator):
            fields.append(current.strip())
            current = ""
            if char == terminator:
                return fields
        else:
            current += char
        at += 1
    return fields


def _number(text: str, default: float) -> float:
    try:
        return float(text.upper().replace("D", "E")) if text else default
    except ValueError:
        return default
