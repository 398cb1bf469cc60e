"""Runs in a process of its own: renders tiny scenes with `bpy` and prints one JSON object of measurements."""

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

from render.blender import backdrops, cameras, lights

DATAFILES = str(Path(bpy.utils.resource_path("LOCAL")) / "datafiles")
ALBEDO = 0.5


def scene(width: int = 8, height: int = 8, samples: int = 64) -> bpy.types.Scene:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = bpy.context.scene
    made.render.engine = "CYCLES"
    made.cycles.samples, made.cycles.use_denoising, made.cycles.use_adaptive_sampling = samples, False, False
    made.render.resolution_x, made.render.resolution_y = width, height
    made.render.image_settings.file_format, made.render.image_settings.color_depth = "OPEN_EXR_MULTILAYER", "32"
    made.world = bpy.data.worlds.new("w")
    made.world.use_nodes = True
    made.world.node_tree.nodes["Background"].inputs["Color"].default_value = (0, 0, 0, 1)
    return made


def quad(to: bpy.types.Scene, corners: list, emission: float | None = None) -> None:
    mesh = bpy.data.meshes.new("quad")
    mesh.from_pydata(corners, [], [tuple(range(len(corners)))])
    material = bpy.data.materials.new("quad")
    material.use_nodes = True
    tree = material.node_tree
    tree.nodes.clear()
    shader = tree.nodes.new("ShaderNodeBsdfDiffuse" if emission is None else "ShaderNodeEmission")
    shader.inputs[0].default_value = (ALBEDO, ALBEDO, ALBEDO, 1) if emission is None else (emission,) * 3 + (1,)
    tree.links.new(shader.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs[0])
    mesh.materials.append(material)
    to.collection.objects.link(bpy.data.objects.new("quad", mesh))


def look_from(to: bpy.types.Scene, camera: dict, depth_of_field: bool = False) -> None:
    thing = cameras.build("camera", camera, depth_of_field)
    to.collection.objects.link(thing)
    to.camera = thing


def down(height: float, field: float, pixels: int = 8, **more) -> dict:
    """A telecentric camera over the origin that looks down."""
    pose = [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, height], [0, 0, 0, 1]]
    return {
        "projection": "telecentric", "width": pixels, "height": pixels, "pixels_per_unit": pixels / field,
        "world_from_camera": pose, "aperture_m": 0.0, "focus_m": height, **more,
    }  # fmt: skip


def shoot(of: bpy.types.Scene, layer: str = "Combined") -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        of.render.filepath = str(Path(folder) / "frame.exr")
        bpy.ops.render.render(write_still=True)
        picture = oiio.ImageInput.open(of.render.filepath)
        names = list(picture.spec().channelnames)
        pixels = picture.read_image()
    wanted = [i for i, n in enumerate(names) if f".{layer}." in n and n[-1] in "RGBXYZ"]
    order = sorted(wanted, key=lambda i: "RGBXYZ".index(names[i][-1]))
    return np.asarray(pixels)[..., order]


def light(to: bpy.types.Scene, **fields) -> None:
    whole = {
        "kind": "rect", "world_from_light": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.1], [0, 0, 0, 1]],
        "size_m": (0.1, 0.06), "radiance": 10.0, "tint": (1, 1, 1), "spread_rad": math.pi, "tilt_rad": 0.0,
        "segments": [], "image": None, "camera_visible": False, "polariser": False, **fields,
    }  # fmt: skip
    for thing in lights.build(to, [whole], DATAFILES):
        to.collection.objects.link(thing)


def lit_plane(samples: int = 256, **fields) -> np.ndarray:
    made = scene(samples=samples)
    quad(made, [(-5e-3, -5e-3, 0), (5e-3, -5e-3, 0), (5e-3, 5e-3, 0), (-5e-3, 5e-3, 0)])
    light(made, **fields)
    look_from(made, down(0.05, 1e-3))
    return shoot(made)


def radiances() -> dict:
    level = np.eye(4).tolist()
    half = math.radians(60) / 2
    tiny = {"kind": "disk", "size_m": (2e-3, 2e-3)}
    aside = [[1, 0, 0, 0], [0, 1, 0, 0.02], [0, 0, 1, 0.1], [0, 0, 0, 1]]
    narrow = {"spread_rad": 2 * half}
    cases = {
        "rect": {}, "rect_mesh": {"segments": [1.0] * 4}, "rect_visible": {"camera_visible": True},
        "disk": {"kind": "disk"}, "ring": {"kind": "ring", "size_m": (0.2, 0.16)},
        "ring_half_dead": {"kind": "ring", "size_m": (0.2, 0.16), "segments": [1.0] * 6 + [0.0] * 6},
        "dome": {"kind": "dome", "size_m": (0.2, 0.04), "world_from_light": level},
        "tunnel": {"kind": "tunnel", "size_m": (0.2, 3.0), "world_from_light": level},
        "point": {"kind": "point", "size_m": (0.02, 0.02)},
        "narrow_area": {**tiny, **narrow}, "narrow_mesh": {**tiny, **narrow, "camera_visible": True},
        "narrow_aside_area": {**tiny, **narrow, "world_from_light": aside},
        "narrow_aside_mesh": {**tiny, **narrow, "world_from_light": aside, "camera_visible": True},
    }  # fmt: skip
    return {name: float(lit_plane(**fields)[..., 1].mean()) for name, fields in cases.items()}


