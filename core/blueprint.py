"""A blueprint is a defect type: text, kind, parameter ranges in mm, placement constraints, limits, version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from core.distributions import Distribution, Quantity
from core.models import FileModel


class Limit(FileModel):
    """A closed interval; a missing end is open. Units are those of the parameter."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Limit:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min no greater than max, got {self.min:g} and {self.max:g}")
        return self

    def holds(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)


class Facing(FileModel):
    """Faces whose outward normal lies within an angle of a direction in the part's frame."""

    direction: tuple[float, float, float]
    within_deg: float = Field(ge=0, le=180)

    @model_validator(mode="after")
    def _points_somewhere(self) -> Facing:
        if not any(self.direction):
            raise ValueError(f"a direction, got {list(self.direction)}")
        return self


class Placement(FileModel):
    """Where a defect may sit. Everything is a must.

    regions: names as in `Part.select` (wildcards, "!" removes). on: "face" (a chart inside a surface) or "edge" (a
    sharp convex edge: chips, burrs) or "feature" (a hole or boss: missing feature). edge_distance_mm: from the
    defect's rim to the nearest sharp edge. curvature_radius_mm: of the surface at the site (planes are infinite).
    spacing_mm: free distance to the other defects on this part; overlap: allow them to touch.
    align: direction of the defect's long axis: any, along or across the lay (tool marks), or along an edge; "down":
    along `down` (part frame: gravity while the part hung or stood), on faces steep enough for something to run.
    spread_deg: scatter about that direction. cross_edges: let the chart run over sharp edges.
    """

    regions: tuple[str, ...] = ()
    on: Literal["face", "edge", "feature"] = "face"
    edge_distance_mm: Limit = Limit(min=0.0)
    curvature_radius_mm: Limit = Limit()
    facing: Facing | None = None
    spacing_mm: float = Field(default=0.5, ge=0)
    overlap: bool = False
    align: Literal["any", "along_lay", "across_lay", "along_edge", "down"] = "any"
    down: tuple[float, float, float] = (0.0, 0.0, -1.0)
    spread_deg: float = 15.0
    cross_edges: bool = False

    @model_validator(mode="after")
    def _has_a_down(self) -> Placement:
        if not (np.isfinite(self.down).all() and np.any(self.down)):
            raise ValueError(f"down: {list(self.down)} is no direction")
        return self


class Limits(FileModel):
    """accept: all must hold for the mark to be acceptable (an OK part). reject: any that fails is an error to sample
    (values outside are drawn again). Keys are parameter or measured names with their unit (`length_mm`, `area_mm2`).
    """

    accept: Mapping[str, Limit] = {}
    reject: Mapping[str, Limit] = {}


class Blueprint(FileModel):
    """parameters: for the kind's `Params`; a number or distribution, or a plain string or bool for a choice."""

    name: str
    version: int
    kind: str
    text: str
    severity: Literal["minor", "major", "critical"] = "major"
    parameters: Mapping[str, Quantity | str | bool] = {}
    placement: Placement = Placement()
    limits: Limits = Limits()
    reference_images: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Blueprint:
        if not self.name.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"name '{self.name}' may hold letters, digits, '-' and '_' only")
        return self

    def sample(self, rng: np.random.Generator) -> dict[str, Any]:
        """Concrete parameters, in file units, drawn in the order of their names."""
        return {
            key: value.sample(rng) if isinstance(value, Distribution) else value
            for key, value in sorted(self.parameters.items())
        }

    def verdict(self, values: Mapping[str, float]) -> Literal["defect", "acceptable"]:
        """`acceptable` when there are accept limits and all of them hold."""
        accept = self.limits.accept
        return (
            "acceptable" if accept and all(k in values and v.holds(values[k]) for k, v in accept.items()) else "defect"
        )
