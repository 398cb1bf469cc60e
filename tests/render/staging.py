"""Jobs small enough for tests: a marked mesh, a camera over it, one lamp."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.camera import Camera, as_matrix, look_at
from core.defect import Defect, DefectedPart, Site, chart_name
from core.job import Backdrop, Light, RenderJob
from core.material import Material, Surface
from core.mesh import Mesh
from core.part import Part
from core.seeds import child
from defects.procedural.chart import unfold
from defects.procedural.kind import Ground
from defects.procedural.kinds import KINDS
from defects.procedural.refine import located, refine_around
from render.jobs import build_job

STEEL = Material(
    name="plain_steel", version=1, text="", process="",
    surface=Surface(albedo=(0.56, 0.57, 0.58), metallic=1, roughness=0.3),
)  # fmt: skip
VOID = Backdrop(kind="void", world_from_backdrop=as_matrix(np.eye(4)))
PLAIN_SCRATCH: Mapping[str, Any] = {
    "length_mm": 5.0, "width_mm": 0.2,
    "width_noise": 0.0, "depth_noise": 0.0, "chatter": 0.0, "satellites": 0, "bow": 0.0,
}  # fmt: skip


def marked(
    mesh: Mesh, face: int, point: np.ndarray, kind: str, values: Mapping[str, Any], towards=(1.0, 0.3, 0.2),
    material: Material = STEEL,
):  # fmt: skip
    """DefectedPart with one decal of `kind` at a point inside a face, and its normal."""
    normal = mesh.face_normals[face]
    direction = np.asarray(towards) - (np.asarray(towards) @ normal) * normal
    direction /= np.linalg.norm(direction)
    site = Site(face, tuple(point), tuple(direction), tuple(normal))
    made = KINDS[kind]
    params = made.parameters(values, "test")
    reach = made.reach_mm(params) * 1e-3
    layers = made.paint(params, Ground(material), child(5, kind))
    fine, parent = refine_around(mesh, [site], reach)
    fine = fine.with_corner(**{chart_name(1): unfold(fine, located(fine, parent, site), reach).uv_m})
    fine = fine.with_face(defect_tag=np.zeros(len(fine.faces)))
    defect = Defect(
        1, kind, "decal", "test", 1, "major", "defect", 1, site, dict(values), (), -1, 0, (*point, reach), layers
    )
    return DefectedPart(Part("test", mesh, "0", "test"), fine, fine, (defect,))


def camera_over(
    point, normal, width: int = 160, pixels_per_mm: float = 20.0, distance: float = 0.15, tilt=0.0, height=0
):
    """A perspective camera that looks at a point along its normal, tilted by `tilt` radians."""
    normal = np.asarray(normal) / np.linalg.norm(normal)
    side = np.cross(normal, [0.31, 0.52, 0.79])
    side /= np.linalg.norm(side)
    eye = point + distance * (np.cos(tilt) * normal + np.sin(tilt) * side)
    return Camera(
        projection="perspective", width=width, height=height or width, pixels_per_unit=pixels_per_mm * 1e3 * distance,
        world_from_camera=as_matrix(look_at(eye, np.asarray(point), np.cross(side, normal))),
    )  # fmt: skip


def lamp_at(position, target=(0.0, 0.0, 0.0), size=0.08, radiance=20.0) -> Light:
    """A square lamp that shines at a point."""
    pose = look_at(np.asarray(position, float), np.asarray(target, float), np.array([0.1, 0.2, 1.0]))
    return Light(
        kind="rect",
        world_from_light=as_matrix(pose @ np.diag([1, -1, -1, 1.0])),
        size_m=(size, size),
        radiance=radiance,
    )


def job_for(folder: Path, part: DefectedPart, camera: Camera, **changes: Any) -> RenderJob:
    """A job in the part's own frame, 4 samples unless said, lit from beside the camera."""
    eye = camera.pose()[:3, 3]
    target = np.asarray(part.defects[0].site.point_m) if part.defects else np.zeros(3)
    lamp = lamp_at(eye + 0.5 * np.linalg.norm(eye - target) * camera.pose()[:3, 0], target)
    settings: dict[str, Any] = {
        "name": "test", "seed": 7, "camera": camera, "lights": (lamp,), "backdrop": VOID, "samples": 4,
        "world_from_part": np.eye(4), "world_radiance": (0.05, 0.05, 0.05),
    }  # fmt: skip
    return build_job(folder, part, STEEL, **{**settings, **changes})
