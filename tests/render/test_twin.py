"""The clean twin: equal by construction outside its windows, bit-identical to a full clean render inside."""

from __future__ import annotations

import numpy as np
import pytest

from core.camera import Sensor
from core.seeds import child
from render.exr import read_passes
from render.frames import read_frame
from tests import shapes
from tests.render.staging import PLAIN_SCRATCH, camera_over, job_for, marked

pytestmark = pytest.mark.render


@pytest.fixture(scope="module")
def pair(renderer, tmp_path_factory):
    """The same job with its twin rendered in windows and in full."""
    base = tmp_path_factory.mktemp("twin")
    mesh = shapes.box((0.04, 0.04, 0.004))
    face = int(np.flatnonzero(mesh.face_normals[:, 2] > 0.9)[0])
    point = mesh.triangles[face].mean(0)
    part = marked(mesh, face, point, "scratch", {**PLAIN_SCRATCH, "length_mm": 1.5})
    camera = camera_over(point, mesh.face_normals[face], 192, 14.0, tilt=0.4)
    made = {}
    for twin in ("windowed", "full"):
        job = job_for(base / twin, part, camera, samples=8, twin=twin)
        made[twin] = (job, renderer.render(job, base / f"{twin}_out"))
    return made


def test_inside_the_window_the_noisy_twin_is_bit_identical_to_a_full_clean_render(pair):
    job, rendered = pair["windowed"]
    full = read_passes(pair["full"][1].files["twin_0"])["Noisy Image"]
    (window,) = job.twin_windows
    x0, y0, x1, y1 = (window[0] - 32, window[1] - 32, window[2] + 32, window[3] + 32)
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, 192), min(y1, 192)
    assert (x1 - x0) * (y1 - y0) < 0.9 * 192 * 192
    part = read_passes(rendered.files["twin_0"])["Noisy Image"]
    assert part.shape[:2] == (y1 - y0, x1 - x0)
    assert np.array_equal(part, full[y0:y1, x0:x1])


def test_outside_the_window_twin_and_image_are_equal_and_inside_they_differ(pair):
    job, rendered = pair["windowed"]
    frame = read_frame(job, rendered, Sensor(), child(3, "noise"))
    x0, y0, x1, y1 = job.twin_windows[0]
    outside = np.ones(frame.ids.shape, bool)
    outside[y0:y1, x0:x1] = False
    assert np.array_equal(frame.rgb[outside], frame.clean[outside])
    label = frame.ids == 1
    assert label.sum() > 20 and not (label & outside).any()
    assert (frame.rgb[label] != frame.clean[label]).any(axis=1).mean() > 0.9
    assert frame.visibility[1] > 1.0


def test_windowed_and_full_twins_differ_only_by_the_denoiser(pair):
    windowed = read_frame(*pair["windowed"], Sensor(), child(3, "noise"))
    full = read_frame(*pair["full"], Sensor(), child(3, "noise"))
    assert np.array_equal(windowed.rgb, full.rgb)
    assert windowed.visibility[1] == full.visibility[1]
    assert np.abs(windowed.clean - full.clean).max() < 0.05
    assert full.twin_windows == ((0, 0, 192, 192),)


def test_the_camera_noise_is_the_same_realisation_in_image_and_twin(pair):
    job, rendered = pair["full"]
    noisy = Sensor(full_well_e=500, read_noise_e=20)
    frame = read_frame(job, rendered, noisy, child(3, "noise"))
    far = np.s_[:40, :]
    assert np.std(frame.rgb[far] - frame.clean[far]) < 0.35 * np.std(frame.rgb[far] - np.median(frame.rgb[far]))
