"""Charts against surfaces whose logarithmic map is known, and where they must stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import potpourri3d
import pytest
import trimesh
from chart_shapes import (
    RHO,
    balls,
    looked_up,
    meshed,
    refined_chart,
    ring,
    ring_surface,
    rounded_plate,
    sheet,
    shot_errors,
    site_near,
    sphere_surface,
    spiral_ramp,
    strips,
    unit_vector,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from core.defect import Site
from core.errors import GeometryError
from core.mesh import Mesh
from core.seeds import child
from defects.procedural.chart import Unfolding, unfold
from defects.procedural.chart_overlap import winding
from defects.procedural.refine import located, refine_around

MM = 1e-3
angles = st.floats(0.0, 2 * np.pi)
seeds = st.integers(0, 10**6)


def flat_coordinates(points: np.ndarray, site: Site) -> np.ndarray:
    """What the chart of a plane is: coordinates along the direction and to its left."""
    u, n = np.asarray(site.direction), np.asarray(site.normal)
    d = points - np.asarray(site.point_m)
    return np.stack([d @ u, d @ np.cross(n, u)], axis=-1)


def prism_coordinates(mesh: Mesh, site: Site, sections: int) -> np.ndarray:
    """The prism unrolled: (m, 3, 2) along its axis and round its polygon, from the site, on the side faces."""
    width = 2 * RHO * np.sin(np.pi / sections)
    step = 2 * np.pi / sections
    centre = np.arctan2(*mesh.triangles.mean(axis=1).T[[1, 0]])
    start = np.floor(np.arctan2(site.point_m[1], site.point_m[0]) / step)
    facet = np.floor(centre / step)
    turn = (facet - start + sections // 2) % sections - sections // 2
    left = (start + turn) * step
    corner = RHO * np.stack([np.cos(left), np.sin(left)], axis=1)
    along = np.linalg.norm(mesh.triangles[:, :, :2] - corner[:, None], axis=2)
    first = np.linalg.norm(np.asarray(site.point_m[:2]) - RHO * np.array([np.cos(start * step), np.sin(start * step)]))
    # the site looks along +z: seen from outside, left is towards falling angles
    return np.stack([mesh.triangles[:, :, 2] - site.point_m[2], first - along - turn[:, None] * width], axis=2)


def overlaps(chart: Unfolding, seed: int, radius: float) -> int:
    """How many of 4000 random points of the disc lie strictly inside more than one face of the chart."""
    rng = child(seed, "overlap")
    points = np.sqrt(rng.uniform(size=4000)) * radius * np.exp(2j * np.pi * rng.uniform(size=4000))
    z = chart.uv_m[chart.valid] @ [1, 1j]
    count = np.zeros(len(points), int)
    for p, q, r in z:
        inside = [((b - a) * np.conj(points - a)).imag < -1e-12 for a, b in ((p, q), (q, r), (r, p))]
        count += np.all(inside, axis=0)
    return int((count > 1).sum())


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03), angles, st.integers(0, 10**6))
def test_a_plane_is_its_own_chart(x: float, y: float, angle: float, seed: int) -> None:
    site = site_near(sheet(), np.array([x, y, 0]), np.array([np.cos(angle), np.sin(angle), 0]))
    turn = trimesh.transformations.random_rotation_matrix(child(seed, "turn").uniform(size=3))[:3, :3]
    mesh, _ = refine_around(sheet(), [site], 0.008, max_edge_m=0.001)
    turned = mesh.moved(mesh.vertices @ turn.T)
    there = site_near(turned, turn @ np.asarray(site.point_m), turn @ np.asarray(site.direction))
    chart = unfold(turned, there, 0.008)
    wanted = flat_coordinates(turned.triangles, there)
    assert np.abs(chart.uv_m[chart.valid] - wanted[chart.valid]).max() < 1e-12
    gap = np.linalg.norm(wanted.mean(axis=1), axis=1)
    assert chart.valid[gap < 0.008].all() and not chart.valid[gap > 0.010].any()
    assert chart.reached_m == 0.008 and chart.error_m < 1e-12


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([12, 32, 96, 600]), st.floats(0.3, 0.7), st.floats(-0.008, 0.008), st.booleans())
def test_a_prism_unrolls_exactly(sections: int, where: float, height: float, refined: bool) -> None:
    step = 2 * np.pi / sections
    near = RHO * np.cos(step / 2) * np.array([np.cos(where * step), np.sin(where * step), 0]) + [0, 0, height]
    mesh = strips(sections, height=0.1)
    site = site_near(mesh, near, np.array([0, 0, 1.0]))
    if refined:
        mesh, parent = refine_around(mesh, [site], 0.006, max_edge_m=0.002)
        site = located(mesh, parent, site)
    chart = unfold(mesh, site, 0.006, sharp_angle_rad=np.deg2rad(31))
    wanted = prism_coordinates(mesh, site, sections)
    assert chart.valid.sum() >= 5
    assert np.abs(chart.uv_m[chart.valid] - wanted[chart.valid]).max() < 1e-9
    assert chart.reached_m == 0.006


@settings(max_examples=15, deadline=None)
@given(st.integers(16, 200), st.floats(0.1, 0.9), seeds)
def test_a_cone_keeps_every_length(sections: int, height: float, seed: int) -> None:
    """Developable too, with strips that end in one needle tip; the chart stays on one side of the tip."""
    cone = meshed(trimesh.creation.cone(0.010, 0.030, sections))
    turn = child(seed, "cone").uniform(0, 2 * np.pi)
    near = np.array([0.010 * (1 - height) * np.cos(turn), 0.010 * (1 - height) * np.sin(turn), 0.030 * height])
    site = site_near(cone, near, unit_vector(seed))
    radius = 0.5 * min(0.03 - site.point_m[2], site.point_m[2] + 0.002)
    chart = unfold(cone, site, radius)
    e3 = np.linalg.norm(np.diff(cone.triangles[chart.valid], axis=1), axis=2)
    assert np.abs(np.linalg.norm(np.diff(chart.uv_m[chart.valid], axis=1), axis=2) - e3).max() < 1e-12
    assert chart.valid.sum() >= 2 and chart.reached_m == radius


def test_thirty_two_sides_are_round_within_two_tenths_of_a_percent() -> None:
    mesh, radius = strips(32), 0.005
    site = site_near(mesh, np.array([RHO, 0.0004, 0.001]), np.array([0, 0, 1.0]))
    chart = unfold(mesh, site, radius)
    x, y, z = mesh.triangles[chart.valid].transpose(2, 0, 1)
    start = np.arctan2(site.point_m[1], site.point_m[0])
    arc = -RHO * np.angle(np.exp(1j * (np.arctan2(y, x) - start)))
    inside = np.abs(arc) < radius
    error = np.hypot(*(chart.uv_m[chart.valid] - np.stack([z - site.point_m[2], arc], axis=2)).transpose(2, 0, 1))
    assert error[inside].max() < 0.003 * radius
    assert error[inside].mean() < 0.002 * radius


@pytest.mark.parametrize("name", list(balls()))
@pytest.mark.parametrize("seed", [1, 2])
def test_a_sphere_errs_by_less_than_four_tenths_of_a_percent(name: str, seed: int) -> None:
    mesh, radius = balls()[name], 0.005
    site = site_near(mesh, RHO * unit_vector(seed), unit_vector(seed + 100))
    fine, _, chart = refined_chart(mesh, site, radius)
    error = shot_errors(fine, chart, sphere_surface(), site, 0.98 * radius, 32).max()
    assert error < 0.004 * radius
    assert error < 1.2 * chart.error_m < 0.012 * radius
    assert chart.reached_m == radius and chart.clear_m == np.inf


@pytest.mark.parametrize("place", [(0.025, 0.001, 0.0003), (0.015, 0.001, 0.0002), (0.02, 0.0007, 0.005)])
def test_a_ring_errs_by_less_than_half_a_percent(place: tuple[float, float, float]) -> None:
    """Outside, inside and on top of a ring: curvature of both signs, changing over the chart."""
    radius = 0.005
    site = site_near(ring(), np.array(place), np.array([0, 1.0, 0.3]))
    fine, _, chart = refined_chart(ring(), site, radius)
    assert shot_errors(fine, chart, ring_surface(), site, 0.98 * radius, 24).max() < 0.005 * radius


@pytest.mark.parametrize("name", ["plane", "cylinder", "icosphere 1280", "rings 32", "ring"])
def test_a_scratch_of_five_by_two_tenths_is_true_within_half_a_percent(name: str) -> None:
    """Its outline in the chart, drawn on the surface and measured there."""
    shapes = {"plane": sheet(), "cylinder": strips(32), "ring": ring(), **balls()}
    starts = {"plane": (0.003, 0.001, 0), "cylinder": (RHO, 0.0004, 0.001), "ring": (0.025, 0.0, 0.0005)}
    mesh = shapes[name]
    for seed in range(3):
        near = np.array(starts.get(name, RHO * unit_vector(seed)))
        site = site_near(mesh, near, unit_vector(seed + 50))
        fine, _, chart = refined_chart(mesh, site, 0.0028)
        rows = np.flatnonzero(chart.valid)
        u = np.linspace(-2.5 * MM, 2.5 * MM, 201)
        lines = [on_surface(fine, chart, rows, np.stack([u, np.full_like(u, v)], axis=1)) for v in (-1e-4, 0, 1e-4)]
        length = np.linalg.norm(np.diff(lines[1], axis=0), axis=1).sum()
        width = np.linalg.norm(lines[2] - lines[0], axis=1).mean()
        assert length == pytest.approx(5 * MM, rel=0.005)
        assert width == pytest.approx(0.2 * MM, rel=0.005)


def on_surface(mesh: Mesh, chart: Unfolding, rows: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(n, 3) the surface points at chart positions (n, 2)."""
    t = chart.uv_m[rows]
    e1, e2, d = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0], uv[:, None] - t[None, :, 0]
    det = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    b = (d[..., 0] * e2[:, 1] - d[..., 1] * e2[:, 0]) / det
    c = (e1[:, 0] * d[..., 1] - e1[:, 1] * d[..., 0]) / det
    least = np.minimum(np.minimum(b, c), 1 - b - c)
    k = least.argmax(axis=1)
    assert (least.max(axis=1) > -1e-9).all(), "the chart has a gap"
    at = np.arange(len(uv))
    bary = np.stack([1 - b[at, k] - c[at, k], b[at, k], c[at, k]], axis=1)
    return np.einsum("nc,nck->nk", bary, mesh.triangles[rows[k]])


