"""Simulated captures: poses and masks fit the part, lamps stay while the part turns, and the truth is true."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.ndimage import maximum_filter, minimum_filter
from typer.testing import CliRunner

from core.camera import Camera, as_matrix, look_at
from core.errors import FlawsmithError, InputError
from core.job import Light
from flawsmith.cli import app
from flawsmith.images import read_exr, write_exr
from flawsmith.simulate import CapturePlan, drift, simulate_capture
from flawsmith.simulate_board import board_for, printed_side_m
from flawsmith.simulate_light import directions, environment
from flawsmith.simulate_masks import Occluders, share_of_part
from flawsmith.simulate_room import furnished, library_file, seated, swept, turned
from flawsmith.simulate_write import steps, transforms
from recon import capture as captures
from recon.capture.folder import CaptureFile
from recon.silhouettes import overlap, silhouette
from scenes.stations import Station
from tests import shapes

EXAMPLE = Path(__file__).parents[2] / "examples" / "captures" / "bearing_housing"
VERTICES = shapes.box((0.06, 0.04, 0.02)).vertices
PLAN = CapturePlan(views=8, elevations_deg=(15.0, 45.0), sessions=2, size_px=64)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"views": 5}, "5 views"),
        ({"elevations_deg": ()}, "elevations none"),
        ({"elevations_deg": (10.0, 20.0, 30.0, 40.0)}, "one to three"),
        ({"elevations_deg": (90.0,)}, "within 0 and 85"),
        ({"sessions": 3}, "3 sessions"),
        ({"size_px": 8}, "32 to 4096"),
        ({"up": "z"}, "one of"),
        ({"poses": "guessed"}, "known or angles"),
        ({"exposure_drift": -0.1}, "0 to 0.5"),
        ({"board": True, "backdrop": "paper"}, "a board on the backdrop"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CapturePlan(**changes)


def test_what_the_library_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one of"):
        library_file(Station, "stations", "sun")
    with pytest.raises(FlawsmithError, match="does not exist"):
        library_file(Station, "stations", str(tmp_path / "none.yaml"))
    for changes, words in (
        ({"camera": "telecentric_5mp"}, "telecentric"),
        ({"environment": str(tmp_path / "none.hdr")}, "none.hdr"),
    ):
        plan = replace(PLAN, **changes)
        with pytest.raises(InputError, match=words):
            furnished(plan, VERTICES, seated(plan, VERTICES), tmp_path)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    seats = seated(PLAN, VERTICES)
    return furnished(PLAN, VERTICES, seats, tmp_path_factory.mktemp("room")), seats


def test_cameras_share_one_focal_length_and_look_down_from_their_elevations(room) -> None:
    made, _ = room
    assert len({c.pixels_per_unit for c in made.rings}) == 1
    for camera, elevation in zip(made.rings, PLAN.elevations_deg, strict=True):
        pose = camera.pose()
        assert np.degrees(np.arcsin(-pose[2, 2])) == pytest.approx(elevation, abs=1e-6)
        assert abs(pose[0, 2]) < 1e-9 and pose[1, 2] > 0  # every ring from the same azimuth, -90 degrees


def test_the_part_stays_in_the_frame_however_the_table_stands(room) -> None:
    made, seats = room
    widest = []
    for seat in seats:
        points = swept(VERTICES, seat)
        for camera in made.rings:
            share = np.abs(camera.project(points)[0] / 32 - 1).max()
            assert share <= 1.0
            widest.append(share)
    assert max(widest) > 0.85


def test_a_turn_of_the_table_is_a_turn_of_the_camera_the_other_way(room) -> None:
    """Any point of the part projects to the same pixel from the written pose as in the room."""
    made, seats = room
    for seat in seats:
        for stand in made.stands(seat):
            world = VERTICES @ stand.world_from_part[:3, :3].T + stand.world_from_part[:3, 3]
            inside = VERTICES @ seat.frame_from_part[:3, :3].T + seat.frame_from_part[:3, 3]
            camera = stand.camera.model_copy(update={"world_from_camera": as_matrix(stand.frame_from_camera)})
            assert np.abs(camera.project(inside)[0] - stand.camera.project(world)[0]).max() < 1e-6
            axis = np.linalg.inv(stand.room_from_frame) @ [0, 0, 1]
            assert np.abs(np.linalg.inv(made.stand(seat, 0, 0).room_from_frame) @ [0, 0, 1] - axis).max() < 1e-12


def test_the_second_session_is_turned_over_and_keeps_its_flip_to_itself(room) -> None:
    made, (first, second) = room
    up = second.world_from_part[:3, :3] @ [0, 0, 1]
    assert up == pytest.approx([0, 0, -1])
    for seat in (first, second):
        world = VERTICES @ seat.world_from_part[:3, :3].T + seat.world_from_part[:3, 3]
        assert world[:, 2].min() == pytest.approx(0, abs=1e-12)
    assert np.abs(second.frame_from_part - np.eye(4)).max() > 0.1
    written = transforms(PLAN, made, (first, second), [])
    assert written["flawsmith"]["registered"] is False
    assert written["flawsmith"]["sessions"][1]["axis"] == pytest.approx([0, 0, 1])
    told = json.dumps(written)
    assert json.dumps(second.frame_from_part[0, 3].item())[:8] not in told
    together = seated(replace(PLAN, registered=True), VERTICES)[1]
    assert (together.frame_from_part == np.eye(4)).all()
    assert transforms(replace(PLAN, registered=True), made, (first, together), [])["flawsmith"]["sessions"][1][
        "axis"
    ] == pytest.approx([0, 0, -1])


def test_steps_are_a_capture_file(room) -> None:
    made, seats = room
    told = CaptureFile.model_validate(steps(PLAN, made, seats))
    assert [s.name for s in told.sessions] == ["1a", "1b", "2a", "2b"]
    assert all(s.step_deg == 45.0 and s.exact_steps for s in told.sessions)
    assert told.sessions[1].elevation_deg == 45.0 and told.board is None
    assert told.camera.focal_px == pytest.approx(made.rings[0].pixels_per_unit, abs=1e-3)


def test_a_board_reaches_beyond_the_part_and_is_told(tmp_path: Path) -> None:
    plan = replace(PLAN, board=True, poses="angles")
    seats = seated(plan, VERTICES)
    made = furnished(plan, VERTICES, seats, tmp_path)
    radius = max(np.hypot(*swept(VERTICES, s)[:, :2].T).max() for s in seats)
    board = board_for(radius)
    told = CaptureFile.model_validate(steps(plan, made, seats))
    assert told.board == board and [s.name for s in told.sessions] == ["1", "2"]
    assert board.square_mm * 2 % 1 == 0 and board.square_mm * board.squares[0] / 1000 > 2.9 * radius
    corner = printed_side_m(board) / 2
    pixels = made.rings[1].project(np.array([[corner, corner, 0], [-corner, corner, 0], [corner, -corner, 0]]))[0]
    assert pixels.min() > 0 and pixels.max() < 64
    assert Path(str(made.backdrop.image)).is_file()


def test_exposures_drift_by_name_not_by_order() -> None:
    plan = replace(PLAN, exposure_drift=0.1)
    gains = np.log([drift(plan, f"1a_{i:03d}") for i in range(400)])
    assert gains.std() == pytest.approx(0.1, rel=0.1) and abs(gains.mean()) < 0.02
    assert drift(plan, "1a_007") == drift(plan, "1a_007") != drift(replace(plan, seed=1), "1a_007")
    assert drift(PLAN, "1a_007") == 1.0


def camera_at(eye: tuple[float, float, float], side: int = 64) -> Camera:
    pose = look_at(np.array(eye), np.zeros(3), np.array([0, 0, 1.0]))
    return Camera(
        projection="perspective", width=side, height=side, pixels_per_unit=3.0 * side, world_from_camera=as_matrix(pose)
    )


def test_a_mask_is_the_area_that_the_part_covers() -> None:
    """A sphere's outline from outside is a circle of known radius."""
    radius, away = 0.02, 0.2
    mask = share_of_part(Occluders(shapes.sphere(radius, 64, 128)), camera_at((away, 0, 0)), np.eye(4), np.eye(4))
    seen = 3 * 64 * radius / np.sqrt(away**2 - radius**2)
    assert mask.sum() == pytest.approx(np.pi * seen**2, rel=2e-3)
    assert 0 < np.count_nonzero((mask > 0) & (mask < 1)) < 4 * np.pi * seen
    moved = share_of_part(Occluders(shapes.sphere(radius)), camera_at((away, 0, 0)), turned(0.3), np.eye(4))
    assert np.abs(moved.sum() - mask.sum()) < 0.02 * mask.sum()


