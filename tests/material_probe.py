"""Runs in a process of its own: renders finishes on a flat square with `bpy` and prints measurements as JSON.

Asks, a list on stdin: what ("height" or "glow"), material (dumped), metres_per_pixel (told to the finish), span_m,
pixels. height: rms height and rms slopes across and along the lay of the relief as drawn (or of another
`socket`). glow: mean radiance of the
square from above under a round lamp lamp_deg wide, tilt_deg off the vertical, or in a furnace (radiance 1 all round).
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from pathlib import Path

import bpy
import numpy as np
import OpenImageIO as oiio

from render.blender import finishes, nodes, surface


def square(half: float, turned: bool) -> bpy.types.Object:
    """A quad in z = 0 whose lay is its own x (across) and y (along), or circles about the origin."""
    mesh = bpy.data.meshes.new("square")
    corners = [(-half, -half, 0.0), (half, -half, 0.0), (half, half, 0.0), (-half, half, 0.0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    lay = mesh.attributes.new("lay", "FLOAT_VECTOR", "CORNER")
    lay.data.foreach_set("vector", [v for x, y, _ in corners for v in (x, y, -1.0 if turned else 0.0)])
    tangent = mesh.attributes.new("lay_tangent", "FLOAT_VECTOR", "CORNER")
    tangent.data.foreach_set(
        "vector", [v for x, y, _ in corners for v in ((-y, x, 0.0) if turned else (0.0, 1.0, 0.0))]
    )
    return bpy.data.objects.new("square", mesh)


def scene(span: float, pixels: int, samples: int) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.context.scene
    made.render.engine = "CYCLES"
    made.cycles.samples, made.cycles.use_denoising, made.cycles.use_adaptive_sampling = samples, False, False
    made.render.resolution_x = made.render.resolution_y = pixels
    made.render.image_settings.file_format, made.render.image_settings.color_depth = "OPEN_EXR", "32"
    made.world = bpy.data.worlds.new("w")
    made.world.use_nodes = True
    made.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0, 0, 0, 1)
    camera = bpy.data.cameras.new("camera")
    camera.type, camera.ortho_scale, camera.clip_start = "ORTHO", span, 1e-4
    thing = bpy.data.objects.new("camera", camera)
    thing.location = (0.0, 0.0, 0.5)
    made.collection.objects.link(thing)
    made.camera = thing
    return made


def picture(made: bpy.types.Scene) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        made.render.filepath = str(Path(folder) / "a.exr")
        bpy.ops.render.render(write_still=True)
        return np.asarray(oiio.ImageInput.open(made.render.filepath).read_image("float"), float)


def height(ask: dict) -> dict:
    made = scene(ask["span_m"], ask["pixels"], 1)
    made.cycles.pixel_filter_type, made.cycles.filter_width = "BOX", 0.01
    thing = square(ask["span_m"], ask.get("turned", False))
    material = bpy.data.materials.new("m")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    sockets = finishes.build(tree, ask["material"], ask["metres_per_pixel"], ask.get("seed", 0))
    relief = sockets[ask.get("socket", "relief_m")]
    bright = nodes.math(tree, "MULTIPLY_ADD", relief, 1e4, 10.0)
    shader = nodes.node(tree, "ShaderNodeEmission", {"Color": bright})
    nodes.node(tree, "ShaderNodeOutputMaterial", {"Surface": shader.outputs[0]})
    thing.data.materials.append(material)
    made.collection.objects.link(thing)
    z = (picture(made)[..., 0] - 10.0) / 1e4
    pitch = ask["span_m"] / ask["pixels"]
    down, right = np.diff(z, axis=0) / pitch, np.diff(z, axis=1) / pitch
    return {
        "rms_m": z.std(),
        "across": right.std(),
        "along": down.std(),
        "peak_m": float(np.ptp(z)),
        "row": z[4].tolist(),
    }


def glow(ask: dict) -> dict:
    made = scene(ask["span_m"], ask["pixels"], ask.get("samples", 16))
    thing = square(ask["span_m"], False)
    thing.data.materials.append(surface.build(ask["material"], [], ask["metres_per_pixel"]))
    made.collection.objects.link(thing)
    if ask.get("furnace"):
        made.world.node_tree.nodes["Background"].inputs["Color"].default_value = (1, 1, 1, 1)
    else:
        lamp = bpy.data.lights.new("lamp", "SUN")
        lamp.energy, lamp.angle = 1.0, math.radians(ask["lamp_deg"])
        sun = bpy.data.objects.new("lamp", lamp)
        tilt = math.radians(ask["tilt_deg"])
        sun.rotation_euler = (tilt, 0, 0) if ask.get("along") else (0, tilt, 0)
        made.collection.objects.link(sun)
    return {"mean": float(picture(made)[..., :3].mean())}


def main() -> None:
    asks = json.load(sys.stdin)
    keep = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Blender prints where it saved
    answers = [{"height": height, "glow": glow}[ask["what"]](ask) for ask in asks]
    sys.stdout.flush()
    os.dup2(keep, 1)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