def test_the_peer_agrees_and_errs_more() -> None:
    """potpourri3d's logarithmic map (vector heat method) about a vertex of a fine sphere."""
    mesh, radius = balls()["icosphere 5120"], 0.005
    vertex = 700
    ring_faces = np.flatnonzero((mesh.faces == vertex).any(axis=1))
    solver = potpourri3d.MeshVectorHeatSolver(mesh.vertices, mesh.faces)
    peer = solver.compute_log_map(vertex) @ [1, 1j]
    tip = mesh.vertices[vertex]
    point = tip + 1e-6 * (mesh.triangles[ring_faces[0]].mean(axis=0) - tip) / np.linalg.norm(tip)
    site = site_near(mesh, point, np.array([0.3, 0.2, 1.0]))
    chart = unfold(mesh, site, radius)
    ours = np.full(len(mesh.vertices), np.nan + 0j)
    ours[mesh.faces[chart.valid]] = chart.uv_m[chart.valid] @ [1, 1j]
    from_tip, from_site = (
        RHO * np.arccos(np.clip(mesh.vertices @ start / np.linalg.norm(start) / RHO, -1, 1))
        for start in (tip, np.asarray(site.point_m))
    )
    inside = np.isfinite(ours) & (from_tip < radius) & (from_tip > 0.001)
    turn = np.angle((ours[inside] * np.conj(peer[inside])).sum())
    assert np.abs(ours[inside] - peer[inside] * np.exp(1j * turn)).max() < 0.04 * radius
    ours_off = np.abs(np.abs(ours) - from_site)[inside].max()
    peer_off = np.abs(np.abs(peer) - from_tip)[inside].max()
    assert ours_off < 0.002 * radius and ours_off < 0.5 * peer_off, (ours_off, peer_off)