def test_what_stands_before_the_part_is_not_part() -> None:
    occluders = Occluders(shapes.sphere(0.02))
    camera = camera_at((0.2, 0, 0))
    free = share_of_part(occluders, camera, np.eye(4), np.eye(4))
    screen = np.array([[[0.05, 0, -1], [0.05, 1, -1], [0.05, 1, 1]], [[0.05, 0, -1], [0.05, 1, 1], [0.05, 0, 1.0]]])
    turn = turned(0.7)
    occluders.add_scenery(screen @ turn[:3, :3].T, turn)
    half = share_of_part(occluders, camera, np.eye(4), np.eye(4))
    assert half.sum() == pytest.approx(free.sum() / 2, rel=1e-3)
    # +y lies to the right when looking along -x
    assert half[:, 32:].sum() < 1e-6 and (half[:, :32] == free[:, :32]).all()
    gone = share_of_part(occluders, camera, np.eye(4), turned(np.pi))
    assert (gone == free).all()


def rect(azimuth_deg: float, elevation_deg: float, away: float, size: tuple[float, float], **more) -> Light:
    from scenes.lamps import place

    pose = place(np.radians(elevation_deg), np.radians(azimuth_deg), 0.0, away)
    return Light(kind="rect", world_from_light=as_matrix(pose), size_m=size, **more)


