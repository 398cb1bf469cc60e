"""Values out of a pose file that somebody or something else wrote: of the right kind, or refused with file and key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import InputError

LOOSE = 1e-2
"""Rotations may be off from orthonormal by this much: files are written with few digits."""


@dataclass(frozen=True)
class Keys:
    """The keys of one frame over those that its file gives for all frames. file, frame: their names for messages."""

    file: str
    frame: str
    shared: Mapping[str, Any]
    own: Mapping[str, Any]

    def where(self, key: str) -> str:
        return self.frame if key in self.own else self.file

    def get(self, key: str) -> Any:
        return self.own.get(key, self.shared.get(key))

    def number(self, key: str, low: float = -np.inf, high: float = np.inf) -> float | None:
        """None where neither has the key. InputError unless it is a finite number between `low` and `high`."""
        absent = key not in self.own and key not in self.shared
        return None if absent else number(self.where(key), key, self.get(key), low, high)

    def text(self, key: str) -> str | None:
        """None where neither has the key, or it is null or empty."""
        return None if self.get(key) in (None, "") else text(self.where(key), key, self.get(key))


def number(where: str, key: str, value: Any, low: float = -np.inf, high: float = np.inf) -> float:
    """A finite number between `low` and `high`, both left out."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    if plain and abs(value) < 1e300 and low < value < high:
        return float(value)
    above = f" above {low:g}" if low > -np.inf else ""
    below = f"{' and' if above else ''} below {high:.4g}" if high < np.inf else ""
    raise _wrong(where, key, value, f"a number{above}{below}")


def numbers(where: str, key: str, value: Any, expected: str) -> np.ndarray:
    """An array of floats, which may still hold NaN. expected: in words, for the message."""
    try:
        return np.array(value, float)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(where, key, value, expected, "holds no numbers") from error


def rotation(where: str, key: str, value: Any) -> np.ndarray:
    """(3, 3) right-handed and orthonormal to 1e-2."""
    expected = "a 3x3 rotation matrix: finite, without scale, determinant 1"
    found = numbers(where, key, value, expected)
    if found.shape != (3, 3) or not np.isfinite(found).all():
        raise _wrong(where, key, value, expected, "is no matrix of 3x3 finite numbers")
    if np.abs(found @ found.T - np.eye(3)).max() > LOOSE or np.linalg.det(found) < 0:
        raise _wrong(where, key, value, expected, f"is no rotation (determinant {np.linalg.det(found):.3g})")
    return found


def text(where: str, key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(where, key, value, "a text that is not empty")
    return value


def name(where: str, key: str, value: Any) -> str:
    """A text, or a whole number that stands for one."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(where, key, value)


def mapping(where: str, key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, key, value, "a mapping, {...}")
    return value


def _wrong(where: str, key: str, value: Any, expected: str, said: str = "") -> InputError:
    try:
        shown = json.dumps(value, default=str)
    except RecursionError:
        shown = "nested too deeply"
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return InputError(f"{where}: {key} {said or f'is {shown}'}", expected, f"correct {key} or export the file again")
