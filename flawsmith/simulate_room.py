"""The room of a simulated capture: one camera at a few heights, lamps that stay, and a table that turns.

World frame: the table's axis is +Z through the origin, its top is z = 0. Turns are counter-clockwise
from above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import trimesh

from core.camera import Camera, Sensor, as_matrix
from core.distributions import constant
from core.errors import InputError
from core.job import Backdrop, Light
from core.material import RGB
from core.models import FileModel, load
from core.seeds import child
from flawsmith.resolve import library_names
from flawsmith.simulate_board import board_backdrop, board_for, printed_side_m
from recon.capture.boards import Board
from scenes import library
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.compose import Scene, compose
from scenes.resting import AXES, rotation_to_up
from scenes.stations import Station
from scenes.viewpoints import Turntable

if TYPE_CHECKING:
    from flawsmith.simulate import CapturePlan

M = TypeVar("M", bound=FileModel)

SWEEP = 24
FILL = 0.92
"""Of the frame, by all that the part sweeps in a turn; the part itself fills about 80 %."""
SHIFT = 0.015
"""Of the part's diagonal: how far a re-seated part lies off the axis."""
TURNING = ("fixture", "tray", "board")


@dataclass(frozen=True, eq=False)
class Seat:
    """How a session's part lies on the table. world_from_part: (4, 4) before the first turn. frame_from_part: (4, 4),
    the frame that the session's poses are written in, from the part's own."""

    name: str
    world_from_part: np.ndarray
    frame_from_part: np.ndarray


@dataclass(frozen=True, eq=False)
class Stand:
    """One photograph's geometry. angle_rad: of the table. world_from_scenery: (4, 4), of what turns, or not, below
    the part."""

    name: str
    seat: Seat
    ring: int
    angle_rad: float
    camera: Camera
    world_from_part: np.ndarray
    world_from_scenery: np.ndarray

    @property
    def frame_from_camera(self) -> np.ndarray:
        """(4, 4) OpenCV camera in the session's frame."""
        frame_from_world = self.seat.frame_from_part @ np.linalg.inv(self.world_from_part)
        return frame_from_world @ self.camera.pose()

    @property
    def room_from_frame(self) -> np.ndarray:
        """(3, 3) a direction in the session's frame, seen in the room."""
        return (self.world_from_part @ np.linalg.inv(self.seat.frame_from_part))[:3, :3]


@dataclass(frozen=True, eq=False)
class Room:
    """rings: one camera an elevation, all with one focal length. views: turns of each ring."""

    rings: tuple[Camera, ...]
    sensor: Sensor
    lights: tuple[Light, ...]
    world_radiance: RGB
    backdrop: Backdrop
    board: Board | None
    views: int
    sessions: int

    @property
    def count(self) -> int:
        return self.views * len(self.rings) * self.sessions

    @property
    def turns_scenery(self) -> bool:
        return self.backdrop.kind in TURNING

    def stands(self, seat: Seat) -> Iterator[Stand]:
        """Every photograph of a session, ring after ring."""
        for ring in range(len(self.rings)):
            for view in range(self.views):
                yield self.stand(seat, ring, view)

    def stand(self, seat: Seat, ring: int, view: int) -> Stand:
        angle = 2 * np.pi * view / self.views
        turn = turned(angle)
        name = f"{seat.name}{chr(97 + ring)}_{view:03d}"
        scenery = turn if self.turns_scenery else np.eye(4)
        return Stand(name, seat, ring, angle, self.rings[ring], turn @ seat.world_from_part, scenery)


def library_file(model: type[M], folder: str, name: str) -> M:
    """A file of the shipped library by its name, or any other .yaml by its path. InputError when there is none."""
    names = library_names(folder)
    if name in names:
        return load(model, library.folder(folder) / f"{name}.yaml")
    if not name.endswith((".yaml", ".yml")):
        raise InputError(f"{folder[:-1]} '{name}'", f"one of {', '.join(names)}, or a .yaml file", "correct the name")
    return load(model, Path(name))


