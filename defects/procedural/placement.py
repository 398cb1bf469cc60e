"""Where a defect may sit: a random site on the part that satisfies every constraint of a blueprint, or a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.blueprint import Blueprint, Placement
from core.defect import Site
from core.errors import GeometryError, PlacementError
from core.mesh import Mesh
from core.part import Part
from defects.procedural.chart import unfold
from defects.procedural.placement_edge import edge_sites
from defects.procedural.placement_ground import Ground
from defects.procedural.placement_shape import Footprint, candidates, clear_of, downwards, site_at

MM = 1e-3
DRAWS = (256, 2048, 8192)
"""Candidates are drawn in rounds; nearly every site comes from the first."""
TRIES = 30
"""Candidates that get as far as a chart, over all rounds; bounds the time until a refusal."""
WALKS = 512
LEAST_SLOPE_RAD = np.deg2rad(20)
"""What runs down needs a face at least so far from level."""

Zones = Sequence[tuple[Sequence[float] | np.ndarray, float]]


@dataclass
class _Tally:
    """What stood in the way so far. widest_m: best room for the footprint, short of what it needs. blocked: candidates
    refused because of other defects; bent: because the surface folds or ends under the chart."""

    widest_m: float = 0.0
    blocked: int = 0
    bent: int = 0


class Placer:
    """Draws sites on one part. It keeps what it learns about the surface: use one Placer for all defects of a part."""

    def __init__(self, part: Part, mesh: Mesh | None = None, ground: Ground | None = None) -> None:
        """mesh: the part's own mesh with further attributes (`lay_tangent`), same faces in the same order. ground: of
        the part's mesh, to share what it has learnt."""
        self.part, self.mesh = part, mesh or part.mesh
        if len(self.mesh.faces) != len(part.mesh.faces):
            raise GeometryError(
                f"a mesh of {len(self.mesh.faces)} faces for part '{part.name}'",
                f"its own {len(part.mesh.faces)} faces",
                "place on the part's mesh, before refinement",
            )
        self.ground = ground or Ground(self.mesh)

    def place(
        self,
        blueprint: Blueprint,
        reach_m: float,
        rng: np.random.Generator,
        allowed: np.ndarray | None = None,
        taken: Zones = (),
        *,
        half_extent_m: tuple[float, float] | None = None,
    ) -> Site:
        """A site drawn uniformly over the area (or edge length) where every constraint holds.

        reach_m: radius about the site within which the defect stays. half_extent_m: (along, across) the site's
        direction, for long thin defects: only that rectangle has to be free of edges, not the whole disc.
        allowed: (m,) bool over the part's faces. taken: (centre, radius) spheres of the other defects, kept clear of by
        the blueprint's spacing unless it allows overlap. PlacementError says which constraint cannot be met and what
        the largest room is. Edge distances are straight lines to the edges around the same smooth piece of surface.
        """
        rule = blueprint.placement
        if rule.on == "feature":
            raise PlacementError(
                f"blueprint '{blueprint.name}' sits on a feature", "'on: face' or 'on: edge'", "use its own kind"
            )
        shape = Footprint.of(reach_m, half_extent_m, rule)
        faces = self._faces(blueprint, allowed)
        taken = [] if rule.overlap else taken
        if rule.on == "edge":
            return edge_sites(self.ground, blueprint, faces, shape, rng, taken)
        tally = _Tally()
        for count in DRAWS:
            site = self._draw(faces, rule, shape, count, rng, taken, tally)
            if site is not None:
                return site
        raise self._refusal(blueprint, shape, tally)

    def _faces(self, blueprint: Blueprint, allowed: np.ndarray | None) -> np.ndarray:
        """Indices of the faces that region, facing and curvature allow; PlacementError names what leaves none."""
        rule = blueprint.placement
        keep = self.part.select(*rule.regions) & (self.mesh.areas > 0)
        self._some(keep, blueprint, "the regions hold no face", "a region with surface")
        if allowed is not None:
            keep = keep & allowed
            self._some(
                keep, blueprint, "none of its faces is left by the recipe's regions and the camera's view", "an overlap"
            )
        if rule.facing is not None:
            towards = np.asarray(rule.facing.direction, float)
            towards = towards / np.linalg.norm(towards)
            keep = keep & (self.mesh.face_normals @ towards >= np.cos(np.deg2rad(rule.facing.within_deg)))
            asked = f"faces within {rule.facing.within_deg:g} degrees of {rule.facing.direction}"
            self._some(keep, blueprint, "no face of the region looks that way", asked)
        if rule.align == "down":
            steep = np.linalg.norm(np.cross(self.mesh.face_normals, downwards(rule)), axis=1)
            keep = keep & (steep >= np.sin(LEAST_SLOPE_RAD))
            asked = f"faces at least {np.rad2deg(LEAST_SLOPE_RAD):.0f} degrees steep (`down` is {rule.down})"
            self._some(keep, blueprint, "nothing runs down on level faces", asked)
        limit = rule.curvature_radius_mm
        if limit.min is not None or limit.max is not None:
            radius = self.ground.bend_radius / MM
            keep = keep & (radius >= (limit.min or 0.0)) & (radius <= (np.inf if limit.max is None else limit.max))
            asked = f"a radius of curvature from {limit.min or 0:g} to {limit.max or np.inf:g} mm"
            self._some(keep, blueprint, "no face of the region is bent like that", asked)
        return np.flatnonzero(keep)

    def _some(self, keep: np.ndarray, blueprint: Blueprint, given: str, expected: str) -> None:
        if not keep.any():
            regions = ", ".join(blueprint.placement.regions) or "whole part"
            raise PlacementError(
                f"blueprint '{blueprint.name}' on part '{self.part.name}' ({regions}): {given}",
                expected,
                "widen the blueprint's placement",
            )

    def _draw(
        self,
        faces: np.ndarray,
        rule: Placement,
        shape: Footprint,
        count: int,
        rng: np.random.Generator,
        taken: Zones,
        tally: _Tally,
    ) -> Site | None:
        """The first of `count` random candidates that fits."""
        face, point, direction = candidates(self.ground, self.mesh, faces, count, rule, rng)
        free = clear_of(point, direction, shape, taken, rule.spacing_mm * MM)
        tally.blocked += int((~free).sum())
        gap, _ = self.ground.edge_gap(face, point, rough=True)
        if not rule.cross_edges:
            free &= gap >= min(shape.along, shape.across) + shape.rim_min
        order = np.flatnonzero(free)
        if shape.long and not rule.cross_edges:
            order = order[:WALKS]
            need = shape.along + shape.rim_min
            walks = [self.ground.free_run(face[order], point[order], s * direction[order], need) for s in (1, -1)]
            run = np.minimum(*walks)
            tally.widest_m = max(tally.widest_m, float(run.max(initial=0.0)))
            order = order[run >= need]
        elif np.isfinite(shape.rim_max):
            order = order[:WALKS]
            exact, _ = self.ground.edge_gap(face[order], point[order])
            order = order[exact <= shape.across + shape.rim_max]
        elif not rule.cross_edges:
            tally.widest_m = max(tally.widest_m, float(gap.max()))
        for k in order[: TRIES - tally.bent]:
            site = site_at(self.mesh, int(face[k]), point[k], direction[k])
            if self._fits(site, rule, shape):
                return site
            tally.bent += 1
        return None

    def _fits(self, site: Site, rule: Placement, shape: Footprint) -> bool:
        """Edge distance by straight lines for a disc, along the surface for a rectangle; and the chart reaches."""
        if not shape.long and not rule.cross_edges:
            gap, _ = self.ground.edge_gap(np.array([site.face]), np.array([site.point_m]))
            if not shape.rim_min <= gap[0] - shape.across <= shape.rim_max:
                return False
        radius, half = shape.window
        chart = unfold(self.mesh, site, radius, rule.cross_edges, half_extent_m=half)
        if not shape.long:
            return chart.reached_m >= shape.across
        gap = shape.gap(chart.stops_m)
        low, high = (0.0, np.inf) if rule.cross_edges else (shape.rim_min, shape.rim_max)
        return gap > 0 and low <= gap <= high

    def _refusal(self, blueprint: Blueprint, shape: Footprint, tally: _Tally) -> PlacementError:
        where = ", ".join(blueprint.placement.regions) or "any face"
        need, widest = shape.along + shape.rim_min, tally.widest_m
        given = f"blueprint '{blueprint.name}' on part '{self.part.name}' ({where})"
        if widest < need and not (tally.blocked and widest == 0.0):
            what = "straight run on both sides of a site" if shape.long else "distance from a site to a sharp edge"
            return PlacementError(
                f"{given} needs {need / MM:.1f} mm of free surface around its site",
                f"at most the {widest / MM:.1f} mm that the region offers (largest {what})",
                "make the defect smaller, lower edge_distance_mm, or choose a larger region",
            )
        if tally.blocked > tally.bent:
            return PlacementError(
                f"{given} finds no room between the other defects",
                f"{blueprint.placement.spacing_mm:g} mm between their rims",
                "ask for fewer or smaller defects, or set overlap: true",
            )
        return PlacementError(
            f"{given} fits nowhere within its edge distances",
            f"a chart {shape.along / MM:.1f} mm to each side that neither folds nor runs into an edge",
            "make the defect smaller or relax its placement",
        )
