"""Turntable captures with a known truth: a part under a station's lamps that stand still while it turns, by Cycles.

Written as people's captures are (photographs, masks, transforms.json), so that everything that reads a capture can be
tried on parts that are known to the micrometre, and the renderer is not the shader that is fitted.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import parts
from core.camera import Camera, Sensor, as_matrix
from core.defect import DefectedPart
from core.errors import InputError
from core.frame import Frame
from core.job import Backdrop, RenderJob
from core.material import Material
from core.mesh import CAPTURED
from core.seeds import child, child_seed
from defects.procedural.apply import defect_part
from flawsmith.images import ids_bytes, photo_bytes
from flawsmith.simulate_masks import Occluders, share_of_part
from flawsmith.simulate_room import Room, Seat, Stand, furnished, library_file, seated
from flawsmith.simulate_truth import write_truth
from flawsmith.simulate_write import Shot, write_capture
from parts.lay import with_lay
from render.client import Renderer
from render.frames import read_frame
from render.jobs import build_job
from scenes.resting import AXES

ENOUGH_BOUNCES = 4
METERED_PX, METERED_TURNS, METERED_SAMPLES = 64, 6, 8
HEADROOM = 1.4
"""Over the metered level, up to full scale."""
TRUTH_EVERY = 8
"""Depth and normals are kept of the photographs that a fit is judged by."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CapturePlan:
    """views: photographs of each elevation and session, in equal steps of the table.

    station: of the library; environment: an equirectangular image (.hdr, .exr) as the only light instead.
    up: the side of the part's frame that points up in the first session; the second lies on what was its top.
    exposure_drift: relative rms of the gain from one photograph to the next. board: a printed board of markers under
    the part, that turns with it. poses: "known" writes transforms.json; "angles" only the steps of the table.
    registered: the poses of a second session are in the part's frame too, else in a frame of its own on its table.
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
    up: str = "+z"
    environment: str | None = None
    board: bool = False
    poses: str = "known"
    registered: bool = False

    def __post_init__(self) -> None:
        if self.views < 6:
            raise InputError(f"{self.views} views", "at least 6", "ask for more views")
        if not 1 <= len(self.elevations_deg) <= 3 or not all(0 < e < 85 for e in self.elevations_deg):
            given = f"elevations {', '.join(f'{e:g}' for e in self.elevations_deg) or 'none'}"
            raise InputError(given, "one to three angles within 0 and 85 degrees", "change --elevation")
        if self.sessions not in (1, 2):
            raise InputError(f"{self.sessions} sessions", "1, or 2 with the part turned over", "change --sessions")
        if not 32 <= self.size_px <= 4096:
            raise InputError(f"size {self.size_px} px", "32 to 4096", "change --size")
        if self.up not in AXES:
            raise InputError(f"up {self.up!r}", f"one of {', '.join(AXES)}", "change --up")
        if self.poses not in ("known", "angles"):
            raise InputError(f"poses {self.poses!r}", "known or angles", "change --poses")
        if not 0 <= self.exposure_drift <= 0.5:
            raise InputError(f"exposure drift {self.exposure_drift}", "0 to 0.5", "change --exposure-drift")
        if self.board and self.backdrop != "void":
            raise InputError(
                f"a board on the backdrop '{self.backdrop}'", "backdrop void", "leave out --board or --backdrop"
            )


def simulate_capture(
    part_path: Path, out: Path, plan: CapturePlan, device: str = "cpu", progress: Progress | None = None
) -> Path:
    """Render the capture into a new folder `out` and return it. InputError when `out` already holds something."""
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is not empty", "a new folder", "choose another --out or remove it")
    made, material = dressed(part_path, plan)
    vertices = made.part.mesh.vertices
    with whole_folder(out) as folder, Renderer(device) as renderer:
        studio = Studio(plan, made, material, renderer)
        seats = seated(plan, vertices)
        room = furnished(plan, vertices, seats, renderer.folder)
        shots: list[Shot] = []
        for seat in seats:
            gain = studio.metered(room, seat)
            for stand in room.stands(seat):
                shots.append(studio.photograph(room, stand, gain, folder, keep=len(shots) % TRUTH_EVERY == 7))
                if progress:
                    progress(len(shots), room.count)
        write_capture(folder, plan, room, seats, shots)
        write_truth(folder, made.part, material, plan, room, seats, shots)
    return out


def dressed(part_path: Path, plan: CapturePlan) -> tuple[DefectedPart, Material]:
    """The part without a defect, in the plan's finish. InputError where it is to show its own look and has none."""
    part = parts.load(part_path, unit=plan.unit, tolerance_mm=plan.tolerance_mm)
    material = library_file(Material, "materials", plan.material)
    if material.captured and CAPTURED[0] not in part.mesh.corner:
        raise InputError(
            f"material '{material.name}' on {part.source}, which has no materials of its own",
            "a glTF or OBJ file with materials",
            "choose another --material",
        )
    return defect_part(part, (), material=material, seed=0, mesh=with_lay(part.mesh, material.lay)), material


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A sibling of `out` that becomes it when all went well, and vanishes otherwise."""
    made = out.with_name(f".{out.name}.{os.getpid()}.part")
    made.mkdir(parents=True)
    try:
        yield made
        if out.exists():
            out.rmdir()
        made.replace(out)
    finally:
        shutil.rmtree(made, ignore_errors=True)


class Studio:
    """A part in its finish before a renderer."""

    def __init__(self, plan: CapturePlan, made: DefectedPart, material: Material, renderer: Renderer) -> None:
        self.plan, self.made, self.material, self.renderer = plan, made, material, renderer
        self.occluders = Occluders(made.clean)

    def metered(self, room: Room, seat: Seat) -> float:
        """One gain for a whole session: what the station's meter likes over a turn, but no view blown out by it."""
        gains = []
        for turn in range(METERED_TURNS):
            stand = room.stand(seat, turn % len(room.rings), turn * room.views // METERED_TURNS)
            small = replace(stand, camera=shrunk(stand.camera, METERED_PX))
            gains.append(self._frame(room, small, f"meter_{turn}", METERED_SAMPLES, room.sensor).exposure)
        return min(float(np.median(gains)), HEADROOM * min(gains))

    def photograph(self, room: Room, stand: Stand, gain: float, folder: Path, keep: bool) -> Shot:
        """Render, develop and write one photograph with its mask; `keep` its depth and normals for the truth."""
        gain *= drift(self.plan, stand.name)
        sensor = room.sensor.model_copy(update={"exposure": "fixed", "gain_per_radiance": gain})
        frame = self._frame(room, stand, stand.name, self.plan.samples, sensor if self.plan.noise else quiet(sensor))
        mask = share_of_part(self.occluders, stand.camera, stand.world_from_part, stand.world_from_scenery)
        (folder / "images").mkdir(exist_ok=True)
        (folder / "masks").mkdir(exist_ok=True)
        (folder / "images" / f"{stand.name}.png").write_bytes(photo_bytes(frame.rgb))
        (folder / "masks" / f"{stand.name}.png").write_bytes(ids_bytes(np.rint(255 * mask)))
        return Shot(stand, frame.exposure, frame.depth_m if keep else None, frame.normal if keep else None)

    def _frame(self, room: Room, stand: Stand, name: str, samples: int, sensor: Sensor) -> Frame:
        folder = self.renderer.folder / name
        job = self._job(room, stand, folder, name, samples)
        rendered = self.renderer.render(job, folder)
        if "scenery" in rendered.files:
            self.occluders.add_scenery(np.load(rendered.files["scenery"]), stand.world_from_scenery)
        frame = read_frame(job, rendered, sensor, child(self.plan.seed, "noise", name))
        shutil.rmtree(folder)
        return frame

    def _job(self, room: Room, stand: Stand, folder: Path, name: str, samples: int) -> RenderJob:
        job = build_job(
            folder, self.made, self.material, name=name, seed=child_seed(self.plan.seed, "view", name) % 2**31,
            camera=stand.camera, lights=room.lights, world_from_part=stand.world_from_part,
            backdrop=_standing(room, stand),
            world_radiance=room.world_radiance, samples=samples, twin="none", coverage_grid=1, amodal=False,
            max_bounces=ENOUGH_BOUNCES, maps_folder=self.renderer.folder / "maps",
        )  # fmt: skip
        wanted = room.backdrop.kind != "void" and self.occluders.scenery is None
        return job.model_copy(update={"export_scenery": wanted})


def _standing(room: Room, stand: Stand) -> Backdrop:
    pose = stand.world_from_scenery @ np.array(room.backdrop.world_from_backdrop)
    return room.backdrop.model_copy(update={"world_from_backdrop": as_matrix(pose)})


def drift(plan: CapturePlan, name: str) -> float:
    """The gain of one photograph over the session's."""
    return float(np.exp(plan.exposure_drift * child(plan.seed, "drift", name).standard_normal()))


def quiet(sensor: Sensor) -> Sensor:
    """A sensor without noise."""
    return sensor.model_copy(update={"read_noise_e": 0.0, "full_well_e": 1e12, "bits": 16})


def shrunk(camera: Camera, side: int) -> Camera:
    """The same view in fewer pixels."""
    share = side / max(camera.width, camera.height)
    width, height = (max(round(n * share), 1) for n in (camera.width, camera.height))
    focal = camera.pixels_per_unit * share
    return camera.model_copy(update={"width": width, "height": height, "pixels_per_unit": focal})
