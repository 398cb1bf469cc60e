"""What the requests for one part share while they are placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.blueprint import Blueprint
from core.defect import Site
from core.errors import PlacementError
from core.layers import Layers
from core.material import Material
from core.mesh import Mesh, barycentric
from core.part import Part
from defects.procedural.features import Feature
from defects.procedural.kind import Kind
from defects.procedural.placement import Placer
from defects.procedural.solids import Pair
from defects.procedural.workpiece import BASE, Workpiece

LOOKS = 12
"""Sites that are drawn for one that can be seen."""

Zones = list[tuple[np.ndarray, float]]
"""Spheres: centre (3,) and radius, metres, part frame."""


@dataclass(frozen=True, eq=False)
class Request:
    """One defect to make: its number in the list, blueprint and kind."""

    index: int
    blueprint: Blueprint
    kind: Kind

    @property
    def id(self) -> int:
        return self.index + 1

    @property
    def origin(self) -> str:
        return f"blueprint '{self.blueprint.name}'"


@dataclass(frozen=True, eq=False)
class Draft:
    """A placed defect that is not yet in the mesh for good.

    zone_m: as in `Defect`. keep: spheres that later ones stay clear of. edit: the solid change, to be done
    again on the refined mesh; layers: of a decal or relief, whose chart is already on the surface.
    """

    site: Site
    parameters: dict[str, Any]
    measured: dict[str, float]
    zone_m: tuple[float, float, float, float]
    keep: Zones
    layers: Layers | None = None
    edit: Callable[[Pair], Pair] | None = None


@dataclass
class Bench:
    """What the requests share while they are placed. surface: the mesh with the charts so far, refined around them;
    pair: the base mesh with the solid changes so far. taken: zones by request. visible: whether a site will do."""

    work: Workpiece
    material: Material
    seed: int
    surface: Mesh
    pair: Pair
    allowed: np.ndarray | None
    visible: Callable[[Site], bool] | None = None
    taken: Zones = field(default_factory=list)
    fixed: Zones = field(default_factory=list)

    @property
    def part(self) -> Part:
        return self.work.part

    @property
    def base(self) -> Mesh:
        return self.work.base

    @property
    def placer(self) -> Placer:
        return self.work.placer

    @property
    def features(self) -> tuple[Feature, ...]:
        return self.work.features

    def occupied(self, request: Request) -> Zones:
        """Zones to stay clear of: all, or for decals that may overlap only those that change shape."""
        over = request.blueprint.placement.overlap and request.kind.form == "decal"
        return self.fixed if over else self.taken

    def place(
        self, request: Request, reach_m: float, half_extent_m: tuple[float, float] | None, rng: np.random.Generator
    ) -> Site:
        """A site from the placer, clear of what is occupied, and visible if one of `LOOKS` is: nothing has been painted
        yet, so a hidden one costs little. half_extent_m: (along, across) of long footprints."""
        rule = request.blueprint.placement.model_copy(update={"overlap": False})
        blueprint = request.blueprint.model_copy(update={"placement": rule})
        zones = self.occupied(request)
        for _ in range(LOOKS):
            site = self.placer.place(blueprint, reach_m, rng, self.allowed, zones, half_extent_m=half_extent_m)
            if self.visible is None or self.visible(site):
                break
        return site


def row_at(mesh: Mesh, site: Site) -> int:
    """The face of `mesh` (with the BASE attribute) that holds the site's point."""
    rows = np.flatnonzero(mesh.face[BASE] == site.face)
    if not len(rows):
        raise PlacementError("the site's face was cut away by another defect", "free surface", "ask for fewer")
    point = np.broadcast_to(np.asarray(site.point_m), (len(rows), 1, 3))
    return int(rows[int(np.argmax(barycentric(mesh.triangles[rows], point).min(axis=(1, 2))))])
