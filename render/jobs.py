"""From a defected part in a scene to a RenderJob with its array files."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from core.camera import Camera, as_matrix
from core.defect import DefectedPart
from core.job import Backdrop, Decal, Light, RenderJob
from core.material import Material
from render.mapfile import write_maps
from render.meshfile import write_mesh, write_textures
from render.windows import label_window, merged, twin_window


def build_job(
    folder: Path,
    part: DefectedPart,
    material: Material,
    *,
    name: str,
    seed: int,
    camera: Camera,
    lights: tuple[Light, ...],
    backdrop: Backdrop,
    world_from_part: np.ndarray,
    world_radiance: tuple[float, float, float] = (0.0, 0.0, 0.0),
    lay_seed: int = 0,
    samples: int = 64,
    denoise: bool = True,
    twin: Literal["none", "windowed", "full"] = "windowed",
    coverage_grid: int = 4,
    amodal: bool = True,
    max_bounces: int = 6,
    maps_folder: Path | None = None,
) -> RenderJob:
    """Write the job's arrays into `folder` and return the job. Poses are (4, 4), metres.

    maps_folder: where the part's own images go, for all jobs of a run (None: `folder`).
    """
    folder.mkdir(parents=True, exist_ok=True)
    clean = write_mesh(folder / "clean.npz", part.clean, part.defects)
    defected = write_mesh(folder / "defected.npz", part.defected, part.defects) if part.shape_changes else clean
    decals = tuple(
        Decal(id=d.id, textures=str(write_textures(folder / f"decal_{d.id}.npy", d)) if d.layers else None)
        for d in part.defects
    )
    maps = write_maps(maps_folder or folder, part.part.maps) if material.captured else ()
    found = {d.id: label_window(camera, world_from_part, part, d) for d in part.defects}
    windows = {i: w for i, w in found.items() if w is not None}
    margin = RenderJob.model_fields["twin_margin"].default
    return RenderJob(
        name=name, seed=seed, camera=camera, samples=samples, denoise=denoise, clean=str(clean), defected=str(defected),
        world_from_part=as_matrix(world_from_part), lay_seed=lay_seed, material=material, maps=maps, decals=decals,
        defect_ids=tuple(d.id for d in part.defects), lights=lights, world_radiance=world_radiance, backdrop=backdrop,
        windows=windows, twin=twin, coverage_grid=coverage_grid, amodal=amodal, max_bounces=max_bounces,
        twin_windows=merged([twin_window(camera, w) for w in windows.values()], gap=2 * margin),
    )  # fmt: skip
