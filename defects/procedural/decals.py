"""One decal or relief: a site, a chart on the refined surface, painted layers that the chart holds whole."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from core.defect import Site, chart_name
from core.errors import PlacementError
from core.layers import Layers
from core.mesh import Mesh, barycentric
from core.seeds import child
from defects.procedural.bench import Bench, Draft, Request, Zones, row_at
from defects.procedural.chart import unfold
from defects.procedural.kind import MM, Anywhere, Ground
from defects.procedural.measure import label_size
from defects.procedural.own_finish import finish_at
from defects.procedural.refine import refine_around
from defects.procedural.solids import Pair

RELIEF_STEPS = 16
"""Edges under a relief are shorter than its radius over this."""

LONG = 1.5
"""Length over width from which a defect is placed as a rectangle, not as a disc."""

PROBES = 1500
"""Texels of the label that are looked up in the chart."""


def make(bench: Bench, request: Request, values: dict[str, Any], rng: np.random.Generator) -> tuple[Draft, Mesh, Pair]:
    """A placed, painted defect; the surface refined around it with its chart; the solids as they were."""
    kind, blueprint = request.kind, request.blueprint
    params = kind.parameters(values, request.origin)
    stream = int(rng.integers(2**62))
    assert kind.paint is not None
    # What some kinds paint depends on the site, and the site on the room that the paint needs: those paint twice.
    anywhere = Anywhere(bench.material)
    rough = kind.paint(params, anywhere, child(stream, "paint"))
    reach = max(kind.reach_mm(params) * MM, affected_radius(rough))
    site = bench.place(request, reach, footprint(rough), rng)
    again = anywhere.asked or bench.material.captured
    layers = kind.paint(params, ground_at(bench, site), child(stream, "paint")) if again else rough
    radius = affected_radius(layers)
    surface, _ = refine_around(bench.surface, [site], radius)
    window = half_extents(layers) if footprint(layers) else None
    here = replace(site, face=row_at(surface, site))
    chart = unfold(surface, here, radius, blueprint.placement.cross_edges, half_extent_m=window)
    whole = min(chart.reached_m, chart.clear_m)
    if not holds_label(chart.uv_m[chart.valid], whole, layers):
        raise PlacementError(
            f"the surface ends inside the {kind.name}'s label", "smooth ground under all of it", "make it smaller"
        )
    tall = 0.0 if layers.displacement_m is None else float(np.abs(layers.displacement_m).max())
    draft = Draft(
        site=site,
        parameters=asdict(params),
        measured=label_size(layers),
        zone_m=(*site.point_m, radius + tall),
        keep=spheres(surface.triangles[chart.valid], chart.uv_m[chart.valid], site, layers),
        layers=layers,
    )
    surface = surface.with_corner(**{chart_name(request.id): chart.uv_m})
    if layers.displacement_m is not None:
        # The chart is linear on each face, so it is carried to the finer ones as it is.
        surface, _ = refine_around(surface, [site], radius, max_edge_m=radius / RELIEF_STEPS)
    return draft, surface, bench.pair


def ground_at(bench: Bench, site: Site) -> Ground:
    """The material, the direction of its marks in the chart, and the curvature at the site."""
    base, face = bench.base, site.face
    angle = 0.0
    if "lay_tangent" in base.corner:
        where = barycentric(base.triangles[face][None], np.asarray(site.point_m)[None, None])[0, 0]
        marks = where @ base.corner["lay_tangent"][face]
        u, n = np.asarray(site.direction), np.asarray(site.normal)
        angle = float(np.arctan2(marks @ np.cross(n, u), marks @ u))
    material = finish_at(bench.material, base, bench.part.maps, face, np.asarray(site.point_m))
    return Ground(material, angle, float(bench.placer.ground.bend_radius[face]))


def footprint(layers: Layers) -> tuple[float, float] | None:
    """(along, across) half extents of a defect that is much longer than wide, else None (a disc)."""
    along, across = half_extents(layers)
    return (along, across) if along > LONG * across else None


def half_extents(layers: Layers) -> tuple[float, float]:
    """Greatest |u| and |v| (metres) at which anything changes, a texel added."""
    centres = np.abs(affected_texels(layers)).max(axis=0) + layers.pitch_m
    return float(centres[0]), float(centres[1])


def affected_texels(layers: Layers) -> np.ndarray:
    """(n, 2) chart positions, metres, of the texels in which anything changes."""
    rows, columns = np.nonzero(np.minimum(layers.affected_m, layers.sdf_m) < 0)
    if not len(rows):
        raise PlacementError("the defect changes nothing at this size", "larger parameters", "correct the blueprint")
    return (np.stack([columns, rows], axis=1) + 0.5) * layers.pitch_m + np.asarray(layers.origin_m)


def affected_radius(layers: Layers) -> float:
    """Metres from the site to the farthest texel in which anything changes, a texel's diagonal added."""
    return float(np.linalg.norm(affected_texels(layers), axis=1).max() + 1.5 * layers.pitch_m)


def spheres(triangles: np.ndarray, uv: np.ndarray, site: Site, layers: Layers) -> Zones:
    """Spheres that hold everything the defect changes: one, or a row of them along a long one."""
    along, across = half_extents(layers)
    if along <= LONG * across:
        return [(np.asarray(site.point_m), affected_radius(layers))]
    row = np.linspace(across - along, along - across, int(np.ceil(along / across)) + 1)
    row = np.stack([row, np.zeros(len(row))], axis=1)
    face, where = located(uv, row)
    centres = np.einsum("nc,nck->nk", where, triangles[face])
    radius = float(np.hypot(across, (row[1, 0] - row[0, 0]) / 2))
    return [(c, radius) for c, f in zip(centres, face, strict=True) if f >= 0]


def holds_label(uv: np.ndarray, reached_m: float, layers: Layers) -> bool:
    """Whether chart triangles (n, 3, 2) cover the label; the chart is known to be whole within `reached_m`."""
    rows, columns = np.nonzero(layers.sdf_m < 0)
    points = (np.stack([columns, rows], axis=1) + 0.5) * layers.pitch_m + np.asarray(layers.origin_m)
    points = points[np.linalg.norm(points, axis=1) > reached_m - layers.pitch_m]
    return bool((located(uv, points[:: max(1, len(points) // PROBES)])[0] >= 0).all())


def located(uv: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Chart points (k, 2) in chart triangles (n, 3, 2): index (k,), -1 outside of all, and barycentric (k, 3)."""
    low, high = uv.min(axis=1), uv.max(axis=1)
    e1, e2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    det = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    face, where = np.full(len(points), -1), np.zeros((len(points), 3))
    for i, p in enumerate(points):
        box = np.flatnonzero(((low <= p) & (p <= high)).all(axis=1))
        d = p - uv[box, 0]
        b = (d[:, 0] * e2[box, 1] - d[:, 1] * e2[box, 0]) / det[box]
        c = (e1[box, 0] * d[:, 1] - e1[box, 1] * d[:, 0]) / det[box]
        inside = np.flatnonzero((b >= -1e-9) & (c >= -1e-9) & (b + c <= 1 + 1e-9))
        if len(inside):
            k = inside[0]
            face[i], where[i] = box[k], (1 - b[k] - c[k], b[k], c[k])
    return face, where
