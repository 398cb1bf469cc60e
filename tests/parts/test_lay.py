"""Lay coordinates: metric, seamless, exact on coarse tessellations, about the right axes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.mesh import NORMAL, Mesh
from core.part import Part
from parts.lay import DISC, main_axis, with_lay
from parts.surfaces import classify
from tests import shapes

WEIGHTS = st.tuples(*[st.floats(0.01, 1.0)] * 3).map(lambda w: np.array(w) / sum(w))
LAYS = ("none", "straight", "turned", "milled")


def gradients(mesh: Mesh) -> np.ndarray:
    """(m, 2, 3) surface gradients of the first two lay coordinates."""
    t, lay = mesh.triangles, mesh.corner["lay"][:, :, :2]
    edges = np.stack([t[:, 1] - t[:, 0], t[:, 2] - t[:, 0], mesh.face_normals], 1)
    rises = np.stack([lay[:, 1] - lay[:, 0], lay[:, 2] - lay[:, 0], 0 * lay[:, 0]], 1)
    return np.linalg.solve(edges, rises).transpose(0, 2, 1)


def frustum(bottom_m: float, top_m: float, height_m: float, sides: int) -> Mesh:
    """A closed cone frustum about z on a cylinder of the bottom's radius, so that the axis can be found."""
    base = shapes.cylinder(bottom_m, height_m, sides)
    top = base.vertices.copy()
    high = top[:, 2] > height_m / 2
    rim = top.copy()
    rim[high, :2] *= top_m / bottom_m
    slope = np.arctan2(bottom_m - top_m, height_m)
    normals = base.corner[NORMAL].copy()
    wall = base.face["patch"] == 0
    normals[wall] = normals[wall] * np.cos(slope) + [0, 0, np.sin(slope)]
    return Mesh(rim, base.faces, {NORMAL: normals}, base.face)


@pytest.mark.parametrize("lay", ["straight", "milled"])
def test_planes_are_mapped_metrically_and_right_handed(lay) -> None:
    mesh = with_lay(shapes.box((0.05, 0.04, 0.03)), lay)
    grad = gradients(mesh)
    assert np.allclose(np.linalg.norm(grad, axis=2), 1, atol=1e-9)
    assert np.allclose((grad[:, 0] * grad[:, 1]).sum(1), 0, atol=1e-9)
    assert np.allclose(np.cross(grad[:, 0], grad[:, 1]), mesh.face_normals, atol=1e-9)
    assert np.allclose(mesh.corner["lay_tangent"], grad[:, None, 1], atol=1e-9)
    assert (mesh.corner["lay"][:, :, 2] == 0).all()


def test_lines_run_along_the_part_and_feed_does() -> None:
    top = shapes.box((0.05, 0.04, 0.03)).face["patch"] == 5
    straight, milled = (with_lay(shapes.box((0.05, 0.04, 0.03)), lay) for lay in ("straight", "milled"))
    assert np.allclose(np.abs(straight.corner["lay_tangent"][top]), [1, 0, 0])
    assert np.allclose(np.abs(milled.corner["lay_tangent"][top]), [0, 1, 0])


def test_milling_passes_lie_about_the_middle_of_a_plane() -> None:
    lay = with_lay(shapes.box(), "milled").corner["lay"][shapes.box().face["patch"] == 5]
    assert lay[..., 1].min() == pytest.approx(-lay[..., 1].max(), abs=1e-12)


