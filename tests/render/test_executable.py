"""A Blender executable in place of the bpy wheel: its greeting, its version, and the same pixels."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import RenderError
from render.client import Renderer, blender_version
from render.exr import read_passes
from tests import shapes
from tests.render.staging import PLAIN_SCRATCH, camera_over, job_for, marked

POSING = """#!{python}
import runpy, sys
print("Blender 4.5.15 LTS (hash 0123456789ab built 2026-01-01)", flush=True)
if "--version" in sys.argv:
    raise SystemExit
print("Read prefs: none", flush=True)
runpy.run_path(sys.argv[sys.argv.index("--python") + 1], run_name="__main__")
"""


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    """The wheel, dressed as Blender's executable: it prints before and around what the worker says."""
    path = tmp_path / "blender"
    path.write_text(POSING.format(python=sys.executable))
    path.chmod(0o755)
    return path


@pytest.mark.render
def test_an_executable_draws_what_the_wheel_draws(executable, renderer, tmp_path):
    mesh = shapes.box((0.04, 0.04, 0.004))
    face = int(np.flatnonzero(mesh.face_normals[:, 2] > 0.9)[0])
    point = mesh.triangles[face].mean(0)
    part = marked(mesh, face, point, "scratch", {**PLAIN_SCRATCH, "length_mm": 1.5})
    job = job_for(tmp_path / "job", part, camera_over(point, mesh.face_normals[face], 48, 14.0), samples=2)
    ours = renderer.render(job, tmp_path / "wheel")
    with Renderer(blender=executable) as other:
        theirs = other.render(job, tmp_path / "executable")
    assert set(ours.files) == set(theirs.files)
    for name in ours.files:
        one, two = read_passes(ours.files[name]), read_passes(theirs.files[name])
        assert all(np.array_equal(one[k], two[k], equal_nan=True) for k in one)


def test_it_says_its_version(executable):
    assert blender_version(executable) == "4.5.15"


@pytest.mark.parametrize("wrong", ["absent", "not executable", "another program"])
def test_what_is_not_blender_is_refused_in_a_sentence(wrong, tmp_path):
    path = tmp_path / "blender"
    if wrong == "not executable":
        path.write_text("#!/bin/sh\n")
        if os.access(path, os.X_OK):
            pytest.skip("this user may execute anything")
    elif wrong == "another program":
        path.write_text("#!/bin/sh\necho GIMP 3\n")
        path.chmod(0o755)
    with pytest.raises(RenderError, match="cannot be used") as caught:
        blender_version(path)
    assert str(path) in str(caught.value) and "4.5 or 5.2" in str(caught.value)