def test_it_stops_at_sharp_edges_unless_asked() -> None:
    box = meshed(trimesh.creation.box((0.04, 0.04, 0.04)))
    site = site_near(box, np.array([0.012, 0.001, 0.02]), np.array([1.0, 0, 0]))
    fine, parent = refine_around(box, [site], 0.010, max_edge_m=0.001)
    there = located(fine, parent, site)
    inside = unfold(fine, there, 0.010)
    assert (fine.face_normals[inside.valid] @ [0, 0, 1] > 0.999).all()
    assert inside.reached_m == 0.010 and inside.clear_m == pytest.approx(0.02 - site.point_m[0], rel=1e-9)
    across = unfold(fine, there, 0.010, cross_edges=True)
    side = across.valid & (fine.face_normals @ [1, 0, 0] > 0.999)
    _, y, z = fine.triangles[side].transpose(2, 0, 1)
    wanted = np.stack([0.02 - site.point_m[0] + 0.02 - z, y - site.point_m[1]], axis=2)
    assert side.sum() > 20 and np.abs(across.uv_m[side] - wanted).max() < 1e-12
    assert across.clear_m == np.inf


def test_it_never_covers_ground_twice_behind_a_corner() -> None:
    box = meshed(trimesh.creation.box((0.04, 0.04, 0.04)))
    site = site_near(box, np.array([0.015, 0.016, 0.02]), np.array([1.0, 0, 0]))
    fine, parent = refine_around(box, [site], 0.015, max_edge_m=0.001)
    chart = unfold(fine, located(fine, parent, site), 0.015, cross_edges=True)
    corner = np.hypot(0.02 - site.point_m[0], 0.02 - site.point_m[1])
    assert corner - 1e-3 < chart.reached_m < corner + 2e-3
    assert overlaps(chart, 1, 0.015) == 0
    area = np.abs(np.cross(*np.moveaxis(np.diff(chart.uv_m[chart.valid], axis=1), 1, 0))) / 2
    assert np.abs(area / fine.areas[chart.valid] - 1).max() < 0.6