@pytest.mark.parametrize("sides", [8, 32])
def test_a_wall_has_its_axis_coordinate_and_no_seam(sides) -> None:
    mesh = with_lay(shapes.cylinder(0.01, 0.04, sides), "turned")
    wall = mesh.face["patch"] == 0
    lay = mesh.corner["lay"][wall]
    assert np.allclose(np.hypot(lay[..., 0], lay[..., 1]), 0.01, atol=1e-9)
    z = mesh.triangles[wall][..., 2]
    rise = lay[..., 2] - lay[..., 2].min()
    assert np.allclose(rise, z, atol=1e-9) or np.allclose(rise, 0.04 - z, atol=1e-9)
    assert lay[..., 2].min() > 1e-4
    vertex = mesh.faces[wall].ravel()
    for v in np.unique(vertex):
        assert np.ptp(lay.reshape(-1, 3)[vertex == v], axis=0).max() < 1e-12
    tangent = mesh.corner["lay_tangent"][wall]
    assert np.allclose(np.linalg.norm(tangent, axis=2), 1, atol=1e-6)
    assert np.allclose((tangent * mesh.corner[NORMAL][wall]).sum(2), 0, atol=1e-6)
    assert np.allclose(tangent[..., 2], 0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(weights=WEIGHTS, sides=st.integers(6, 40), radius=st.floats(1e-3, 0.5))
def test_circles_on_a_turned_face_are_circles_inside_coarse_triangles(weights, sides, radius) -> None:
    mesh = with_lay(shapes.cylinder(radius, 2 * radius, sides), "turned", axis=((0, 0, 0), (0, 0, 1)))
    ends = mesh.face["patch"] > 0
    lay = np.einsum("c,fck->fk", weights, mesh.corner["lay"][ends])
    point = np.einsum("c,fck->fk", weights, mesh.triangles[ends])
    tangent = np.einsum("c,fck->fk", weights, mesh.corner["lay_tangent"][ends])
    assert np.allclose(lay[:, 2], DISC)
    assert np.allclose(np.hypot(lay[:, 0], lay[:, 1]), np.hypot(point[:, 0], point[:, 1]), rtol=1e-9)
    around = np.cross([0.0, 0.0, 1.0], point)
    cosine = (tangent * around).sum(1) / np.linalg.norm(tangent, axis=1) / np.linalg.norm(around, axis=1)
    assert np.allclose(np.abs(cosine), 1, atol=1e-9)


def test_a_cone_is_measured_along_its_slant() -> None:
    mesh = with_lay(frustum(0.02, 0.012, 0.01, 48), "turned", axis=((0, 0, 0), (0, 0, 1)))
    lay = mesh.corner["lay"][mesh.face["patch"] == 0]
    assert np.ptp(lay[..., 2]) == pytest.approx(np.hypot(0.008, 0.01), rel=1e-3)
    assert np.allclose(np.hypot(lay[..., 0], lay[..., 1]).min(), 0.012, rtol=1e-6)


def test_a_given_axis_wins() -> None:
    box = shapes.box((0.05, 0.04, 0.03))
    mesh = with_lay(box, "turned", axis=((0.025, 0.02, 0.0), (0, 0, 2.0)))
    top = mesh.face["patch"] == 5
    assert (mesh.corner["lay"][top][..., 2] == DISC).all()
    corner = np.hypot(0.025, 0.02)
    assert np.allclose(np.hypot(*mesh.corner["lay"][top][..., :2].transpose(2, 0, 1)), corner)
    assert (mesh.corner["lay"][mesh.face["patch"] == 0][..., 2] == 0).all()


@pytest.mark.parametrize("lay", LAYS)
def test_every_surface_gets_finite_coordinates_and_a_tangent_in_it(lay, sphere_mesh) -> None:
    mesh = with_lay(sphere_mesh(), lay)
    assert np.isfinite(mesh.corner["lay"]).all()
    middle = mesh.corner["lay_tangent"].mean(1)
    length = np.linalg.norm(middle, axis=1)
    assert (length > 1e-3).all()
    assert (np.abs((middle * mesh.face_normals).sum(1)) < 0.05 * length).all()


def test_a_shaft_is_turned_about_itself(shaft: Part) -> None:
    axis = main_axis(shaft.mesh)
    assert axis is not None
    assert abs(axis.direction[np.argmax(shaft.size_m)]) == pytest.approx(1, abs=1e-6)
    lay = with_lay(shaft.mesh, "turned").corner["lay"]
    wound = shaft.mesh.areas[(np.abs(lay[..., 2]) > 1e-6).all(1)].sum()
    assert wound > 0.9 * shaft.mesh.areas.sum()


def test_holes_off_the_axis_have_their_own(housing: Part) -> None:
    lay = with_lay(housing.mesh, "turned").corner["lay"]
    main = main_axis(housing.mesh)
    assert main is not None
    holes = [s for s in classify(housing.mesh) if s.shape == "cylindrical" and s.arc_rad > 6]
    away = [h for h in holes if np.linalg.norm(main.around(np.array(h.centre_m))[0]) > h.radius_m]
    assert len(away) >= 4
    for hole in holes:
        assert np.allclose(np.linalg.norm(lay[hole.faces][..., :2], axis=2), hole.radius_m, rtol=2e-3)
        assert np.ptp(lay[hole.faces][..., 2]) == pytest.approx(hole.length_m, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(weights=WEIGHTS)
def test_lay_survives_refinement(weights) -> None:
    mesh = with_lay(shapes.cylinder(0.01, 0.04, 12), "turned")
    centre = np.einsum("c,fck->fk", weights, mesh.triangles)
    count, n = len(mesh.faces), len(mesh.vertices)
    inner = n + np.arange(count)
    faces = np.concatenate([np.stack([mesh.faces[:, i], mesh.faces[:, (i + 1) % 3], inner], 1) for i in range(3)])
    fine = mesh.rebuilt(np.concatenate([mesh.vertices, centre]), faces, np.tile(np.arange(count), 3))
    ends = fine.face["patch"] > 0
    flat = fine.triangles[ends][..., :2]
    lay = fine.corner["lay"][ends][..., :2]
    assert np.allclose(np.linalg.norm(lay, axis=2), np.linalg.norm(flat, axis=2), atol=1e-9)


@pytest.mark.parametrize("lay", LAYS)
@pytest.mark.parametrize("inside_out", [False, True])
def test_across_the_marks_is_where_s_grows(lay, inside_out) -> None:
    """On planes, discs and walls, from outside and in a bore: tangent x normal . grad s > 0."""
    solid = shapes.cylinder(0.01, 0.03, 48)
    if inside_out:
        solid = Mesh(solid.vertices, solid.faces[:, ::-1], {NORMAL: -solid.corner[NORMAL][:, ::-1]}, solid.face)
    mesh = with_lay(solid, lay)
    code, t = mesh.corner["lay"][:, :, 2], mesh.triangles
    radius = np.linalg.norm(mesh.corner["lay"][:, :, :2], axis=2)
    s = np.where(code > 0, code, np.where(code < -0.5, radius, mesh.corner["lay"][:, :, 0]))
    edges = np.roll(t, -1, axis=1) - t
    across = np.cross(mesh.corner["lay_tangent"].mean(1), mesh.face_normals)
    rise = ((np.roll(s, -1, axis=1) - s) * (edges * across[:, None]).sum(2)).sum(1)
    assert (rise > 0).all()
