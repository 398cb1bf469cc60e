"""One decal or relief: a site, a chart on the refined surface, painted layers that the chart holds whole."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from core.defect import Site, chart_name
from core.errors import PlacementError
from core.layers import Layers
from core.mesh import NORMAL, Mesh, barycentric
from defects.procedural.bench import Bench, Draft, Request, row_at
from defects.procedural.chart import unfold
from defects.procedural.kind import MM, Ground
from defects.procedural.measure import label_size
from defects.procedural.refine import refine_around
from defects.procedural.solids import Pair

RELIEF_STEPS = 24
"""Edges under a relief are shorter than its radius over this."""

PROBES = 1500
"""Texels of the label that are looked up in the chart."""


def make(bench: Bench, request: Request, values: dict[str, Any], rng: np.random.Generator) -> tuple[Draft, Mesh, Pair]:
    """A placed, painted defect; the surface refined around it with its chart; the solids as they were."""
    kind, blueprint = request.kind, request.blueprint
    params = kind.parameters(values, request.origin)
    reach = kind.reach_mm(params) * MM
    site = bench.placer.place(blueprint, reach, rng, bench.allowed, bench.occupied(request))
    assert kind.paint is not None
    layers = kind.paint(params, ground_at(bench, site, reach), rng)
    radius = affected_radius(layers)
    step = radius / RELIEF_STEPS if layers.displacement_m is not None else None
    surface, _ = refine_around(bench.surface, [site], radius, max_edge_m=step)
    local = replace(site, face=row_at(surface, site))
    chart = unfold(surface, local, radius, blueprint.placement.cross_edges)
    if not holds_label(chart.uv_m[chart.valid], min(chart.reached_m, chart.clear_m), layers):
        raise PlacementError(
            f"the surface ends inside the {kind.name}'s label", "smooth ground under all of it", "make it smaller"
        )
    tall = 0.0 if layers.displacement_m is None else float(np.abs(layers.displacement_m).max())
    draft = Draft(
        site=site,
        parameters=asdict(params),
        measured=label_size(layers),
        zone_m=(*site.point_m, radius + tall),
        keep=(np.asarray(site.point_m), max(reach, radius)),
        layers=layers,
    )
    return draft, surface.with_corner(**{chart_name(request.id): chart.uv_m}), bench.pair


def ground_at(bench: Bench, site: Site, reach_m: float) -> Ground:
    """The material, the direction of its marks in the chart, and the tightest curvature within reach."""
    base, face = bench.base, site.face
    angle = 0.0
    if "lay_tangent" in base.corner:
        where = barycentric(base.triangles[face][None], np.asarray(site.point_m)[None, None])[0, 0]
        marks = where @ base.corner["lay_tangent"][face]
        u, n = np.asarray(site.direction), np.asarray(site.normal)
        angle = float(np.arctan2(marks @ np.cross(n, u), marks @ u))
    return Ground(bench.material, angle, curvature_radius(base, face, np.asarray(site.point_m), reach_m))


def curvature_radius(mesh: Mesh, face: int, point: np.ndarray, reach_m: float) -> float:
    """Metres; how far one goes on the smooth patch around `face`, over how far its normals turn; inf on a plane."""
    near = np.linalg.norm(mesh.triangles.mean(axis=1) - point, axis=1) < 2 * reach_m
    near[face] = True
    if "patch" in mesh.face:
        near &= mesh.face["patch"] == mesh.face["patch"][face]
    corners = mesh.triangles[near].reshape(-1, 3)
    normals = mesh.corner[NORMAL][near].reshape(-1, 3)
    here = barycentric(mesh.triangles[face][None], point[None, None])[0, 0] @ mesh.corner[NORMAL][face]
    away = np.linalg.norm(corners - point, axis=1)
    turn = 2 * np.arcsin(np.clip(np.linalg.norm(normals - here / np.linalg.norm(here), axis=1) / 2, 0, 1))
    sees = (away > 0) & (turn < 1.0)
    bend = np.max(turn[sees] / away[sees], initial=0.0)
    return float(1 / bend) if bend > 1e-3 else np.inf


def affected_radius(layers: Layers) -> float:
    """Metres from the site to the farthest texel in which anything changes, a texel's diagonal added."""
    rows, columns = np.nonzero(np.minimum(layers.affected_m, layers.sdf_m) < 0)
    if not len(rows):
        raise PlacementError("the defect changes nothing at this size", "larger parameters", "correct the blueprint")
    centres = (np.stack([columns, rows], axis=1) + 0.5) * layers.pitch_m + np.asarray(layers.origin_m)
    return float(np.linalg.norm(centres, axis=1).max() + 1.5 * layers.pitch_m)


def holds_label(uv: np.ndarray, reached_m: float, layers: Layers) -> bool:
    """Whether chart triangles (n, 3, 2) cover the label; the chart is known to be whole within `reached_m`."""
    rows, columns = np.nonzero(layers.sdf_m < 0)
    points = (np.stack([columns, rows], axis=1) + 0.5) * layers.pitch_m + np.asarray(layers.origin_m)
    points = points[np.linalg.norm(points, axis=1) > reached_m - layers.pitch_m]
    points = points[:: max(1, len(points) // PROBES)]
    low, high = uv.min(axis=1), uv.max(axis=1)
    e1, e2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    det = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    for p in points:
        box = np.flatnonzero(((low <= p) & (p <= high)).all(axis=1))
        d = p - uv[box, 0]
        b = (d[:, 0] * e2[box, 1] - d[:, 1] * e2[box, 0]) / det[box]
        c = (e1[box, 0] * d[:, 1] - e1[box, 1] * d[:, 0]) / det[box]
        if not ((b >= -1e-9) & (c >= -1e-9) & (b + c <= 1 + 1e-9)).any():
            return False
    return True
