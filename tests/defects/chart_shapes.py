"""Surfaces with known geometry, and what the chart of one should be. Lengths in metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import trimesh

from core.defect import Site
from core.mesh import Mesh, barycentric
from core.seeds import child
from defects.procedural.chart import Unfolding, unfold
from defects.procedural.refine import located, refine_around, triangle_distance

RHO = 0.010


def meshed(shape: trimesh.Trimesh) -> Mesh:
    shape.merge_vertices()
    shape.update_faces(shape.area_faces > 1e-15)
    shape.remove_unreferenced_vertices()
    return Mesh(shape.vertices, shape.faces)


def sheet(side: float = 0.1) -> Mesh:
    """A square of two triangles in the plane z = 0, with normals and a field to carry."""
    h = side / 2
    normal = np.tile([0.0, 0.0, 1.0], (2, 3, 1))
    vertices = np.array([[-h, -h, 0], [h, -h, 0], [h, h, 0], [-h, h, 0]])
    return Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]]), {"normal": normal}, {"patch": np.array([5, 6])})


def strips(sections: int, radius: float = RHO, height: float = 0.06) -> Mesh:
    """A closed cylinder of long strips, as a CAD kernel makes it."""
    return meshed(trimesh.creation.cylinder(radius, height, sections))


def balls() -> dict[str, Mesh]:
    """One sphere, tessellated in four ways."""
    return {
        "icosphere 1280": meshed(trimesh.creation.icosphere(3, RHO)),
        "icosphere 5120": meshed(trimesh.creation.icosphere(4, RHO)),
        "rings 32": meshed(trimesh.creation.uv_sphere(RHO, count=[32, 32])),
        "rings 64": meshed(trimesh.creation.uv_sphere(RHO, count=[64, 64])),
    }


def ring(major: float = 0.020, minor: float = 0.005) -> Mesh:
    return meshed(trimesh.creation.torus(major, minor, major_sections=128, minor_sections=48))


def site_near(mesh: Mesh, point: np.ndarray, direction: np.ndarray) -> Site:
    """The site in the face nearest to `point`, strictly inside it."""
    point = np.asarray(point, float)
    face = int(triangle_distance(mesh.triangles, point).argmin())
    bary = np.clip(barycentric(mesh.triangles[face][None], point[None, None])[0, 0], 0.02, None)
    normal = mesh.face_normals[face]
    u = np.asarray(direction, float) - np.dot(direction, normal) * normal
    u /= np.linalg.norm(u)
    inside = bary / bary.sum() @ mesh.triangles[face]
    return Site(face, tuple(inside), tuple(u), tuple(normal))  # type: ignore[arg-type]


def refined_chart(mesh: Mesh, site: Site, radius: float, **options: object) -> tuple[Mesh, Site, Unfolding]:
    """The mesh refined about a site, the site on it, and its chart."""
    fine, parent = refine_around(mesh, [site], radius)
    there = located(fine, parent, site)
    return fine, there, unfold(fine, there, radius, **options)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Smooth:
    """A smooth surface f = 0, outward where f grows. gradient and hessian at points (n, 3)."""

    value: Callable[[np.ndarray], np.ndarray]
    gradient: Callable[[np.ndarray], np.ndarray]
    hessian: Callable[[np.ndarray], np.ndarray]

    def normal(self, x: np.ndarray) -> np.ndarray:
        g = self.gradient(x)
        return g / np.linalg.norm(g, axis=1, keepdims=True)

    def on(self, x: np.ndarray) -> np.ndarray:
        """Points moved onto the surface along its gradient."""
        for _ in range(20):
            g = self.gradient(x)
            x = x - (self.value(x) / (g * g).sum(1))[:, None] * g
        return x

    def shoot(self, site: Site, length: float, angle: np.ndarray, steps: int = 400) -> np.ndarray:
        """(n, 3) ends of geodesics of one length from the site at angles (n,) to its direction: Runge-Kutta on
        x'' = -(x' H x') / |grad| n, put back on the surface after every step."""
        start = self.on(np.asarray(site.point_m, float)[None])
        normal = self.normal(start)
        u = np.asarray(site.direction) - (normal @ np.asarray(site.direction)) * normal
        u /= np.linalg.norm(u)
        speed = np.cos(angle)[:, None] * u + np.sin(angle)[:, None] * np.cross(normal, u)
        place = np.repeat(start, len(angle), axis=0)
        h = length / steps

        def bend(x: np.ndarray, v: np.ndarray) -> np.ndarray:
            g = self.gradient(x)
            pull = np.einsum("ni,nij,nj->n", v, self.hessian(x), v) / (g * g).sum(1)
            return -pull[:, None] * g

        for _ in range(steps):
            k1, l1 = speed, bend(place, speed)
            k2, l2 = speed + h / 2 * l1, bend(place + h / 2 * k1, speed + h / 2 * l1)
            k3, l3 = speed + h / 2 * l2, bend(place + h / 2 * k2, speed + h / 2 * l2)
            k4, l4 = speed + h * l3, bend(place + h * k3, speed + h * l3)
            place = self.on(place + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
            speed = speed + h / 6 * (l1 + 2 * l2 + 2 * l3 + l4)
            n = self.normal(place)
            speed = speed - (speed * n).sum(1)[:, None] * n
            speed /= np.linalg.norm(speed, axis=1, keepdims=True)
        return place


def sphere_surface() -> Smooth:
    eye = np.eye(3)
    return Smooth(
        lambda x: (x * x).sum(1) - RHO**2, lambda x: 2 * x, lambda x: np.broadcast_to(2 * eye, (len(x), 3, 3))
    )


def ring_surface(major: float = 0.020, minor: float = 0.005) -> Smooth:
    """f = (hypot(x, y) - major)^2 + z^2 - minor^2; its hessian by central differences of the exact gradient."""

    def gradient(x: np.ndarray) -> np.ndarray:
        rim = np.hypot(x[:, 0], x[:, 1])
        side = 2 * (rim - major) / rim
        return np.stack([side * x[:, 0], side * x[:, 1], 2 * x[:, 2]], axis=1)

    def hessian(x: np.ndarray) -> np.ndarray:
        step = 1e-6 * np.eye(3)
        return np.stack([(gradient(x + e) - gradient(x - e)) / 2e-6 for e in step], axis=2)

    def value(x: np.ndarray) -> np.ndarray:
        return (np.hypot(x[:, 0], x[:, 1]) - major) ** 2 + x[:, 2] ** 2 - minor**2

    return Smooth(value, gradient, hessian)


def looked_up(mesh: Mesh, chart: Unfolding, points: np.ndarray) -> np.ndarray:
    """(n, 2) chart position of the mesh's points nearest to `points`; NaN where the chart does not hold them."""
    result = np.full((len(points), 2), np.nan)
    rows = np.flatnonzero(chart.valid)
    for k, point in enumerate(points):
        near = rows[triangle_distance(mesh.triangles[rows], point).argmin()]
        bary = np.clip(barycentric(mesh.triangles[near][None], point[None, None])[0, 0], 0, None)
        result[k] = bary / bary.sum() @ chart.uv_m[near]
    return result