def test_a_lamp_fills_its_solid_angle_of_the_environment() -> None:
    light = environment([rect(30, 40, 1.0, (0.2, 0.1), radiance=5.0, tint=(1.0, 0.5, 0.2))], (0.1, 0.1, 0.1))
    assert light is not None and light.shape == (128, 256, 3)
    ways = directions(128)
    solid = np.sin(np.arccos(ways[..., 2])) * (np.pi / 128) ** 2
    extra = (light[..., 0] - 0.1) * solid
    assert extra.sum() == pytest.approx((5.0 - 0.1) * 0.2 * 0.1, rel=0.02)
    middle = (extra[..., None] * ways).sum((0, 1))
    middle /= np.linalg.norm(middle)
    assert np.degrees(np.arctan2(middle[1], middle[0])) == pytest.approx(30, abs=0.5)
    assert np.degrees(np.arcsin(middle[2])) == pytest.approx(40, abs=0.5)
    brightest = light[np.unravel_index(light[..., 0].argmax(), light.shape[:2])]
    assert brightest == pytest.approx([5.0, 2.5, 1.0], rel=1e-5)
    dome = Light(kind="dome", world_from_light=as_matrix(np.eye(4)))
    assert environment([dome], (0, 0, 0)) is None


def test_the_nearer_lamp_stands_before_the_other() -> None:
    near, far = rect(0, 45, 0.5, (0.1, 0.1), radiance=1.0), rect(0, 45, 2.0, (0.4, 0.4), radiance=9.0)
    for lamps in ((near, far), (far, near)):
        light = environment(lamps, (0, 0, 0))
        assert light is not None and light.max() < 1.01


def test_the_shipped_capture_is_what_it_says() -> None:
    """The truth's outline in every written pose is the mask, and nothing outside it is part."""
    capture = captures.load(EXAMPLE)
    assert len(capture.views) == 24 and capture.metric and capture.light == "room" and not capture.notes
    mesh: Any = trimesh.load(EXAMPLE / "truth" / "part.ply", process=False)
    for view in capture.views:
        assert view.size == (192, 192)
        found = silhouette(np.array(mesh.vertices), np.array(mesh.faces), view, view.size)
        assert overlap(found, view.mask >= 0.5) > 0.985
    exposures = [f["exposure"] for f in json.loads((EXAMPLE / "truth" / "truth.json").read_text())["frames"]]
    assert max(exposures) == min(exposures)
    assert sum(p.stat().st_size for p in EXAMPLE.rglob("*") if p.is_file()) < 1.5e6


