"""One solid defect: a site on an edge or a feature, the tool body or the omission, and what it measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from scipy.spatial import KDTree

from core.defect import Site
from core.errors import PlacementError
from core.mesh import Mesh
from defects.procedural.bench import Bench, Draft, Request, row_at
from defects.procedural.edges import EdgePath, edge_path
from defects.procedural.features import Feature
from defects.procedural.kind import MM
from defects.procedural.kinds import burr, chip, missing_feature
from defects.procedural.measure import bounding_zone
from defects.procedural.omission import omit
from defects.procedural.solids import Body, Change, Pair, any_tangent, edit
from defects.procedural.workpiece import BASE

Builder = Callable[[Any, EdgePath, np.random.Generator], Body]

ON_EDGES: dict[str, tuple[Builder, Literal["remove", "add"]]] = {
    "burr": (burr.body, "add"),
    "chip": (chip.body, "remove"),
}
CLEAR_M = 20e-6
"""Between a solid change and anything else, beyond the blueprint's own spacing."""


def make(bench: Bench, request: Request, values: dict[str, Any], rng: np.random.Generator) -> tuple[Draft, Mesh, Pair]:
    """A solid defect that was tried on the part; the surface as it was; the pair with the change."""
    build = _on_edge if request.kind.name in ON_EDGES else _on_feature
    draft, pair = build(bench, request, values, rng)
    return draft, bench.surface, pair


def _on_edge(bench: Bench, request: Request, values: dict[str, Any], rng: np.random.Generator) -> tuple[Draft, Pair]:
    kind = request.kind
    params = kind.parameters(values, request.origin)
    reach = kind.reach_mm(params) * MM
    across = reach_across_mm(params) * MM
    site = bench.place(request, reach, (max(0.5 * params.length_mm * MM, across), across), rng)
    path = edge_path(bench.base, site.face, np.asarray(site.point_m), max(reach, 0.65 * params.length_mm * MM))
    if path.length_m < params.length_mm * MM:
        raise PlacementError(
            f"the edge is {path.length_m / MM:.3g} mm long", f"at least {params.length_mm:.3g} mm", "make it shorter"
        )
    build, operation = ON_EDGES[kind.name]
    body = build(params, path, rng)

    def change(pair: Pair) -> tuple[Pair, Change]:
        return edit(pair, row_at(pair.defected(), site), body, request.id, operation)

    pair, done = change(bench.pair)
    return _draft(site, asdict(params), done, _along_edge(path, done), lambda p: change(p)[0]), pair


def reach_across_mm(params: Any) -> float:
    """How far from the edge a chip or burr may reach into its faces, in millimetres."""
    return 1.35 * max(params.left_mm, params.right_mm) if isinstance(params, chip.Params) else 2 * params.root_mm


def _along_edge(path: EdgePath, done: Change) -> dict[str, float]:
    """length_mm along the edge, and width_mm: how far from it the change reaches."""
    fine = np.linspace(2 * path.s[0], 2 * path.s[-1], 2001)
    gap, near = KDTree(path.at(fine)[0]).query(done.points_m)
    return {"length_mm": float(np.ptp(fine[near])) / MM, "width_mm": float(gap.max()) / MM}


def _on_feature(bench: Bench, request: Request, values: dict[str, Any], rng: np.random.Generator) -> tuple[Draft, Pair]:
    params = request.kind.parameters(values, request.origin)
    choices = _candidates(bench, request, params)
    if not choices:
        raise PlacementError(
            f"no free {params.feature} of {params.min_width_mm:g} to {params.max_width_mm:g} mm fits {request.origin}",
            "a hole or boss with flat rims on this part",
            "widen the range or drop the blueprint",
        )
    feature = choices[int(rng.integers(len(choices)))]
    wanted = np.zeros(len(bench.base.faces), bool)
    wanted[feature.faces] = True
    plug = missing_feature.plug(params, feature, rng) if params.blocked else None

    def change(pair: Pair) -> tuple[Pair, Change]:
        whole = pair.defected()
        mine = np.flatnonzero(wanted[whole.face[BASE]] & (whole.face[BASE] >= 0) & (whole.face["defect_tag"] == 0))
        if plug is None:
            return omit(pair, mine, request.id)
        after, done = edit(pair, int(mine[0]), plug, request.id, "add")
        vanished = after.gone.face[BASE][after.gone.face["defect_tag"] == request.id]
        if not wanted[vanished].all():
            raise PlacementError("what blocks the hole comes out elsewhere", "a hole in thicker metal", "try others")
        return after, done

    pair, done = change(bench.pair)
    sizes = {"width_mm": feature.width_m / MM, "depth_mm": feature.depth_m / MM}
    return _draft(_site(bench.base, feature), asdict(params), done, sizes, lambda p: change(p)[0]), pair


def _candidates(bench: Bench, request: Request, params: missing_feature.Params) -> list[Feature]:
    placement = request.blueprint.placement
    ground = bench.part.select(*placement.regions)
    if bench.allowed is not None:
        ground = ground & bench.allowed
    found = []
    for feature in bench.features:
        if not missing_feature.fits(params, feature) or not ground[feature.faces].any():
            continue
        if placement.facing is not None:
            wanted = np.asarray(placement.facing.direction, float)
            angle = np.arccos(np.clip(feature.axis @ wanted / np.linalg.norm(wanted), -1, 1))
            if angle > np.deg2rad(placement.facing.within_deg):
                continue
        *centre, radius = bounding_zone(bench.base.vertices[np.unique(bench.base.faces[feature.faces])])
        apart = placement.spacing_mm * MM + radius
        if all(np.linalg.norm(np.array(centre) - c) > r + apart for c, r in bench.occupied(request)):
            found.append(feature)
    return found


def _site(mesh: Mesh, feature: Feature) -> Site:
    """On the feature's face nearest to its rim; the normal is that of the rim's plane, from where one sees it."""
    centres = mesh.triangles[feature.faces].mean(axis=1)
    k = int(np.argmax(centres @ feature.axis))
    tangent = any_tangent(feature.axis[None])[0]
    point, direction, normal = (tuple(float(x) for x in v) for v in (centres[k], tangent, feature.axis))
    return Site(int(feature.faces[k]), point, direction, normal)  # type: ignore[arg-type]


def _draft(
    site: Site, parameters: dict[str, Any], done: Change, sizes: dict[str, float], again: Callable[[Pair], Pair]
) -> Draft:
    """volume_mm3: added, negative where material is missing. label_area_mm2: of the new surface, in the round."""
    *centre, radius = bounding_zone(done.points_m)
    measured = {"volume_mm3": done.volume_m3 / MM**3, "label_area_mm2": done.new_m2 / MM**2, **sizes}
    zone = (centre[0], centre[1], centre[2], radius)
    return Draft(site, parameters, measured, zone, [(np.array(centre), radius + CLEAR_M)], edit=again)
