"""The files of a simulated capture, as a photographer would hand them over: transforms.json, or only the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from core.files import write_json, write_text
from flawsmith.simulate_board import keys
from flawsmith.simulate_room import Room, Seat, Stand

if TYPE_CHECKING:
    from flawsmith.simulate import CapturePlan

OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Shot:
    """A photograph that was taken. exposure: radiance to full scale. depth_m (h, w) and normal (h, w, 3), camera
    frame, of some."""

    stand: Stand
    exposure: float
    depth_m: np.ndarray | None
    normal: np.ndarray | None


def write_capture(folder: Path, plan: CapturePlan, room: Room, seats: Sequence[Seat], shots: Sequence[Shot]) -> None:
    if plan.poses == "known":
        write_json(folder / "transforms.json", transforms(plan, room, seats, shots))
    else:
        text = yaml.safe_dump(steps(plan, room, seats), sort_keys=False)
        write_text(folder / "capture.yaml", text)


def transforms(plan: CapturePlan, room: Room, seats: Sequence[Seat], shots: Sequence[Shot]) -> dict[str, Any]:
    """nerfstudio's keys, and ours in `flawsmith`. Poses are of the camera in its session's frame, OpenGL."""
    camera = room.rings[0]
    focal = camera.pixels_per_unit
    return {
        "camera_model": "OPENCV",
        "w": camera.width,
        "h": camera.height,
        "fl_x": focal,
        "fl_y": focal,
        "cx": camera.width / 2,
        "cy": camera.height / 2,
        "flawsmith": {
            "metric": True,
            "scale_from": "simulated",
            "light": "room",
            "registered": len(seats) == 1 or plan.registered,
            "sessions": [_session(seat) for seat in seats],
        },
        "frames": [_frame(s.stand) for s in shots],
    }


def _frame(stand: Stand) -> dict[str, Any]:
    return {
        "file_path": f"images/{stand.name}.png",
        "mask_path": f"masks/{stand.name}.png",
        "session": stand.seat.name,
        "transform_matrix": (stand.frame_from_camera @ OPENGL).round(12).tolist(),
        "room_from_part": stand.room_from_frame.round(12).tolist(),
    }


def _session(seat: Seat) -> dict[str, Any]:
    """The table's axis in the session's frame; the point is where it meets the table's top."""
    frame_from_world = seat.frame_from_part @ np.linalg.inv(seat.world_from_part)
    point, axis = frame_from_world[:3, 3], frame_from_world[:3, 2]
    return {"name": seat.name, "axis_point": point.round(12).tolist(), "axis": axis.round(12).tolist()}


def steps(plan: CapturePlan, room: Room, seats: Sequence[Seat]) -> dict[str, Any]:
    """What somebody knows who has calibrated the camera and counted the steps of the table.

    Without a board every ring is a session of its own: each has its own frame until they are registered.
    """
    camera = room.rings[0]
    written: dict[str, Any] = {
        "light": "room",
        "camera": {
            "focal_px": round(camera.pixels_per_unit, 3), "principal_px": [camera.width / 2, camera.height / 2]
        },
    }  # fmt: skip
    if room.board is not None:
        written["board"] = keys(room.board)
        written["sessions"] = [{"name": s.name, "images": f"images/{s.name}*.png"} for s in seats]
        return written
    written["sessions"] = [
        {
            "name": f"{seat.name}{letter}",
            "images": f"images/{seat.name}{letter}_*.png",
            "step_deg": 360.0 / plan.views,
            "exact_steps": True,
            "elevation_deg": elevation,
        }
        for seat in seats
        for letter, elevation in zip("abc", plan.elevations_deg, strict=False)
    ]
    return written