def turned(angle: float) -> np.ndarray:
    """(4, 4) about the world's z axis."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])


def seated(plan: CapturePlan, vertices: np.ndarray) -> tuple[Seat, ...]:
    """The first session's part stands centred on the table; the second's was turned over and put back by hand."""
    upright = rotation_to_up(np.array(AXES[plan.up]))
    first = Seat("1", _laid(vertices, upright), np.eye(4))
    if plan.sessions == 1:
        return (first,)
    rng = child(plan.seed, "reseat")
    diagonal = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    put = turned(float(rng.uniform(-np.pi, np.pi)))
    put[:2, 3] = SHIFT * diagonal * rng.uniform(-1, 1, 2)
    second = put @ _laid(vertices, np.diag([1.0, -1.0, -1.0]) @ upright)
    return first, Seat("2", second, np.eye(4) if plan.registered else second)


def _laid(vertices: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(4, 4): rotated, its bounding box centred over the origin, its lowest point on z = 0."""
    points = vertices @ rotation.T
    low, high = points.min(0), points.max(0)
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    return pose


def swept(vertices: np.ndarray, seat: Seat) -> np.ndarray:
    """(n, 3) world: the corners of the part's hull at every turn of the table."""
    corners = trimesh.convex.convex_hull(vertices).vertices
    world = corners @ seat.world_from_part[:3, :3].T + seat.world_from_part[:3, 3]
    return np.concatenate([world @ turned(2 * np.pi * i / SWEEP)[:3, :3].T for i in range(SWEEP)])


def furnished(plan: CapturePlan, vertices: np.ndarray, seats: tuple[Seat, ...], folder: Path) -> Room:
    """Lamps and cameras that take in the part however the table stands, in every session.

    InputError when the part does not fit the camera, or the camera has no focal length.
    """
    spec = library_file(CameraSpec, "cameras", plan.camera)
    if spec.lens.kind != "perspective":
        raise InputError(f"camera '{plan.camera}' is telecentric", "a camera with a focal length", "change --camera")
    points = np.concatenate([swept(vertices, seat) for seat in seats])
    board = board_for(float(np.hypot(points[:, 0], points[:, 1]).max())) if plan.board else None
    if board is not None:
        points = np.concatenate([points, _circle(printed_side_m(board) / np.sqrt(2))])
    spec = spec.model_copy(update={"fill": constant(FILL)})
    fitted = [_composed(plan, points, spec, elevation) for elevation in plan.elevations_deg]
    away = max(f.sampled["camera.working_distance_mm"] for f in fitted)
    lens = spec.lens.model_copy(update={"working_distance_mm": constant(away)})
    spec = spec.model_copy(update={"fit": "none", "lens": lens})
    rings = [_composed(plan, points, spec, elevation) for elevation in plan.elevations_deg]
    lights, radiance = _light(plan, rings[0])
    surface = rings[0].backdrop if board is None else board_backdrop(board, folder)
    cameras = tuple(r.camera for r in rings)
    return Room(cameras, rings[0].sensor, lights, radiance, surface, board, plan.views, plan.sessions)


def _composed(plan: CapturePlan, points: np.ndarray, camera: CameraSpec, elevation: float) -> Scene:
    station = library_file(Station, "stations", plan.station)
    backdrop = library_file(BackdropSpec, "backdrops", plan.backdrop)
    viewpoint = Turntable(kind="turntable", up="+z", elevation_deg=constant(elevation), steps=plan.views)
    return compose(
        station, camera, viewpoint, backdrop, vertices=points, image_size=(plan.size_px, plan.size_px),
        rng=child(plan.seed, "scene"), index=0, count=plan.views,
    )  # fmt: skip


def _light(plan: CapturePlan, scene: Scene) -> tuple[tuple[Light, ...], RGB]:
    """The first ring's lamps stand for all rings: a lamp on the camera would move with it."""
    if plan.environment is None:
        return scene.lights, scene.world_radiance
    image = Path(plan.environment).resolve()
    if not image.is_file():
        raise InputError(f"{image} does not exist", "an equirectangular .hdr or .exr", "check --environment")
    lamp = Light(kind="environment", world_from_light=as_matrix(np.eye(4)), image=str(image), camera_visible=True)
    return (lamp,), (0.0, 0.0, 0.0)


def _circle(radius: float) -> np.ndarray:
    """(SWEEP, 3) on the table's top."""
    angle = 2 * np.pi * np.arange(SWEEP) / SWEEP
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * angle], axis=1)
