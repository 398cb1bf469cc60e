"""Lamps as Blender objects of exact radiance: area lights, emissive meshes for rings and domes, and the world.

A Lambertian emitter of radiance L and area A gives off pi L A; Blender's area lights take that power in watts, an
emission shader takes L itself. Lamps are invisible to the camera unless asked, but always seen in reflections.
"""

from __future__ import annotations

import math
import os

import bpy
import numpy as np
from mathutils import Matrix

from . import nodes

GAIN = "fs_gain"
ROUND = 64  # straight pieces of a full turn
SLOT = 0.12  # width of a tunnel's camera slot over its diameter


def build(scene: bpy.types.Scene, lights: list[dict], datafiles: str) -> list[bpy.types.Object]:
    """Objects for `lights` (dumps of core.job.Light), not yet linked; environments are added to the scene's world.

    Objects of type MESH with `visible_camera` occlude the part and belong into the label pass.
    """
    made = []
    for serial, light in enumerate(lights):
        name = f"fs_lamp_{serial}_{light['kind']}"
        if light["kind"] == "environment":
            _environment(scene, light, datafiles)
        else:
            made.append(_lamp(name, light))
    return made


def _lamp(name: str, light: dict) -> bpy.types.Object:
    plain = light["kind"] in ("rect", "disk") and not light["segments"] and not light["camera_visible"]
    thing = _area(name, light) if plain else _emissive(name, light)
    thing.matrix_world = Matrix(light["world_from_light"])
    thing.visible_camera = light["camera_visible"]
    thing.visible_glossy = not light["polariser"]
    return thing


def _area(name: str, light: dict) -> bpy.types.Object:
    data = bpy.data.lights.new(name, "AREA")
    x, y = light["size_m"]
    data.shape = "RECTANGLE" if light["kind"] == "rect" else "DISK"
    data.size, data.size_y = (x, y) if light["kind"] == "rect" else (x, x)
    area = x * y if light["kind"] == "rect" else math.pi * x * x / 4
    data.spread = light["spread_rad"]
    data.energy = math.pi * area * light["radiance"] / _spread_boost(light["spread_rad"])
    data.color = light["tint"]
    return bpy.data.objects.new(name, data)


def _spread_boost(spread: float) -> float:
    """Radiance on the axis against that of a diffuse lamp of the same power: Cycles keeps the power when it narrows."""
    if spread >= math.pi - 1e-6:
        return 1.0
    half = max(spread, 1e-3) / 2
    return math.tan(half) / (math.tan(half) - half) if half < math.pi / 2 else 1.0


def _emissive(name: str, light: dict) -> bpy.types.Object:
    vertices, quads, gains = SHAPES[light["kind"]](light)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], quads)
    layer = mesh.attributes.new(GAIN, "FLOAT", "FACE")
    layer.data.foreach_set("value", np.asarray(gains, np.float32))
    mesh.materials.append(_glow(name, light, bool(light["segments"])))
    return bpy.data.objects.new(name, mesh)


