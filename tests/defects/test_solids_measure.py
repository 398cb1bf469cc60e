"""Label measures against shapes with formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.layers import Layers, plain
from defects.procedural.measure import bounding_zone, label_size, least_rectangle
from defects.procedural.raster import Grid


def layers_of(distance, half: float, pitch: float) -> Layers:
    grid = Grid.around((-half, -half), (half, half), pitch)
    sdf = distance(*grid.uv)
    return Layers(pitch_m=grid.pitch, origin_m=grid.origin, sdf_m=sdf, affected_m=sdf, **plain(grid.shape))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.3, 3.0), st.floats(0.1, 0.4), st.floats(-1, 1), st.floats(-1, 1))
def test_a_disc(radius, share, x, y):
    pitch = 0.1 * share * radius * 1e-3
    r, x, y = radius * 1e-3, x * 1e-3 * radius / 4, y * 1e-3 * radius / 4
    size = label_size(layers_of(lambda u, v: np.hypot(u - x, v - y) - r, 1.4 * r, pitch))
    assert size["label_area_mm2"] == pytest.approx(np.pi * radius**2, rel=2e-3)
    assert size["length_mm"] == pytest.approx(2 * radius, rel=5e-3)
    assert size["width_mm"] == pytest.approx(2 * radius, rel=5e-3)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, np.pi), st.floats(2.0, 6.0), st.floats(0.2, 1.0))
def test_a_capsule_at_any_angle(angle, length, width):
    half, r = (length - width) / 2e3, width / 2e3
    c, s = np.cos(angle), np.sin(angle)

    def distance(u, v):
        along = np.clip(c * u + s * v, -half, half)
        return np.hypot(u - along * c, v - along * s) - r

    size = label_size(layers_of(distance, 0.6e-3 * length, width * 1e-3 / 12))
    assert size["length_mm"] == pytest.approx(length, rel=0.01)
    assert size["width_mm"] == pytest.approx(width, rel=0.02)
    assert size["label_area_mm2"] == pytest.approx((length - width) * width + np.pi * width**2 / 4, rel=0.01)


def test_an_empty_label_measures_nothing():
    size = label_size(layers_of(lambda u, v: np.ones_like(u), 1e-3, 1e-4))
    assert set(size.values()) == {0.0}


def test_rectangles_of_points_on_a_line():
    assert least_rectangle(np.array([[0.0, 0], [3, 4], [1.5, 2]])) == pytest.approx((5.0, 0.0))


def test_the_zone_holds_its_points():
    points = np.random.Generator(np.random.PCG64(1)).normal(size=(50, 3))
    *centre, radius = bounding_zone(points)
    assert np.linalg.norm(points - centre, axis=1).max() == pytest.approx(radius)
