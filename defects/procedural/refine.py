"""Conforming refinement around defect sites: smaller triangles on the same surface, every attribute carried along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.defect import Site
from core.errors import GeometryError
from core.mesh import Mesh, barycentric
from defects.procedural.refine_needles import cut_needles
from defects.procedural.refine_pool import Pool, split, triangle_distance
from defects.procedural.sharp import SHARP_RAD, folds

MAX_FACES = 200_000
COARSEST = 0.05
"""Share of the radius below which curvature alone never asks for smaller edges; bounds the work on noisy scans."""

Limits = float | None | Sequence[float | None]


def refine_around(
    mesh: Mesh,
    sites: Sequence[Site] | np.ndarray,
    radii_m: float | Sequence[float] | np.ndarray,
    max_error: float = 0.002,
    max_edge_m: Limits = None,
    max_faces: int = MAX_FACES,
) -> tuple[Mesh, np.ndarray]:
    """Split faces near the sites until a chart there errs by less than `max_error` of its radius.

    sites: sites or (k, 3) points, part frame. radii_m: one, or one a site. max_edge_m: longest edge allowed within
    a radius (for vertices that will be displaced), one for all or one a site; None asks for none.
    Returns the mesh and parent (q,) int: the face of `mesh` that each face lies in. Faces that no split touches are
    bit-identical and come first, in their order; new vertices lie on the old flat triangles. Developable surfaces
    (planes, cylinders, cones) need no faces for the chart's sake. GeometryError above `max_faces` new faces.
    """
    points, radii, edges = _as_arrays(sites, radii_m, max_edge_m)
    rows = _near(mesh, points, radii)
    density = curvature_density(mesh, rows)
    pool = Pool(mesh.vertices[mesh.faces[rows]], mesh.faces[rows], rows, density, mesh.vertices)
    _bounded(points, len(points) * (max(radii / edges, default=0.0) ** 2), max_faces)
    pool = cut_needles(pool, _limits(pool, points, radii, edges, max_error), points, radii)
    while True:
        _bounded(points, len(pool.faces) - len(rows), max_faces)
        limit = _limits(pool, points, radii, edges, max_error)
        over = pool.lengths.max(axis=1) > limit
        if not over.any():
            break
        pool, _ = split(pool, np.where(over, _longest(pool), -1), np.full(len(over), 0.5), limit)
    return _assembled(mesh, pool, rows)


def _bounded(points: np.ndarray, count: float, max_faces: int) -> None:
    if count > max_faces:
        raise GeometryError(
            f"refining around {len(points)} sites makes more than {max_faces} triangles",
            "an edge length that fits the radius",
            "raise the edge length or lower the defect's size",
        )


def located(mesh: Mesh, parent: np.ndarray, site: Site) -> Site:
    """The same site on a mesh that `refine_around` returned with `parent`."""
    rows = np.flatnonzero(parent == site.face)
    if len(rows) == 0:
        raise GeometryError(f"face {site.face} is not in the refined mesh", "the site's own mesh", "pass its parent")
    point = np.broadcast_to(np.asarray(site.point_m, float), (len(rows), 1, 3))
    inside = barycentric(mesh.triangles[rows], point)[:, 0].min(axis=1)
    return replace(site, face=int(rows[inside.argmax()]))


def _as_arrays(
    sites: Sequence[Site] | np.ndarray, radii_m: float | Sequence[float] | np.ndarray, max_edge_m: Limits
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.array([s.point_m if isinstance(s, Site) else s for s in sites], float).reshape(-1, 3)
    radii = np.broadcast_to(np.asarray(radii_m, float), (len(points),))
    given = [max_edge_m] * len(points) if max_edge_m is None or np.isscalar(max_edge_m) else list(max_edge_m)  # type: ignore[arg-type]
    edges = np.array([np.inf if e is None else e for e in given], float)
    if len(edges) != len(points) or not (np.isfinite(radii) & (radii > 0)).all() or not (edges > 0).all():
        raise GeometryError(
            f"{len(points)} sites, radii {radii.tolist()}, edge lengths {edges.tolist()}",
            "one positive radius and edge length a site",
            "correct the call",
        )
    return points, radii, edges


def _near(mesh: Mesh, points: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Rows of faces within the radius of a site, and their neighbours by an edge or a vertex."""
    low, high = mesh.triangles.min(axis=1), mesh.triangles.max(axis=1)
    found = np.zeros(len(mesh.faces), bool)
    for point, radius in zip(points, radii, strict=True):
        found |= ((low <= point + radius) & (high >= point - radius)).all(axis=1)
    touched = np.zeros(len(mesh.vertices), bool)
    touched[mesh.faces[found]] = True
    return np.flatnonzero(touched[mesh.faces].any(axis=1))


