"""Charts: the logarithmic map of a surface about a point, in metres, on the faces that a defect needs.

`chart_patch` unfolds the faces one by one, which is exact on planes, cylinders, cones and every other developable
surface; where curvature parts them, `chart_fit` makes one continuous map of them. Here: which faces are valid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.defect import Site
from core.errors import GeometryError
from core.mesh import Mesh
from defects.procedural.chart_fit import corner_means, fit, stretches
from defects.procedural.chart_overlap import covered_twice
from defects.procedural.chart_patch import Patch, Placed, Window, gap_to_origin, place_faces
from defects.procedural.sharp import SHARP_RAD, to_segments

MAX_TURN_RAD = float(np.deg2rad(120.0))
MAX_STRETCH = 1.5
MAX_OFF = 0.02
"""Share of the radius by which the map may miss a geodesic's length before the face is left out."""
MARGIN = 1.03
"""Faces are placed and fitted a little beyond the radius, because the fit moves them."""
AGREE = 1e-9
"""Share of the radius up to which placements of one vertex count as equal: rounding."""
TORN, BENT = 0.35, 0.15
"""Placements of one vertex that differ by more than TORN of a face's size and BENT of the distance from the site
belong to two sheets (cut locus, corner of a box). A polyhedron's own curvature stays far below BENT."""


@dataclass(frozen=True, eq=False)
class Unfolding:
    """uv_m: (m, 3, 2) corner coordinates over the mesh's faces, metres, NaN where not valid. valid: (m,) bool.

    reached_m: geodesic distance up to which nothing but sharp edges and borders limits the chart (cut locus,
    stretch, overlap, far side of a thin wall); at most the radius asked for. error_m: estimated greatest position error
    within the radius. stops_m: (s, 2, 2) chart segments at which the chart ends within the radius, for whatever reason.
    """

    uv_m: np.ndarray
    valid: np.ndarray
    reached_m: float
    error_m: float
    stops_m: np.ndarray

    @cached_property
    def clear_m(self) -> float:
        """Distance along the surface from the site to where the chart ends (inf: not within the radius)."""
        a, b = self.stops_m[:, 0] @ [1, 1j], self.stops_m[:, 1] @ [1, 1j]
        return float(gap_to_origin(a, b).min(initial=np.inf))

    def room(self, uv_m: np.ndarray) -> np.ndarray:
        """(n,) distance in the chart from positions (n, 2) to where it ends (inf: not within the radius)."""
        gap = np.full(len(uv_m), np.inf)
        for start, end in self.stops_m:
            ends = np.broadcast_to(start, uv_m.shape), np.broadcast_to(end, uv_m.shape)
            gap = np.minimum(gap, to_segments(uv_m, *ends))
        return gap


def unfold(
    mesh: Mesh,
    site: Site,
    radius_m: float,
    cross_edges: bool = False,
    sharp_angle_rad: float = SHARP_RAD,
    max_turn_rad: float = MAX_TURN_RAD,
    half_extent_m: tuple[float, float] | None = None,
) -> Unfolding:
    """The chart about `site` (a point in face `site.face` of this mesh) over the faces that overlap `radius_m`.

    half_extent_m: for long thin defects, only the faces that overlap this rectangle too (half lengths along u and v).
    u runs along `site.direction`, v to its left seen from outside. The chart stops at borders and, unless
    `cross_edges`, at edges with a dihedral angle above `sharp_angle_rad`; before the cut locus; and where the
    normal has turned from the site's by more than `max_turn_rad`, so that it never covers both sides of a thin wall.
    GeometryError when the site is not on the mesh.
    """
    if not (np.isfinite(radius_m) and radius_m > 0):
        raise GeometryError(f"a chart of radius {radius_m} m", "a positive length", "correct the defect's reach")
    window = Window(radius_m, half_extent_m)
    wide = window.wider(MARGIN)
    patch = Patch.around(mesh, site, wide.radius, None if cross_edges else sharp_angle_rad)
    placed = place_faces(patch, site, wide, max_turn_rad)
    overlap = placed.reached & wide.holds(placed.place)
    good, z, error = _one_map(patch, placed, overlap, radius_m)
    uv = z[patch.faces]
    twice = covered_twice(patch, uv, good, placed.detour, radius_m)
    if twice.any():
        good = _joined(patch, good & ~twice)
    return _result(mesh, patch, uv, good, placed.reached & ~overlap, window, error)


def _one_map(patch: Patch, placed: Placed, good: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Faces (k,) that one continuous map covers, its vertex positions (n,) complex, and its estimated error."""
    n, place = int(patch.faces.max()) + 1, placed.place
    means = corner_means(patch.faces[good], place[good], n)
    if means.stray.max() <= AGREE * radius:
        return good, means.z, float(means.stray.max())
    square = 2 * np.abs((np.conj(place[:, 1] - place[:, 0]) * (place[:, 2] - place[:, 0])).imag)
    allowed = np.maximum(TORN * np.sqrt(square), BENT * np.abs(place.mean(axis=1)))
    torn = (means.stray[patch.faces] > allowed[:, None]).any(axis=1)
    torn[patch.start] = False
    good = _joined(patch, good & ~torn)
    straight = placed.detour <= AGREE * radius
    while True:
        start = int(np.count_nonzero(good[: patch.start]))
        z, error = fit(patch.faces[good], place[good], start, n, radius)
        least, most = stretches(z[patch.faces], place)
        # where a straight line leads to a face, the fit should keep its length
        off = np.abs(np.abs(z[patch.faces].mean(axis=1)) - np.abs(place.mean(axis=1)))
        off = np.where(straight & good, off, 0.0)
        fair = (least > 1 / MAX_STRETCH) & (most < MAX_STRETCH) & (off < MAX_OFF * radius)
        fair[patch.start] = True
        if fair[good].all():
            return good, z, error + float(off.max())
        good = _joined(patch, good & fair)


def _joined(patch: Patch, good: np.ndarray) -> np.ndarray:
    """The good faces that hang together with the site's."""
    half = np.flatnonzero(patch.twin >= 0)
    a, b = half // 3, patch.twin[half] // 3
    both = good[a] & good[b]
    k = len(good)
    graph = coo_matrix((np.ones(int(both.sum()), np.int8), (a[both], b[both])), (k, k))
    label = connected_components(graph, directed=False)[1]
    return good & (label == label[patch.start])


def _result(
    mesh: Mesh, patch: Patch, z: np.ndarray, good: np.ndarray, beyond: np.ndarray, window: Window, error: float
) -> Unfolding:
    """Corner values on the mesh, and the segments at which the chart ends. beyond: (k,) faces outside the window."""
    keep = good.copy()
    keep[good] = window.holds(z[good])
    valid = np.zeros(len(mesh.faces), bool)
    valid[patch.rows[keep]] = True
    uv = np.full((len(mesh.faces), 3, 2), np.nan)
    uv[patch.rows[keep]] = np.stack([z[keep].real, z[keep].imag], axis=2)

    half = (3 * np.flatnonzero(keep)[:, None] + np.arange(3)).ravel()
    p, q = z[keep].ravel(), np.roll(z[keep], -1, axis=1).ravel()
    gap = gap_to_origin(p, q)
    far = patch.twin[half]
    ends = patch.stop[half]
    fails = (far >= 0) & ~good[far // 3] & ~beyond[far // 3]
    inside = window.touches(p, q)
    reached = float(gap[fails & inside].min(initial=window.radius))
    stop = (ends | fails) & inside
    segments = np.stack([p[stop], q[stop]], axis=1)
    return Unfolding(uv, valid, reached, error, np.stack([segments.real, segments.imag], axis=2))
