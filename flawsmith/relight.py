"""A surface with its own colours, photographed by Cycles under any light: what a reconstruction is worth elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.camera import Camera, Sensor, as_matrix
from core.defect import DefectedPart
from core.files import sha256_bytes
from core.job import Backdrop, Light
from core.material import Material
from core.mesh import CAPTURED, NORMAL, Mesh
from core.part import Part
from core.seeds import child
from defects.procedural.apply import defect_part
from flawsmith.simulate_room import library_file
from render.client import Renderer
from render.exr import read_passes
from render.frames import read_frame
from render.jobs import build_job

RAW = Sensor(exposure="fixed", gain_per_radiance=1.0, full_well_e=1e12, read_noise_e=0.0, bits=16)


class Lit(NamedTuple):
    """radiance: (h, w, 3) linear. part: (h, w) bool, at pixel centres."""

    radiance: np.ndarray
    part: np.ndarray


def coloured(
    vertices: np.ndarray, faces: np.ndarray, albedo: np.ndarray, roughness: np.ndarray, metallic: np.ndarray
) -> tuple[DefectedPart, Material]:
    """A smooth mesh with a look at every vertex. vertices (n, 3) metres, faces (m, 3), albedo (n, 3) linear,
    roughness and metallic (n,)."""
    gloss = np.stack([roughness, metallic, np.ones(len(vertices))], axis=1)
    corner = {
        NORMAL: vertex_normals(vertices, faces)[faces],
        CAPTURED[0]: np.clip(albedo, 0, 1)[faces],
        CAPTURED[1]: np.clip(gloss, 0, 1)[faces],
    }
    labels = {"patch": 0, "solid": 0, "cad_face": -1, "colour": -1}
    mesh = Mesh(vertices, faces, corner, {n: np.full(len(faces), v, np.int32) for n, v in labels.items()})
    part = Part(name="coloured", mesh=mesh, sha256=sha256_bytes(mesh.vertices.tobytes()), source="a fit")
    material = library_file(Material, "materials", "as_captured")
    return defect_part(part, (), material=material, seed=0), material


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) unit, weighted by the faces' areas."""
    corner = vertices[faces]
    cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], cross)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.maximum(length, 1e-300), [0.0, 0.0, 1.0])


def surrounding(image: Path, radiance: float = 1.0) -> Light:
    """An equirectangular .hdr or .exr as the only light, hidden from the camera."""
    return Light(kind="environment", world_from_light=as_matrix(np.eye(4)), image=str(image), radiance=radiance)


def photographs(
    renderer: Renderer,
    subject: tuple[DefectedPart, Material],
    cameras: Sequence[Camera],
    poses: Sequence[np.ndarray],
    lights: tuple[Light, ...],
    *,
    samples: int = 32,
    seed: int = 0,
    max_bounces: int = 4,
) -> list[Lit]:
    """One picture a camera and pose world_from_part (4, 4), without sensor or exposure."""
    made, material = subject
    void = Backdrop(kind="void", world_from_backdrop=as_matrix(np.eye(4)))
    taken = []
    for number, (camera, pose) in enumerate(zip(cameras, poses, strict=True)):
        folder = renderer.folder / f"lit_{number:03d}"
        job = build_job(
            folder, made, material, name=folder.name, seed=seed, camera=camera, lights=lights, backdrop=void,
            world_from_part=pose, samples=samples, twin="none", coverage_grid=1, amodal=False,
            max_bounces=max_bounces, maps_folder=renderer.folder / "maps",
        )  # fmt: skip
        rendered = renderer.render(job, folder)
        frame = read_frame(job, rendered, RAW, child(seed, "unused"))
        radiance = read_passes(rendered.files["beauty"])["Combined"][..., :3]
        taken.append(Lit(radiance, frame.part))
        shutil.rmtree(folder)
    return taken
