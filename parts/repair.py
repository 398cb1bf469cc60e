"""Weld, drop degenerate and repeated faces, orient outward; say what was done and what stays open or non-manifold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from core.errors import GeometryError
from parts.bodies import separated
from parts.orient import oriented
from parts.raw import Raw, keep_faces
from parts.slivers import without_slivers
from parts.topology import components, edges_of

WELD = (1e-9, 1e-6, 1e-5)
"""Welding distances tried one after the other on open edges, as parts of the bounding box diagonal; the first is
rounding."""


@dataclass(frozen=True)
class Repairs:
    """What was changed (first seven) and what could not be (the rest)."""

    vertices_welded: int
    degenerate_faces_dropped: int
    repeated_faces_dropped: int
    opposed_faces_dropped: int
    bodies_separated: int
    faces_flipped: int
    weld_distance_mm: float
    open_edges: int
    non_manifold_edges: int
    components: int
    closed: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def repaired(raw: Raw, name: str) -> tuple[Raw, Repairs]:
    """A welded, oriented copy of `raw` (metres). GeometryError when nothing usable is in it."""
    _check_finite(raw, name)
    before = len(raw.vertices)
    raw = _welded_exactly(raw)
    distance = 0.0
    diagonal = float(np.linalg.norm(np.ptp(raw.vertices, axis=0))) if len(raw.vertices) else 0.0
    if diagonal == 0.0:
        raise GeometryError(f"{name} has no extent", "triangles with an area", "check the export")
    raw, degenerate = without_slivers(raw, diagonal)
    for part in WELD:
        closer = _welded_borders(raw, part * diagonal, every=part == WELD[0])
        if closer is not None:
            raw, more = without_slivers(closer, diagonal)
            distance, degenerate = part * diagonal, degenerate + more
    raw, apart = separated(raw)
    raw, repeated = _without_repeats(raw)
    raw, bodies = separated(raw) if repeated else (raw, 0)
    raw, opposed = _without_opposed(raw, name)
    if not len(raw.faces):
        raise GeometryError(f"{name} has only degenerate faces", "triangles with an area", "check the export")
    raw, flipped = oriented(raw)
    raw = _compact(raw)
    _check_volume(raw, name)
    edges = edges_of(raw.faces)
    return raw, Repairs(
        vertices_welded=before - len(raw.vertices),
        degenerate_faces_dropped=degenerate,
        repeated_faces_dropped=repeated,
        opposed_faces_dropped=opposed,
        bodies_separated=apart + bodies,
        faces_flipped=flipped,
        weld_distance_mm=round(distance * 1e3, 9),
        open_edges=len(edges.open),
        non_manifold_edges=len(edges.crowded),
        components=int(components(edges.pairs, len(raw.faces)).max()) + 1,
        closed=not len(edges.open) and not len(edges.crowded),
    )


def _check_finite(raw: Raw, name: str) -> None:
    if not len(raw.faces):
        raise GeometryError(f"{name} holds no triangles", "at least one surface", "export the surface, not points")
    used = np.unique(raw.faces)
    if used[0] < 0 or used[-1] >= len(raw.vertices):
        raise GeometryError(f"{name} has faces that name missing vertices", "a complete mesh", "export it again")
    bad = int((~np.isfinite(raw.vertices[used])).any(1).sum())
    if bad:
        raise GeometryError(
            f"{name} has {bad} vertices that are NaN or infinite", "finite coordinates", "repair the mesh"
        )
    if np.abs(raw.vertices[used]).max() > 1e6:
        raise GeometryError(f"{name} reaches beyond 1000 km", "a part", "check the unit and the coordinates")


def _check_volume(raw: Raw, name: str) -> None:
    extent = np.ptp(raw.vertices, axis=0)
    if extent.min() <= 1e-9 * extent.max():
        raise GeometryError(f"{name} is flat (zero volume)", "a body with thickness", "export a solid, not a sheet")
    edges = edges_of(raw.faces)
    if not len(edges.open) and not len(edges.crowded):
        t = raw.vertices[raw.faces] - raw.vertices.mean(0)
        volume = float(np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])).sum() / 6)
        if abs(volume) <= 1e-9 * float(np.prod(extent)):
            raise GeometryError(f"{name} encloses zero volume", "a body with thickness", "export a solid, not a sheet")


def _compact(raw: Raw) -> Raw:
    used, inverse = np.unique(raw.faces, return_inverse=True)
    return replace(raw, vertices=raw.vertices[used], faces=inverse.reshape(-1, 3))


def _welded_exactly(raw: Raw) -> Raw:
    """One vertex for each distinct position of each solid."""
    corner_solid = np.repeat(raw.solid, 3)
    flat = raw.faces.ravel()
    points = raw.vertices[flat] + 0.0  # -0.0 and 0.0 are one position
    order = np.lexsort((points[:, 2], points[:, 1], points[:, 0], corner_solid))
    p, s = points[order], corner_solid[order]
    new = np.r_[True, (np.diff(p, axis=0) != 0).any(1) | (np.diff(s) != 0)]
    rank = np.cumsum(new) - 1
    faces = np.empty(len(flat), np.int64)
    faces[order] = rank
    return replace(raw, vertices=p[new], faces=faces.reshape(-1, 3))


def _welded_borders(raw: Raw, distance: float, every: bool) -> Raw | None:
    """Border vertices (all, if `every`) of one solid closer than `distance` made one; None when that closes nothing.

    Bodies that touch along an edge give it an even number of faces, which `separated` takes apart; odd is a tear.
    """
    edges = edges_of(raw.faces)
    if not len(edges.open):
        return None
    corners, faces = (raw.faces, slice(None)) if every else (edges.open, edges.open_faces)
    border, owner = np.unique(corners.ravel(), return_index=True)
    solid = np.repeat(raw.solid[faces], corners.shape[1])[owner]
    pairs = KDTree(raw.vertices[border]).query_pairs(distance, output_type="ndarray")
    pairs = pairs[solid[pairs[:, 0]] == solid[pairs[:, 1]]]
    if not len(pairs):
        return None
    label = components(pairs, len(border))
    representative = border[np.unique(label, return_index=True)[1]]
    target = np.arange(len(raw.vertices))
    target[border] = representative[label]
    welded = replace(raw, faces=target[raw.faces])
    after = edges_of(welded.faces)
    torn = [int((e.crowded_uses % 2).sum()) for e in (edges, after)]
    return welded if len(after.open) < len(edges.open) and torn[1] <= torn[0] else None


def _without_repeats(raw: Raw) -> tuple[Raw, int]:
    """Drop faces that name the same three vertices in the same sense as an earlier one."""
    shift = raw.faces.argmin(1)
    ring = np.take_along_axis(raw.faces, (shift[:, None] + np.arange(3)) % 3, axis=1)
    order = np.lexsort((ring[:, 2], ring[:, 1], ring[:, 0]))
    same = np.r_[False, (np.diff(ring[order], axis=0) == 0).all(1)]
    return (keep_faces(raw, np.sort(order[~same])), int(same.sum())) if same.any() else (raw, 0)


def _without_opposed(raw: Raw, name: str) -> tuple[Raw, int]:
    """Drop faces that name the same three vertices as an earlier one in the opposite sense: sheets without thickness,
    of which the renderer would drop one side on its own. GeometryError when there is nothing else.
    """
    key = np.sort(raw.faces, axis=1)
    order = np.lexsort((key[:, 2], key[:, 1], key[:, 0]))
    same = np.r_[False, (np.diff(key[order], axis=0) == 0).all(1)]
    dropped = int(same.sum())
    if 2 * dropped == len(raw.faces):
        raise GeometryError(
            f"all {len(raw.faces)} triangles of {name} lie back to back and enclose zero volume",
            "a body with thickness",
            "export a solid, not a sheet",
        )
    return (keep_faces(raw, np.sort(order[~same])), dropped) if dropped else (raw, 0)
