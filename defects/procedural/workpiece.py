"""A part made ready for defects once, for many calls: what placement learns about its surface stays learnt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.mesh import Mesh
from core.part import Part
from defects.procedural.features import Feature, find_features
from defects.procedural.placement import Placer
from defects.procedural.placement_ground import Ground
from defects.procedural.solids import Pair

BASE = "_base"
"""Temporary face attribute: the face of the part's mesh that a face lies in."""


@dataclass(frozen=True, eq=False)
class Workpiece:
    """base: the part's mesh, perhaps with more attributes on it (lay), and with the BASE attribute."""

    part: Part
    base: Mesh
    ground: Ground

    @classmethod
    def of(cls, part: Part, mesh: Mesh | None = None, ground: Ground | None = None) -> Workpiece:
        """mesh: the part's own with further attributes; ValueError when its faces are not the part's. ground: of the
        part's mesh, where several finishes share it."""
        base = part.mesh if mesh is None else mesh
        if len(base.faces) != len(part.mesh.faces):
            raise ValueError(f"mesh has {len(base.faces)} faces, the part {len(part.mesh.faces)}")
        return cls(part, base.with_face(**{BASE: np.arange(len(base.faces))}), ground or Ground(part.mesh))

    @cached_property
    def placer(self) -> Placer:
        return Placer(self.part, self.base, self.ground)

    @cached_property
    def pair(self) -> Pair:
        return Pair.of(self.base)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Holes and bosses of the part, found when first asked for."""
        return find_features(self.base)
