"""Fitted planes and cylinders: radii, axes, sides and grouping against what was modelled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import parts
from parts.surfaces import arc, circle, classify
from tests import shapes
from tests.parts import files

HOLES_MM = {4.2: 4, 5.0: 1, 6.0: 2, 7.0: 1, 11.0: 4, 22.0: 4, 40.0: 1, 47.0: 1, 52.0: 2, 55.0: 1}
"""Diameters of the housing's bores and how many there are (52: the seat and the land above the ring groove)."""


def bores(part) -> dict[float, int]:
    found: dict[float, int] = {}
    for bore in part.report["bores"]:
        diameter = round(bore["diameter_mm"], 1)
        found[diameter] = found.get(diameter, 0) + 1
    return found


def test_bores_of_the_housing(housing) -> None:
    assert bores(housing) == HOLES_MM
    seat = next(
        b for b in housing.report["bores"] if b["diameter_mm"] == pytest.approx(52, abs=0.01) and b["length_mm"] > 5
    )
    assert seat["length_mm"] == pytest.approx(15, abs=1e-3)
    np.testing.assert_allclose(seat["axis"], [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(seat["centre_mm"], [0, 0, 39.5], atol=1e-3)


def test_bores_are_found_without_cad_too(tmp_path: Path, housing) -> None:
    path = files.write_stl(tmp_path / "housing.stl", housing.mesh.triangles * 1e3)
    mesh_part = parts.load(path, unit="mm")
    assert mesh_part.report["cad_faces"] == 0
    assert bores(mesh_part) == HOLES_MM
    area = {n: float(p.mesh.areas[p.select("bore")].sum()) for n, p in (("cad", housing), ("stl", mesh_part))}
    assert area["stl"] == pytest.approx(area["cad"], rel=0.01)


def test_bosses_of_the_shaft_are_convex(shaft) -> None:
    diameters = sorted(round(b["diameter_mm"], 1) for b in shaft.report["bosses"])
    for wanted in (20.0, 25.0, 25.0, 30.0, 34.0):
        diameters.remove(wanted)
    mesh, mask = shaft.mesh, shaft.select("boss")
    outward = (mesh.triangles.mean(1)[mask] - [0, 0, 0.017]) * [0, 1, 1]
    assert ((mesh.face_normals[mask] * outward).sum(1) > 0).all()


def test_shape_classes_cover_each_face_once(housing, shaft) -> None:
    for part in (housing, shaft):
        total = sum(part.regions[n].mask.astype(int) for n in ("planar", "cylindrical", "curved"))
        assert (total == 1).all()
        assert not (part.select("bore") & part.select("boss")).any()
        assert not (part.select("bore", "boss") & ~part.select("cylindrical")).any()


@given(radius=st.floats(0.5e-3, 0.3), ratio=st.floats(0.2, 8), sides=st.integers(16, 90), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_turned_cylinder_is_fitted(radius: float, ratio: float, sides: int, seed: int) -> None:
    mesh = shapes.cylinder(radius, radius * ratio, sides)
    rotation, _ = np.linalg.qr(np.random.Generator(np.random.PCG64(seed)).normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    offset = np.array([0.1, -0.2, 0.3])
    turned = mesh.moved(mesh.vertices @ rotation.T + offset, mesh.corner["normal"] @ rotation.T)
    for labelled in (turned, turned.with_face(cad_face=np.full(len(mesh.faces), -1))):
        wall = [s for s in classify(labelled) if s.shape == "cylindrical"]
        assert len(wall) == 1 and not wall[0].concave
        assert wall[0].radius_m == pytest.approx(radius, rel=1e-6)
        assert wall[0].length_m == pytest.approx(radius * ratio, rel=1e-6)
        assert abs(np.array(wall[0].axis) @ rotation[:, 2]) == pytest.approx(1, abs=1e-9)
        np.testing.assert_allclose(wall[0].centre_m, rotation[:, 2] * radius * ratio / 2 + offset, atol=1e-6)
        assert wall[0].arc_rad == pytest.approx(2 * np.pi, rel=0.01)


def test_a_ball_is_curved_and_a_box_planar() -> None:
    assert {s.shape for s in classify(shapes.sphere())} == {"curved"}
    plain = shapes.sphere().with_face(cad_face=np.full(len(shapes.sphere().faces), -1))
    assert {s.shape for s in classify(plain)} == {"curved"}
    sides = classify(shapes.box())
    assert [s.shape for s in sides] == ["planar"] * 6
    assert sorted(s.normal for s in sides) == sorted(
        [(-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1)]
    )


def test_half_a_cylinder_is_no_boss(tmp_path: Path) -> None:
    """A rounded slot end or a fillet is cylindrical but neither bore nor boss."""
    angle = np.linspace(0, np.pi, 25)
    rim = np.stack([np.cos(angle), np.sin(angle)], 1) * 10
    low, high = np.c_[rim, np.zeros(25)], np.c_[rim, np.full(25, 15)]
    ring = np.r_[low, high]
    lines = [f"v {x} {y} {z}" for x, y, z in ring]
    lines += ["f " + " ".join(str(i) for i in range(25, 0, -1)), "f " + " ".join(str(i) for i in range(26, 51))]
    lines += [f"f {i + 1} {(i + 1) % 25 + 1} {(i + 1) % 25 + 26} {i + 26}" for i in range(25)]
    path = tmp_path / "half.obj"
    path.write_text("\n".join(lines))
    part = parts.load(path, unit="mm")
    assert part.report["surfaces"] == {"planar": 3, "cylindrical": 1, "curved": 0}
    assert part.report["bosses"] == []


@given(st.floats(0, 2 * np.pi), st.floats(0.1, 6.2), st.integers(8, 200))
@settings(max_examples=40, deadline=None)
def test_arc_measures_what_is_covered(start: float, extent: float, steps: int) -> None:
    edges = start + np.linspace(0, extent, steps + 1)
    cells = np.stack([edges[:-1], edges[1:], edges[:-1]], 1)
    wrapped = (cells + np.pi) % (2 * np.pi) - np.pi
    if extent / steps < 3:
        assert arc(wrapped) == pytest.approx(min(extent, 2 * np.pi), abs=0.03)


@given(st.floats(-5, 5), st.floats(-5, 5), st.floats(1e-3, 1e3), st.floats(0.5, 6))
@settings(max_examples=40, deadline=None)
def test_circle_through_an_arc(x: float, y: float, radius: float, extent: float) -> None:
    angle = np.linspace(0.3, 0.3 + extent, 12)
    centre, found, error = circle(np.c_[x + radius * np.cos(angle), y + radius * np.sin(angle)])
    assert found == pytest.approx(radius, rel=1e-6, abs=1e-9)
    np.testing.assert_allclose(centre, [x, y], atol=1e-5 * (radius + 1))
    assert error < 1e-6 * (radius + 1)
