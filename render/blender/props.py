"""Small hands for backdrops: meshes of quads, swept outlines, and principled materials with noise in metres."""

from __future__ import annotations

import math

import bpy
import numpy as np

from . import nodes

Shape = tuple[np.ndarray, np.ndarray]
"""Vertices (n, 3) metres and quads (m, 4), counter-clockwise seen from outside."""


def mesh_object(name: str, shape: Shape, material: bpy.types.Material, smooth_rad: float = 0.0) -> bpy.types.Object:
    """An object of quads; edges sharper than `smooth_rad` stay sharp."""
    vertices, quads = np.asarray(shape[0], np.float32), np.asarray(shape[1], np.int32)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.ravel())
    mesh.loops.add(quads.size)
    mesh.loops.foreach_set("vertex_index", quads.ravel())
    mesh.polygons.add(len(quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.materials.append(material)
    if smooth_rad > 0:
        mesh.polygons.foreach_set("use_smooth", np.ones(len(quads), bool))
        mesh.set_sharp_from_angle(angle=smooth_rad)
    return bpy.data.objects.new(name, mesh)


def joined(*shapes: Shape) -> Shape:
    """Several shapes as one."""
    starts = np.cumsum([0, *(len(s[0]) for s in shapes[:-1])])
    quads = [np.asarray(s[1]).reshape(-1, 4) + k for s, k in zip(shapes, starts, strict=True)]
    return np.concatenate([s[0] for s in shapes]), np.concatenate(quads)


def swept(loops: list[np.ndarray]) -> Shape:
    """Quads between successive closed loops (k, 3); outside is to the right of going up a counter-clockwise stack."""
    k = len(loops[0])
    i = np.arange(k)
    j = (i + 1) % k
    quads = [np.stack([i, j, j + k, i + k], axis=1) + n * k for n in range(len(loops) - 1)]
    return np.concatenate(loops), np.concatenate(quads)


def circle(radius: float, z: float, centre: tuple[float, float] = (0.0, 0.0), count: int = 48) -> np.ndarray:
    """(count, 3) counter-clockwise."""
    a = np.arange(count) * 2 * np.pi / count
    return np.stack([centre[0] + radius * np.cos(a), centre[1] + radius * np.sin(a), np.full(count, z)], axis=1)


def rounded(half_x: float, half_y: float, radius: float, z: float, per_corner: int = 9) -> np.ndarray:
    """(4 per_corner, 3) outline of a rectangle with round corners, counter-clockwise."""
    radius = max(min(radius, half_x, half_y), 0.0)
    points = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        a = np.linspace(k * math.pi / 2, (k + 1) * math.pi / 2, per_corner)
        x, y = sx * (half_x - radius) + radius * np.cos(a), sy * (half_y - radius) + radius * np.sin(a)
        points.append(np.stack([x, y, np.full(per_corner, z)], axis=1))
    return np.concatenate(points)


def capped(outline: np.ndarray, upwards: bool = True) -> Shape:
    """A flat fan over a closed, star-shaped outline (k, 3) as quads to its centre."""
    centre = np.broadcast_to(outline.mean(0), outline.shape)
    return swept([outline, centre] if upwards else [centre, outline])


def block(low: tuple[float, float, float], high: tuple[float, float, float], chamfer: float) -> Shape:
    """A box with chamfered top and upright edges, without a bottom."""
    cx, cy = (low[0] + high[0]) / 2, (low[1] + high[1]) / 2
    hx, hy = (high[0] - low[0]) / 2, (high[1] - low[1]) / 2
    shift = np.array([cx, cy, 0.0])

    def outline(inset: float, z: float) -> np.ndarray:
        return rounded(hx - inset, hy - inset, chamfer, z, 2) + shift

    top = outline(chamfer, high[2])
    return joined(swept([outline(0.0, low[2]), outline(0.0, high[2] - chamfer), top]), capped(top))


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
        self.here = nodes.node(self.tree, "ShaderNodeTexCoord").outputs["Object"]
        shift = [(seed >> (7 * k)) % 97 * 0.37 for k in range(3)]
        self.place = self.vector("ADD", self.here, shift)

    def set(self, **inputs) -> Coat:
        """Principled inputs by name, underscores for blanks."""
        for key, value in inputs.items():
            nodes.put(self.tree, self.shader.inputs[key.replace("_", " ")], value)
        return self

    def math(self, operation: str, *values, clamp: bool = False):
        return nodes.math(self.tree, operation, *values, clamp=clamp)

    def vector(self, operation: str, a, b):
        return nodes.node(self.tree, "ShaderNodeVectorMath", {0: a, 1: b}, operation=operation).outputs[0]

    def axes(self):
        """Sockets x, y, z of the object position, metres."""
        return nodes.node(self.tree, "ShaderNodeSeparateXYZ", {0: self.here}).outputs

    def noise(self, size_m: float, detail: float = 2.0, stretch: tuple[float, float, float] = (1.0, 1.0, 1.0)):
        """Fractal noise of a feature size in metres, about 0..1, mean 0.5; `stretch` makes it longer along an axis."""
        place = self.vector("DIVIDE", self.place, stretch)
        inputs = {"Vector": place, "Scale": 1.0 / size_m, "Detail": detail}
        return nodes.node(self.tree, "ShaderNodeTexNoise", inputs).outputs[0]

    def around(self, socket, amount: float, centre: float = 1.0):
        """centre + amount * (socket - 0.5): a socket about 0..1 as a variation."""
        return self.math("MULTIPLY_ADD", self.math("SUBTRACT", socket, 0.5), amount, centre)

    def above(self, socket, low: float, high: float):
        """Smooth step from 0 at `low` to 1 at `high`."""
        made = nodes.node(self.tree, "ShaderNodeMapRange", interpolation_type="SMOOTHSTEP", clamp=True)
        for name, value in {"Value": socket, "From Min": low, "From Max": high}.items():
            nodes.put(self.tree, made.inputs[name], value)
        return made.outputs[0]

    def toned(self, factor, colour=None):
        """A colour (the albedo) times a factor socket."""
        inputs = {0: self.albedo if colour is None else colour, "Scale": factor}
        return nodes.node(self.tree, "ShaderNodeVectorMath", inputs, operation="SCALE").outputs[0]

    def mixed(self, factor, a, b):
        return nodes.mix_colour(self.tree, factor, a, b)

    def bump(self, height, amplitude_m: float, under=None):
        """Normal of a height socket (0..1) of `amplitude_m` metres, optionally on top of another bump."""
        inputs = {"Height": height, "Distance": amplitude_m, "Strength": 1.0}
        if under is not None:
            inputs["Normal"] = under
        return nodes.node(self.tree, "ShaderNodeBump", inputs).outputs["Normal"]
