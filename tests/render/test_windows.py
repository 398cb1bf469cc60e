"""Label and twin windows on a plate whose triangles are far larger than the defect."""

from __future__ import annotations

import numpy as np

from render.windows import label_window, merged, twin_window
from tests import shapes
from tests.render.staging import PLAIN_SCRATCH, camera_over, marked


def test_the_window_hugs_the_defect_however_large_the_triangles():
    mesh = shapes.box((0.04, 0.04, 0.004))
    face = int(np.flatnonzero(mesh.face_normals[:, 2] > 0.9)[0])
    point = mesh.triangles[face].mean(0)
    part = marked(mesh, face, point, "scratch", PLAIN_SCRATCH)
    camera = camera_over(point, mesh.face_normals[face], 400, 20.0)
    x0, y0, x1, y1 = label_window(camera, np.eye(4), part, part.defects[0])
    diagonal = np.hypot(x1 - x0, y1 - y0)
    assert 5.0 * 20 < diagonal < 5.9 * 20 + 12
    assert abs((x0 + x1) / 2 - 200) < 3 and abs((y0 + y1) / 2 - 200) < 3
    wider = twin_window(camera, (x0, y0, x1, y1))
    assert wider[0] < x0 and wider[3] > y1


def test_a_defect_outside_the_frame_has_no_window():
    mesh = shapes.box((0.04, 0.04, 0.004))
    face = int(np.flatnonzero(mesh.face_normals[:, 2] > 0.9)[0])
    part = marked(mesh, face, mesh.triangles[face].mean(0), "scratch", PLAIN_SCRATCH)
    away = camera_over(np.array([0.2, 0.2, 0.004]), np.array([0, 0, 1.0]), 100, 20.0)
    assert label_window(away, np.eye(4), part, part.defects[0]) is None


def test_windows_that_come_near_each_other_become_one():
    assert merged([(0, 0, 10, 10), (15, 0, 25, 10)], gap=4) == ((0, 0, 10, 10), (15, 0, 25, 10))
    assert merged([(0, 0, 10, 10), (15, 0, 25, 10)], gap=6) == ((0, 0, 25, 10),)
    assert merged([(0, 0, 10, 10), (5, 5, 12, 30), (11, 28, 40, 40)], gap=0) == ((0, 0, 40, 40),)
