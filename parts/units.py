"""Metres for a file's numbers: from the format, from the file, or asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.errors import InputError, UnitError

METRES: Mapping[str, float] = {
    "um": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "m": 1.0,
    "inch": 0.0254,
    "ft": 0.3048,
}
PLAUSIBLE = ("mm", "cm", "m", "inch")
_ALIASES = {
    "in": "inch",
    "inches": "inch",
    "metre": "m",
    "meter": "m",
    "millimetre": "mm",
    "millimeter": "mm",
    "foot": "ft",
}

GIVE_UNIT = "give the unit (--unit mm; `unit: mm` under `part` in a recipe; unit='mm' in Python)"

Unit = str | float
"""A name of METRES, or metres per unit of the file as a number."""


@dataclass(frozen=True)
class Scale:
    """metres: of one unit as the reader returned it. source: how that was decided, for part.json."""

    metres: float
    unit: str
    source: str
    notes: tuple[str, ...] = ()


def metres_of(unit: Unit) -> tuple[float, str]:
    """Metres and the plain name of a unit that a person gave. InputError when unknown."""
    if isinstance(unit, str):
        name = _ALIASES.get(unit.strip().lower(), unit.strip().lower())
        if name in METRES:
            return METRES[name], name
    elif math.isfinite(unit) and unit > 0:
        return float(unit), f"{unit:g} m"
    raise InputError(f"unit {unit!r} is not known", f"one of {', '.join(METRES)}", "correct the unit")


def asked(unit: Unit | None, vertices: np.ndarray, name: str, kind: str) -> Scale:
    """The scale of a format without units. UnitError with the size under each plausible unit when none is given."""
    if unit is None:
        raise UnitError(f"{name} has no unit ({kind} stores bare numbers): {sizes(vertices)}", "a unit", GIVE_UNIT)
    metres, known = metres_of(unit)
    return Scale(metres, known, "given")


def sizes(vertices: np.ndarray) -> str:
    """The bounding box in mm under each plausible unit: '5 x 2.5 x 1.4 mm if mm, ...'."""
    extent = np.ptp(vertices, axis=0) if len(vertices) else np.zeros(3)
    return ", ".join(f"{box_mm(extent * METRES[u])} if {u}" for u in PLAUSIBLE)


def box_mm(extent_m: np.ndarray) -> str:
    """'127 x 63.5 x 34.9 mm' of an extent in metres."""
    return " x ".join(f"{v * 1e3:.4g}" if v < 9.9995 else f"{v * 1e3:.0f}" for v in extent_m) + " mm"
