"""Which way the tool marks run: lay coordinates on every face, for the shaders and for placement.

corner["lay"] (m, 3, 3), metres, linear inside each face. The third component says what the first two are:
    0   flat: s across the marks, t along them;
    -1  a face turned about an axis: Cartesian x, y about it; the marks are circles, s is the radius;
    > 0 a wall of revolution: x, y about its axis, and s itself, along the profile.
Radius and angle are not linear on a triangle, x and y are: so circles stay circles on the coarsest tessellation, and
nothing has a seam.

corner["lay_tangent"] (m, 3, 3): direction of the marks, part frame; of unit length on flat faces, linear (so right in
direction everywhere, shorter near the axis) about an axis. Normalise it after interpolation. Its cross product with the
outward normal points to where s grows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.material import Lay
from core.mesh import NORMAL, Mesh
from parts.surfaces import FULL_RAD, Surface, circle, classify

DISC = -1.0
START_M = 1e-3
"""Profile coordinates begin here, so that they are positive."""
SAME_AXIS_RAD, SAME_AXIS_M = np.deg2rad(0.5), 2e-5
REVOLVED_RAD = np.deg2rad(4.0)
SHIFT_M = 0.0173
"""Between planes, so that they do not show the same marks."""


@dataclass(frozen=True, eq=False)
class Axis:
    """point_m (3,), direction (3,) unit, frame (3, 2) square to it, area_m2 of the walls about it; part frame."""

    point_m: np.ndarray
    direction: np.ndarray
    area_m2: float = 0.0

    @property
    def frame(self) -> np.ndarray:
        u = np.cross(self.direction, np.eye(3)[np.abs(self.direction).argmin()])
        u /= np.linalg.norm(u)
        return np.stack([u, np.cross(self.direction, u)], 1)

    def around(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (..., 3) -> x, y about the axis (..., 2) and z along it (...), metres."""
        local = points - self.point_m
        return local @ self.frame, local @ self.direction


def with_lay(mesh: Mesh, lay: Lay, axis: tuple[np.ndarray, np.ndarray] | None = None) -> Mesh:
    """The mesh with corner attributes "lay" and "lay_tangent" for a finish. Needs face["patch"].

    turned: about `axis` (a point in metres and a direction), else about the one with most coaxial wall. milled: s, the
    feed, along the part; straight: t, the lines, along the part. Walls and holes have marks around their own axis.
    """
    surfaces = classify(mesh)
    axes = _axes(surfaces)
    if axis is not None:
        given = Axis(np.asarray(axis[0], float), _unit(axis[1]))
        axes = [given, *(a for a in axes if not _same(a, given))]
    main = next(iter(axes), None)
    coordinates = np.zeros((len(mesh.faces), 3, 3))
    tangent = np.zeros_like(coordinates)
    planes: dict[tuple[int, ...], list[Surface]] = {}
    for surface in surfaces:
        about = _revolved(mesh, surface, axes, main if lay == "turned" else None)
        if about is not None:
            _wind(mesh, surface, about, coordinates, tangent)
        else:
            planes.setdefault(_plane_key(mesh, surface), []).append(surface)
    for number, group in enumerate(planes.values()):
        _unroll(mesh, group, lay, SHIFT_M * number, coordinates, tangent)
    return mesh.with_corner(lay=coordinates, lay_tangent=tangent)


def main_axis(mesh: Mesh) -> Axis | None:
    """The axis with the largest area of coaxial cylinders, or None."""
    return next(iter(_axes(classify(mesh))), None)


def _axes(surfaces: tuple[Surface, ...]) -> list[Axis]:
    """Axes of all cylinders, coaxial ones merged, largest wall first. Rounds (less than a full turn) count less."""
    found: list[Axis] = []
    for s in sorted((s for s in surfaces if s.shape == "cylindrical"), key=lambda s: -s.area_m2):
        weight = s.area_m2 * (1.0 if s.arc_rad >= FULL_RAD else s.arc_rad / (2 * np.pi))
        here = Axis(np.array(s.centre_m), _unit(s.axis), weight)
        for i, known in enumerate(found):
            if _same(known, here):
                found[i] = Axis(known.point_m, known.direction, known.area_m2 + weight)
                break
        else:
            found.append(here)
    return sorted(found, key=lambda a: -a.area_m2)


def _same(first: Axis, second: Axis) -> bool:
    if np.linalg.norm(np.cross(first.direction, second.direction)) > np.sin(SAME_AXIS_RAD):
        return False
    apart, _ = first.around(second.point_m)
    return bool(np.linalg.norm(apart) < SAME_AXIS_M)


def _revolved(mesh: Mesh, surface: Surface, axes: list[Axis], main: Axis | None) -> Axis | None:
    """The axis that this surface is turned about, or None. Planes only about `main`, when that is given."""
    if surface.shape == "planar":
        normal = np.array(surface.normal)
        square = main is not None and np.linalg.norm(np.cross(normal, main.direction)) < np.sin(SAME_AXIS_RAD)
        return main if square else None
    if surface.shape == "cylindrical":
        own = Axis(np.array(surface.centre_m), _unit(surface.axis))
        return next((a for a in axes if _same(a, own)), own)
    points = mesh.triangles[surface.faces].reshape(-1, 3)
    normals = mesh.corner[NORMAL][surface.faces].reshape(-1, 3) if NORMAL in mesh.corner else None
    if normals is None:
        normals = np.repeat(mesh.face_normals[surface.faces], 3, axis=0)
    for axis in axes[:32]:
        flat, _ = axis.around(points)
        radius = np.linalg.norm(flat, axis=1)
        off = radius > 1e-3 * max(radius.max(), 1e-9)
        around = np.cross(axis.direction, points - axis.point_m)
        swirl = np.abs((around * normals).sum(1)) / np.maximum(radius, 1e-12)
        if off.any() and np.percentile(swirl[off], 95) < np.sin(REVOLVED_RAD):
            return axis
    return None


