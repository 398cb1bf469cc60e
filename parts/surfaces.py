"""What shape each piece of surface has: planes and cylinders with their axis, radius and side, fitted to the mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.mesh import NORMAL, Mesh
from parts.segments import LEAST_FACETS, segments

PLANE_RAD = np.deg2rad(0.5)
CYLINDER_RAD = np.deg2rad(2.0)
FACET_RAD = np.deg2rad(20.0)
"""How far a facet's normal may stand off the radius at its centroid, on meshes without exact normals."""
FULL_RAD = np.deg2rad(300.0)
"""A cylinder that covers more than this of its circle is a bore or a boss; less is a fillet, a slot end, a round."""

Shape = Literal["planar", "cylindrical", "curved"]


@dataclass(frozen=True)
class Surface:
    """One segment. faces: (k,) indices. normal: of a plane. axis, centre_m (a point on it), radius_m, length_m along
    it, arc_rad covered and concave: of a cylinder. Part frame.
    """

    shape: Shape
    faces: np.ndarray
    area_m2: float
    normal: tuple[float, float, float] | None = None
    axis: tuple[float, float, float] | None = None
    centre_m: tuple[float, float, float] | None = None
    radius_m: float = np.inf
    length_m: float = 0.0
    arc_rad: float = 0.0
    concave: bool = False


def classify(mesh: Mesh) -> tuple[Surface, ...]:
    """A Surface for each segment of the mesh: CAD faces where it has them, else what region growing finds."""
    label = segments(mesh)
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(label))[:-1])
    return tuple(_fitted(mesh, faces) for faces in groups)


def _fitted(mesh: Mesh, faces: np.ndarray) -> Surface:
    area = mesh.areas[faces]
    total = float(area.sum())
    flat = mesh.face_normals[faces]
    mean = (area[:, None] * flat).sum(0)
    mean = mean / max(float(np.linalg.norm(mean)), 1e-300)
    if (flat @ mean).min() >= np.cos(PLANE_RAD):
        return Surface("planar", faces, total, normal=_triple(mean))
    return _cylinder(mesh, faces, area, total) or Surface("curved", faces, total)


def _cylinder(mesh: Mesh, faces: np.ndarray, area: np.ndarray, total: float) -> Surface | None:
    exact = NORMAL in mesh.corner and "cad_face" in mesh.face and bool((mesh.face["cad_face"][faces] >= 0).all())
    normals = mesh.corner[NORMAL][faces] if exact else np.repeat(mesh.face_normals[faces][:, None], 3, 1)
    if not exact and len(np.unique(np.round(normals[:, 0], 3), axis=0)) < LEAST_FACETS:
        return None
    spread = np.einsum("m,mck,mcl->kl", area, normals, normals)
    values, vectors = np.linalg.eigh(spread)
    axis = vectors[:, 0]
    if values[0] > np.sin(CYLINDER_RAD) ** 2 * values.sum():
        return None
    axis = axis * (1 if axis[np.abs(axis).argmax()] > 0 else -1)
    u = np.cross(axis, [1.0, 0, 0] if abs(axis[0]) < 0.8 else [0, 1.0, 0])
    u /= np.linalg.norm(u)
    frame = np.stack([u, np.cross(axis, u)], 1)
    points = mesh.triangles[faces].reshape(-1, 3)
    origin = points.mean(0)
    flat = (points - origin) @ frame
    centre, radius, error = circle(flat)
    size = float(np.ptp(points, axis=0).max())
    if not np.isfinite(radius) or radius > 20 * size or error > max(2e-3 * radius, 1e-6 * size):
        return None
    out = flat - centre
    middle = out if exact else np.repeat(out.reshape(-1, 3, 2).mean(1), 3, axis=0)
    across = np.maximum(np.linalg.norm(middle, axis=1), 1e-300)
    side = np.einsum("ij,ij->i", middle, normals.reshape(-1, 3) @ frame) / across
    if np.median(np.abs(side)) < np.cos(CYLINDER_RAD if exact else FACET_RAD):
        return None
    along = (points - origin) @ axis
    return Surface(
        "cylindrical",
        faces,
        total,
        axis=_triple(axis),
        centre_m=_triple(origin + frame @ centre + axis * (along.min() + along.max()) / 2),
        radius_m=float(radius),
        length_m=float(np.ptp(along)),
        arc_rad=arc(np.arctan2(out[:, 1], out[:, 0]).reshape(-1, 3)),
        concave=bool(np.median(side) < 0),
    )


def circle(points: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Centre (2,), radius and greatest distance of `points` (n, 2) from the least-squares circle (Kasa 1976)."""
    shift, scale = points.mean(0), max(float(np.abs(points - points.mean(0)).max()), 1e-300)
    p = (points - shift) / scale
    system = np.c_[2 * p, np.ones(len(p))]
    solution, _, rank, _ = np.linalg.lstsq(system, (p * p).sum(1), rcond=None)
    square = solution[2] + solution[:2] @ solution[:2]
    if rank < 3 or square <= 0:
        return np.full(2, np.nan), np.inf, np.inf
    radius = float(np.sqrt(square))
    error = float(np.abs(np.linalg.norm(p - solution[:2], axis=1) - radius).max())
    return solution[:2] * scale + shift, radius * scale, error * scale


def arc(angles: np.ndarray) -> float:
    """Radians of the circle that triangles with corner angles (k, 3) cover."""
    bins = 720
    first = angles[:, :1]
    relative = (angles - first + np.pi) % (2 * np.pi) - np.pi
    low = np.floor((first[:, 0] + relative.min(1)) / (2 * np.pi) * bins).astype(int)
    high = np.ceil((first[:, 0] + relative.max(1)) / (2 * np.pi) * bins).astype(int)
    steps = np.zeros(2 * bins + 1)
    start = low % bins
    np.add.at(steps, start, 1)
    np.add.at(steps, start + np.minimum(high - low, bins), -1)
    covered = np.cumsum(steps)[: 2 * bins] > 0
    return float((covered[:bins] | covered[bins:]).sum() / bins * 2 * np.pi)


def _triple(vector: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in vector)
    return x, y, z


def summary(surface: Surface) -> dict[str, Any]:
    """A cylinder as part.json holds it."""
    return {
        "axis": [round(v, 6) for v in surface.axis or ()],
        "centre_mm": [round(v * 1e3, 4) for v in surface.centre_m or ()],
        "diameter_mm": round(surface.radius_m * 2e3, 4),
        "length_mm": round(surface.length_m * 1e3, 4),
        "arc_deg": round(float(np.rad2deg(surface.arc_rad)), 1),
    }
