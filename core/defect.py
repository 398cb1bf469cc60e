"""Defects on a part. Ground truth is born with the defect: what it is, where, how large, from which seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from core.layers import Layers
from core.mesh import Mesh
from core.part import Part

Form = Literal["decal", "relief", "solid"]
"""decal: chart layers only. relief: chart layers and displaced vertices. solid: material added or removed."""

Verdict = Literal["defect", "acceptable"]
"""acceptable: inside the blueprint's accept limits; an OK part must carry it (a hard negative)."""


@dataclass(frozen=True)
class Site:
    """Where a defect sits. face: index into the part's mesh. point_m: (3,) inside that face, part frame.

    direction: (3,) unit, tangent: the chart's u axis. normal: (3,) unit, outward.
    """

    face: int
    point_m: tuple[float, float, float]
    direction: tuple[float, float, float]
    normal: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Defect:
    """id: 1..255, the value in id masks. parameters: field names with units (`width_mm`, `tilt_deg`).

    layers: None for form "solid" without a decal. chart: the mesh corner attribute that holds its coordinates.
    zone_m: (centre xyz, radius) of a sphere that holds everything it changes, part frame.
    """

    id: int
    kind: str
    form: Form
    blueprint: str
    blueprint_version: int
    severity: str
    verdict: Verdict
    seed: int
    site: Site
    parameters: Mapping[str, Any]
    regions: tuple[str, ...]
    cad_face: int
    patch: int
    zone_m: tuple[float, float, float, float]
    layers: Layers | None = None
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def chart(self) -> str:
        return chart_name(self.id)


def chart_name(defect_id: int) -> str:
    """Name of the corner attribute (m, 3, 2), metres, NaN outside, of the chart of one defect."""
    return f"chart_{defect_id}"


@dataclass(frozen=True, eq=False)
class DefectedPart:
    """The same part twice. `clean` and `defected` are the same object unless a defect changes shape.

    Faces that both keep are bit-identical. face["defect_tag"] is the id of the defect whose new surface (in
    `defected`) or vanished surface (in `clean`) a face is: a pixel belongs to defect k when the defected scene shows a
    face tagged k, or the clean scene does.
    """

    part: Part
    clean: Mesh
    defected: Mesh
    defects: tuple[Defect, ...]

    def __post_init__(self) -> None:
        ids = [d.id for d in self.defects]
        if len(set(ids)) != len(ids) or not all(0 < i < 256 for i in ids):
            raise ValueError(f"defect ids must be distinct and in 1..255, got {ids}")

    @property
    def shape_changes(self) -> bool:
        return self.clean is not self.defected


def unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector, float) / np.linalg.norm(vector)
