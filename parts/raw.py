"""What a reader hands over: triangles as they stand in the file, with every name and colour that the file knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from parts.skin import Skin


@dataclass(frozen=True, eq=False)
class Raw:
    """vertices: (n, 3) float64, file units (metres once `scaled`). faces: (m, 3) int64, as in the file, unwelded.

    normals: (m, 3, 3) unit normals of the true surface at the corners when a CAD kernel computed them, else None.
    solid, cad_face, colour, material: (m,) int, -1 for none; the first, third and fourth index the tuples of names
    and linear RGB. cad_face counts through the whole file. groups: sub-assembly name -> its solids.
    tree: the assembly as nested dicts {name, solid?, children?}. files: other files that were read.
    origin: (m,) row in the file of each face, once `numbered`. skin: how the file paints those rows (`parts.skin`).
    """

    vertices: np.ndarray
    faces: np.ndarray
    solid_names: tuple[str, ...]
    solid: np.ndarray
    normals: np.ndarray | None = None
    cad_face: np.ndarray | None = None
    colour: np.ndarray | None = None
    colours: tuple[tuple[float, float, float], ...] = ()
    material: np.ndarray | None = None
    material_names: tuple[str, ...] = ()
    groups: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    tree: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    origin: np.ndarray | None = None
    skin: Skin | None = None

    def scaled(self, metres: float) -> Raw:
        """The same with vertices multiplied by `metres` per unit."""
        return replace(self, vertices=self.vertices * metres)

    def numbered(self) -> Raw:
        """The same with `origin`: repair may then drop, turn and reorder faces."""
        return replace(self, origin=np.arange(len(self.faces)))

    def labels(self, name: str) -> np.ndarray:
        """(m,) int of `cad_face`, `colour` or `material`, -1 where the file has none."""
        value = getattr(self, name)
        return np.full(len(self.faces), -1) if value is None else value


def keep_faces(raw: Raw, keep: np.ndarray) -> Raw:
    """The faces in `keep` (mask or indices), with their labels."""
    per_face = ("faces", "solid", "normals", "cad_face", "colour", "material", "origin")
    return replace(raw, **{n: v[keep] for n in per_face if (v := getattr(raw, n)) is not None})


def distinct(names: list[str]) -> tuple[str, ...]:
    """The names in order, repeated ones numbered: nut, nut -> nut, nut#2."""
    seen: dict[str, int] = {}
    result: list[str] = []
    for name in names:
        candidate = name
        while candidate in seen:
            seen[name] += 1
            candidate = f"{name}#{seen[name]}"
        seen[candidate] = 1
        result.append(candidate)
    return tuple(result)