def test_lamps_stand_still_while_the_shipped_part_turns() -> None:
    """What looks up keeps its brightness; one and the same wall does not."""
    capture = captures.load(EXAMPLE, checked=False)
    mesh: Any = trimesh.load(EXAMPLE / "truth" / "part.ply", process=False)
    normals, middles, big = mesh.face_normals, mesh.triangles_center, mesh.area_faces > 2e-5
    bright: dict[str, list[float]] = {"level": [], "wall": []}
    for view in (v for v in capture.views if "b_" in v.name):
        towards = view.centre - middles
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        seen = big & ((towards * normals).sum(1) > 0.2)
        seen &= ~mesh.ray.intersects_any(middles + 1e-5 * normals, towards)
        for name, which in (("level", normals[:, 2] > 0.99), ("wall", normals[:, 0] > 0.9)):
            pixels = view.project(middles[seen & which])[0].astype(int)
            if len(pixels):
                bright[name].append(float(np.median(view.image[pixels[:, 1], pixels[:, 0]].mean(-1))))
    level, wall = bright["level"], bright["wall"]
    assert len(level) == 12 and np.std(level) / np.mean(level) < 0.05
    assert len(wall) >= 4 and np.std(wall) / np.mean(wall) > 0.2


@pytest.mark.render
def test_a_capture_is_rendered_and_read_back(tmp_path: Path) -> None:
    """Two sessions on a fixture with drift: every file is there, exposures are those of the truth, and each session's
    mesh fits its own masks, pins and all."""
    mesh = tmp_path / "ell.stl"
    box = trimesh.creation.box((0.06, 0.04, 0.02))
    post = trimesh.creation.box((0.02, 0.02, 0.03), trimesh.transformations.translation_matrix([0.02, 0.01, 0.02]))
    trimesh.boolean.union([box, post], engine="manifold").export(mesh)
    plan = CapturePlan(
        views=6, elevations_deg=(35.0,), sessions=2, size_px=64, samples=2, exposure_drift=0.2, unit="m",
        backdrop="fixture",
    )  # fmt: skip
    out = simulate_capture(mesh, tmp_path / "capture", plan)
    truth = json.loads((out / "truth" / "truth.json").read_text())
    assert len(truth["frames"]) == 12 and len({f["exposure"] for f in truth["frames"]}) == 12
    for session in truth["sessions"]:
        capture = captures.load(out, session=session["name"], checked=False)
        frame = np.array(session["frame_from_part"])
        true: Any = trimesh.load(out / "truth" / "part.ply", process=False)
        vertices = np.array(true.vertices) @ frame[:3, :3].T + frame[:3, 3]
        for view in capture.views:
            found = silhouette(vertices, np.array(true.faces), view, view.size)
            assert (found | (view.mask < 0.6)).all()  # never more than the part
            assert overlap(found, view.mask >= 0.5) > 0.93  # less by what the pins hide
    name = "2a_001"
    depth, normal = (read_exr(out / "truth" / f"{name}_{k}.exr") for k in ("depth", "normal"))
    mask = np.array(Image.open(out / "masks" / f"{name}.png"))
    assert (np.isfinite(depth[..., 0]) == (mask > 127)).mean() > 0.98
    assert np.linalg.norm(normal[mask > 250], axis=1) == pytest.approx(1, abs=0.01)
    with pytest.raises(InputError, match="is not empty"):
        simulate_capture(mesh, out, plan)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["capture", "ell.stl"]