def symmetry() -> dict:
    """A matt bump (pyramid) under ring and dome: its four faces are equally bright."""
    found = {}
    tip, rim = (0, 0, 2e-3), [(-5e-3, -5e-3, 0), (5e-3, -5e-3, 0), (5e-3, 5e-3, 0), (-5e-3, 5e-3, 0)]
    ring = {"kind": "ring", "size_m": (0.2, 0.16), "tilt_rad": 1.2}
    for name, fields in {"ring": ring, "dome": {"kind": "dome", "size_m": (0.2, 0.02)}}.items():
        made = scene(16, 16, 512)
        for i in range(4):
            quad(made, [rim[i], rim[(i + 1) % 4], tip])
        light(made, **fields, **({"world_from_light": np.eye(4).tolist()} if name == "dome" else {}))
        look_from(made, down(0.08, 8e-3, 16))
        shown = shoot(made)[..., 1]
        sides = (np.s_[1:4, 6:10], np.s_[12:15, 6:10], np.s_[6:10, 1:4], np.s_[6:10, 12:15])
        found[name] = [float(shown[side].mean()) for side in sides]
    return found


def positions(camera: dict) -> list:
    """World position of what each pixel centre sees of a slanted plane: (h, w, 3)."""
    made = scene(camera["width"], camera["height"], 1)
    made.cycles.pixel_filter_type, made.cycles.filter_width = "BOX", 0.01
    made.view_layers[0].use_pass_position = True
    quad(made, [(-1, -1, -0.3), (1, -1, 0.1), (1, 1, 0.5), (-1, 1, 0.1)])
    look_from(made, camera)
    return shoot(made, "Position").tolist()


def telecentric_blur(focus: float) -> float:
    """Radius in pixels of the blur disk of a point at depth 0.2 m, from its second moment."""
    made = scene(48, 48, 256)
    a = np.arange(24) * 2 * np.pi / 24
    quad(made, [(1e-4 * math.cos(t), 1e-4 * math.sin(t), 0) for t in a], 1.0)
    look_from(made, down(0.2, 0.01, 48, aperture_m=0.1 * focus, focus_m=focus), True)
    shown = shoot(made)[..., 0]
    y, x = np.mgrid[:48, :48] - 23.5
    return float(math.sqrt(2 * (shown * (x * x + y * y)).sum() / shown.sum()))


def environment_turn() -> list:
    """What a camera sees of an environment along the direction (cos t, sin t, 0), for turns of lamp and camera."""
    seen = []
    for turn, look in ((0.0, 0.3), (0.9, 1.2), (0.9, 0.3)):
        made = scene(4, 4, 16)
        c, s = math.cos(turn), math.sin(turn)
        pose = [[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
        light(made, kind="environment", image="city.exr", world_from_light=pose, camera_visible=True, radiance=1.0)
        z, x = (math.cos(look), math.sin(look), 0.0), (math.sin(look), -math.cos(look), 0.0)
        view = [[x[i], (0, 0, -1)[i], z[i], 0.0] for i in range(3)] + [[0, 0, 0, 1]]
        look_from(made, {**down(0, 1), "projection": "perspective", "width": 4, "height": 4, "pixels_per_unit": 20.0,
                         "world_from_camera": view})  # fmt: skip
        seen.append(shoot(made).mean((0, 1)).tolist())
    return seen


def coaxial_mirror() -> list:
    """Brightness of a smooth metal plane square to a coaxial lamp, and tilted by 20 degrees."""
    found = []
    for tilt in (0.0, math.radians(20)):
        made = scene(samples=64)
        s, c = math.sin(tilt) * 5e-3, math.cos(tilt) * 5e-3
        quad(made, [(-c, -5e-3, -s), (c, -5e-3, s), (c, 5e-3, s), (-c, 5e-3, -s)])
        tree = bpy.data.materials["quad"].node_tree
        metal = tree.nodes.new("ShaderNodeBsdfAnisotropic")
        metal.inputs["Color"].default_value, metal.inputs["Roughness"].default_value = (0.6, 0.6, 0.6, 1), 0.05
        tree.links.new(metal.outputs[0], tree.nodes["Material Output"].inputs[0])
        light(made, size_m=(0.04, 0.04), spread_rad=math.radians(60))
        look_from(made, down(0.15, 1e-3))
        found.append(float(shoot(made)[..., 1].mean()))
    return found


def scenery(given: list) -> list:
    """Per backdrop: names, kinds, camera visibility, highest point within the part's footprint, and lowest."""
    found = []
    for backdrop in given:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        made = backdrops.build(bpy.context.scene, backdrop)
        reach = backdrop["values"].get("part_x_m", 0) / 2, backdrop["values"].get("part_y_m", 0) / 2
        tops = []
        for thing in made:
            xyz = np.array([v.co for v in thing.data.vertices])
            under = (np.abs(xyz[:, 0]) < 0.98 * reach[0]) & (np.abs(xyz[:, 1]) < 0.98 * reach[1])
            tops.append(float(xyz[under, 2].max()) if under.any() else -1.0)
        found.append({"types": [t.type for t in made], "visible": [t.visible_camera for t in made], "tops": tops})
    return found


if __name__ == "__main__":
    ask = json.loads(sys.stdin.read())
    real = os.dup(1)
    os.dup2(2, 1)
    answer = {
        "radiance": radiances(), "symmetry": symmetry(), "turn": environment_turn(), "mirror": coaxial_mirror(),
        "positions": [positions(c) for c in ask["cameras"]], "scenery": scenery(ask["backdrops"]),
        "blur": [telecentric_blur(f) for f in (0.18, 0.22)],
    }  # fmt: skip
    os.write(real, json.dumps(answer).encode())
