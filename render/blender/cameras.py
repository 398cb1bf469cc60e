"""The job's camera as a Blender camera: square pixels, principal point in the middle, no distortion."""

from __future__ import annotations

import bpy
from mathutils import Matrix

FLIP = Matrix.Diagonal((1.0, -1.0, -1.0, 1.0))
"""OpenCV (x right, y down, z forward) to Blender (x right, y up, -z forward)."""
SENSOR_MM = 36.0


def build(name: str, camera: dict, depth_of_field: bool) -> bpy.types.Object:
    """An object; its horizontal sensor fit makes the focal length in pixels exact at any aspect ratio."""
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "HORIZONTAL"
    data.sensor_width = SENSOR_MM
    data.clip_start, data.clip_end = 1e-4, 1e3
    if camera["projection"] == "telecentric":
        data.type = "ORTHO"
        data.ortho_scale = camera["width"] / camera["pixels_per_unit"]
    else:
        data.lens = camera["pixels_per_unit"] / camera["width"] * SENSOR_MM
    if depth_of_field and camera["aperture_m"] > 0:
        unit = 1.0 if data.type == "ORTHO" else data.lens * 1e-3  # Cycles takes 1 / fstop metres for orthographic
        data.dof.use_dof = True
        data.dof.focus_distance = camera["focus_m"]
        data.dof.aperture_fstop = unit / camera["aperture_m"]
    thing = bpy.data.objects.new(name, data)
    thing.matrix_world = Matrix(camera["world_from_camera"]) @ FLIP
    return thing
