"""Chips, burrs and missing features as geometry: volumes, watertightness, identity of what is kept, and rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solid_parts import assert_pair, assert_rays_agree, meshed, plate, ring

from core.errors import PlacementError
from core.mesh import Mesh
from core.seeds import child
from defects.procedural.edges import EdgePath, edge_path, grid_body, outward, sharp_convex
from defects.procedural.features import find_features
from defects.procedural.kinds import burr, chip, missing_feature
from defects.procedural.omission import omit
from defects.procedural.solids import Body, Pair, compact, edit, is_closed

PLATE, RING = plate(), ring()
CORNER = np.array([3.1, -7.7, 11.3]) * 1e-3


def edge_site(mesh: Mesh, k: int, along: float) -> tuple[int, np.ndarray]:
    """The k-th sharp convex edge (modulo their number): its face and a point on it."""
    f, j = np.nonzero(sharp_convex(mesh))
    f, j = f[k % len(f)], j[k % len(j)]
    a, b = mesh.vertices[mesh.faces[f, j]], mesh.vertices[mesh.faces[f, (j + 1) % 3]]
    return int(f), a + along * (b - a)


def box_body(low: np.ndarray, high: np.ndarray) -> Body:
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]) * (high - low) + low
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    return Body(corners, outward(corners, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])))


def test_removing_a_box_from_an_edge_takes_exactly_its_volume():
    top = np.array([20.0, 0.0, 12.0]) * 1e-3 + CORNER
    body = box_body(np.add(top, [-1e-3, -1e-3, -0.5e-3]), np.add(top, [1e-3, 0.7e-3, 1e-3]))
    pair, change = edit(Pair.of(PLATE), 0, body, 7, "remove")
    assert change.volume_m3 == pytest.approx(-2e-3 * 0.7e-3 * 0.5e-3, rel=1e-9)
    assert change.gone_m2 == pytest.approx(2e-3 * (0.7e-3 + 0.5e-3), rel=1e-9)
    assert change.new_m2 == pytest.approx(2e-3 * (0.7e-3 + 0.5e-3) + 2 * 0.7e-3 * 0.5e-3, rel=1e-9)
    assert_pair(pair, PLATE, change.volume_m3)
    assert set(pair.gone.face["defect_tag"]) == set(pair.new.face["defect_tag"]) == {7}
    assert not pair.kept.face["defect_tag"].any() and (pair.new.face["bare"] == 1).all()


def test_adding_a_box_adds_exactly_what_stands_out():
    top = np.array([20.0, 20.0, 12.0]) * 1e-3 + CORNER
    body = box_body(np.add(top, [-1e-3, -1e-3, -0.5e-3]), np.add(top, [1e-3, 0.7e-3, 0.25e-3]))
    pair, change = edit(Pair.of(PLATE), 0, body, 1, "add")
    assert change.volume_m3 == pytest.approx(2e-3 * 1.7e-3 * 0.25e-3, rel=1e-9)
    assert_pair(pair, PLATE, change.volume_m3)


def test_untouched_faces_keep_their_rows_and_attributes():
    face, point = edge_site(PLATE, 0, 0.5)
    body = chip.body(chip.Params(length_mm=2), edge_path(PLATE, face, point, 3e-3), child(1, "c"))
    pair, _ = edit(Pair.of(PLATE), face, body, 1, "remove")
    same = pair.kept.triangles[:50]
    assert np.isin(same.reshape(len(same), -1), PLATE.triangles.reshape(len(PLATE.faces), -1)).all()
    clean = compact(pair.clean())
    # The clean mesh is the part, cut finer: each face carries its parent's normals and labels.
    parent = clean.face["_base"]
    assert (parent >= 0).all()
    assert np.allclose(clean.face_normals, PLATE.face_normals[parent], atol=1e-6)
    assert np.allclose(np.bincount(parent, clean.areas), PLATE.areas, rtol=1e-9, atol=1e-15)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(0.1, 0.9), st.floats(0.5, 3.0), st.floats(0.2, 1.2), st.floats(0.2, 1.2),
    st.integers(1, 5), st.floats(0, 1), st.sampled_from(["plate", "ring"]),
)  # fmt: skip
def test_chips_anywhere_on_any_edge(k, along, length, left, right, scallops, torn, which):
    mesh = PLATE if which == "plate" else RING
    face, point = edge_site(mesh, k, along)
    params = chip.Params(length_mm=length, left_mm=left, right_mm=right, scallops=scallops, torn=torn)
    body = chip.body(params, edge_path(mesh, face, point, 4e-3), child(k, "chip"))
    assert is_closed(body.faces)
    pair, change = edit(Pair.of(mesh), face, body, 3, "remove")
    assert change.volume_m3 < 0
    assert_pair(pair, mesh, change.volume_m3)
    assert np.linalg.norm(change.points_m - point, axis=1).max() < 1.3 * chip.reach_mm(params) * 1e-3


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10_000), st.floats(1.0, 6.0), st.floats(0.05, 0.5), st.floats(0.03, 0.1), st.floats(-10, 60),
    st.floats(0, 120), st.floats(0, 1), st.sampled_from(["plate", "ring"]),
)  # fmt: skip
def test_burrs_anywhere_on_any_edge(k, length, height, root, lean, curl, ragged, which):
    mesh = PLATE if which == "plate" else RING
    face, point = edge_site(mesh, k, 0.5)
    params = burr.Params(
        length_mm=length, height_mm=height, root_mm=root, lean_deg=lean, curl_deg=curl, raggedness=ragged
    )
    body = burr.body(params, edge_path(mesh, face, point, 4e-3), child(k, "burr"))
    assert is_closed(body.faces)
    pair, change = edit(Pair.of(mesh), face, body, 3, "add")
    assert change.volume_m3 > 0
    assert_pair(pair, mesh, change.volume_m3)


@pytest.mark.parametrize("which", ["chip", "burr"])
def test_rays_differ_exactly_where_tags_are_seen(which):
    face, point = edge_site(RING, 40, 0.4)
    path = edge_path(RING, face, point, 5e-3)
    if which == "chip":
        body, operation = chip.body(chip.Params(), path, child(5, "a")), "remove"
    else:
        body, operation = burr.body(burr.Params(height_mm=0.5, root_mm=0.1), path, child(5, "b")), "add"
    pair, _ = edit(Pair.of(RING), face, body, 9, operation)
    seen = assert_rays_agree(compact(pair.clean()), compact(pair.defected()), child(2, "rays"), point, 2e-3)
    assert seen > 500


def test_chip_has_the_asked_size_on_a_straight_edge():
    path = straight_edge()
    params = chip.Params(length_mm=4, left_mm=1.2, right_mm=0.8, irregularity=0, scallops=1, grain_depth=0, ripple=0)
    pair, change = edit(Pair.of(PLATE), 0, chip.body(params, path, child(1, "x")), 1, "remove")
    origin, _, into_left, into_right = (a[0] for a in path.at(np.zeros(1)))
    local = change.points_m - origin
    along = np.ptp(local @ np.cross(into_left, into_right))
    assert along == pytest.approx(4e-3, rel=0.05)
    assert (local @ into_left).max() == pytest.approx(1.2e-3, rel=0.08)
    assert (local @ into_right).max() == pytest.approx(0.8e-3, rel=0.08)
    assert_pair(pair, PLATE, change.volume_m3)


def straight_edge() -> EdgePath:
    """Along the upper front edge of the plate, 20 mm from its corner."""
    point = np.array([20.0, 0.0, 12.0]) * 1e-3 + CORNER
    f, j = np.nonzero(sharp_convex(PLATE))
    start, end = PLATE.vertices[PLATE.faces[f, j]], PLATE.vertices[PLATE.faces[f, (j + 1) % 3]]
    on = np.flatnonzero((np.abs(start - point)[:, 1:].max(1) < 1e-9) & (np.abs(end - point)[:, 1:].max(1) < 1e-9))
    return edge_path(PLATE, int(f[on[0]]), point, 5e-3)


def test_burr_stands_as_high_as_asked():
    path = straight_edge()
    params = burr.Params(height_mm=0.4, lean_deg=0, curl_deg=0, side=0.0, length_mm=6)
    _, change = edit(Pair.of(PLATE), 0, burr.body(params, path, child(1, "x")), 1, "add")
    origin, _, into_left, _ = (a[0] for a in path.at(np.zeros(1)))
    assert (-(change.points_m - origin) @ into_left).max() == pytest.approx(0.4e-3, rel=0.12)


def test_edge_path_on_a_rim_turns_with_it():
    face, point = edge_site(RING, 40, 0.5)
    path = edge_path(RING, face, point, 12e-3)
    origin, t, left, right = path.at(np.linspace(path.s[0], path.s[-1], 30))
    radius = np.linalg.norm(origin[:, :2], axis=1)
    assert np.ptp(radius) < 0.01 * radius.mean()
    assert np.rad2deg(path.opening_rad) == pytest.approx(90, abs=0.5)
    assert np.allclose(np.abs(left[:, 2]) + np.abs(right[:, 2]), 1, atol=1e-3)
    assert np.abs((t * origin)[:, :2].sum(1)).max() < 0.02 * radius.mean()
    assert path.length_m > 20e-3


def test_features_of_the_plate():
    found = find_features(PLATE)
    sizes = sorted((f.kind, round(f.width_m * 1e3, 1), round(f.depth_m * 1e3, 1), f.rims) for f in found)
    assert sizes == [("boss", 8.0, 5.0, 1), ("hole", 5.0, 7.0, 1), ("hole", 6.0, 12.0, 2)]
    for feature in found:
        share = 48 / (2 * np.pi) * np.sin(2 * np.pi / 48)
        r = {8.0: 4.0, 5.0: 2.5, 6.0: 3.0}[round(feature.width_m * 1e3, 1)] * 1e-3
        assert feature.volume_m3 == pytest.approx(np.pi * r * r * share * feature.depth_m, rel=1e-6)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_omitted_feature_leaves_flush_planes(index):
    feature = find_features(PLATE)[index]
    pair, change = omit(Pair.of(PLATE), feature.faces, 4)
    sign = 1 if feature.kind == "hole" else -1
    assert change.volume_m3 == pytest.approx(sign * feature.volume_m3, rel=1e-9)
    assert_pair(pair, PLATE, change.volume_m3)
    assert len(pair.gone.faces) == len(feature.faces) and (pair.new.face["bare"] == 0).all()
    level = pair.new.triangles[..., 2] * 1e3
    assert (np.isclose(level, 11.3, atol=1e-9) | np.isclose(level, 23.3, atol=1e-9)).all()
    at = feature.centre_m
    assert assert_rays_agree(compact(pair.clean()), compact(pair.defected()), child(2, "r"), at, 4e-3) > 200


def test_lay_carries_on_over_the_lid():
    slope = np.array([[0.3, -0.2, 0.0], [0.1, 0.4, 0.0], [0.0, 0.0, 0.0]])
    mesh = PLATE.with_corner(lay=PLATE.triangles @ slope + [0.5, 0.25, 0.0])
    pair, _ = omit(Pair.of(mesh), find_features(mesh)[0].faces, 1)
    assert np.allclose(pair.new.corner["lay"], pair.new.triangles @ slope + [0.5, 0.25, 0.0], atol=1e-12)


@pytest.mark.parametrize("index", [0, 1])
def test_a_blocked_hole_is_filled_below_its_rim(index):
    feature = [f for f in find_features(PLATE) if f.kind == "hole"][index]
    params = missing_feature.Params(blocked=True, recess_mm=0.8, rough_mm=0.1)
    body = missing_feature.plug(params, feature, child(3, index))
    assert is_closed(body.faces)
    pair, change = edit(Pair.of(PLATE), int(feature.faces[0]), body, 2, "add")
    assert_pair(pair, PLATE, change.volume_m3)
    left = (1 if feature.rims == 1 else 2) * 0.8e-3 / feature.depth_m
    assert change.volume_m3 == pytest.approx(feature.volume_m3 * (1 - left), rel=0.05)
    assert np.isin(pair.gone.face["_base"], feature.faces).all()


def test_two_changes_on_one_part_and_order_of_faces():
    pair = Pair.of(PLATE)
    total = 0.0
    for tag, k in ((1, 0), (2, 30)):
        face, point = edge_site(PLATE, k, 0.3)
        row = int(np.flatnonzero(pair.defected().face["_base"] == face)[0])
        body = chip.body(
            chip.Params(length_mm=1.5, left_mm=0.4, right_mm=0.4), edge_path(PLATE, face, point, 2e-3), child(k)
        )
        pair, change = edit(pair, row, body, tag, "remove")
        total += change.volume_m3
    assert_pair(pair, PLATE, total)
    assert set(pair.clean().face["defect_tag"]) == set(pair.defected().face["defect_tag"]) == {0, 1, 2}


def test_reaching_into_an_earlier_change_is_refused():
    face, point = edge_site(PLATE, 0, 0.5)
    path = edge_path(PLATE, face, point, 5e-3)
    pair, _ = edit(Pair.of(PLATE), face, chip.body(chip.Params(), path, child(1)), 1, "remove")
    with pytest.raises(PlacementError, match="earlier"):
        edit(pair, 0, chip.body(chip.Params(length_mm=3), path, child(2)), 2, "remove")


def test_bodies_that_miss_or_split_are_refused():
    far = box_body(np.array([1.0, 1, 1]), np.array([1.1, 1.1, 1.1]))
    with pytest.raises(PlacementError, match="misses or splits"):
        edit(Pair.of(PLATE), 0, far, 1, "remove")
    slab = box_body(np.add(CORNER, [5.5e-3, -1, -1]), np.add(CORNER, [6e-3, 1, 1]))
    with pytest.raises(PlacementError, match="misses or splits"):
        edit(Pair.of(PLATE), 0, slab, 1, "remove")


def test_an_open_solid_is_refused():
    opened = PLATE.subset(np.arange(len(PLATE.faces)) != 5)
    face, point = edge_site(opened, 0, 0.5)
    body = chip.body(chip.Params(length_mm=1), edge_path(opened, face, point, 3e-3), child(1))
    with pytest.raises(PlacementError, match="open or non-manifold"):
        edit(Pair.of(opened), face, body, 1, "remove")


def test_only_the_solid_at_the_site_changes():
    other = Mesh(
        np.add(PLATE.vertices, [0.1, 0, 0]),
        PLATE.faces,
        PLATE.corner,
        {**PLATE.face, "solid": np.ones(len(PLATE.faces))},
    )
    n = len(PLATE.vertices)
    corner = {k: np.concatenate([PLATE.corner[k], other.corner[k]]) for k in PLATE.corner}
    face = {k: np.concatenate([PLATE.face[k], other.face[k]]) for k in PLATE.face}
    both = Mesh(
        np.concatenate([PLATE.vertices, other.vertices]), np.concatenate([PLATE.faces, other.faces + n]), corner, face
    )
    site, point = edge_site(PLATE, 0, 0.5)
    body = chip.body(chip.Params(length_mm=1), edge_path(both, site, point, 3e-3), child(1))
    pair, change = edit(Pair.of(both), site, body, 1, "remove")
    assert_pair(pair, both, change.volume_m3)
    assert (pair.gone.face["solid"] == 0).all() and (pair.new.face["solid"] == 0).all()
    assert (pair.kept.face["solid"] == 1).sum() == len(other.faces)


def test_the_same_cut_twice_gives_the_same_bytes():
    face, point = edge_site(RING, 11, 0.5)
    made = []
    for _ in range(2):
        body = chip.body(chip.Params(), edge_path(RING, face, point, 4e-3), child(8, "same"))
        pair, _ = edit(Pair.of(RING), face, body, 1, "remove")
        made.append((pair.clean(), pair.defected()))
    for a, b in zip(*made, strict=True):
        assert a.vertices.tobytes() == b.vertices.tobytes() and a.faces.tobytes() == b.faces.tobytes()


def test_a_touching_tool_is_nudged_apart():
    """The tool's side lies in the plate's top plane: degenerate as given, sound after a shift below 0.1 um."""
    top = np.array([20.0, 0.0, 12.0]) * 1e-3 + CORNER
    body = box_body(np.add(top, [-1e-3, -1e-3, -0.5e-3]), np.add(top, [1e-3, 0.7e-3, 0.0]))
    pair, change = edit(Pair.of(PLATE), 0, body, 7, "remove")
    assert_pair(pair, PLATE, change.volume_m3)
    assert change.volume_m3 == pytest.approx(-2e-3 * 0.7e-3 * 0.5e-3, rel=1e-3)


def test_an_edge_too_tight_for_the_body_is_refused():
    s = np.linspace(-1, 1, 41) * 2e-3
    angle = s / 0.2e-3
    out = np.stack([np.cos(angle), np.sin(angle), 0 * s], 1)
    path = EdgePath(s, 0.2e-3 * out, np.broadcast_to([0.0, 0, 1], out.shape), out)
    low = np.full((41, 5), -1e-3)
    with pytest.raises(PlacementError, match="too tightly"):
        grid_body(path, s, np.linspace(-1e-3, 1e-3, 5), low, low + 1.1e-3)


def test_blunt_edges_are_refused():
    wedge = replace(chip.Params(), length_mm=1.0)
    left = np.array([[0.0, 0, 1], [0.0, 0, 1]])
    right = np.array([[0.17, 0, 0.985], [0.17, 0, 0.985]])
    path = EdgePath(np.array([-1e-3, 1e-3]), np.array([[0, -1e-3, 0], [0, 1e-3, 0]]), left, right)
    with pytest.raises(PlacementError, match="opens by"):
        chip.body(wedge, path, child(1))


def test_parts_without_features_have_none():
    import manifold3d

    assert find_features(meshed(manifold3d.Manifold.cube((10, 10, 10)))) == ()
