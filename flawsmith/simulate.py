"""Turntable captures with a known truth: a part under a station's lamps that stand still while it turns, by Cycles.

Written as people's captures are (photographs, masks, transforms.json), so that everything that reads a capture can be
tried on parts that are known to the micrometre, and the renderer is not the shader that is fitted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.ply import export_ply

import parts
from core.camera import Camera, Sensor
from core.distributions import constant
from core.errors import InputError
from core.files import write_bytes, write_json
from core.material import Material
from core.models import load as load_model
from core.seeds import child, child_seed
from defects.procedural.apply import defect_part
from flawsmith.images import fraction_bytes, photo_bytes
from flawsmith.resolve import library_names
from flawsmith.versions import versions
from parts.lay import with_lay
from render.client import Renderer
from render.frames import read_frame
from render.jobs import build_job
from scenes import library
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.compose import Scene, compose
from scenes.stations import Station
from scenes.viewpoints import Turntable

MASK_GRID = 6
"""Rays per pixel and axis of the masks."""
SWEEP = 24
FLIP = np.diag([1.0, -1.0, -1.0])
"""The second session lies on what was its top: half a turn about the part's x."""
ENOUGH_BOUNCES = 4

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CapturePlan:
    """views: photographs of each elevation and session, in equal steps of the table.

    exposure_drift: relative rms of the gain from one photograph to the next. board and poses: see `docs/captures.md`.
    """

    material: str = "powder_coat_grey"
    station: str = "soft_box"
    camera: str = "area_5mp_25mm"
    backdrop: str = "void"
    views: int = 36
    elevations_deg: tuple[float, ...] = (25.0,)
    sessions: int = 1
    size_px: int = 256
    samples: int = 16
    seed: int = 0
    exposure_drift: float = 0.0
    noise: bool = True
    tolerance_mm: float = 0.05
    unit: str | None = None

    def __post_init__(self) -> None:
        if self.views < 6:
            raise InputError(f"{self.views} views", "at least 6", "ask for more views")
        if not self.elevations_deg or not all(0 < e < 85 for e in self.elevations_deg):
            raise InputError(f"elevations {self.elevations_deg}", "angles within 0 and 85 degrees", "change elevations")
        if self.sessions not in (1, 2):
            raise InputError(f"{self.sessions} sessions", "1, or 2 with the part turned over", "change --sessions")
        if not 32 <= self.size_px <= 4096:
            raise InputError(f"size {self.size_px} px", "32 to 4096", "change --size")


def simulate_capture(
    part_path: Path, out: Path, plan: CapturePlan, device: str = "cpu", progress: Progress | None = None
) -> Path:
    """Render the capture into a new folder `out` and return it. InputError when `out` already holds something."""
    out = Path(out)
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out} is not empty", "a new folder", "choose another --out or remove it")
    part = parts.load(part_path, unit=plan.unit, tolerance_mm=plan.tolerance_mm)
    material = _library(Material, "materials", plan.material)
    made = defect_part(part, (), material=material, seed=0, mesh=with_lay(part.mesh, material.lay))
    total = plan.sessions * len(plan.elevations_deg) * plan.views
    frames: list[dict[str, Any]] = []
    sessions: list[dict[str, Any]] = []
    rays = trimesh.Trimesh(part.mesh.vertices, part.mesh.faces, process=False).ray
    with Renderer(device) as renderer:
        for session in range(plan.sessions):
            turned = FLIP if session else np.eye(3)
            sessions.append(_session(session, turned, part.mesh.vertices))
            gain: float | None = None
            for ring, elevation in enumerate(plan.elevations_deg):
                scene = _ring(plan, part.mesh.vertices, turned, elevation)
                for view in range(plan.views):
                    name = f"{session + 1}{chr(97 + ring)}_{view:03d}"
                    pose = _turned(scene.world_from_part, 2 * np.pi * view / plan.views)
                    folder = renderer.folder / name
                    job = build_job(
                        folder, made, material, name=name, seed=child_seed(plan.seed, "view", name),
                        camera=scene.camera, lights=scene.lights, backdrop=scene.backdrop, world_from_part=pose,
                        world_radiance=scene.world_radiance, samples=plan.samples, twin="none", coverage_grid=1,
                        amodal=False, max_bounces=ENOUGH_BOUNCES,
                    )  # fmt: skip
                    sensor = scene.sensor if gain is None else _fixed(scene.sensor, gain, plan, name)
                    if not plan.noise:
                        sensor = sensor.model_copy(update={"read_noise_e": 0.0, "full_well_e": 1e9})
                    rendered = renderer.render(job, folder)
                    frame = read_frame(job, rendered, sensor, child(plan.seed, "noise", name))
                    gain = frame.exposure if gain is None else gain
                    mask = _mask(rays, scene.camera, pose)
                    write_bytes(out / "images" / f"{name}.png", photo_bytes(frame.rgb))
                    write_bytes(out / "masks" / f"{name}.png", fraction_bytes(mask))
                    frames.append(_frame(name, session, scene.camera, pose, frame.exposure / gain))
                    if progress:
                        progress(len(frames), total)
    _write_truth(out, part, material, plan, frames)
    write_json(out / "transforms.json", _transforms(scene.camera, frames, sessions))
    return out