def test_it_stops_before_the_cut_locus_of_a_cylinder() -> None:
    mesh = strips(60, height=0.2)
    site = site_near(mesh, np.array([RHO, 0.0003, 0.0]), np.array([0, 0, 1.0]))
    chart = unfold(mesh, site, 0.06, max_turn_rad=np.pi)
    half = 60 * RHO * np.sin(np.pi / 60)
    assert half - 2.2 * RHO * np.sin(np.pi / 60) < chart.reached_m < half + 1e-9
    assert np.abs(chart.uv_m[chart.valid][..., 1]).max() < half + 2.2 * RHO * np.sin(np.pi / 60)
    assert overlaps(chart, 2, 0.05) == 0


def test_a_thin_wall_keeps_its_far_side_out() -> None:
    plate = rounded_plate()
    site = site_near(plate, np.array([0.018, 0.001, 0.0005]), np.array([1.0, 0, 0]))
    assert site.normal[2] > 0.99
    fine, parent = refine_around(plate, [site], 0.008, max_edge_m=0.0006)
    chart = unfold(fine, located(fine, parent, site), 0.008)
    assert (fine.face_normals[chart.valid][:, 2] > -0.5 - 1e-6).all()
    assert 0.002 < chart.reached_m < 0.0035
    assert not chart.valid[fine.triangles.mean(axis=1)[:, 2] < -0.00049].any()


def test_a_spiral_is_not_laid_over_itself() -> None:
    ramp = spiral_ramp()
    site = site_near(ramp, np.array([-0.0035, 0.0, 0.0008 * 1.5]), np.array([0, 1.0, 0]))
    chart = unfold(ramp, site, 0.009)
    assert overlaps(chart, 3, 0.009) == 0
    assert chart.valid.sum() > 200


def test_winding_counts_sheets() -> None:
    loop = np.exp(1j * np.linspace(0, 4 * np.pi, 80))
    assert winding(np.array([0.1j, 3.0]), loop[:-1], loop[1:]) == pytest.approx([2, 0], abs=1e-9)