def _wind(mesh: Mesh, surface: Surface, axis: Axis, coordinates: np.ndarray, tangent: np.ndarray) -> None:
    """Lay about an axis: x, y and the profile coordinate."""
    points = mesh.triangles[surface.faces]
    flat, z = axis.around(points)
    radius = np.linalg.norm(flat, axis=2)
    if surface.shape == "planar":
        s = np.full_like(z, DISC)
    else:
        low = float((mesh.vertices @ axis.direction).min() - axis.point_m @ axis.direction)
        s = START_M + (z - low if surface.shape == "cylindrical" else _profile(radius, z, low))
    coordinates[surface.faces] = np.concatenate([flat, s[..., None]], axis=2)
    around = np.cross(axis.direction, points - axis.point_m)
    across = np.cross(around, mesh.face_normals[surface.faces][:, None])
    rise = np.roll(radius if surface.shape == "planar" else s, -1, axis=1) - (
        radius if surface.shape == "planar" else s
    )
    up = (rise * ((np.roll(points, -1, axis=1) - points) * across).sum(2)).sum() >= 0
    tangent[surface.faces] = around / max(float(radius.max()), 1e-12) * (1.0 if up else -1.0)


def _profile(radius: np.ndarray, z: np.ndarray, low: float) -> np.ndarray:
    """Length along the profile (r, z) of a surface of revolution, for lines and arcs, which are what a lathe cuts."""
    points = np.stack([radius.ravel(), z.ravel()], 1)
    middle = points.mean(0)
    directions = np.linalg.svd(points - middle, full_matrices=False)[2]
    along = (points - middle) @ directions[0]
    size = max(float(np.ptp(along)), 1e-12)
    if np.abs((points - middle) @ directions[1]).max() > 1e-3 * size:
        centre, bend, error = circle(points)
        if np.isfinite(bend) and error < 0.02 * bend:
            out = points - centre
            start = np.arctan2(*(middle - centre)[::-1])
            turn = (np.arctan2(out[:, 1], out[:, 0]) - start + np.pi) % (2 * np.pi) - np.pi
            along = bend * turn
    return (along - along.min()).reshape(z.shape) + max(float(z.min()) - low, 0.0)


def _plane_key(mesh: Mesh, surface: Surface) -> tuple[int, ...]:
    """Faces in one plane are cut in one go; anything else stands alone."""
    if surface.shape != "planar":
        return (int(surface.faces[0]),)
    normal = np.array(surface.normal)
    offset = float(mesh.triangles[surface.faces[0], 0] @ normal)
    return (*np.round(normal * 500).astype(int).tolist(), round(offset / 2e-5))


def _unroll(
    mesh: Mesh, group: list[Surface], lay: Lay, shift: float, coordinates: np.ndarray, tangent: np.ndarray
) -> None:
    """Lay of planes (and of free-form surfaces, seen along their mean normal), marks in line with the part."""
    faces = np.concatenate([s.faces for s in group])
    normals = mesh.face_normals[faces]
    mean = _unit((mesh.areas[faces][:, None] * normals).sum(0) + 1e-12)
    views = [(faces, mean)]
    if (normals @ mean).min() < 0.2:
        side = np.abs(normals).argmax(1) * 2 + (
            np.take_along_axis(normals, np.abs(normals).argmax(1)[:, None], 1)[:, 0] < 0
        )
        views = [(faces[side == k], np.eye(3)[k // 2] * (-1 if k % 2 else 1)) for k in np.unique(side)]
    for some, normal in views:
        points = mesh.triangles[some]
        u = _long(mesh, points, normal, lay)
        s, t = (np.cross(u, normal), u) if lay != "milled" else (u, np.cross(normal, u))
        flat = points @ np.stack([s, t], 1)
        middle = (flat.min((0, 1)) + flat.max((0, 1))) / 2
        coordinates[some, :, :2] = flat - middle + [shift, 0.0]
        across = t - mesh.face_normals[some] * (mesh.face_normals[some] @ t)[:, None]
        tangent[some] = (across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9))[:, None]


def _long(mesh: Mesh, points: np.ndarray, normal: np.ndarray, lay: Lay) -> np.ndarray:
    """A unit direction in the plane: that of a milled strip, else the part's longest extent seen in the plane."""
    flat = points.reshape(-1, 3) - points.reshape(-1, 3).mean(0)
    flat = flat - np.outer(flat @ normal, normal)
    if lay == "milled":
        _, spread, directions = np.linalg.svd(flat, full_matrices=False)
        if spread[0] > 4 * spread[1]:
            return directions[0] * np.sign(directions[0][np.abs(directions[0]).argmax()])
    for k in np.argsort(-(mesh.bounds[1] - mesh.bounds[0]), kind="stable"):
        along = np.eye(3)[k] - normal * normal[k]
        if np.linalg.norm(along) > 0.5:
            return _unit(along)
    raise AssertionError("two of three axes are never within 60 degrees of a normal")


def _unit(vector) -> np.ndarray:
    vector = np.asarray(vector, float)
    return vector / max(float(np.linalg.norm(vector)), 1e-300)