def _glow(name: str, light: dict, segmented: bool) -> bpy.types.Material:
    """Emits from the front of its faces only; the back is a dark housing."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.cycles.emission_sampling = "FRONT"
    tree = material.node_tree
    tree.nodes.clear()
    front = nodes.math(tree, "SUBTRACT", 1.0, nodes.node(tree, "ShaderNodeNewGeometry").outputs["Backfacing"])
    strength = nodes.math(tree, "MULTIPLY", front, light["radiance"])
    if light["spread_rad"] < math.pi - 1e-6:
        strength = nodes.math(tree, "MULTIPLY", strength, _falloff(tree, light["spread_rad"]))
    if segmented:
        strength = nodes.math(tree, "MULTIPLY", strength, nodes.attribute(tree, GAIN).outputs["Fac"])
    glow = nodes.node(tree, "ShaderNodeEmission", {"Color": light["tint"], "Strength": strength})
    nodes.node(tree, "ShaderNodeOutputMaterial", {"Surface": glow.outputs[0]})
    return material


def _falloff(tree: bpy.types.NodeTree, spread: float) -> bpy.types.NodeSocket:
    """1 on the axis, 0 at half the spread, linear in the tangent: as Cycles narrows its own area lights."""
    here = nodes.node(tree, "ShaderNodeNewGeometry")
    both = {0: here.outputs["Incoming"], 1: here.outputs["Normal"]}
    cosine = nodes.node(tree, "ShaderNodeVectorMath", both, operation="DOT_PRODUCT").outputs["Value"]
    tangent = nodes.math(tree, "TANGENT", nodes.math(tree, "ARCCOSINE", nodes.math(tree, "ABSOLUTE", cosine)))
    return nodes.math(tree, "SUBTRACT", 1.0, nodes.math(tree, "DIVIDE", tangent, math.tan(spread / 2)), clamp=True)


def _rect(light: dict) -> tuple:
    """A strip along x in equal segments, facing -z."""
    x, y = (s / 2 for s in light["size_m"])
    gains = light["segments"] or [1.0]
    xs = np.linspace(-x, x, len(gains) + 1)
    vertices = np.array([(a, b, 0.0) for a in xs for b in (-y, y)])
    return vertices, [(2 * i, 2 * i + 1, 2 * i + 3, 2 * i + 2) for i in range(len(gains))], gains


def _disk(light: dict) -> tuple:
    a = np.arange(ROUND) * 2 * np.pi / ROUND
    rim = np.stack([np.cos(a), np.sin(a), 0 * a], axis=1) * light["size_m"][0] / 2
    return rim, [tuple(range(ROUND))[::-1]], [1.0]


def _ring(light: dict) -> tuple:
    """A band about its mean circle, turned by tilt_rad from facing -z towards facing the axis."""
    outer, inner = (s / 2 for s in light["size_m"])
    mean, half, tilt = (outer + inner) / 2, (outer - inner) / 2, light["tilt_rad"]
    segments = light["segments"] or [1.0]
    per = max(1, math.ceil(ROUND / len(segments)))
    n = per * len(segments)
    a = np.arange(n) * 2 * np.pi / n
    profile = [
        (mean - half * math.cos(tilt), half * math.sin(tilt)),
        (mean + half * math.cos(tilt), -half * math.sin(tilt)),
    ]
    vertices = np.concatenate([np.stack([r * np.cos(a), r * np.sin(a), np.full(n, z)], axis=1) for r, z in profile])
    quads = [(i, (i + 1) % n, n + (i + 1) % n, n + i) for i in range(n)]
    return vertices, quads, np.repeat(segments, per)


def _dome(light: dict) -> tuple:
    """The inside of a half sphere over z = 0, open about the pole."""
    radius, hole = (s / 2 for s in light["size_m"])
    rings = ROUND // 4
    elevations = np.linspace(0.0, math.acos(min(hole / radius, 1.0)), rings + 1)
    return _revolved([(radius * math.cos(e), radius * math.sin(e)) for e in elevations])


def _point(light: dict) -> tuple:
    radius = light["size_m"][0] / 2
    angles = np.linspace(-math.pi / 2, math.pi / 2, ROUND // 4 + 1)
    vertices, quads, gains = _revolved([(radius * math.cos(e), radius * math.sin(e)) for e in angles])
    return vertices, [q[::-1] for q in quads], gains


def _revolved(profile: list[tuple[float, float]]) -> tuple:
    """Quads of a profile (radius, z) turned about z, facing the axis."""
    a = np.arange(ROUND) * 2 * np.pi / ROUND
    vertices = np.concatenate([np.stack([r * np.cos(a), r * np.sin(a), np.full(ROUND, z)], axis=1) for r, z in profile])
    quads = []
    for k in range(len(profile) - 1):
        low, high = k * ROUND, (k + 1) * ROUND
        quads += [(low + i, high + i, high + (i + 1) % ROUND, low + (i + 1) % ROUND) for i in range(ROUND)]
    return vertices, quads, np.ones(len(quads))


def _tunnel(light: dict) -> tuple:
    """The inside of a half cylinder over z = 0 along x, open along its crown. Squarish faces: slivers sample badly."""
    radius, half = light["size_m"][0] / 2, light["size_m"][1] / 2
    gap = math.asin(SLOT)
    xs = np.linspace(-half, half, min(max(2, round(8 * half / radius)), 64) + 1)
    vertices, quads = [], []
    for angles in (np.linspace(0.0, math.pi / 2 - gap, 20), np.linspace(math.pi / 2 + gap, math.pi, 20)):
        start, k = len(vertices), len(xs)
        vertices += [(x, radius * math.cos(a), radius * math.sin(a)) for a in angles for x in xs]
        for row in range(len(angles) - 1):
            at = start + row * k
            quads += [(at + i, at + i + 1, at + k + i + 1, at + k + i) for i in range(k - 1)]
    return np.array(vertices), quads, np.ones(len(quads))


SHAPES = {"rect": _rect, "disk": _disk, "ring": _ring, "dome": _dome, "tunnel": _tunnel, "point": _point}


def _environment(scene: bpy.types.Scene, light: dict, datafiles: str) -> None:
    """Add an equirectangular image to whatever the scene's world emits already."""
    image = light["image"]
    path = image if os.path.isabs(image) else os.path.join(datafiles, "studiolights", "world", image)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"environment image {path} does not exist")
    if scene.world is None:
        scene.world = bpy.data.worlds.new("fs_world")
    scene.world.use_nodes = True
    tree = scene.world.node_tree
    pose = Matrix(light["world_from_light"])
    turned = nodes.node(
        tree,
        "ShaderNodeMapping",
        {
            "Vector": nodes.node(tree, "ShaderNodeTexCoord").outputs["Generated"],
            "Rotation": (0.0, 0.0, -pose.to_euler().z),
        },
        vector_type="POINT",
    )
    picture = nodes.node(tree, "ShaderNodeTexEnvironment", {"Vector": turned.outputs[0]})
    picture.image = bpy.data.images.load(path, check_existing=True)
    tinted = nodes.node(tree, "ShaderNodeVectorMath", {0: picture.outputs[0], 1: light["tint"]}, operation="MULTIPLY")
    glow = nodes.node(tree, "ShaderNodeBackground", {"Color": tinted.outputs[0], "Strength": light["radiance"]})
    output = next(n for n in tree.nodes if n.type == "OUTPUT_WORLD")
    before = output.inputs["Surface"].links
    shown = glow.outputs[0]
    if before:
        shown = nodes.node(tree, "ShaderNodeAddShader", {0: before[0].from_socket, 1: shown}).outputs[0]
    if not light["camera_visible"]:
        shown = _hidden_from_camera(tree, shown, before[0].from_socket if before else None)
    tree.links.new(shown, output.inputs["Surface"])


def _hidden_from_camera(tree, shown, otherwise):
    camera = nodes.node(tree, "ShaderNodeLightPath").outputs["Is Camera Ray"]
    inputs = {0: camera, 1: shown} | ({2: otherwise} if otherwise is not None else {})
    return nodes.node(tree, "ShaderNodeMixShader", inputs).outputs[0]
