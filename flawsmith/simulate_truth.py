"""What is known of a simulated capture and no photograph shows: shape, finish, light, exposures, depth, normals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import trimesh
from trimesh.exchange.ply import export_ply

from core.files import write_bytes, write_json
from core.material import Material
from core.part import Part
from flawsmith.images import write_exr
from flawsmith.simulate_light import environment
from flawsmith.simulate_room import Room, Seat
from flawsmith.simulate_write import Shot
from flawsmith.versions import versions

if TYPE_CHECKING:
    from flawsmith.simulate import CapturePlan


def write_truth(
    folder: Path,
    part: Part,
    material: Material,
    plan: CapturePlan,
    room: Room,
    seats: Sequence[Seat],
    shots: Sequence[Shot],
) -> None:
    """truth/: part.ply (metres, part frame), truth.json, environment.exr, and depth and normals of some views."""
    truth = folder / "truth"
    mesh = trimesh.Trimesh(part.mesh.vertices, part.mesh.faces, process=False)
    write_bytes(truth / "part.ply", export_ply(mesh))
    surrounding = environment(room.lights, room.world_radiance)
    if surrounding is not None:
        write_exr(truth / "environment.exr", surrounding, ("R", "G", "B"), "float")
    for shot in shots:
        if shot.depth_m is not None and shot.normal is not None:
            name = shot.stand.name
            write_exr(truth / f"{name}_depth.exr", shot.depth_m[..., None], ("Z",), "float")
            write_exr(truth / f"{name}_normal.exr", shot.normal, ("X", "Y", "Z"), "half")
    write_json(truth / "truth.json", facts(part, material, plan, room, seats, shots, surrounding is not None))


def facts(
    part: Part,
    material: Material,
    plan: CapturePlan,
    room: Room,
    seats: Sequence[Seat],
    shots: Sequence[Shot],
    has_environment: bool,
) -> dict:
    """JSON-serialisable. `sessions`: frame_from_part (4x4) is what takes the mesh into a session's frame."""
    light = "an equirectangular image" if plan.environment else f"station {plan.station}"
    return {
        "part": part.name,
        "sha256": part.sha256,
        "material": material.model_dump(mode="json"),
        "plan": {**asdict(plan), "environment": None if plan.environment is None else Path(plan.environment).name},
        "light": light,
        "environment": "environment.exr" if has_environment else None,
        "lights": [_lamp(lamp) for lamp in room.lights],
        "world_radiance": list(room.world_radiance),
        "sessions": [
            {
                "name": s.name,
                "frame_from_part": s.frame_from_part.tolist(),
                "room_from_part": s.world_from_part.tolist(),
            }
            for s in seats
        ],
        "frames": [
            {
                "file_path": f"images/{s.stand.name}.png",
                "exposure": s.exposure,
                "table_deg": float(np.degrees(s.stand.angle_rad)),
                "room_from_camera": s.stand.camera.pose().tolist(),
            }
            for s in shots
        ],
        "versions": versions().model_dump(mode="json"),
    }


def _lamp(lamp) -> dict:
    written = lamp.model_dump(mode="json")
    if written["image"] is not None:
        written["image"] = Path(written["image"]).name
    return written
