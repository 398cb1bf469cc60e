"""Pixels to millimetres, against closed forms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.camera import Camera, as_matrix, look_at
from flawsmith.measure import defect_record, jsonable, least_rectangle, mm_per_pixel, pixel_areas_m2
from tests.flawsmith import synthetic


def test_a_rectangle_square_to_the_axis() -> None:
    marks = (synthetic.defect(1),)
    record = defect_record(synthetic.frame(0, marks), marks[0])
    assert record.box == (8, 10, 20, 4)
    assert record.area_px == 80
    assert record.size_px == (20.0, 4.0)
    assert record.mm_per_pixel == pytest.approx(synthetic.MM_PER_PIXEL, rel=1e-6)
    assert record.area_mm2 == pytest.approx(80 * synthetic.MM_PER_PIXEL**2, rel=1e-6)
    assert record.point_mm == pytest.approx((1.0, 0.0, 2.0))


def tilted_plane(projection: str, tilt: float, size: int = 200) -> synthetic.Frame:
    """A plane through (0, 0, 0.4) in camera coordinates whose normal is turned by `tilt` about x; labelled all over."""
    pose = as_matrix(look_at(np.array([0, 0, 0.4]), np.zeros(3), np.array([0.0, 1.0, 0.0])))
    scale = 900.0 if projection == "perspective" else 4000.0
    camera = Camera(projection=projection, width=size, height=size, pixels_per_unit=scale, world_from_camera=pose)  # type: ignore[arg-type]
    normal = np.array([0.0, np.sin(tilt), -np.cos(tilt)])
    xy = (np.arange(size) + 0.5 - size / 2) / scale
    x, y = np.meshgrid(xy, xy)
    if projection == "perspective":
        depth = 0.4 * normal[2] / (x * normal[0] + y * normal[1] + normal[2])
    else:
        depth = 0.4 - y * normal[1] / normal[2]
    marks = (synthetic.defect(1),)
    return dataclasses.replace(
        synthetic.frame(0, marks, size), camera=camera, depth_m=depth.astype(np.float32),
        part=np.ones((size, size), bool), normal=np.broadcast_to(normal, (size, size, 3)).astype(np.float32),
    )  # fmt: skip


@pytest.mark.parametrize("projection", ["perspective", "telecentric"])
@pytest.mark.parametrize("tilt_deg", [0.0, 30.0, 60.0])
def test_area_of_a_tilted_plane(projection: str, tilt_deg: float) -> None:
    """The area that a block of pixels sees, against the polygon of its corner rays cut with the plane."""
    frame = tilted_plane(projection, np.radians(tilt_deg))
    where = np.zeros((200, 200), bool)
    where[40:90, 60:150] = True
    normal = frame.normal[0, 0].astype(float)
    local = (np.array([[60, 40], [150, 40], [150, 90], [60, 90]]) - 100) / frame.camera.pixels_per_unit
    if projection == "perspective":
        ray = np.c_[local, np.ones(4)]
        corners = ray * (0.4 * normal[2] / (ray @ normal))[:, None]
    else:
        corners = np.c_[local, 0.4 - local @ normal[:2] / normal[2]]
    a, b = corners[1:3] - corners[0], corners[2:4] - corners[0]
    exact = np.linalg.norm(np.cross(a, b), axis=1).sum() / 2
    assert pixel_areas_m2(frame.camera, frame.depth_m, frame.normal, where).sum() == pytest.approx(exact, rel=2e-4)


def test_mm_per_pixel_grows_with_distance() -> None:
    frame = tilted_plane("perspective", 0.0)
    assert mm_per_pixel(frame.camera, frame.depth_m, frame.part) == pytest.approx(1e3 * 0.4 / 900, rel=1e-6)
    assert mm_per_pixel(frame.camera, frame.depth_m, np.zeros_like(frame.part)) == 0.0


def test_a_hole_through_the_part_has_a_finite_area() -> None:
    frame = synthetic.frame(0, ())
    hole = np.zeros((64, 64), bool)
    hole[0:2, 0:2] = True
    assert np.isfinite(pixel_areas_m2(frame.camera, frame.depth_m, frame.normal, hole)).all()


def test_least_rectangle_of_a_diagonal_line() -> None:
    index = np.arange(40)
    long, short = least_rectangle(index, index)
    assert long == pytest.approx(40 * np.sqrt(2), rel=1e-3)
    assert short == pytest.approx(np.sqrt(2), rel=1e-3)


def test_numpy_values_become_json() -> None:
    given = {
        "a": np.float32(1.5),
        "b": np.int64(3),
        "c": np.array([1, 2]),
        "d": (np.bool_(True),),
        "e": {"f": np.float64(2)},
    }
    assert jsonable(given) == {"a": 1.5, "b": 3, "c": [1, 2], "d": [True], "e": {"f": 2.0}}
