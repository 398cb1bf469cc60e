"""Composed scenes obey the geometry of an inspection cell."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

from core import seeds
from core.defect import Site
from core.distributions import constant
from core.errors import InputError, RecipeError
from scenes import Fixed, Hemisphere, LookAtDefect, Scene, Turntable, compose, library

STATIONS, CAMERAS, BACKDROPS = library.load_stations(), library.load_cameras(), library.load_backdrops()
BOX = np.array([[x, y, z] for x in (-0.04, 0.04) for y in (-0.025, 0.025) for z in (0.0, 0.02)])
SITE = Site(0, (0.02, 0.01, 0.02), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def make(viewpoint=None, station="bright_field_ring", camera="area_5mp_25mm", backdrop="paper", **more) -> Scene:
    settings_ = {"vertices": BOX, "image_size": (384, 384), "rng": seeds.child(5, "image", 0), **more}
    backdrop_, camera_ = BACKDROPS[backdrop], CAMERAS[camera] if isinstance(camera, str) else camera
    return compose(STATIONS[station], camera_, viewpoint or Fixed(kind="fixed"), backdrop_, **settings_)


def world(scene: Scene, points: np.ndarray = BOX) -> np.ndarray:
    return points @ scene.world_from_part[:3, :3].T + scene.world_from_part[:3, 3]


@pytest.mark.parametrize("station", STATIONS)
@pytest.mark.parametrize("viewpoint", [Fixed(kind="fixed"), Hemisphere(kind="hemisphere", elevation_deg=(20, 70))])
def test_every_station_composes_and_repeats(station: str, viewpoint) -> None:
    a, b = (make(viewpoint, station, rng=seeds.child(9, station)) for _ in range(2))
    assert (a.camera, a.sensor, a.lights, a.backdrop, a.sampled) == (
        b.camera,
        b.sensor,
        b.lights,
        b.backdrop,
        b.sampled,
    )
    assert np.array_equal(a.world_from_part, b.world_from_part)
    json.dumps(a.sampled, allow_nan=False)
    other = make(viewpoint, station, rng=seeds.child(10, station))
    assert other.lights != a.lights
    for light in a.lights:
        turned = np.array(light.world_from_light)[:3, :3]
        assert turned @ turned.T == pytest.approx(np.eye(3), abs=1e-9) and np.linalg.det(turned) > 0


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_camera_frames_the_whole_part(camera: str) -> None:
    scene = make(Hemisphere(kind="hemisphere"), camera=camera)
    pixels, depth = scene.camera.project(world(scene))
    assert (depth > 0).all()
    assert (pixels > 0).all() and (pixels < 384).all()
    share = np.ptp(pixels, axis=0).max() / 384
    low, high = CAMERAS[camera].fill.bounds()
    assert 0.9 * low < share <= high + 1e-6


def test_part_stands_on_the_plane_and_jitters() -> None:
    scene = make(Fixed(kind="fixed", x_mm=3, y_mm=-2, rotation_deg=90))
    points = world(scene)
    assert points[:, 2].min() == pytest.approx(0, abs=1e-12)
    assert points.min(0)[:2] + points.max(0)[:2] == pytest.approx([6e-3, -4e-3])
    assert np.ptp(points, axis=0) == pytest.approx([0.05, 0.08, 0.02])


def test_straight_down_shows_x_right_and_y_up() -> None:
    scene = make()
    pixels, _ = scene.camera.project(np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]]))
    assert pixels[1, 0] > pixels[0, 0] and pixels[1, 1] == pytest.approx(pixels[0, 1])
    assert pixels[2, 1] < pixels[0, 1] and pixels[2, 0] == pytest.approx(pixels[0, 0])


def test_turntable_steps_evenly_and_keeps_camera_direction() -> None:
    scenes = [make(Turntable(kind="turntable", steps=8), index=i, count=8) for i in range(8)]
    turns = [np.degrees(np.arctan2(s.world_from_part[1, 0], s.world_from_part[0, 0])) % 360 for s in scenes]
    assert turns == pytest.approx([45.0 * i for i in range(8)], abs=1e-9)
    axes = [np.array(s.camera.world_from_camera)[:3, 2] for s in scenes]
    assert all(np.allclose(a, axes[0]) for a in axes)


def test_hemisphere_is_even_over_area() -> None:
    view = Hemisphere(kind="hemisphere", elevation_deg=(30, 90))
    heights = [-np.array(make(view, rng=seeds.child(2, i)).camera.world_from_camera)[2, 2] for i in range(300)]
    assert min(heights) >= 0.5 and np.mean(heights) == pytest.approx(0.75, abs=0.03)  # sin is uniform over [0.5, 1]
    assert np.quantile(heights, 0.25) == pytest.approx(0.625, abs=0.04)


@given(
    face=st.sampled_from([(a, s) for a in range(3) for s in (-1, 1)]),
    seed=st.integers(0, 999),
    u=st.floats(-0.8, 0.8),
    v=st.floats(-0.8, 0.8),
)
@settings(max_examples=40, deadline=None)
def test_looks_at_the_defect_from_above(face: tuple[int, int], seed: int, u: float, v: float) -> None:
    axis, sign = face
    normal, direction = np.zeros(3), np.zeros(3)
    normal[axis], direction[(axis + 1) % 3] = sign, 1.0
    low, high = BOX.min(0), BOX.max(0)
    point = (low + high) / 2 + (high - low) / 2 * np.where(normal != 0, normal, np.roll([u, v, 0], axis + 1))
    site = Site(0, tuple(point), tuple(direction), tuple(normal))
    view = LookAtDefect(kind="look_at_defect")
    scene = make(view, focus=site, focus_radius_m=2e-3, rng=seeds.child(seed), camera="telecentric_5mp")
    camera_z = np.array(scene.camera.world_from_camera)[:3, 2]
    up = scene.world_from_part[:3, :3] @ normal
    assert up[2] > 0.99  # a box can always be laid so that a face is on top
    assert -camera_z @ up > np.cos(np.radians(25.01))
    pixel, depth = scene.camera.project(world(scene, point[None]))
    assert depth[0] == pytest.approx(scene.sampled["camera.working_distance_mm"] * 1e-3, abs=2e-3)
    wanted = [0.5 + scene.sampled["camera.off_centre_x"], 0.5 + scene.sampled["camera.off_centre_y"]]
    assert pixel[0] / 384 == pytest.approx(wanted, abs=1e-6)
    assert scene.sampled["camera.field_mm"] / 4 == pytest.approx(scene.sampled["camera.field_defects"], rel=1e-6)


def test_a_side_without_a_rest_is_seen_from_the_least_elevation() -> None:
    site = Site(0, (0.0, -0.025, 0.01), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))
    view = LookAtDefect(kind="look_at_defect", up="+z", tilt_deg=0, min_elevation_deg=20)
    scene = make(view, focus=site, focus_radius_m=2e-3)
    assert -np.array(scene.camera.world_from_camera)[2, 2] == pytest.approx(np.sin(np.radians(20)))


def test_look_at_defect_needs_a_defect() -> None:
    with pytest.raises(RecipeError, match="without a defect"):
        make(LookAtDefect(kind="look_at_defect"))


def test_a_part_beside_the_frame_is_refused() -> None:
    with pytest.raises(InputError, match="outside the view of camera"):
        make(Fixed(kind="fixed", x_mm=500))


def test_a_part_larger_than_every_view_is_refused() -> None:
    with pytest.raises(InputError, match="widest view"):
        make(camera="macro_5mp_50mm", vertices=BOX * 40)


def test_fit_none_keeps_the_file() -> None:
    spec = CAMERAS["area_5mp_25mm"]
    fixed = spec.model_copy(
        update={"fit": "none", "lens": spec.lens.model_copy(update={"working_distance_mm": constant(321.0)})}
    )
    assert make(camera=fixed).sampled["camera.working_distance_mm"] == pytest.approx(321.0)


def test_camera_lamps_follow_the_axis_and_clear_the_part() -> None:
    scene = make(Fixed(kind="fixed", elevation_deg=70), station="bright_field_ring")
    (ring,) = scene.lights
    pose, eye = np.array(ring.world_from_light), scene.camera.pose()
    assert pose[:3, 2] @ -eye[:3, 2] > np.cos(np.radians(2))
    lowest_over_part = ((pose[:3, 3] - world(scene)) @ pose[:3, 2]).min()
    assert 0.15 < lowest_over_part / scene.sampled["station.scale"] < 0.25


@given(elevation=st.floats(8, 89), station=st.sampled_from(["dome", "low_angle_dark_field", "coaxial", "tunnel"]))
@settings(max_examples=40, deadline=None)
def test_no_lamp_cuts_into_the_support(elevation: float, station: str) -> None:
    scene = make(Fixed(kind="fixed", elevation_deg=elevation), station=station)
    for light in scene.lights:
        pose = np.array(light.world_from_light)
        x, y = light.size_m if light.kind == "rect" else light.size_m[:1] * 2
        if light.kind == "tunnel":
            x, y = light.size_m[1], light.size_m[0]
        rim = np.array([[a * x / 2, b * y / 2, 0] for a, b in ((-1, 0), (1, 0), (0, -1), (0, 1))])
        assert (rim @ pose[:3, :3].T + pose[:3, 3])[:, 2].min() > 0


def test_stations_grow_by_half_octaves() -> None:
    small, large = make().sampled["station.scale"], make(vertices=BOX * 3).sampled["station.scale"]
    assert large > small
    for scale in (small, large):
        assert 2 * np.log2(scale) == pytest.approx(round(2 * np.log2(scale)))


def test_backlight_lies_behind_the_part_and_replaces_the_backdrop() -> None:
    scene = make(Fixed(kind="fixed", elevation_deg=50), station="backlight", backdrop="tray")
    (panel,) = scene.lights
    assert scene.backdrop.kind == "void" and scene.sampled["backdrop"] == "void"
    assert panel.camera_visible and scene.sensor.meter == "frame"
    forward = np.array(scene.camera.world_from_camera)[:3, 2]
    position = np.array(panel.world_from_light)
    assert -position[:3, 2] @ forward < -0.99  # it emits towards the camera
    assert ((position[:3, 3] - world(scene)) @ forward).min() > 0


def test_lamps_in_turn() -> None:
    azimuths = []
    for i in range(5):
        (bar,) = make(station="photometric_quad", index=i, rng=seeds.child(1)).lights
        azimuths.append(np.degrees(np.arctan2(*np.array(bar.world_from_light)[1::-1, 3])))
    assert np.diff(np.unwrap(np.radians(azimuths))) == pytest.approx([np.pi / 2] * 4, abs=0.05)


@given(seed=st.integers(0, 10_000), points=st.integers(6, 40))
@settings(max_examples=40, deadline=None)
def test_locating_pins_touch_the_footprint_from_outside(seed: int, points: int) -> None:
    rng = seeds.child(seed)
    cloud = rng.uniform(-1, 1, (points, 3)) * rng.uniform(0.01, 0.1, 3)
    scene = make(backdrop="fixture", vertices=cloud, rng=rng, camera="area_5mp_12mm")
    inverse = np.linalg.inv(np.array(scene.backdrop.world_from_backdrop))
    local = world(scene, cloud) @ inverse[:3, :3].T + inverse[:3, 3]
    hull = local[ConvexHull(local[:, :2]).vertices, :2]
    clearance = scene.sampled["backdrop.pin_clearance_mm"] * 1e-3
    assert len(scene.backdrop.posts) == 3
    for x, y, radius, height in scene.backdrop.posts:
        edge = np.roll(hull, -1, axis=0) - hull
        to = np.array([x, y]) - hull
        share = np.clip((to * edge).sum(1) / (edge * edge).sum(1), 0, 1)
        gap = np.linalg.norm(to - share[:, None] * edge, axis=1).min() - radius
        outside = (edge[:, 0] * to[:, 1] - edge[:, 1] * to[:, 0] < 0).any()
        assert outside and height > 0
        assert gap == pytest.approx(clearance, abs=1e-6)
