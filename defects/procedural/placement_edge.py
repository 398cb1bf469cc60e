"""Sites on sharp convex edges, for what breaks off or grows there: chips and burrs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.blueprint import Blueprint
from core.defect import Site
from core.errors import PlacementError
from core.mesh import Mesh
from defects.procedural.placement_ground import Ground
from defects.procedural.placement_shape import Footprint, clear_of, site_at
from defects.procedural.sharp import SharpEdges, to_segments

MM = 1e-3
TURN_RAD = float(np.deg2rad(40.0))
NUDGE_M = 2e-6
"""How far a site moves from its edge into a face, at most."""
DRAWS = (256, 2048)


def edge_sites(
    ground: Ground,
    blueprint: Blueprint,
    faces: np.ndarray,
    shape: Footprint,
    rng: np.random.Generator,
    taken: Sequence[tuple[Sequence[float] | np.ndarray, float]],
) -> Site:
    """A site at a sharp convex edge of one of `faces` (and in it), uniform over the length of those edges.

    Its direction runs along the edge, its point lies a hair inside the face. The edge goes on by `shape.along` to
    both sides without a corner, and the footprint keeps its edge distance from every other sharp edge.
    """
    rule = blueprint.placement
    edges, mesh = ground.edges, ground.mesh
    wanted = np.zeros(len(mesh.faces) + 1, bool)
    wanted[faces] = True
    mine = np.flatnonzero(edges.convex & wanted[edges.faces].any(axis=1))
    where = f"blueprint '{blueprint.name}' ({', '.join(rule.regions) or 'whole part'})"
    if len(mine) == 0:
        raise PlacementError(f"{where} finds no edge", "a sharp convex edge in the region", "choose another region")
    chain, before, length, closed = chains(mesh, edges)
    start, end = (mesh.vertices[edges.segments[:, k]] for k in (0, 1))
    total = np.cumsum(np.linalg.norm(end[mine] - start[mine], axis=1))
    widest, blocked = 0.0, 0
    for count in DRAWS:
        pick = mine[np.minimum(np.searchsorted(total, rng.uniform(0, total[-1], count), side="right"), len(mine) - 1)]
        t, side = rng.uniform(0.05, 0.95, count), rng.uniform(size=count)
        point = start[pick] + t[:, None] * (end[pick] - start[pick])
        clear = clear_of(point, edges.tangent[pick], shape, taken, rule.spacing_mm * MM)
        blocked += int((~clear).sum())
        s = before[pick] + t * np.linalg.norm(end[pick] - start[pick], axis=1)
        run = np.where(closed[pick], length[pick] / 2, np.minimum(s, length[pick] - s))
        for k in np.flatnonzero(clear):
            edge = int(pick[k])
            # a loop must leave more than the defect's own width of metal across it
            room = run[k] if not closed[edge] else length[edge] / np.pi
            others = np.flatnonzero(chain != chain[edge])
            gap = _nearest(point[k], start[others], end[others]) - shape.across
            widest = max(widest, min(room, gap + shape.across))
            if room < shape.along + (0 if closed[edge] else shape.rim_min):
                continue
            if not rule.cross_edges and not shape.rim_min <= gap <= shape.rim_max:
                continue
            inside = edges.faces[edge][wanted[edges.faces[edge]]]
            face = int(inside[int(side[k] * len(inside))])
            return site_at(mesh, face, _into(mesh, face, point[k]), edges.tangent[edge])
    if blocked and widest == 0.0:
        raise PlacementError(
            f"{where} finds no room between the other defects",
            f"{rule.spacing_mm:g} mm between their rims",
            "ask for fewer or smaller defects, or set overlap: true",
        )
    raise PlacementError(
        f"{where} needs {(shape.along + shape.rim_min) / MM:.1f} mm of edge to both sides and free of other edges",
        f"at most the {widest / MM:.1f} mm that the region's edges offer",
        "make the defect smaller, lower edge_distance_mm, or choose another region",
    )


def chains(mesh: Mesh, edges: SharpEdges) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edges strung together where two meet end to end with a turn below 40 degrees.

    Per edge: number of its chain, length of the chain before its start (metres), length of the whole chain, and
    whether it is a closed loop.
    """
    k = len(edges.segments)
    ends = edges.segments.T.ravel()
    order = np.argsort(ends, kind="stable")
    first = np.flatnonzero(np.r_[True, np.diff(ends[order]) > 0])
    pairs = first[np.diff(np.r_[first, 2 * k]) == 2]
    a, b = order[pairs], order[pairs + 1]
    away = np.concatenate([edges.tangent, -edges.tangent])
    straight = np.einsum("ij,ij->i", away[a], away[b]) < -np.cos(TURN_RAD)
    a, b = a[straight], b[straight]
    link = np.full(2 * k, -1)
    link[a], link[b] = b, a
    graph = coo_matrix((np.ones(len(a), np.int8), (a % k, b % k)), (k, k))
    count, chain = connected_components(graph, directed=False)
    span = np.linalg.norm(mesh.vertices[edges.segments[:, 1]] - mesh.vertices[edges.segments[:, 0]], axis=1)
    length = np.bincount(chain, span, count)
    before, closed = np.zeros(k), np.ones(k, bool)
    for loose in np.flatnonzero(link < 0):
        edge, gone, tip = loose % k, 0.0, loose
        if closed[edge]:
            while True:
                closed[edge] = False
                before[edge] = gone
                gone += span[edge]
                tip = link[(tip + k) % (2 * k)]
                if tip < 0:
                    break
                edge = tip % k
    return chain, before, length[chain], closed


def _nearest(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    if len(start) == 0:
        return np.inf
    return float(to_segments(np.broadcast_to(point, start.shape), start, end).min())


def _into(mesh: Mesh, face: int, point: np.ndarray) -> np.ndarray:
    """A point of the face's border moved a hair towards its middle."""
    inwards = mesh.triangles[face].mean(axis=0) - point
    return point + inwards * min(0.01, NUDGE_M / np.linalg.norm(inwards))
