"""STEP (ISO 10303-21): what its text says about units, completeness and external files, before the kernel reads it."""

from __future__ import annotations

import re
from pathlib import Path

from core.errors import InputError, UnitError
from parts import gltf, kernel
from parts.raw import Raw
from parts.units import GIVE_UNIT, METRES, Scale, Unit, metres_of

_SI = re.compile(
    r"LENGTH_UNIT\s*\(\s*\)[^;]*?SI_UNIT\s*\(\s*(\$|\.\w+\.)\s*,\s*\.METRE\.\s*\)|SI_UNIT\s*\(\s*(\$|\.\w+\.)\s*,"
    r"\s*\.METRE\.\s*\)[^;]*?LENGTH_UNIT"
)
_NAMED = re.compile(
    r"CONVERSION_BASED_UNIT\s*\(\s*'([^']*)'[^;]*?LENGTH_UNIT|LENGTH_UNIT[^;]*?CONVERSION_BASED_UNIT\s*\(\s*'([^']*)'"
)
_EXTERNAL = re.compile(r"=\s*DOCUMENT_FILE\s*\(\s*'([^']*)'\s*,\s*'([^']*)'")
_CAD_SUFFIXES = (".stp", ".step", ".p21", ".stpz", ".igs", ".iges", ".prt", ".sldprt", ".ipt", ".catpart", ".par")
_CONVERSION = {
    "INCH": "inch",
    "IN": "inch",
    "FOOT": "ft",
    "FT": "ft",
    "METRE": "m",
    "METER": "m",
    "MILLIMETRE": "mm",
    "MILLIMETER": "mm",
    "CENTIMETRE": "cm",
    "CENTIMETER": "cm",
}
_PREFIX = {"$": "m", ".MILLI.": "mm", ".CENTI.": "cm", ".MICRO.": "um", ".KILO.": "km", ".DECI.": "dm"}


def read_step(
    path: Path, unit: Unit | None, tolerance_mm: float, max_faces: int, timeout_s: float
) -> tuple[Raw, Scale]:
    """Raw in metres as the kernel converted them, and the scale to apply to that (1, unless `unit` overrides)."""
    text = _text(path)
    _refuse_external(text, path.name)
    declared = declared_units(text)
    if not declared and unit is None:
        raise UnitError(f"{path.name} names no length unit", "a STEP file with a LENGTH_UNIT", GIVE_UNIT)
    factor, notes = 1.0, []
    scale = Scale(1.0, " and ".join(declared), "file")
    if unit is not None:
        metres, name = metres_of(unit)
        if declared and declared[0] not in METRES:
            raise UnitError(f"{path.name} is in '{declared[0]}'", "a known unit to convert from", "leave unit= out")
        own = METRES[declared[0]] if declared else 1e-3
        factor = metres / own
        if declared and abs(factor - 1) > 1e-9:
            notes.append(f"the file says {scale.unit}, but unit {name} was given and used")
        scale = Scale(factor, name, "given", tuple(notes))
    data = kernel.tessellate(path, "step", tolerance_mm / factor, timeout_s)
    return gltf.read_gltf(data, path.name, None, max_faces, cad=True), scale


def declared_units(text: str) -> tuple[str, ...]:
    """Names of the length units that a STEP file declares, in order of first use: 'mm', 'inch', ..."""
    found: dict[str, None] = {}
    flat = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    conversions = [m.group(1) or m.group(2) for m in _NAMED.finditer(flat)]
    for name in conversions:
        found[_CONVERSION.get(name.upper(), name.lower())] = None
    if not found:
        for match in _SI.finditer(flat):
            found[_PREFIX.get(match.group(1) or match.group(2), "?")] = None
    return tuple(found)


def _text(path: Path) -> str:
    text = path.read_bytes().decode("latin-1")
    body = text.lstrip("\ufeff\xef\xbb\xbf \t\r\n")
    if not body.startswith("ISO-10303-21"):
        raise InputError(
            f"{path.name} does not begin with ISO-10303-21", "a STEP file", "check what the file really is"
        )
    if "END-ISO-10303-21" not in text[-4096:]:
        raise InputError(
            f"{path.name} is truncated (its end mark is missing)", "a complete STEP file", "export or copy it again"
        )
    return text


def _refuse_external(text: str, name: str) -> None:
    outside = [m.group(1) or m.group(2) for m in _EXTERNAL.finditer(text)]
    outside = [o for o in outside if o.lower().endswith(_CAD_SUFFIXES)]
    if outside:
        listed = ", ".join(outside[:4]) + (" ..." if len(outside) > 4 else "")
        raise InputError(
            f"{name} is the top of an assembly whose parts are in {len(outside)} other files ({listed})",
            "an assembly in one file",
            "export it as a single STEP file",
        )
