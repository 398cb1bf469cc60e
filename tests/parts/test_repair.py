"""Welding, flat triangles, orientation: damage a closed mesh in known ways and get its volume back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import parts
from core.errors import GeometryError
from core.mesh import Mesh
from tests import shapes
from tests.parts import files


def saved(folder: Path, triangles: np.ndarray) -> Path:
    return files.write_stl(folder / "mesh.stl", triangles * 1e3)


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_faces_are_turned_back(tmp_path: Path, seed: int, share: float) -> None:
    rng = np.random.Generator(np.random.PCG64(seed))
    ball = shapes.sphere(0.02, 8, 12)
    triangles = ball.triangles.copy()
    flip = rng.random(len(triangles)) < share
    triangles[flip] = triangles[flip][:, ::-1]
    part = parts.load(saved(tmp_path, triangles), unit="mm")
    assert part.mesh.volume == pytest.approx(ball.volume, rel=1e-5)
    assert ((part.mesh.triangles.mean(1) * part.mesh.face_normals).sum(1) > 0).all()


def test_a_cavity_stays_inside_out_and_a_lone_shell_does_not(tmp_path: Path) -> None:
    outer, inner = shapes.box((0.05, 0.05, 0.05)), shapes.sphere(0.01).triangles + 0.025
    hollow = parts.load(saved(tmp_path, np.concatenate([outer.triangles, inner[:, ::-1]])), unit="mm")
    ball = shapes.sphere(0.01).volume
    assert hollow.mesh.volume == pytest.approx(0.05**3 - ball, rel=1e-5)
    assert hollow.report["repairs"]["faces_flipped"] == 0
    alone = parts.load(saved(tmp_path, inner[:, ::-1]), unit="mm")
    assert alone.mesh.volume == pytest.approx(ball, rel=1e-5)


def test_an_open_shell_faces_the_open(tmp_path: Path) -> None:
    tube = shapes.cylinder()
    bucket = tube.triangles[tube.face["patch"] != 2]
    for triangles in (bucket, bucket[:, ::-1]):
        part = parts.load(saved(tmp_path, triangles), unit="mm")
        wall = part.mesh.triangles.mean(1)[:, 2] > 1e-3
        assert ((part.mesh.triangles.mean(1) * part.mesh.face_normals)[wall, :2].sum(1) > 0).all()
        assert part.report["repairs"]["open_edges"] == 32
        assert part.report["volume_cm3"] is None
        assert any("open edges" in w for w in part.report["warnings"])


def test_near_vertices_are_welded_only_where_that_closes_gaps(tmp_path: Path) -> None:
    ball = shapes.sphere(0.02, 12, 16)
    rng = np.random.Generator(np.random.PCG64(3))
    shaken = ball.triangles + rng.uniform(-5e-9, 5e-9, ball.triangles.shape)
    part = parts.load(saved(tmp_path, shaken), unit="mm")
    assert part.report["repairs"]["closed"]
    assert len(part.mesh.vertices) == len(ball.vertices)
    assert 0 < part.report["repairs"]["weld_distance_mm"] < 1e-3
    torn = ball.triangles.copy()
    torn[0, 0] += [1e-4, 0, 0]
    assert parts.load(saved(tmp_path, torn), unit="mm").report["repairs"]["open_edges"] > 0


def test_flat_triangles_vanish_without_a_gap(tmp_path: Path) -> None:
    """A T-junction closed by a triangle of three collinear corners, as many tessellators write it."""
    cube = shapes.box((0.02, 0.02, 0.02)).triangles
    top = np.flatnonzero((cube[:, :, 2] > 0.019).all(1))
    a, b, c = cube[top[0]]
    middle = (a + b) / 2
    split = [[a, middle, c], [middle, b, c], [a, b, middle]]  # the last one has no height
    triangles = np.concatenate([np.delete(cube, top[0], 0), split, [[a, a, b]]])
    part = parts.load(saved(tmp_path, triangles), unit="mm")
    repairs = part.report["repairs"]
    assert repairs["closed"] and repairs["degenerate_faces_dropped"] == 2
    assert part.mesh.volume == pytest.approx(8e-6, rel=1e-6)
    assert part.mesh.areas.min() > 1e-5
    assert len(np.unique(part.mesh.face["patch"])) == 6


def test_repeated_faces_are_dropped(tmp_path: Path) -> None:
    cube = shapes.box().triangles
    part = parts.load(saved(tmp_path, np.concatenate([cube, cube[2:5], cube[2:3][:, [1, 2, 0]]])), unit="mm")
    assert part.report["repairs"]["repeated_faces_dropped"] == 4
    assert part.report["repairs"]["closed"]


def test_non_manifold_edges_are_counted(tmp_path: Path) -> None:
    cube = shapes.box((0.01, 0.01, 0.01)).triangles
    fin = np.array([[[0, 0, 0.01], [0.01, 0, 0.01], [0.005, -0.01, 0.02]]])
    part = parts.load(saved(tmp_path, np.concatenate([cube, fin])), unit="mm")
    assert part.report["repairs"]["non_manifold_edges"] == 1
    assert part.report["repairs"]["closed"] is False


def test_a_moebius_strip_is_loaded_and_left_alone(tmp_path: Path) -> None:
    u = np.linspace(0, 2 * np.pi, 41)[:-1]
    rim = np.stack(
        [
            np.stack([np.cos(u) * (1 + s * np.cos(u / 2)), np.sin(u) * (1 + s * np.cos(u / 2)), s * np.sin(u / 2)], 1)
            for s in (-0.3, 0.3)
        ]
    )
    low, high = rim * 0.02
    nxt_low, nxt_high = np.r_[low[1:], high[:1]], np.r_[high[1:], low[:1]]
    triangles = np.concatenate([np.stack([low, nxt_low, nxt_high], 1), np.stack([low, nxt_high, high], 1)])
    part = parts.load(saved(tmp_path, triangles), unit="mm")
    assert len(part.mesh.faces) == 80 and np.isfinite(part.mesh.corner["normal"]).all()


@pytest.mark.parametrize("what", ["line", "point", "sheet", "folded"])
def test_nothing_with_volume_is_refused(tmp_path: Path, what: str) -> None:
    flat = np.array([[[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]], [[0.01, 0, 0], [0.01, 0.01, 0], [0, 0.01, 0]]])
    tent = np.array([[[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0.01]]])
    triangles = {
        "line": np.array([[[0, 0, 0], [0.01, 0, 0], [0.02, 0, 0]]]),
        "point": np.zeros((3, 3, 3)),
        "sheet": flat,
        "folded": np.concatenate([tent, tent[:, ::-1]]),
    }[what]
    with pytest.raises(GeometryError):
        parts.load(saved(tmp_path, triangles), unit="mm")


def test_mesh_invariants_on_the_examples(housing, shaft) -> None:
    for part in (housing, shaft):
        mesh: Mesh = part.mesh
        assert (mesh.neighbours >= 0).all() and mesh.volume > 0
        assert mesh.areas.min() > 0
        np.testing.assert_allclose(np.linalg.norm(mesh.corner["normal"], axis=2), 1, atol=1e-6)
        assert ((mesh.corner["normal"] * mesh.face_normals[:, None]).sum(2) > 0.2).all()


def _touching(gap: float = 0.0) -> np.ndarray:
    """Three boxes in a row on the x axis: the first two share a whole side, the second and third only an edge."""
    size = (0.01, 0.01, 0.01)
    corners = [(0, 0, 0), (0.01 + gap, 0, 0), (0.02 + gap, 0.01, 0)]
    return np.concatenate([files.box_triangles(size, c) for c in corners])


@pytest.mark.parametrize("flipped", [False, True])
def test_touching_bodies_are_taken_apart(tmp_path: Path, flipped: bool) -> None:
    triangles = _touching()
    if flipped:
        triangles[12:24] = triangles[12:24, ::-1]
    part = parts.load(saved(tmp_path, triangles), unit="mm")
    repairs = part.report["repairs"]
    assert repairs["bodies_separated"] == 3 and repairs["closed"] and repairs["opposed_faces_dropped"] == 0
    assert len(part.solid_names) == len(set(part.solid_names)) == 3
    assert part.mesh.volume == pytest.approx(3e-6, rel=1e-6)
    for k in range(3):
        body = part.mesh.subset(part.mesh.face["solid"] == k)
        assert len(body.faces) == 12 and body.volume == pytest.approx(1e-6, rel=1e-6)
    assert any("3 closed bodies" in w for w in part.report["warnings"])


def test_a_cavity_stays_with_its_body_when_bodies_are_taken_apart(tmp_path: Path) -> None:
    inner = files.box_triangles((0.004, 0.004, 0.004), (0.003, 0.003, 0.003))[:, ::-1]
    triangles = _touching()
    part = parts.load(saved(tmp_path, np.concatenate([triangles[:12], inner, triangles[12:]])), unit="mm")
    assert part.report["repairs"]["bodies_separated"] == 3
    assert part.mesh.volume == pytest.approx(3e-6 - 0.004**3, rel=1e-6)


def test_a_body_written_twice_counts_once(tmp_path: Path) -> None:
    triangles = _touching()
    part = parts.load(saved(tmp_path, np.concatenate([triangles, triangles[12:24]])), unit="mm")
    repairs = part.report["repairs"]
    assert repairs["bodies_separated"] == 3 and repairs["repeated_faces_dropped"] == 12 and repairs["closed"]
    assert part.mesh.volume == pytest.approx(3e-6, rel=1e-6)


def test_faces_out_of_order_stay_one_solid_and_lie_back_to_back_once(tmp_path: Path) -> None:
    """Without the order of the file the bodies cannot be told apart; the shared side keeps one face of each pair."""
    triangles = _touching()[[*range(0, 36, 2), *range(1, 36, 2)]]
    part = parts.load(saved(tmp_path, triangles), unit="mm")
    repairs = part.report["repairs"]
    assert repairs["bodies_separated"] == 0 and not repairs["closed"]
    assert repairs["opposed_faces_dropped"] == 2
    assert len(np.unique(np.sort(part.mesh.faces, axis=1), axis=0)) == len(part.mesh.faces) == 34
    assert any("back to back" in w for w in part.report["warnings"])


def test_a_sheet_folded_onto_itself_is_refused_with_a_count(tmp_path: Path) -> None:
    tent = _touching()[:5]
    with pytest.raises(GeometryError, match=r"all 10 triangles .* back to back"):
        parts.load(saved(tmp_path, np.concatenate([tent, tent[:, ::-1]])), unit="mm")