@pytest.mark.slow
@pytest.mark.render
def test_the_surroundings_are_where_the_truth_has_them(tmp_path: Path) -> None:
    """What the camera sees beside the part is environment.exr, looked up along its rays."""
    from core.colour import linear_from_srgb

    rng = np.random.Generator(np.random.PCG64(5))
    patches = rng.uniform(0.1, 1.0, (8, 16, 3)).astype(np.float32)
    write_exr(tmp_path / "sky.exr", np.repeat(np.repeat(patches, 8, 0), 8, 1), ("R", "G", "B"), "float")
    trimesh.creation.box((0.06, 0.04, 0.02)).export(tmp_path / "box.stl")
    plan = CapturePlan(
        views=6, elevations_deg=(5.0, 60.0), size_px=48, samples=4, unit="m", noise=False, camera="area_5mp_12mm",
        environment=str(tmp_path / "sky.exr"),
    )  # fmt: skip
    out = simulate_capture(tmp_path / "box.stl", tmp_path / "capture", plan)
    truth = json.loads((out / "truth" / "truth.json").read_text())
    assert truth["environment"] and str(tmp_path) not in json.dumps(truth)
    light = read_exr(out / "truth" / "environment.exr")
    focal = json.loads((out / "transforms.json").read_text())["fl_x"]
    x, y = np.meshgrid(np.arange(48) + 0.5, np.arange(48) + 0.5)
    for frame in truth["frames"][::6]:
        photo = linear_from_srgb(np.array(Image.open(out / frame["file_path"])) / 255)
        empty = np.array(Image.open(out / frame["file_path"].replace("images", "masks"))) == 0
        pose = np.array(frame["room_from_camera"])[:3, :3]
        ways = np.stack([(x - 24) / focal, (y - 24) / focal, np.ones_like(x)], -1) @ pose.T
        ways /= np.linalg.norm(ways, axis=-1, keepdims=True)
        column = (np.arctan2(ways[..., 1], ways[..., 0]) / (2 * np.pi) + 0.5) * 256
        row = np.arccos(ways[..., 2]) / np.pi * 128
        shown = np.clip(light[row.astype(int), column.astype(int)] * frame["exposure"], 0, 1)
        spread = maximum_filter(shown, (7, 7, 1)) - minimum_filter(shown, (7, 7, 1))
        inside = empty & (spread.max(-1) < 0.02)  # of a patch: the picture is softer than the file at their borders
        inside[[0, 1, 2, -3, -2, -1]] = inside[:, [0, 1, 2, -3, -2, -1]] = False
        error = np.abs(shown - photo)[inside].max(-1)
        assert len(error) > 250 and np.median(error) < 0.01 and np.percentile(error, 95) < 0.05
        assert np.ptp(shown[inside], axis=0).min() > 0.3


@pytest.mark.slow
@pytest.mark.render
def test_the_command_writes_steps_and_a_board(tmp_path: Path) -> None:
    mesh, out = tmp_path / "box.stl", tmp_path / "capture"
    trimesh.creation.box((0.06, 0.04, 0.02)).export(mesh)
    line = f"simulate-capture {mesh} --out {out} --unit m --views 6 --elevation 50 --size 448 --samples 1 --quiet"
    done = CliRunner().invoke(app, [*line.split(), "--board", "--poses", "angles"])
    assert done.exit_code == 0, done.output
    assert not (out / "transforms.json").exists()
    capture = captures.load(out, checked=False)
    assert capture.metric and len(capture.views) == 6 and "marker board" in capture.scale_from
    truth = json.loads((out / "truth" / "truth.json").read_text())
    away = np.linalg.norm([np.array(f["room_from_camera"])[:3, 3] for f in truth["frames"]], axis=1).mean()
    axis = capture.sessions[0].axis_point
    assert np.mean([np.linalg.norm(v.centre - axis) for v in capture.views]) == pytest.approx(away, rel=0.01)


