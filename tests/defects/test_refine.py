"""Refinement changes no geometry, leaves no hanging vertex, carries every attribute, and is as fine as asked."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from chart_shapes import RHO, balls, meshed, ring, sheet, strips
from hypothesis import given, settings
from hypothesis import strategies as st

from core.defect import Site
from core.errors import GeometryError
from core.mesh import NORMAL, Mesh, barycentric
from core.seeds import child
from defects.procedural.refine import located, refine_around, triangle_distance
from defects.procedural.sharp import Segments, sharp_edges


def dressed(mesh: Mesh) -> Mesh:
    """With unit normals, an affine field, an arbitrary field and labels."""
    rng = child(len(mesh.faces), "dress")
    normal = mesh.triangles / np.linalg.norm(mesh.triangles, axis=2, keepdims=True) + mesh.face_normals[:, None]
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    return Mesh(
        mesh.vertices,
        mesh.faces,
        {NORMAL: normal, "affine": mesh.triangles @ AFFINE, "any": rng.normal(size=(len(mesh.faces), 3, 2))},
        {"patch": np.arange(len(mesh.faces)) % 7, "solid": np.zeros(len(mesh.faces))},
    )


AFFINE = np.array([[1.0, -2.0], [0.3, 4.0], [5.0, 0.7]])
MESHES = {
    "sheet": sheet(),
    "box": meshed(trimesh.creation.box((0.02, 0.03, 0.01))),
    "32 strips": strips(32),
    "600 strips": strips(600, height=0.1),
    "flat strips": meshed(trimesh.creation.box((0.1, 0.0001, 0.0004))),
    "sphere": balls()["icosphere 1280"],
    "ring": ring(),
}
MESHES = {name: dressed(mesh) for name, mesh in MESHES.items()}
names = st.sampled_from(list(MESHES))
seeds = st.integers(0, 10**6)


def spot(mesh: Mesh, seed: int) -> tuple[int, np.ndarray]:
    """A random face, by area, and a point inside."""
    rng = child(seed, "spot")
    face = int(rng.choice(len(mesh.faces), p=mesh.areas / mesh.areas.sum()))
    return face, (rng.dirichlet([2, 2, 2]) * 0.94 + 0.02) @ mesh.triangles[face]


def closed(mesh: Mesh) -> bool:
    """Every directed edge has exactly one partner the other way."""
    a, b = mesh.faces.ravel().astype(np.int64), np.roll(mesh.faces, -1, axis=1).ravel().astype(np.int64)
    n = len(mesh.vertices)
    ahead, back = np.sort(a * n + b), np.sort(b * n + a)
    return bool((np.diff(ahead) > 0).all() and np.array_equal(ahead, back))


def sizes(mesh: Mesh) -> np.ndarray:
    return np.linalg.norm(np.roll(mesh.triangles, -1, axis=1) - mesh.triangles, axis=2).max(axis=1)


@settings(max_examples=40, deadline=None)
@given(names, seeds, st.floats(0.0005, 0.006), st.sampled_from([None, 0.3, 0.1]))
def test_same_surface_finer_triangles(name: str, seed: int, radius: float, share: float | None) -> None:
    mesh = MESHES[name]
    _, point = spot(mesh, seed)
    edge = None if share is None else share * radius
    fine, parent = refine_around(mesh, [point], radius, max_edge_m=edge)

    assert fine.areas.sum() == pytest.approx(mesh.areas.sum(), rel=1e-12)
    assert np.bincount(parent, fine.areas, len(mesh.faces)) == pytest.approx(mesh.areas, rel=1e-9)
    assert (fine.areas > 0).all()
    if name == "sheet":
        assert np.abs(fine.vertices[:, 2]).max() == 0.0
        border = fine.neighbours < 0
        rim = np.linalg.norm(np.roll(fine.triangles, -1, axis=1) - fine.triangles, axis=2)[border].sum()
        assert rim == pytest.approx(0.4, rel=1e-12)
    else:
        assert closed(fine)
        assert fine.volume == pytest.approx(mesh.volume, rel=1e-12)
    assert (np.einsum("ij,ij->i", fine.face_normals, mesh.face_normals[parent]) > 1 - 1e-6).all()

    bary = barycentric(mesh.triangles[parent], fine.triangles)
    assert bary.min() > -1e-9
    height = np.einsum("ijk,ik->ij", fine.triangles - mesh.triangles[parent][:, :1], mesh.face_normals[parent])
    assert np.abs(height).max() < 1e-15
    if edge is not None:
        near = triangle_distance(fine.triangles, point) < radius
        assert near.any() and sizes(fine)[near].max() <= edge * (1 + 1e-6)


@settings(max_examples=25, deadline=None)
@given(names, seeds, st.floats(0.001, 0.005))
def test_attributes_are_carried_and_the_rest_untouched(name: str, seed: int, radius: float) -> None:
    mesh = MESHES[name]
    _, point = spot(mesh, seed)
    fine, parent = refine_around(mesh, [point], radius, max_edge_m=radius / 4)
    assert np.abs(fine.corner["affine"] - fine.triangles @ AFFINE).max() < 1e-12
    assert np.abs(np.linalg.norm(fine.corner[NORMAL], axis=2) - 1).max() < 1e-12
    bary = barycentric(mesh.triangles[parent], fine.triangles)
    wanted = np.einsum("fcp,fpk->fck", bary, mesh.corner["any"][parent])
    assert np.abs(fine.corner["any"] - wanted).max() < 1e-9
    assert np.array_equal(fine.face["patch"], mesh.face["patch"][parent])

    pieces = np.bincount(parent, minlength=len(mesh.faces))
    whole = np.flatnonzero(pieces == 1)
    rows = np.flatnonzero(pieces[parent] == 1)
    assert np.array_equal(parent[rows], whole) and np.array_equal(rows, np.arange(len(rows)))
    assert np.array_equal(fine.faces[rows], mesh.faces[whole])
    assert np.array_equal(fine.vertices[: len(mesh.vertices)], mesh.vertices)
    for attribute, values in mesh.corner.items():
        assert fine.corner[attribute][rows].tobytes() == values[whole].tobytes()
    split = np.flatnonzero(pieces > 1)
    # a split face lies within the radius, or shares an edge with one that does
    reached = triangle_distance(mesh.triangles, point) < radius
    beside = mesh.neighbours[split]
    assert (reached[split] | (reached[beside] & (beside >= 0)).any(axis=1)).all()


@pytest.mark.parametrize("name", ["sheet", "box", "32 strips", "600 strips"])
def test_developable_surfaces_need_nothing(name: str) -> None:
    mesh = MESHES[name]
    fine, parent = refine_around(mesh, [spot(mesh, 3)[1]], 0.004)
    assert fine is mesh and np.array_equal(parent, np.arange(len(mesh.faces)))


def test_curved_surfaces_are_refined_for_the_error_asked() -> None:
    mesh = meshed(trimesh.creation.icosphere(2, RHO))
    point = mesh.triangles[7].mean(axis=0)
    count = [len(refine_around(mesh, [point], 0.005, max_error=e)[0].faces) for e in (0.05, 0.008, 0.002, 0.0005)]
    assert count[0] == len(mesh.faces) and count[0] < count[1] < count[2] < count[3]


def test_needles_are_cut_across_not_into_thinner_needles() -> None:
    """A cylinder of 600 strips, each 0.1 mm by 100 mm: near the ideal count, and about as long as wide."""
    mesh = MESHES["600 strips"]
    point = np.array([RHO, 0.00002, 0.003])
    radius, edge = 0.004, 0.0003
    fine, _ = refine_around(mesh, [point], radius, max_edge_m=edge)
    near = triangle_distance(fine.triangles, point) < radius
    ideal = np.pi * radius**2 / (0.5 * 0.0001047 * edge)
    assert ideal < near.sum() < 4 * ideal
    assert len(fine.faces) - len(mesh.faces) < 2 * near.sum()
    slender = sizes(fine) ** 2 / (2 * fine.areas)
    assert np.median(slender[near]) < 8 and slender[near].max() < 20


def test_a_flat_sliver_with_its_tip_in_the_middle() -> None:
    """Obtuse needles have no short edge; their height is made one."""
    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0.05, 0.0001, 0], [0.05, -0.0002, 0]])
    mesh = Mesh(vertices, np.array([[0, 1, 2], [1, 0, 3]]))
    fine, parent = refine_around(mesh, [np.array([0.049, 0.00003, 0])], 0.005, max_edge_m=0.0005)
    near = triangle_distance(fine.triangles, np.array([0.049, 0.00003, 0])) < 0.005
    assert sizes(fine)[near].max() <= 0.0005 * (1 + 1e-6)
    assert fine.areas.sum() == pytest.approx(mesh.areas.sum(), rel=1e-12)
    assert len(fine.faces) < 800 and set(parent) == {0, 1}


def test_many_sites_at_once_each_with_its_own_edge() -> None:
    mesh = MESHES["box"]
    points = np.array([[0.005, 0.005, 0.005], [-0.005, -0.009, 0.005], [0.01, 0.0, 0.0]])
    limits = [0.0004, None, 0.0008]
    fine, _ = refine_around(mesh, points, [0.002, 0.002, 0.003], max_edge_m=limits)
    for point, radius, limit in zip(points, (0.002, 0.002, 0.003), limits, strict=True):
        near = triangle_distance(fine.triangles, point) < radius
        largest = sizes(fine)[near].max()
        assert largest > 0.003 if limit is None else 0.4 * limit < largest <= limit * (1 + 1e-6)
    assert closed(fine)


@settings(max_examples=20, deadline=None)
@given(names, seeds)
def test_a_site_is_found_again(name: str, seed: int) -> None:
    mesh = MESHES[name]
    face, point = spot(mesh, seed)
    site = Site(face, tuple(point), (1.0, 0.0, 0.0), tuple(mesh.face_normals[face]))  # type: ignore[arg-type]
    fine, parent = refine_around(mesh, [site], 0.002, max_edge_m=0.0005)
    there = located(fine, parent, site)
    assert parent[there.face] == face and there.point_m == site.point_m
    assert barycentric(fine.triangles[there.face][None], point[None, None]).min() > -1e-9


def test_it_is_deterministic() -> None:
    mesh = MESHES["ring"]
    point = spot(mesh, 4)[1]
    first, second = (refine_around(mesh, [point], 0.004, max_edge_m=0.0004)[0] for _ in range(2))
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()
    assert first.corner["any"].tobytes() == second.corner["any"].tobytes()


@pytest.mark.parametrize("edge", [1e-6, 1e-12])
def test_too_fine_is_refused_before_memory_is_gone(edge: float) -> None:
    with pytest.raises(GeometryError, match="more than 20000 triangles"):
        refine_around(MESHES["600 strips"], [np.array([RHO, 0, 0])], 0.004, max_edge_m=edge, max_faces=20000)


def test_nonsense_is_refused() -> None:
    for radius, edge in ((-1.0, None), (np.nan, None), (0.001, 0.0)):
        with pytest.raises(GeometryError, match="positive radius"):
            refine_around(MESHES["box"], [np.zeros(3)], radius, max_edge_m=edge)


def test_sharp_edges_of_a_box_and_a_bowl() -> None:
    box = MESHES["box"]
    edges = sharp_edges(box)
    assert len(edges.segments) == 12 and edges.convex.all() and not edges.border.any()
    assert edges.dihedral_rad == pytest.approx(np.full(12, np.pi / 2))
    turned = np.cross(box.face_normals[edges.faces[:, 0]], box.face_normals[edges.faces[:, 1]])
    assert np.einsum("ij,ij->i", turned, edges.tangent) == pytest.approx(np.ones(12))
    inverted = Mesh(box.vertices, box.faces[:, ::-1])
    assert not sharp_edges(inverted).convex.any()
    open_box = box.subset(box.face_normals[:, 2] < 0.5)
    rim = sharp_edges(open_box)
    assert rim.border.sum() == 4 and not rim.convex[rim.border].any()
    assert len(sharp_edges(MESHES["32 strips"]).segments) == 64
    assert len(sharp_edges(MESHES["sphere"]).segments) == 0


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 40))
def test_distance_to_many_segments_is_exact(seed: int, count: int) -> None:
    rng = child(seed, "segments")
    starts, ends = rng.normal(size=(2, count, 3))
    ends[::3] = starts[::3] + 1e-3 * ends[::3]
    points = rng.normal(size=(12, 3)) * 2
    fine = np.linspace(0, 1, 4001)[:, None, None]
    dense = np.linalg.norm(points[:, None, None] - (starts + fine * (ends - starts))[None], axis=3)
    index = Segments(starts, ends)
    gap, who = index.nearest(points)
    assert np.abs(gap - dense.min(axis=(1, 2))).max() < 1e-5
    assert (dense[np.arange(12), :, who].min(axis=1) - gap < 1e-5).all()
    assert (index.near(points)[0] >= gap - 1e-12).all()
