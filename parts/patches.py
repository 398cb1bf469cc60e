"""Smooth patches by dihedral angle, and shading normals that are smooth inside them and split at their edges."""

from __future__ import annotations

import numpy as np

from parts.topology import Edges, components


def corner_angles(triangles: np.ndarray) -> np.ndarray:
    """(m, 3) interior angle at each corner, radians."""
    ahead = np.roll(triangles, -1, axis=1) - triangles
    behind = np.roll(triangles, 1, axis=1) - triangles
    cross = np.linalg.norm(np.cross(ahead, behind), axis=2)
    return np.arctan2(cross, (ahead * behind).sum(2))


def smooth_edges(edges: Edges, face_normals: np.ndarray, normals: np.ndarray | None, angle_rad: float) -> np.ndarray:
    """(p,) bool over the two-sided edges: the surface turns by less than `angle_rad` there.

    With `normals` (m, 3, 3; zero where unknown) of the true surface the angle is taken between those at both ends,
    so that a coarsely tessellated fillet stays one patch; elsewhere between the facets.
    """
    f, g = edges.pairs.T
    cosine = (face_normals[f] * face_normals[g]).sum(1)
    if normals is not None:
        here = normals[f[:, None], edges.corners[:, 0]]
        there = normals[g[:, None], edges.corners[:, 1]]
        known = (here * here).sum(2).min(1) * (there * there).sum(2).min(1) > 0.5
        cosine = np.where(known, (here * there).sum(2).min(1), cosine)
    return edges.agree & (cosine >= np.cos(angle_rad))


def patches(edges: Edges, smooth: np.ndarray, count: int) -> np.ndarray:
    """(count,) patch number of each face: what hangs together by smooth edges."""
    return components(edges.pairs[smooth], count)


def corner_normals(
    vertices: np.ndarray, faces: np.ndarray, edges: Edges, smooth: np.ndarray, known: np.ndarray | None
) -> np.ndarray:
    """(m, 3, 3) unit shading normals: `known` where the CAD kernel gave them, else the angle-weighted mean over the
    faces that reach a corner through smooth edges (Thuermer and Wuethrich 1998).
    """
    triangles = vertices[faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    flat = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
    pairs, ends = edges.pairs[smooth], edges.corners[smooth]
    corners = (pairs[:, :, None] * 3 + ends).transpose(0, 2, 1).reshape(-1, 2)
    fan = components(corners, 3 * len(faces))
    weighted = (corner_angles(triangles)[:, :, None] * flat[:, None]).reshape(-1, 3)
    total = np.stack([np.bincount(fan, weighted[:, k]) for k in range(3)], 1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    mean = np.divide(total, length, out=np.zeros_like(total), where=length > 1e-9)[fan].reshape(-1, 3, 3)
    mean = np.where((mean * mean).sum(2, keepdims=True) > 0.5, mean, flat[:, None])
    if known is None:
        return mean
    return np.where((known * flat[:, None]).sum(2, keepdims=True) > 0.2, known, mean)


def facing(known: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """`known` corner normals (m, 3, 3) turned to the side of their faces; zero where they disagree with the facet."""
    triangles = vertices[faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    flat = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-300)
    side = (known * flat[:, None]).sum(2, keepdims=True)
    return np.where(np.abs(side) > 0.2, np.sign(side) * known, 0.0)
