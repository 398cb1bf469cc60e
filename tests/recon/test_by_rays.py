"""Pictures by rays against what is known of a ball."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from recon.by_rays import Drawn
from recon.capture.model import Capture
from tests.recon.synthetic import turntable

RADIUS = 0.02


@pytest.fixture(scope="module")
def ball() -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)


@pytest.fixture(scope="module")
def capture(ball: trimesh.Trimesh) -> Capture:
    return turntable(ball, views=4, size=64, grid=2)


def test_colours_are_the_vertices_own_and_end_at_the_outline(ball: trimesh.Trimesh, capture: Capture) -> None:
    view = capture.views[1]
    height = np.asarray(ball.vertices)[:, 2:] / RADIUS
    told = Drawn(np.asarray(ball.vertices), np.asarray(ball.faces)).coloured(view, height, ground=7.0)
    inside, outside = view.mask == 1, view.mask == 0
    assert (told[outside] == 7).all()
    assert np.abs(told[inside]).max() <= 1 + 1e-9
    share = view.mask[..., None]  # at the outline, part and ground by the area that each covers
    assert (np.abs(told - (1 - share) * 7) <= share + 1e-9).all()
    rows = np.flatnonzero(inside.any(1))
    first, last = (told[row][inside[row]].mean() for row in (rows[0], rows[-1]))
    assert first > 0.8 and last < -0.2  # up is up, seen from above


def test_normals_face_the_camera_in_the_middle_and_turn_away_at_the_rim(
    ball: trimesh.Trimesh, capture: Capture
) -> None:
    view = capture.views[0]
    told = Drawn(np.asarray(ball.vertices), np.asarray(ball.faces), fine=1).normals(view)
    inside = np.argwhere(view.mask == 1)
    top, left = inside.min(0)
    bottom, right = inside.max(0)
    row, column = (top + bottom) // 2, (left + right) // 2
    assert told[row, column] == pytest.approx([0.5, 0.5, 1], abs=0.08)
    assert told[row, right, 0] > 0.9 and told[row, left, 0] < 0.1
    assert told[top, column, 1] > 0.9 and told[bottom, column, 1] < 0.1
    assert told[0, 0] == pytest.approx(0)
