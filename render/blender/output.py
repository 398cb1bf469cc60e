"""One render into one multilayer EXR, whole or a window of it, at full or sub-pixel resolution."""

from __future__ import annotations

import contextlib
import os

import bpy


def prepare(scene: bpy.types.Scene) -> None:
    """Multilayer float EXR, written straight from the render result (the same code path in 4.5 and 5.x)."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    settings.exr_codec = "NONE"
    scene.render.use_file_extension = False
    scene.render.use_compositing = False
    scene.render.use_sequencer = False
    scene.render.resolution_percentage = 100
    scene.render.use_overwrite = True


def render(scene: bpy.types.Scene, path: str, size: tuple[int, int], window=None, scale: int = 1) -> str:
    """Render `window` (x0, y0, x1, y1; pixels, y down; None: all) of a `size` frame, `scale` samples a pixel side."""
    width, height = size[0] * scale, size[1] * scale
    target = scene.render
    target.resolution_x, target.resolution_y = width, height
    target.use_border = target.use_crop_to_border = window is not None
    if window is not None:
        x0, y0, x1, y1 = (v * scale for v in window)
        # A quarter pixel keeps Blender's truncation of fraction * size on the intended pixel.
        target.border_min_x, target.border_max_x = (x0 + 0.25) / width, (x1 + 0.25) / width
        target.border_min_y, target.border_max_y = (height - y1 + 0.25) / height, (height - y0 + 0.25) / height
    target.filepath = path
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    bpy.ops.render.render(scene=scene.name, write_still=True)
    if not os.path.exists(path):
        raise RuntimeError(f"Blender wrote no {path}")
    return path
