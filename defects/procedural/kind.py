"""What a kind of defect is: parameters in file units, a pure generator, and the reach of its chart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from core.defect import Form
from core.errors import InputError, RecipeError
from core.layers import Layers
from core.material import Material

MM = 1e-3


@dataclass(frozen=True)
class Ground:
    """What a generator may know of the surface under it.

    lay_angle_rad: direction of the tool marks against the chart's u axis. curvature_radius_m: inf on a plane.
    """

    material: Material
    lay_angle_rad: float = 0.0
    curvature_radius_m: float = np.inf


class Anywhere(Ground):
    """Ground before a site is known. asked: whether a generator wanted to know what only a site can tell."""

    asked: bool = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("lay_angle_rad", "curvature_radius_m"):
            object.__setattr__(self, "asked", True)
        return super().__getattribute__(name)


@dataclass(frozen=True)
class Kind:
    """One kind of defect.

    params: a frozen dataclass whose field names carry units (`length_mm`, `tilt_deg`), every field with a default.
    reach_mm: radius about the site within which anything changes, from the parameters.
    paint: (params, ground, rng) -> Layers, for forms "decal" and "relief". Pure: same arguments, same arrays.
    Kinds of form "solid" have no `paint`; `defects.procedural.solids` builds their tool bodies.
    lacks: (params, material) -> what the material would need and does not have (a peel needs a coat), or None.
    """

    name: str
    form: Form
    params: type
    reach_mm: Callable[[Any], float]
    paint: Callable[[Any, Ground, np.random.Generator], Layers] | None = None
    lacks: Callable[[Any, Material], str | None] | None = None

    def check(self, params: Any, material: Material) -> None:
        """InputError when this defect cannot exist on that material. Cheap; `paint` calls it too."""
        missing = self.lacks(params, material) if self.lacks else None
        if missing:
            raise InputError(
                f"kind '{self.name}' cannot exist on material '{material.name}'",
                missing,
                "choose another material or another blueprint",
            )

    def parameters(self, values: Mapping[str, Any], origin: str) -> Any:
        """A `params` instance from a blueprint's sampled values. RecipeError on an unknown name or wrong type."""
        known = {f.name: f.type for f in fields(self.params)}
        unknown = [k for k in values if k not in known]
        if unknown:
            raise RecipeError(
                f"{origin}: kind '{self.name}' has no parameter '{unknown[0]}'",
                f"one of {', '.join(known)}",
                "rename it",
            )
        typed = {k: round(v) if known[k] in (int, "int") and not isinstance(v, bool) else v for k, v in values.items()}
        return self.params(**typed)
