"""One scene: the part laid down, the camera over it, the lamps and the backdrop around it. World frame, SI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.arrays import frozen
from core.camera import Camera, Sensor
from core.defect import Site
from core.errors import InputError, RecipeError
from core.job import Backdrop, Light
from core.material import RGB
from scenes import backdrops, cameras, lamps, resting
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec, Optics, TelecentricLens
from scenes.draw import Draw
from scenes.stations import Station
from scenes.viewpoints import Hemisphere, LookAtDefect, Turntable, Viewpoint

MM = 1e-3


@dataclass(frozen=True, eq=False)
class Scene:
    """What surrounds a part in one image. world_from_part: (4, 4) float64, rigid.

    sampled: every drawn value and what follows from it, in file units, for the manifest.
    """

    camera: Camera
    sensor: Sensor
    lights: tuple[Light, ...]
    backdrop: Backdrop
    world_from_part: np.ndarray
    world_radiance: RGB
    sampled: dict[str, Any]


@dataclass(frozen=True)
class _Aim:
    """Where the camera looks. target: (3,) on the axis, at the inspected surface. pose: (3, 3) camera axes, columns
    x right, y down, z forward. setting: of the optics. eye_m: from eye to target. view_m: diameter seen there."""

    target: np.ndarray
    axes: np.ndarray
    setting: float
    eye_m: float
    view_m: float

    @property
    def pose(self) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, :3] = self.axes
        pose[:3, 3] = self.target - self.axes[:, 2] * self.eye_m
        return pose


def compose(
    station: Station,
    camera: CameraSpec,
    viewpoint: Viewpoint,
    backdrop: BackdropSpec,
    *,
    vertices: np.ndarray,
    image_size: tuple[int, int],
    rng: np.random.Generator,
    focus: Site | None = None,
    focus_radius_m: float | None = None,
    index: int = 0,
    count: int = 1,
) -> Scene:
    """Draw one scene.

    vertices: (n, 3) metres, part frame. image_size: (width, height) px. focus, focus_radius_m: the defect that
    `look_at_defect` looks at, part frame. index of count: which image this is (turntables step, lamps take turns).
    InputError when the part does not fit the camera; RecipeError when the viewpoint needs a defect and none is given.
    """
    draw = Draw(rng)
    optic = cameras.optics(camera, image_size)
    hull = resting.hull_of(vertices)
    corners = hull.points[hull.vertices]
    if isinstance(viewpoint, LookAtDefect):
        if focus is None or focus_radius_m is None:
            raise RecipeError(
                "viewpoint look_at_defect without a defect", "a part with a defect", "use another viewpoint"
            )
        world_from_part = _lay(viewpoint, hull, corners, index, count, focus, draw)
        aim = _at_defect(viewpoint, optic, world_from_part, focus, focus_radius_m, draw)
        points = _moved(world_from_part, corners)
    else:
        nominal = _lay(viewpoint, hull, corners, index, count, None, draw)
        aim = _at_part(viewpoint, optic, _moved(nominal, corners), draw)
        world_from_part = _shifted(nominal, viewpoint, draw)
        points = _moved(world_from_part, corners)
        _must_be_seen(points, aim, optic)
    focus_m = aim.eye_m + draw("camera.focus_offset_mm", camera.focus_offset_mm) * MM
    made, sensor = cameras.build(optic, aim.setting, aim.pose, max(focus_m, 1e-3), draw)
    sensor = sensor.model_copy(update={"meter": station.meter})
    _note_view(draw, aim, optic)
    surface = backdrops.VOID if station.replaces_backdrop else backdrop
    draw.note("backdrop", surface.name)
    away = float(np.arctan2(aim.axes[1, 2], aim.axes[0, 2])) if abs(aim.axes[2, 2]) < 0.999 else np.pi / 2
    laid = backdrops.build(surface, points, aim.view_m, away, draw)
    scale = _lamp_scale(station, points, aim, draw)
    lights = lamps.build(station, _mounts(points, aim, isinstance(viewpoint, LookAtDefect)), scale, index, draw)
    ambient = draw("ambient_radiance", station.ambient_radiance)
    return Scene(
        camera=made,
        sensor=sensor,
        lights=lights,
        backdrop=laid,
        world_from_part=frozen(world_from_part, np.float64, (4, 4), "world_from_part"),
        world_radiance=(ambient, ambient, ambient),
        sampled=draw.sampled,
    )


def _lay(viewpoint, hull, corners, index: int, count: int, focus: Site | None, draw: Draw) -> np.ndarray:
    """(4, 4) world_from_part: on its rest, turned about the vertical, centred, on z = 0."""
    rotation = resting.rotation_to_up(_up(viewpoint.up, hull, focus, draw))
    turn = draw("part.rotation_deg", viewpoint.rotation_deg)
    if isinstance(viewpoint, Turntable):
        step = 360.0 * index / viewpoint.steps if viewpoint.steps else float(draw.rng.uniform(0, 360))
        draw.note("part.turntable_deg", step % 360.0)
        turn += step
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return resting.stand(corners, np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rotation)


def _up(rest: str, hull, focus: Site | None, draw: Draw) -> np.ndarray:
    if rest in resting.AXES:
        draw.note("part.up", rest)
        return np.array(resting.AXES[rest])
    rests = resting.stable_rests(hull)
    if rest == "auto":
        assert focus is not None
        chosen = max(rests, key=lambda r: round(float(r.up @ np.array(focus.normal)), 3) + 0.01 * r.weight)
    elif rest == "random_stable":
        chosen = rests[int(draw.rng.choice(len(rests), p=[r.weight for r in rests]))]
    else:
        chosen = rests[0]
    draw.note("part.up", [round(float(v), 6) for v in chosen.up])
    return chosen.up


def _at_part(viewpoint, optic: Optics, points: np.ndarray, draw: Draw) -> _Aim:
    """Frame the whole part. The inspected surface is where the part is nearest to the camera."""
    if isinstance(viewpoint, Hemisphere):
        low, high = np.sin(np.radians(viewpoint.elevation_deg))
        elevation, azimuth = np.arcsin(draw.rng.uniform(low, high)), draw.rng.uniform(-np.pi, np.pi)
    else:
        elevation = np.radians(draw("camera.elevation_deg", viewpoint.elevation_deg))
        azimuth = np.radians(draw("camera.azimuth_deg", viewpoint.azimuth_deg))
    draw.note("camera.elevation_deg", np.degrees(elevation))
    draw.note("camera.azimuth_deg", np.degrees(azimuth))
    axes = _axes(elevation, azimuth, np.radians(draw("camera.roll_deg", viewpoint.roll_deg)))
    local = points @ axes
    centre = (local.min(0) + local.max(0)) / 2
    target = axes @ np.array([centre[0], centre[1], local[:, 2].min()])
    return _aimed(target, axes, optic, points, draw)


def _aimed(target: np.ndarray, axes: np.ndarray, optic: Optics, points: np.ndarray, draw: Draw) -> _Aim:
    spec = optic.spec
    wanted = draw("camera.fill", spec.fill) if spec.fit != "none" else None
    eye = _file_distance(optic, draw)
    if wanted is not None:
        setting = cameras.fit_part((points - target) @ axes, optic, wanted)
    else:
        lens = spec.lens
        setting = draw("camera.magnification", lens.magnification) if isinstance(lens, TelecentricLens) else eye
    return _with_view(target, axes, optic, setting, eye)


def _file_distance(optic: Optics, draw: Draw) -> float:
    return draw("camera.file_working_distance_mm", optic.spec.lens.working_distance_mm) * MM


def _with_view(target: np.ndarray, axes: np.ndarray, optic: Optics, setting: float, file_distance: float) -> _Aim:
    eye = file_distance if optic.telecentric else setting
    view = optic.field(setting) * float(np.hypot(optic.width, optic.height)) / min(optic.width, optic.height)
    return _Aim(target, axes, setting, eye, view)


def _at_defect(
    viewpoint: LookAtDefect, optic: Optics, pose: np.ndarray, focus: Site, radius_m: float, draw: Draw
) -> _Aim:
    """Look along the defect's normal, tilted, never from below the least elevation."""
    point, normal = _moved(pose, np.array([focus.point_m]))[0], pose[:3, :3] @ np.array(focus.normal)
    tilt = np.radians(draw("camera.tilt_deg", viewpoint.tilt_deg))
    about = np.radians(draw("camera.tilt_azimuth_deg", viewpoint.tilt_azimuth_deg))
    across = pose[:3, :3] @ np.array(focus.direction)
    across = across - normal * (across @ normal)
    across /= np.linalg.norm(across)
    side = np.cos(about) * across + np.sin(about) * np.cross(normal, across)
    axis = np.cos(tilt) * normal + np.sin(tilt) * side
    elevation = max(np.arcsin(np.clip(axis[2], -1, 1)), np.radians(viewpoint.min_elevation_deg))
    azimuth = np.arctan2(axis[1], axis[0]) if np.hypot(axis[0], axis[1]) > 1e-9 else -np.pi / 2
    draw.note("camera.elevation_deg", np.degrees(elevation))
    draw.note("camera.azimuth_deg", np.degrees(azimuth))
    axes = _axes(elevation, azimuth, np.radians(draw("camera.roll_deg", viewpoint.roll_deg)))
    field = 0.0
    if viewpoint.field_defects is not None:
        field = draw("camera.field_defects", viewpoint.field_defects) * 2 * radius_m
    if viewpoint.field_mm is not None:
        field = max(field, draw("camera.field_mm", viewpoint.field_mm) * MM)
    setting = float(np.clip(optic.setting_for_field(field), *optic.limits))
    aim = _with_view(point, axes, optic, setting, _file_distance(optic, draw))
    share = np.array([draw(f"camera.off_centre_{a}", viewpoint.off_centre) for a in "xy"])
    span = optic.field(setting) / min(optic.width, optic.height) * np.array([optic.width, optic.height])
    return _Aim(point - axes[:, :2] @ (share * span), axes, setting, aim.eye_m, aim.view_m)