def shot_errors(
    mesh: Mesh, chart: Unfolding, surface: Smooth, site: Site, length: float, count: int = 48
) -> np.ndarray:
    """(count,) distance between where geodesics of one length end in the chart and where they should, metres."""
    angle = np.arange(count) * (2 * np.pi / count)
    found = looked_up(mesh, chart, surface.shoot(site, length, angle))
    wanted = length * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.linalg.norm(found - wanted, axis=1)


def rounded_plate() -> Mesh:
    """A plate 1 mm thick with a round rim: no sharp edge between its two sides."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)
    side = np.c_[0.020 + 0.0005 * np.cos(t), 0.0005 * np.sin(t)]
    outline = np.r_[side, -side]
    n, rows = len(outline), 5
    y = np.linspace(-0.02, 0.02, rows)
    vertices = np.concatenate([np.c_[outline[:, 0], np.full(n, v), outline[:, 1]] for v in y])
    quads = [
        (r * n + i, r * n + (i + 1) % n, (r + 1) * n + (i + 1) % n, (r + 1) * n + i)
        for r in range(rows - 1)
        for i in range(n)
    ]
    return Mesh(vertices, np.array([f for a, b, c, d in quads for f in ((a, c, b), (a, d, c))]))


def spiral_ramp() -> Mesh:
    """A ramp that winds three times round an axis, like the flank of a thread."""
    turns = np.linspace(0, 6 * np.pi, 121)
    radii = np.linspace(0.001, 0.006, 9)
    a, r = np.meshgrid(turns, radii, indexing="ij")
    vertices = np.stack([r * np.cos(a), r * np.sin(a), 0.0008 * a / (2 * np.pi)], axis=-1).reshape(-1, 3)
    i = np.arange(121 * 9).reshape(121, 9)
    p, q, s, t = (x.ravel() for x in (i[:-1, :-1], i[:-1, 1:], i[1:, 1:], i[1:, :-1]))
    return Mesh(vertices, np.concatenate([np.stack([p, q, s], 1), np.stack([p, s, t], 1)]))


def unit_vector(seed: int) -> np.ndarray:
    v = child(seed, "direction").normal(size=3)
    return v / np.linalg.norm(v)
