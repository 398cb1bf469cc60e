"""Smooth patches and shading normals against shapes whose answers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import parts
from tests import shapes
from tests.parts import files


def stl(folder: Path, triangles: np.ndarray) -> Path:
    return files.write_stl(folder / "m.stl", triangles * 1e3)


def test_a_cylinder_has_a_wall_and_two_caps(tmp_path: Path) -> None:
    part = parts.load(stl(tmp_path, shapes.cylinder(0.01, 0.04, 32).triangles), unit="mm")
    patch = part.mesh.face["patch"]
    assert sorted(np.bincount(patch).tolist()) == [32, 32, 64]
    wall = patch == np.bincount(patch).argmax()
    radial = part.mesh.triangles[wall] * [1, 1, 0]
    radial /= np.linalg.norm(radial, axis=2, keepdims=True)
    np.testing.assert_allclose(part.mesh.corner["normal"][wall], radial, atol=1e-4)
    caps = part.mesh.corner["normal"][~wall]
    np.testing.assert_allclose(np.abs(caps), np.broadcast_to([0, 0, 1], caps.shape), atol=1e-6)


@pytest.mark.parametrize(
    ("sides", "angle", "smooth"), [(10, 30, False), (10, 40, True), (16, 20, False), (16, 25, True)]
)
def test_the_angle_decides(tmp_path: Path, sides: int, angle: float, smooth: bool) -> None:
    part = parts.load(stl(tmp_path, shapes.cylinder(sides=sides).triangles), unit="mm", smooth_angle_deg=angle)
    assert part.report["patches"] == (3 if smooth else sides + 2)


def test_angle_weighting_does_not_depend_on_triangulation(tmp_path: Path) -> None:
    """The corner of a cube smoothed over 100 degrees points along the diagonal, however the squares are cut."""
    part = parts.load(stl(tmp_path, shapes.box((0.02, 0.02, 0.02)).triangles), unit="mm", smooth_angle_deg=100)
    expected = part.mesh.triangles - 0.01
    expected /= np.linalg.norm(expected, axis=2, keepdims=True)
    np.testing.assert_allclose(part.mesh.corner["normal"], expected, atol=1e-5)


def test_normals_of_cad_are_those_of_the_true_surface(housing) -> None:
    """On the bearing seat, and flat right up to the fillets on the flange."""
    mesh = housing.mesh
    middle = mesh.triangles.mean(1)
    radius = np.linalg.norm(mesh.triangles[:, :, :2], axis=2)
    seat = (np.abs(radius - 0.026) < 1e-6).all(1) & (middle[:, 2] < 0.047)
    inward = -mesh.triangles[seat] * [1, 1, 0] / 0.026
    np.testing.assert_allclose(mesh.corner["normal"][seat], inward, atol=2e-4)
    flange = (np.abs(mesh.triangles[:, :, 2] - 0.013) < 1e-8).all(1)
    assert flange.sum() > 20
    np.testing.assert_allclose(
        mesh.corner["normal"][flange], np.broadcast_to([0, 0, 1], (flange.sum(), 3, 3)), atol=1e-5
    )


def test_smooth_edges_join_normals_and_sharp_ones_split(shaft) -> None:
    mesh = shaft.mesh
    normal, patch = mesh.corner["normal"], mesh.face["patch"]
    smooth_gap, sharp_gap = [], []
    for face, across in enumerate(mesh.neighbours):
        for j, other in enumerate(across.tolist()):
            k = mesh.faces[other].tolist().index(mesh.faces[face, j])
            gap = float(np.degrees(np.arccos(np.clip(normal[face, j] @ normal[other, k], -1, 1))))
            (smooth_gap if patch[face] == patch[other] else sharp_gap).append(gap)
    assert max(smooth_gap) < 30 and min(sharp_gap) > 25