def _axes(elevation: float, azimuth: float, roll: float) -> np.ndarray:
    """(3, 3) world_from_camera rotation; the camera looks down from a direction (radians), the vertical upright."""
    ce, se, ca, sa = np.cos(elevation), np.sin(elevation), np.cos(azimuth), np.sin(azimuth)
    right, down, forward = (
        np.array([-sa, ca, 0.0]),
        np.array([se * ca, se * sa, -ce]),
        -np.array([ce * ca, ce * sa, se]),
    )
    cr, sr = np.cos(roll), np.sin(roll)
    return np.stack([cr * right + sr * down, -sr * right + cr * down, forward], axis=1)


def _shifted(pose: np.ndarray, viewpoint, draw: Draw) -> np.ndarray:
    shifted = pose.copy()
    shifted[:2, 3] += [draw(f"part.{a}_mm", getattr(viewpoint, f"{a}_mm")) * MM for a in "xy"]
    return shifted


def _moved(pose: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ pose[:3, :3].T + pose[:3, 3]


def _must_be_seen(points: np.ndarray, aim: _Aim, optic: Optics) -> None:
    """InputError unless the part's silhouette box overlaps the frame."""
    local = (points - aim.target) @ aim.axes
    scale = optic.pixels_per_unit(aim.setting)
    depth = 1.0 if optic.telecentric else np.maximum(local[:, 2:] + aim.eye_m, 1e-9)
    pixels = local[:, :2] / depth * scale
    half = np.array([optic.width, optic.height]) / 2
    if (pixels.min(0) > half).any() or (pixels.max(0) < -half).any():
        raise InputError(
            f"the part lies outside the view of camera '{optic.spec.name}'",
            "a part that the camera sees",
            "reduce x_mm and y_mm, or use fit: part",
        )


def _note_view(draw: Draw, aim: _Aim, optic: Optics) -> None:
    draw.sampled.pop("camera.file_working_distance_mm", None)
    draw.note("camera.working_distance_mm", aim.eye_m / MM)
    if optic.telecentric:
        draw.note("camera.magnification", aim.setting)
    draw.note("camera.field_mm", optic.field(aim.setting) / MM)
    draw.note("camera.mm_per_pixel", optic.field(aim.setting) / MM / min(optic.width, optic.height))


def _lamp_scale(station: Station, points: np.ndarray, aim: _Aim, draw: Draw) -> float:
    """The station's size: the next half octave that takes the part, or the field of view."""
    if station.scale_to == "none":
        return 1.0
    part_m = 2 * float(np.linalg.norm(points - (points.min(0) + points.max(0)) / 2, axis=1).max())
    needed = {"part": part_m, "view": aim.view_m, "both": max(part_m, aim.view_m)}[station.scale_to]
    scale = 2 ** (np.ceil(2 * np.log2(needed / (station.field_mm * MM)) - 1e-9) / 2)
    draw.note("station.scale", scale)
    return float(scale)


def _mounts(points: np.ndarray, aim: _Aim, at_defect: bool) -> dict[str, lamps.Mount]:
    """The frames in which lamps hang: about the optical axis (x right, y up in the image), and about the vertical."""
    camera = np.eye(4)
    camera[:3, :3] = aim.axes @ np.diag([1.0, -1.0, -1.0])
    camera[:3, 3] = aim.target
    along = (points - aim.target) @ camera[:3, 2]
    cell = np.eye(4)
    cell[:2, 3] = (points.min(0) + points.max(0))[:2] / 2
    top = float(points[:, 2].max())
    return {
        "camera": lamps.Mount(
            camera, {"surface": 0.0 if at_defect else along.max(), "top": along.max(), "base": along.min()}
        ),
        "cell": lamps.Mount(cell, {"surface": aim.target[2] if at_defect else top, "top": top, "base": 0.0}),
    }