def _library(model: Any, folder: str, name: str) -> Any:
    names = library_names(folder)
    if name not in names:
        raise InputError(f"{folder[:-1]} '{name}'", f"one of {', '.join(names)}", "correct the name")
    return load_model(model, library.folder(folder) / f"{name}.yaml")


def _ring(plan: CapturePlan, vertices: np.ndarray, turned: np.ndarray, elevation: float) -> Scene:
    """Lamps and a camera that take in the part however the table stands."""
    station, camera = _library(Station, "stations", plan.station), _library(CameraSpec, "cameras", plan.camera)
    backdrop = _library(BackdropSpec, "backdrops", plan.backdrop)
    middle = (vertices.min(0) + vertices.max(0)) / 2
    hull = trimesh.convex.convex_hull(vertices).vertices - middle
    angles = 2 * np.pi * np.arange(SWEEP) / SWEEP
    swept = np.concatenate([hull @ _about_z(a).T for a in angles]) + middle
    viewpoint = Turntable(
        kind="turntable", up="-z" if turned[2, 2] < 0 else "+z", elevation_deg=constant(elevation), steps=plan.views
    )
    return compose(
        station, camera, viewpoint, backdrop, vertices=swept, image_size=(plan.size_px, plan.size_px),
        rng=child(plan.seed, "scene"), index=0, count=plan.views,
    )  # fmt: skip


def _about_z(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def _turned(world_from_part: np.ndarray, angle: float) -> np.ndarray:
    """The table turned by an angle about the world's z axis, over which the part is centred."""
    turn = np.eye(4)
    turn[:3, :3] = _about_z(angle)
    return turn @ world_from_part


def _fixed(sensor: Sensor, gain: float, plan: CapturePlan, name: str) -> Sensor:
    """The session's gain, with the plan's drift."""
    drift = float(np.exp(plan.exposure_drift * child(plan.seed, "drift", name).standard_normal()))
    return sensor.model_copy(update={"exposure": "fixed", "gain_per_radiance": gain * drift})


def _mask(rays: Any, camera: Camera, world_from_part: np.ndarray) -> np.ndarray:
    """(h, w) share of each pixel that the part covers, by rays."""
    x = (np.arange(camera.width * MASK_GRID) + 0.5) / MASK_GRID
    y = (np.arange(camera.height * MASK_GRID) + 0.5) / MASK_GRID
    origins, ways = camera.rays(np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2))
    turn, shift = world_from_part[:3, :3], world_from_part[:3, 3]
    hit = rays.intersects_any((origins - shift) @ turn, ways @ turn)
    return hit.reshape(camera.height, MASK_GRID, camera.width, MASK_GRID).mean((1, 3)).astype(np.float32)


def _frame(name: str, session: int, camera: Camera, pose: np.ndarray, gain: float) -> dict[str, Any]:
    part_from_camera = np.linalg.inv(pose) @ camera.pose() @ np.diag([1.0, -1.0, -1.0, 1.0])
    return {
        "file_path": f"images/{name}.png",
        "mask_path": f"masks/{name}.png",
        "session": str(session + 1),
        "transform_matrix": part_from_camera.round(12).tolist(),
        "room_from_part": pose[:3, :3].round(12).tolist(),
        "gain": gain,
    }


def _session(number: int, turned: np.ndarray, vertices: np.ndarray) -> dict[str, Any]:
    middle = (vertices.min(0) + vertices.max(0)) / 2
    return {"name": str(number + 1), "axis_point": middle.tolist(), "axis": (turned.T @ [0.0, 0.0, 1.0]).tolist()}


def _transforms(camera: Camera, frames: list[dict[str, Any]], sessions: list[dict[str, Any]]) -> dict[str, Any]:
    focal = camera.pixels_per_unit
    return {
        "w": camera.width,
        "h": camera.height,
        "fl_x": focal,
        "fl_y": focal,
        "cx": camera.width / 2,
        "cy": camera.height / 2,
        "flawsmith": {"metric": True, "scale_from": "simulated", "light": "room", "sessions": sessions},
        "frames": [{k: v for k, v in f.items() if k != "gain"} for f in frames],
    }


def _write_truth(out: Path, part: Any, material: Material, plan: CapturePlan, frames: list[dict[str, Any]]) -> None:
    """The mesh (metres, part frame), the plan, the finish and the gains that the photographs were taken with."""
    mesh = trimesh.Trimesh(part.mesh.vertices, part.mesh.faces, process=False)
    write_bytes(out / "truth" / "part.ply", export_ply(mesh))
    write_json(
        out / "truth" / "truth.json",
        {
            "part": part.name,
            "sha256": part.sha256,
            "material": material.model_dump(mode="json"),
            "plan": {**plan.__dict__, "elevations_deg": list(plan.elevations_deg)},
            "gains": {f["file_path"]: f["gain"] for f in frames},
            "versions": versions().model_dump(mode="json"),
        },
    )
