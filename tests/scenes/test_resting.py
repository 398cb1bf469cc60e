"""Parts lie as gravity lets them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GeometryError
from scenes import resting


def _prism(outline: list[tuple[float, float]], depth: float) -> np.ndarray:
    return np.array([(x, y, z) for x, y in outline for z in (0.0, depth)])


directions = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(up=directions)
@settings(max_examples=100)
def test_rotation_to_up_is_a_rotation_that_does_so(up: tuple[float, float, float]) -> None:
    r = resting.rotation_to_up(np.array(up))
    assert r @ r.T == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(r) == pytest.approx(1.0)
    assert r @ (np.array(up) / np.linalg.norm(up)) == pytest.approx([0, 0, 1], abs=1e-12)


def test_a_box_has_six_rests_and_prefers_to_lie_flat() -> None:
    rests = resting.stable_rests(resting.hull_of(_prism([(0, 0), (0.08, 0), (0.08, 0.05), (0, 0.05)], 0.01)))
    assert len(rests) == 6
    assert sum(r.weight for r in rests) == pytest.approx(1.0)
    assert abs(rests[0].up[2]) == pytest.approx(1.0) and rests[0].weight > 0.35
    assert abs(rests[-1].up[0]) == pytest.approx(1.0)


def test_a_cube_falls_on_each_side_alike() -> None:
    rests = resting.stable_rests(resting.hull_of(_prism([(0, 0), (1, 0), (1, 1), (0, 1)], 1.0)))
    assert [r.weight for r in rests] == pytest.approx([1 / 6] * 6)


def test_a_leaning_body_does_not_stand_on_its_foot() -> None:
    leaning = _prism([(0, 0), (0.01, 0), (0.06, 0.05), (0.05, 0.05)], 0.2)  # centroid at x 0.03, foot ends at 0.01
    ups = [r.up for r in resting.stable_rests(resting.hull_of(leaning))]
    assert not any(up @ [0, 1, 0] > 0.999 for up in ups)
    assert any(abs(up[2]) < 1e-9 for up in ups)


def test_stand_is_centred_on_the_plane() -> None:
    points = _prism([(0, 0), (0.08, 0), (0.02, 0.05)], 0.01) + np.array([5, -3, 2])
    pose = resting.stand(points, resting.rotation_to_up(np.array([1.0, 0.3, -0.4])))
    world = points @ pose[:3, :3].T + pose[:3, 3]
    assert world[:, 2].min() == pytest.approx(0.0, abs=1e-12)
    assert world[:, :2].min(0) + world[:, :2].max(0) == pytest.approx([0, 0], abs=1e-12)


def test_a_flat_sheet_of_vertices_is_refused() -> None:
    with pytest.raises(GeometryError, match="without volume"):
        resting.hull_of(np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]))