def curvature_density(mesh: Mesh, rows: np.ndarray) -> np.ndarray:
    """(len(rows),) magnitude of the Gaussian curvature about each face, 1/m^2, from angle defects (Gauss-Bonnet).

    Vertices on sharp edges, on borders and at the rim of `rows` have no defect of their own and do not count.
    """
    used, local = np.unique(mesh.faces[rows], return_inverse=True)
    local = local.reshape(-1, 3)
    triangles = mesh.triangles[rows]
    whole = np.bincount(mesh.faces.ravel(), minlength=len(mesh.vertices))[used]
    smooth = np.bincount(local.ravel(), minlength=len(used)) == whole
    f, j, _, turn = folds(triangles, Mesh(mesh.vertices[used], local).neighbours)
    ends = np.stack([local[f, j], local[f, (j + 1) % 3]], axis=1)
    smooth[ends[np.abs(turn) > SHARP_RAD]] = False
    a, b = np.roll(triangles, -1, axis=1) - triangles, np.roll(triangles, 1, axis=1) - triangles
    angle = np.arctan2(np.linalg.norm(np.cross(a, b), axis=2), (a * b).sum(2))
    areas = np.repeat(mesh.areas[rows], 3)
    total = np.bincount(local.ravel(), angle.ravel(), len(used))
    defect = np.where(smooth, np.abs(2 * np.pi - total), 0.0)
    defect[defect < 1e-9] = 0.0
    own = np.bincount(local.ravel(), areas, len(used)) / 3
    # a face takes the curvature of its corners over their area; corners without a defect say nothing
    gathered, share = defect[local], np.where(smooth, own, 0.0)[local].sum(axis=1)
    return np.divide(gathered.sum(axis=1), share, out=np.zeros(len(rows)), where=share > 0)


def _limits(pool: Pool, points: np.ndarray, radii: np.ndarray, edges: np.ndarray, max_error: float) -> np.ndarray:
    """(w,) longest edge allowed in every face, metres; inf outside every radius."""
    longest = pool.lengths.max(axis=1)
    low, high = pool.corners.min(axis=1), pool.corners.max(axis=1)
    result = np.full(len(longest), np.inf)
    for point, radius, edge in zip(points, radii, edges, strict=True):
        box = np.flatnonzero(((low <= point + radius) & (high >= point - radius)).all(axis=1))
        gap = triangle_distance(pool.corners[box], point)
        # second derivative of the logarithmic map is 2/3 K r, a linear face errs by h^2/8 of it; allow half
        reach = np.clip(gap + longest[box], 0.0, radius)
        with np.errstate(divide="ignore"):
            needed = np.sqrt(6 * max_error * radius / (pool.density[box] * reach))
        limit = np.minimum(np.maximum(needed, COARSEST * radius), edge) * (1 + 1e-9)
        result[box] = np.where(gap < radius, np.minimum(result[box], limit), result[box])
    return result


def _longest(pool: Pool) -> np.ndarray:
    """(w,) the corner at which each face's longest edge starts; of equal ones, the same seen from both sides."""
    length = pool.lengths
    least = np.minimum(pool.faces, np.roll(pool.faces, -1, axis=1))
    nearly = length >= length.max(axis=1)[:, None] * (1 - 1e-9)
    return np.where(nearly, least, np.iinfo(np.int64).max).argmin(axis=1)


def _assembled(mesh: Mesh, pool: Pool, rows: np.ndarray) -> tuple[Mesh, np.ndarray]:
    pieces = np.bincount(pool.parent, minlength=len(mesh.faces))
    split = pieces[pool.parent] > 1
    if not split.any():
        return mesh, np.arange(len(mesh.faces))
    keep = np.ones(len(mesh.faces), bool)
    keep[rows] = pieces[rows] <= 1
    kept, faces, parent = np.flatnonzero(keep), pool.faces[split], pool.parent[split]
    fresh = mesh.rebuilt(pool.vertices, faces, parent)
    corner = {n: np.concatenate([a[kept], fresh.corner[n]]) for n, a in mesh.corner.items()}
    face = {n: np.concatenate([a[kept], fresh.face[n]]) for n, a in mesh.face.items()}
    result = Mesh(pool.vertices, np.concatenate([mesh.faces[kept], faces]), corner, face)
    return result, np.concatenate([kept, parent])
