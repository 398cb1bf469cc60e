"""Where a point lies with respect to the tool marks: sockets made from the attributes of `parts.lay`."""

from __future__ import annotations

import math as m
from dataclasses import dataclass

import bpy

from . import nodes

MM = 1e-3
WALL, DISC = 2.5e-5, -0.5
"""Third component of `lay`: above WALL a wall of revolution, below DISC a face turned about its axis, else flat."""

Socket = bpy.types.NodeSocket


@dataclass(frozen=True)
class Frame:
    """Sockets, metres. s: across the marks (arcs and spirals unrolled). a, b: two coordinates that are constant across
    the marks, continuous along them, for noise. turns: about the axis, -0.5..0.5 (0 on planes).
    lane: number of the milling pass. tangent, across: unit vectors along and across the marks, world frame.
    lay_along, lay_across: the same of the lay, before it is bent into arcs; s rises by 1 along the second and, under
    arcs, by `bow` along the first; `mirrored` by 1 and -bow.
    """

    s: Socket
    mirrored: Socket
    a: Socket
    b: Socket
    turns: Socket
    lane: Socket
    tangent: Socket
    across: Socket
    lay_along: Socket
    lay_across: Socket
    bow: Socket | None


def build(tree: bpy.types.NodeTree, arc_radius_m: float, pass_m: float) -> Frame:
    """The frame of a part; on planes marks are arcs of `arc_radius_m` in lanes `pass_m` wide (radius 0: straight)."""

    def f(op: str, *values) -> Socket:
        return nodes.math(tree, op, *values)

    lay = nodes.attribute(tree, "lay").outputs["Vector"]
    u, v, code = nodes.node(tree, "ShaderNodeSeparateXYZ", {0: lay}).outputs
    wall, disc = f("GREATER_THAN", code, WALL), f("LESS_THAN", code, DISC)
    round_ = f("ADD", wall, disc)
    flat = f("SUBTRACT", 1.0, round_)
    radius = f("SQRT", f("MULTIPLY_ADD", u, u, f("MULTIPLY", v, v)))
    turns = f("MULTIPLY", f("DIVIDE", f("ARCTAN2", v, u), 2 * m.pi), round_)
    profile = f("MULTIPLY_ADD", wall, code, f("MULTIPLY", disc, radius))
    a = nodes.mix(tree, flat, u, v)
    b = f("MULTIPLY", v, round_)
    lay_along, lay_across = tangent, across = _directions(tree)
    lane = bow = tilt = None
    if arc_radius_m > 0:
        lane = f("MULTIPLY", f("ROUND", f("DIVIDE", v, pass_m)), flat)
        side = f("MULTIPLY", f("MULTIPLY_ADD", lane, -pass_m, v), flat)
        rest = f("MULTIPLY_ADD", f("MULTIPLY", side, side), -1.0, arc_radius_m**2)
        bow = f("SQRT", f("MAXIMUM", rest, (0.1 * arc_radius_m) ** 2))
        tilt = f("DIVIDE", side, bow)
        tangent, across = _turned(tree, tangent, across, f("DIVIDE", side, arc_radius_m))
        shift = f("MULTIPLY", lane, 0.0137)  # passes do not start in step
        bow = f("SUBTRACT", bow, shift)
    lane = lane or nodes.node(tree, "ShaderNodeValue").outputs[0]
    bowed = f("SUBTRACT", u, bow) if bow else u
    back = f("ADD", u, bow) if bow else u
    return Frame(
        s=f("MULTIPLY_ADD", flat, bowed, profile),
        mirrored=f("MULTIPLY_ADD", flat, back, profile),
        a=a, b=b, turns=turns, lane=lane,
        tangent=tangent, across=across, lay_along=lay_along, lay_across=lay_across, bow=tilt,
    )  # fmt: skip


def _directions(tree: bpy.types.NodeTree) -> tuple[Socket, Socket]:
    """Along and across the marks, world frame, unit."""
    attribute = nodes.attribute(tree, "lay_tangent").outputs["Vector"]
    world = nodes.node(
        tree,
        "ShaderNodeVectorTransform",
        {0: attribute},
        vector_type="VECTOR",
        convert_from="OBJECT",
        convert_to="WORLD",
    ).outputs[0]
    normal = nodes.node(tree, "ShaderNodeNewGeometry").outputs["Normal"]
    across = vector(tree, "NORMALIZE", vector(tree, "CROSS_PRODUCT", world, normal))
    return vector(tree, "CROSS_PRODUCT", normal, across), across


def _turned(tree: bpy.types.NodeTree, tangent: Socket, across: Socket, sine: Socket) -> tuple[Socket, Socket]:
    """Both directions turned in the surface by an angle given by its sine."""
    sine = nodes.math(tree, "MULTIPLY", sine, 1.0, clamp=False)
    cosine = nodes.math(
        tree, "SQRT", nodes.math(tree, "MULTIPLY_ADD", sine, nodes.math(tree, "MULTIPLY", sine, -1.0), 1.0)
    )
    minus = nodes.math(tree, "MULTIPLY", sine, -1.0)

    def blend(first: Socket, by: Socket, second: Socket, and_by: Socket) -> Socket:
        return vector(tree, "ADD", vector(tree, "SCALE", first, Scale=by), vector(tree, "SCALE", second, Scale=and_by))

    return blend(tangent, cosine, across, minus), blend(across, cosine, tangent, sine)


def vector(tree: bpy.types.NodeTree, operation: str, *values: nodes.Value, **named: nodes.Value) -> Socket:
    made = nodes.node(
        tree, "ShaderNodeVectorMath", {**dict(enumerate(values)), **named}, operation=operation
    )  # fmt: skip
    return made.outputs["Value" if operation in ("LENGTH", "DOT_PRODUCT", "DISTANCE") else "Vector"]


def combine(tree: bpy.types.NodeTree, x: nodes.Value, y: nodes.Value, z: nodes.Value) -> Socket:
    return nodes.node(tree, "ShaderNodeCombineXYZ", {0: x, 1: y, 2: z}).outputs[0]
