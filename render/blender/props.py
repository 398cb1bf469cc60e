"""Small hands for backdrops: meshes from arrays, and principled materials with noise in metres."""

from __future__ import annotations

import bpy
import numpy as np

from . import nodes


def mesh_object(
    name: str, vertices, faces, material: bpy.types.Material, smooth: bool = False, bevel_m: float = 0.0
) -> bpy.types.Object:
    """An object of polygons (indices, counter-clockwise seen from outside), optionally with rounded sharp edges."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(map(float, v)) for v in vertices], [], [tuple(map(int, f)) for f in faces])
    mesh.materials.append(material)
    mesh.polygons.foreach_set("use_smooth", np.full(len(mesh.polygons), smooth))
    thing = bpy.data.objects.new(name, mesh)
    if bevel_m > 0:
        bevel = thing.modifiers.new("bevel", "BEVEL")
        bevel.width, bevel.segments, bevel.limit_method, bevel.angle_limit = bevel_m, 2, "ANGLE", 0.6
        bevel.harden_normals = True
    return thing


class Coat:
    """A principled material under construction. `place` is the object position in metres, shifted by the seed."""

    def __init__(self, name: str, albedo, roughness: float, seed: int, metallic: float = 0.0) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.tree = self.material.node_tree
        self.tree.nodes.clear()
        self.albedo = tuple(albedo)
        inputs = {"Base Color": self.albedo, "Roughness": roughness, "Metallic": metallic}
        self.shader = nodes.node(self.tree, "ShaderNodeBsdfPrincipled", inputs)
        nodes.node(self.tree, "ShaderNodeOutputMaterial", {"Surface": self.shader.outputs[0]})
        here = nodes.node(self.tree, "ShaderNodeTexCoord").outputs["Object"]
        shift = [(seed >> (7 * k)) % 97 * 0.37 for k in range(3)]
        self.place = nodes.node(self.tree, "ShaderNodeVectorMath", {0: here, 1: shift}, operation="ADD").outputs[0]

    def set(self, **inputs) -> Coat:
        """Principled inputs by name, underscores for blanks."""
        for key, value in inputs.items():
            nodes.put(self.tree, self.shader.inputs[key.replace("_", " ")], value)
        return self

    def math(self, operation: str, *values, clamp: bool = False):
        return nodes.math(self.tree, operation, *values, clamp=clamp)

    def stretched(self, x: float, y: float, z: float):
        """The position scaled by axis: a small factor draws noise out along that axis."""
        return nodes.node(
            self.tree, "ShaderNodeVectorMath", {0: self.place, 1: (x, y, z)}, operation="MULTIPLY"
        ).outputs[0]

    def noise(self, size_m: float, detail: float = 2.0, place=None, rough: float = 0.5):
        """Fractal noise of a feature size in metres, about 0..1, mean 0.5."""
        inputs = {
            "Vector": self.place if place is None else place,
            "Scale": 1.0 / size_m, "Detail": detail, "Roughness": rough,
        }  # fmt: skip
        return nodes.node(self.tree, "ShaderNodeTexNoise", inputs).outputs[0]

    def around(self, socket, amount: float, centre: float = 1.0):
        """centre + amount * (socket - 0.5): a socket about 0..1 as a variation."""
        return self.math("MULTIPLY_ADD", self.math("SUBTRACT", socket, 0.5), amount, centre)

    def above(self, socket, low: float, high: float):
        """Smooth step from 0 at `low` to 1 at `high`."""
        inputs = {"Value": socket, "From Min": low, "From Max": high}
        return nodes.node(self.tree, "ShaderNodeMapRange", inputs, interpolation_type="SMOOTHSTEP", clamp=True).outputs[
            0
        ]

    def toned(self, factor, colour=None):
        """A colour (the albedo) times a factor socket."""
        inputs = {0: self.albedo if colour is None else colour, "Scale": factor}
        return nodes.node(self.tree, "ShaderNodeVectorMath", inputs, operation="SCALE").outputs[0]

    def mixed(self, factor, a, b):
        return nodes.mix_colour(self.tree, factor, a, b)

    def bump(self, height, amplitude_m: float, normal=None):
        """Normal of a height socket (0..1) of `amplitude_m` metres, optionally on top of another bump."""
        inputs = {"Height": height, "Distance": amplitude_m, "Strength": 1.0}
        if normal is not None:
            inputs["Normal"] = normal
        return nodes.node(self.tree, "ShaderNodeBump", inputs).outputs["Normal"]