@pytest.mark.slow
@pytest.mark.render
def test_a_fit_that_is_right_looks_right_under_other_light(tmp_path: Path) -> None:
    """The truth's own shape and finish, handed over as a reconstruction would be, match the library's finish."""
    from core.material import Material
    from defects.procedural.apply import defect_part
    from flawsmith.relight import coloured, photographs, surrounding
    from parts import load
    from recon.metrics import pooled_psnr
    from render.client import Renderer

    ball = trimesh.creation.icosphere(4, 0.02)
    ball.export(tmp_path / "ball.stl")
    sky = np.full((16, 32, 3), 0.2, np.float32)
    sky[2:6, 4:10] = [6.0, 5.0, 4.0]
    write_exr(tmp_path / "sky.exr", sky, ("R", "G", "B"), "float")
    finish = library_file(Material, "materials", "powder_coat_grey").model_copy(update={"structure": ()})
    part = load(tmp_path / "ball.stl", unit="m", smooth_angle_deg=40)
    vertices, faces, n = part.mesh.vertices, part.mesh.faces, len(part.mesh.vertices)
    look = [np.tile(finish.surface.albedo, (n, 1)), np.full(n, finish.surface.roughness), np.zeros(n)]
    cameras, poses = [camera_at((0.2, 0, 0.1), 48)] * 2, [np.eye(4), turned(1.0)]
    scene = (cameras, poses, (surrounding(tmp_path / "sky.exr", 0.3),))
    with Renderer() as renderer:
        true = photographs(renderer, (defect_part(part, (), material=finish, seed=0), finish), *scene, samples=8)
        ours = photographs(renderer, coloured(vertices, faces, *look), *scene, samples=8)
        wrong = photographs(renderer, coloured(vertices, faces, 0.5 * look[0], *look[1:]), *scene, samples=8)
    masks, known = [t.part for t in true], [t.radiance for t in true]
    assert all(m.sum() > 100 for m in masks)
    assert pooled_psnr([t.radiance for t in ours], known, masks) > 35
    assert pooled_psnr([t.radiance for t in wrong], known, masks) < 25


@pytest.mark.render
def test_a_chrome_ball_in_cycles_shows_the_light_that_lit_it(tmp_path: Path) -> None:
    """The probe that is unwrapped from Blender's picture of a ball is the picture that lit it, side by side."""
    from flawsmith.relight import coloured, photographs, surrounding
    from recon.chrome_ball import GRAZING, ROWS, Ball, unwrapped
    from recon.probe import read_probe
    from render.client import Renderer

    sky = np.full((64, 128, 3), 0.2, np.float32) + 0.3 * np.linspace(1, 0, 64, dtype=np.float32)[:, None, None]
    sky[10:16, 20:28] = [6.0, 3.0, 1.0]
    sky[30:34, 90:96] = [0.5, 2.0, 6.0]
    write_exr(tmp_path / "sky.exr", sky, ("R", "G", "B"), "float")
    mesh = trimesh.creation.icosphere(6, 0.02)
    n = len(mesh.vertices)
    ball = coloured(np.array(mesh.vertices), np.array(mesh.faces), np.ones((n, 3)), np.zeros(n), np.ones(n))
    camera = camera_at((0.16, -0.12, 0.1), 160)
    with Renderer() as renderer:
        taken = photographs(renderer, ball, [camera], [np.eye(4)], (surrounding(tmp_path / "sky.exr"),), samples=16)[0]
    rows, columns = np.nonzero(taken.part)
    outline = Ball(
        float(columns.min() + columns.max() + 1) / 2, float(rows.min() + rows.max() + 1) / 2,
        float(np.ptp(columns) + 1 + np.ptp(rows) + 1) / 4,
    )  # fmt: skip
    k = np.array([[camera.pixels_per_unit, 0, 80], [0, camera.pixels_per_unit, 80], [0, 0, 1]])
    turn = camera.pose()[:3, :3]
    found = unwrapped(np.minimum(taken.radiance, 100), outline, k, turn)
    known = np.repeat(np.repeat(read_probe(tmp_path / "sky.exr"), ROWS // 64, 0), ROWS // 64, 1)
    polar, azimuth = (np.arange(ROWS) + 0.5) / ROWS * np.pi, (np.arange(2 * ROWS) + 0.5) / ROWS * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    shown = ways @ turn[:, 2] < np.cos(np.arccos(1 - 2 * GRAZING**2) + np.deg2rad(15))
    found, known = found / found[shown].mean(), known / known[shown].mean()
    for channel in (0, 2):  # each lamp is the brightest spot of its own colour
        spots = [np.where(shown, image[..., channel] - image[..., 2 - channel], 0) for image in (found, known)]
        ours, true = ((ways * s[..., None].clip(0)).sum((0, 1)) for s in spots)
        assert ours @ true / np.linalg.norm(ours) / np.linalg.norm(true) > np.cos(np.deg2rad(2))
    dim = shown & (known.max(-1) < 3) & (found.max(-1) < 3)
    assert np.abs(found - known)[dim].mean() < 0.05 * known[dim].mean()
