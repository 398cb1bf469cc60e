"""Meshes and checks for the solid kinds: a plate with holes and a boss, and what clean and defected must satisfy."""

from __future__ import annotations

import manifold3d
import numpy as np
import open3d as o3d

from core.mesh import NORMAL, Mesh
from core.seeds import child
from defects.procedural.solids import Pair, compact, creased_normals, is_closed
from defects.procedural.workpiece import BASE

MM = 1e-3


def meshed(solid: manifold3d.Manifold, shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A manifold in millimetres as a labelled mesh in metres."""
    raw = solid.translate(shift_mm).to_mesh64()
    mesh = Mesh(np.asarray(raw.vert_properties)[:, :3] * MM, np.asarray(raw.tri_verts).astype(int))
    label = np.zeros(len(mesh.faces), int)
    mesh = mesh.with_face(solid=label, patch=label, cad_face=label, colour=label - 1, **{BASE: np.arange(len(label))})
    return mesh.with_corner(**{NORMAL: creased_normals(mesh, np.deg2rad(30))})


def plate() -> Mesh:
    """60 x 40 x 12 mm: a through hole of 6 mm, a blind one of 5 mm and 7 mm depth, a boss of 8 mm and 5 mm height."""
    solid = manifold3d.Manifold.cube((60, 40, 12))
    for x, z, r, h in ((12, -1, 3, 14), (30, 5, 2.5, 20)):
        solid -= manifold3d.Manifold.cylinder(h, r, circular_segments=48).translate((x, 20, z))
    solid += manifold3d.Manifold.cylinder(8, 4, circular_segments=48).translate((48, 20, 9))
    return meshed(solid, (3.1, -7.7, 11.3))


def ring(sides: int = 96) -> Mesh:
    """A ring of 40 mm outside, 16 mm inside, 10 mm tall."""
    outer, inner = (manifold3d.Manifold.cylinder(10, r, circular_segments=sides) for r in (20.0, 8.0))
    return meshed(outer - inner.scale((1, 1, 3)).translate((0, 0, -5)))


def assert_pair(pair: Pair, before: Mesh, volume_m3: float) -> None:
    """Everything that clean and defected promise, except for rays."""
    clean, defected = compact(pair.clean()), compact(pair.defected())
    assert is_closed(clean.faces) and is_closed(defected.faces)
    assert abs(clean.volume - before.volume) <= 1e-9 * before.volume
    assert abs(defected.volume - before.volume - volume_m3) <= 1e-9 * before.volume
    assert abs(clean.areas.sum() - before.areas.sum()) <= 1e-9 * before.areas.sum()
    assert np.allclose(clean.bounds, before.bounds, atol=1e-12)
    assert_kept_identical(clean, defected)


def assert_kept_identical(clean: Mesh, defected: Mesh) -> None:
    """Untagged faces are the same, bit for bit and in the same order, with all their attributes."""
    a, b = clean.subset(clean.face["defect_tag"] == 0), defected.subset(defected.face["defect_tag"] == 0)
    assert a.triangles.tobytes() == b.triangles.tobytes()
    for name in a.corner:
        assert np.array_equal(a.corner[name], b.corner[name], equal_nan=True), name
    for name in a.face:
        assert np.array_equal(a.face[name], b.face[name]), name


class Caster:
    """First hits by Embree in millimetres, from Open3D (float32 inside)."""

    def __init__(self, mesh: Mesh) -> None:
        self.tag = mesh.face["defect_tag"]
        self.scene = o3d.t.geometry.RaycastingScene()
        vertices = o3d.core.Tensor((mesh.vertices / MM).astype(np.float32))
        self.scene.add_triangles(vertices, o3d.core.Tensor(mesh.faces.astype(np.uint32)))

    def cast(self, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rays (n, 6), mm -> distance (inf: none), tag of the face hit (0: none), its least barycentric coordinate."""
        hit = self.scene.cast_rays(o3d.core.Tensor(rays.astype(np.float32)))
        distance, face, uv = (hit[k].numpy() for k in ("t_hit", "primitive_ids", "primitive_uvs"))
        found = np.isfinite(distance)
        tag = np.where(found, self.tag[np.where(found, face, 0)], 0)
        edge = np.where(found, np.minimum(np.minimum(uv[:, 0], uv[:, 1]), 1 - uv.sum(axis=1)), 1.0)
        return distance, tag, edge


def assert_rays_agree(clean: Mesh, defected: Mesh, rng: np.random.Generator, about_m: np.ndarray, size_m: float) -> int:
    """Random rays at a neighbourhood: the hit differs exactly where a tag is seen. Returns how many carry a tag."""
    n = 20_000
    target = about_m / MM + rng.normal(0, size_m / MM / 2, (n, 3))
    direction = rng.normal(size=(n, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    rays = np.concatenate([target - 200 * direction, direction], axis=1)
    (da, ta, ea), (db, tb, eb) = Caster(clean).cast(rays), Caster(defected).cast(rays)
    both = np.isfinite(da) & np.isfinite(db)
    gap = np.where(np.isfinite(da) | np.isfinite(db), np.inf, 0.0)
    gap[both] = np.abs(da[both] - db[both])
    differs = gap > 0.004
    tagged = (ta != 0) | (tb != 0)
    # A vanished and a new surface may cross or touch on a curve; elsewhere the equivalence is strict.
    near_cut = gap < 0.02
    away = (ea > 1e-3) & (eb > 1e-3)
    assert not (differs & ~tagged & away).any()
    assert not (~differs & tagged & away & ~near_cut).any()
    assert (differs & tagged).sum() > 0.9 * tagged.sum()
    return int(tagged.sum())


def label_area_on_surface(mesh: Mesh, chart: str, layers, n: int = 400_000) -> float:
    """Square metres of the surface on which the label's signed distance is negative, by random points."""
    uv = mesh.corner[chart]
    rows = np.flatnonzero(np.isfinite(uv).all(axis=(1, 2)))
    low, high = np.asarray(layers.origin_m), np.asarray(layers.origin_m) + layers.size_m
    rows = rows[((uv[rows].min(1) < high) & (uv[rows].max(1) > low)).all(1)]
    rng = child(1, "area")
    pick = rng.choice(rows, n, p=mesh.areas[rows] / mesh.areas[rows].sum())
    s, t = np.sqrt(rng.uniform(size=n)), rng.uniform(size=n)
    where = np.stack([1 - s, s * (1 - t), s * t], 1)
    at = np.einsum("nc,nck->nk", where, uv[pick])
    inside = ((at > low) & (at < high)).all(1)
    return float((inside & (layers.sample("sdf_m", at) < 0)).mean() * mesh.areas[rows].sum())