def test_behind_a_hole_a_plane_is_still_a_plane() -> None:
    plate = meshed(trimesh.creation.annulus(0.004, 0.03, 0.005, sections=48))
    site = site_near(plate, np.array([0.009, 0.001, 0.0025]), np.array([1.0, 1.0, 0]))
    fine, parent = refine_around(plate, [site], 0.018, max_edge_m=0.002)
    there = located(fine, parent, site)
    chart = unfold(fine, there, 0.018)
    assert np.abs(chart.uv_m[chart.valid] - flat_coordinates(fine.triangles[chart.valid], there)).max() < 1e-12
    assert chart.reached_m == 0.018
    hole = np.hypot(*np.asarray(site.point_m[:2])) - 0.004
    assert hole - 1e-12 < chart.clear_m < hole + 0.004 * (1 - np.cos(np.pi / 48))
    assert looked_up(fine, chart, np.array([[-0.008, 0.0, 0.0025]])) == pytest.approx(
        flat_coordinates(np.array([[-0.008, 0.0, 0.0025]]), there), abs=1e-12
    )


def test_room_is_the_distance_to_where_the_chart_ends() -> None:
    box = meshed(trimesh.creation.box((0.04, 0.02, 0.01)))
    site = site_near(box, np.array([0.0, 0.004, 0.005]), np.array([1.0, 0, 0]))
    chart = unfold(box, site, 0.03)
    x, y = site.point_m[:2]
    probes = np.array([[0.0, 0.0], [0.01, -0.005]])
    wanted = [min(0.02 - abs(x + u), 0.01 - abs(y + v)) for u, v in probes]
    assert chart.room(probes) == pytest.approx(wanted, rel=1e-9)
    assert chart.clear_m == pytest.approx(wanted[0], rel=1e-9)


@pytest.mark.parametrize("name", ["icosphere 5120", "rings 32"])
def test_a_rectangle_of_the_chart_is_the_same_chart(name: str) -> None:
    mesh = balls()[name]
    site = site_near(mesh, RHO * unit_vector(5), unit_vector(6))
    whole = unfold(mesh, site, 0.006)
    strip = unfold(mesh, site, 0.006, half_extent_m=(0.005, 0.0002))
    assert strip.valid.sum() < 0.5 * whole.valid.sum() and whole.valid[strip.valid].all()
    line = np.linspace(-0.005, 0.005, 200)
    for v in (-0.0002, 0.0, 0.0002):
        uv = np.stack([line, np.full(200, v)], axis=1)
        drawn = [on_surface(mesh, c, np.flatnonzero(c.valid), uv) for c in (whole, strip)]
        assert np.linalg.norm(drawn[0] - drawn[1], axis=1).max() < 0.004 * 0.005


def test_the_same_input_gives_the_same_bytes() -> None:
    mesh = balls()["rings 32"]
    site = site_near(mesh, RHO * unit_vector(5), unit_vector(6))
    first, second = (refined_chart(mesh, site, 0.004)[2].uv_m.tobytes() for _ in range(2))
    assert first == second


def test_a_site_off_the_mesh_is_refused() -> None:
    site = site_near(sheet(), np.array([0.01, 0.01, 0]), np.array([1.0, 0, 0]))
    box = meshed(
        trimesh.creation.box((0.01, 0.01, 0.01), transform=trimesh.transformations.translation_matrix([1, 0, 0]))
    )
    with pytest.raises(GeometryError, match="expected a site of this mesh"):
        unfold(box, site, 0.005)
    with pytest.raises(GeometryError, match="positive length"):
        unfold(sheet(), site, 0.0)
    with pytest.raises(GeometryError, match="tangent"):
        unfold(sheet(), Site(site.face, site.point_m, (0.0, 0.0, 1.0), site.normal), 0.005)


def test_what_the_documentation_shows(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    code = (root / "docs" / "charts.md").read_text().split("```python\n")[1].split("```")[0]
    space: dict[str, object] = {}
    exec(compile(code, "docs/charts.md", "exec"), space)
    assert "valid out to 3.0 mm" in capsys.readouterr().out
    assert np.isfinite(space["u_and_v"]).all()
