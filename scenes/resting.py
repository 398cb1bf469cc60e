"""How a part lies on the support plane: a named side up, or a stable pose of its convex hull."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from core.errors import GeometryError

AXES = {
    "+x": (1.0, 0.0, 0.0), "-x": (-1.0, 0.0, 0.0), "+y": (0.0, 1.0, 0.0),
    "-y": (0.0, -1.0, 0.0), "+z": (0.0, 0.0, 1.0), "-z": (0.0, 0.0, -1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Rest:
    """A stable pose. up: (3,) unit, part frame, direction that points up. weight: share of a random drop."""

    up: np.ndarray
    weight: float


def hull_of(vertices: np.ndarray) -> ConvexHull:
    """The convex hull of (n, 3) vertices, metres. GeometryError when they have no volume.

    The same vertices give the same object: a run asks for one part thousands of times.
    """
    return _hull(np.ascontiguousarray(vertices, float).tobytes())


@lru_cache(maxsize=8)
def _hull(data: bytes) -> ConvexHull:
    vertices = np.frombuffer(data).reshape(-1, 3)
    try:
        return ConvexHull(vertices)
    except (QhullError, ValueError) as error:
        raise GeometryError(
            f"a part of {len(vertices)} vertices without volume", "a body with three extents", "repair the part"
        ) from error


def rotation_to_up(up: np.ndarray) -> np.ndarray:
    """(3, 3) world_from_part rotation that turns `up` to +z: the shortest way, after half a turn about x if it points
    down (the shortest way from there is ill-conditioned)."""
    up = np.asarray(up, float) / np.linalg.norm(up)
    if up[2] < 0:
        half_turn = np.diag([1.0, -1.0, -1.0])
        return rotation_to_up(half_turn @ up) @ half_turn
    v, c = np.cross(up, [0.0, 0.0, 1.0]), up[2]
    k = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.eye(3) + k + k @ k / (1 + c)


@lru_cache(maxsize=8)
def stable_rests(hull: ConvexHull) -> tuple[Rest, ...]:
    """Poses in which the hull's centroid stands over its support face, likeliest first.

    The centre of mass is taken as the hull's (the inside is not known from vertices). A drop ends on a face about as
    often as the face's solid angle from the centre of mass says (Goldberg et al. 1999, part pose statistics).
    """
    points = hull.points
    simplices = points[hull.simplices]
    inner = points[hull.vertices].mean(0)
    volumes = np.abs(np.linalg.det(simplices - inner)) / 6
    centre = ((simplices.sum(1) + inner) / 4 * volumes[:, None]).sum(0) / volumes.sum()
    solid_angle = _solid_angles(simplices - centre)
    rests = []
    for normal, members in _coplanar(hull.equations):
        foot = centre - normal * ((centre - simplices[members[0], 0]) @ normal)
        if any(_inside(foot, simplices[m], normal) for m in members):
            rests.append(Rest(-normal, float(solid_angle[members].sum())))
    total = sum(r.weight for r in rests)
    return tuple(sorted((Rest(r.up, r.weight / total) for r in rests), key=lambda r: -r.weight))


def stand(hull_points: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(4, 4) world_from_part: rotated, lying on z = 0, bounding box centred on the z axis."""
    turned = hull_points @ rotation.T
    low, high = turned.min(0), turned.max(0)
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = [-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]]
    return pose


def _coplanar(equations: np.ndarray, angle_rad: float = 2e-3) -> list[tuple[np.ndarray, np.ndarray]]:
    """Hull triangles grouped by outward normal: (unit normal, indices)."""
    left = np.ones(len(equations), bool)
    groups = []
    for i in range(len(equations)):
        if left[i]:
            same = left & (equations[:, :3] @ equations[i, :3] > np.cos(angle_rad))
            left &= ~same
            groups.append((equations[i, :3], np.flatnonzero(same)))
    return groups


def _inside(point: np.ndarray, triangle: np.ndarray, normal: np.ndarray) -> bool:
    """The point, in the triangle's plane, lies in it (border included, within a millionth of its size)."""
    edges = np.roll(triangle, -1, axis=0) - triangle
    sides = np.cross(edges, point - triangle) @ normal
    slack = 1e-6 * float((edges**2).sum())
    return bool((sides >= -slack).all() or (sides <= slack).all())


def _solid_angles(triangles: np.ndarray) -> np.ndarray:
    """(n,) solid angle of triangles (n, 3, 3) from the origin (van Oosterom and Strackee 1983)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    top = np.abs(np.einsum("ij,ij->i", a, np.cross(b, c)))
    bottom = la * lb * lc + (a * b).sum(1) * lc + (a * c).sum(1) * lb + (b * c).sum(1) * la
    return 2 * np.arctan2(top, bottom)
