"""Distances and decibels with analytic answers."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from core.camera import look_at
from core.errors import GeometryError, InputError
from recon.capture.model import View
from recon.metrics import (
    channel_scales,
    compare_shapes,
    pooled_psnr,
    psnr,
    view_counts,
)
from recon.nearest import Surface, nearest_on_triangles


def sphere(radius: float, subdivisions: int = 4) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    return np.array(mesh.vertices), np.array(mesh.faces)


def box(size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    mesh = trimesh.creation.box((size, size, size))
    return np.array(mesh.vertices), np.array(mesh.faces)


def view_from(eye: tuple[float, float, float], side: int = 64, focal: float = 64.0) -> View:
    pose = look_at(np.array(eye), np.zeros(3), np.array([0.0, 0.0, 1.0]))
    k = np.array([[focal, 0, side / 2], [0, focal, side / 2], [0, 0, 1.0]])
    blank = np.zeros((side, side, 3), np.float32)
    return View("v", blank, blank[..., 0], k, np.linalg.inv(pose), np.eye(3))


@pytest.mark.parametrize("scale", [1.0, 0.01, 1e-4, 250.0])
def test_distance_to_a_sphere_is_the_radius_difference(rng, scale: float) -> None:
    """At every scale, sub-millimetre triangles in metres among them: a mesh of 0.01 m has edges of 0.3 mm."""
    surface = Surface(*sphere(scale, 5))
    ways = rng.standard_normal((2000, 3))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    for radius in (0.5, 0.99, 1.3):
        distance = surface.closest(ways * radius * scale).distance / scale
        assert np.abs(distance - abs(1 - radius)).max() < 6e-4  # the facets' own sagitta
    on, _ = surface.samples(2000, rng)
    assert surface.closest(on).distance.max() / scale < 1e-7


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-5, 1e3))
def test_nearest_on_a_triangle_beats_a_dense_search(seed: int, scale: float) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    corners, point = rng.standard_normal((3, 3)) * scale, rng.standard_normal((1, 3)) * 2 * scale
    on = nearest_on_triangles(point, corners[None])[0]
    u, v = np.meshgrid(np.linspace(0, 1, 80), np.linspace(0, 1, 80))
    keep = u + v <= 1
    u, v = u[keep][:, None], v[keep][:, None]
    dense = corners[0] + u * (corners[1] - corners[0]) + v * (corners[2] - corners[0])
    best = np.linalg.norm(dense - point, axis=1).min()
    away = np.linalg.norm(on - point)
    assert away <= best + 1e-12 * scale
    # it lies on the triangle: barycentric coordinates within [0, 1]
    solved = np.linalg.lstsq(np.vstack([corners.T, np.full(3, scale)]), np.append(on, scale), rcond=None)[0]
    assert solved.min() > -1e-6 and solved.max() < 1 + 1e-6


def test_samples_are_uniform_by_area(rng) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 3, 5.0]])
    points, face = Surface(vertices, np.array([[0, 1, 2], [3, 4, 5]])).samples(20_000, rng)
    assert abs((face == 0).mean() - 0.1) < 1e-3
    centre = points[face == 1].mean(0)
    assert np.abs(centre - [1, 1, 5]).max() < 0.02
    again = Surface(vertices, np.array([[0, 1, 2], [3, 4, 5]])).samples(50, np.random.Generator(np.random.PCG64(1)))[0]
    same = Surface(vertices, np.array([[0, 1, 2], [3, 4, 5]])).samples(50, np.random.Generator(np.random.PCG64(1)))[0]
    assert (again == same).all()


@pytest.mark.parametrize("scale", [1.0, 0.02])
def test_concentric_spheres_have_their_gap_as_chamfer(rng, scale: float) -> None:
    true, ours = sphere(scale), sphere(1.01 * scale)
    scores = compare_shapes(ours, true, rng)
    assert scores.chamfer == pytest.approx(0.01 * scale, rel=0.02)
    assert scores.percent == pytest.approx(100 * 0.01 / np.sqrt(12), rel=0.02)
    assert scores.f_score == 1.0  # 0.29 % of the diagonal
    assert scores.normal_deg < 0.5
    assert scores.chamfer_mm == pytest.approx(10 * scale, rel=0.02)
    assert compare_shapes(sphere(1.03 * scale), true, rng).f_score == 0.0  # 0.87 % of it


def test_a_mesh_has_no_distance_to_itself_however_it_is_triangulated(rng) -> None:
    true = box()
    finer = trimesh.Trimesh(*true, process=False).subdivide().subdivide()
    scores = compare_shapes((np.array(finer.vertices), np.array(finer.faces)), true, rng)
    assert scores.chamfer < 1e-7 and scores.f_score == 1.0


def test_both_directions_count(rng) -> None:
    """A second cube far away costs accuracy, not completeness; a missing half costs completeness, not accuracy."""
    vertices, faces = box()
    double = (
        np.concatenate([vertices, vertices + np.array([3.0, 0, 0])]),
        np.concatenate([faces, faces + len(vertices)]),
    )
    extra = compare_shapes(double, (vertices, faces), rng)
    assert extra.completeness < 1e-7 and extra.accuracy == pytest.approx(extra.chamfer * 2)
    # half of the area is off by 2.5 on average: x from 2.5 to 3.5 against a face at 0.5
    assert extra.accuracy == pytest.approx(2.5 / 2, rel=0.02)
    missing = compare_shapes((vertices, faces), double, rng)
    assert missing.accuracy < 1e-7 and missing.completeness == pytest.approx(2.5 / 2, rel=0.02)


def test_tilted_faces_show_in_the_normals(rng) -> None:
    plane = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    angle = np.radians(12.0)
    turn = trimesh.transformations.rotation_matrix(angle, [1, 0, 0])[:3, :3]
    scores = compare_shapes((plane @ np.asarray(turn).T, faces), (plane, faces), rng)
    assert scores.normal_deg == pytest.approx(12.0, abs=1e-6)
    flipped = compare_shapes((plane, faces[:, ::-1]), (plane, faces), rng)
    assert flipped.normal_deg == pytest.approx(180.0)


def test_seen_surface_is_what_two_views_see(rng) -> None:
    vertices, faces = box()
    surface = Surface(vertices, faces)
    points, face = surface.samples(4000, rng)
    views = [view_from((4.0, 0.3, 0.2)), view_from((4.0, -0.3, 0.2)), view_from((0.2, 4.0, 0.3))]
    count = view_counts(surface, points, face, views)
    normal = surface.normals[face]
    assert (count[normal[:, 0] > 0.9] == 2).all() and (count[normal[:, 1] > 0.9] == 1).all()
    assert (count[(normal < -0.9).any(1)] == 0).all()
    # an error where nobody looks does not count
    worse = vertices.copy()
    worse[vertices[:, 0] < 0] -= [0.2, 0, 0]
    seen = compare_shapes((worse, faces), (vertices, faces), rng, views)
    assert seen.chamfer < 1e-7 and seen.share == pytest.approx(1 / 6, abs=0.01)
    assert compare_shapes((worse, faces), (vertices, faces), rng).chamfer > 0.03
    with pytest.raises(InputError, match="see no surface"):
        compare_shapes((vertices, faces), (vertices, faces), rng, views[2:])


def test_what_stands_before_a_surface_hides_it(rng) -> None:
    vertices, faces = box()
    screen = np.array([[2, -3, -3], [2, 3, -3], [2, 3, 3], [2, -3, 3.0]])
    both = Surface(
        np.concatenate([vertices, screen]), np.concatenate([faces, len(vertices) + np.array([[0, 1, 2], [0, 2, 3]])])
    )
    points, face = both.samples(4000, rng)
    count = view_counts(both, points, face, [view_from((4.0, 0.1, 0.1))])
    assert (count[np.abs(points).max(1) <= 0.5 + 1e-9] == 0).all() and count.max() == 1


def test_faces_without_area_do_no_harm(rng) -> None:
    vertices, faces = box()
    broken = np.concatenate([faces, [[0, 0, 1], [2, 2, 2]]])
    assert compare_shapes((vertices, broken), (vertices, faces), rng).chamfer < 1e-7
    with pytest.raises(GeometryError, match="0 faces"):
        Surface(vertices, np.zeros((0, 3), int))
    with pytest.raises(GeometryError, match="finite"):
        Surface(np.full((3, 3), np.nan), np.array([[0, 1, 2]]))


def test_decibels_of_a_known_error(rng) -> None:
    truth = np.full((8, 8, 3), 0.5, np.float32) ** 2.2
    from core.colour import linear_from_srgb, srgb_from_linear

    shifted = linear_from_srgb(srgb_from_linear(truth) + 0.1)
    assert psnr(shifted, truth) == pytest.approx(20.0, abs=1e-3)
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    half = np.where(mask[..., None], shifted, truth)
    assert psnr(half, truth, mask) == pytest.approx(20.0, abs=1e-3)
    assert psnr(half, truth) == pytest.approx(20.0 + 10 * np.log10(2), abs=1e-3)
    assert psnr(truth, truth) == float("inf")
    with pytest.raises(InputError, match="empty mask"):
        psnr(truth, truth, np.zeros((8, 8), bool))


def test_scales_take_out_one_factor_a_channel(rng) -> None:
    truth = [rng.random((6, 7, 3)).astype(np.float32) * 0.8 for _ in range(3)]
    factors = np.array([0.5, 1.7, 0.9])
    found, masks = [t / factors for t in truth], [rng.random((6, 7)) > 0.3 for _ in truth]
    assert channel_scales(found, truth, masks) == pytest.approx(factors, rel=1e-5)
    assert pooled_psnr(found, truth, masks, scaled=True) > 100
    assert pooled_psnr(found, truth, masks) < 20
