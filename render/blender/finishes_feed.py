"""Cusps of a tool that advances: helical on turned walls, spiral on turned faces, arcs in lanes under a face mill."""

from __future__ import annotations

from . import nodes
from .finishes_frame import Socket, combine
from .finishes_relief import MM, UM, Build, Mark


def feed(build: Build, layer: dict) -> None:
    drawn = build.shares(layer)
    pitch = layer["feed_mm"] * MM
    if drawn:
        share = drawn[0][1]
        cusp = layer["cusp_um"] * UM * share
        build.marks.append(_cusps(build, layer, build.frame.s, pitch, cusp))
        if layer["recut"] > 0:
            build.recuts.append(_cusps(build, layer, build.frame.mirrored, pitch, layer["recut"] * cusp))


def _cusps(build: Build, layer: dict, s: Socket, pitch: float, cusp: float) -> Mark:
    """Parabolic valleys between crests at height 0, so that scatter from cusp to cusp makes no steps."""
    phase = build.f("SUBTRACT", build.f("DIVIDE", s, pitch), build.frame.turns)
    number = build.f("FLOOR", phase)
    x = build.f("SUBTRACT", build.f("SUBTRACT", phase, number), 0.5)
    profile = build.f("MULTIPLY_ADD", build.f("MULTIPLY", x, x), 4.0, -1.0)
    depth = build.f("MULTIPLY_ADD", _scatter(build, layer, number), layer["runout"] * cusp, cusp)
    slope = build.f("MULTIPLY", build.f("MULTIPLY", x, 8.0 / pitch), depth)
    return Mark(build.f("MULTIPLY", profile, depth), slope)


def _scatter(build: Build, layer: dict, number: Socket) -> Socket:
    """Unit scatter, smooth along the tool's path: the end of one turn meets the start of the next."""
    path = build.f("ADD", number, build.frame.turns)
    along = build.f("MULTIPLY", build.frame.a, 1 / (12 * MM))
    at = combine(build.tree, build.f("MULTIPLY", path, 0.73), build.f("MULTIPLY", along, 1.0), build.frame.lane)
    wander = build.noise(build.v("ADD", at, build.offset()), 1.0 if layer["teeth"] == 0 else 0.6)
    if layer["teeth"] == 0:
        return wander
    tooth = build.f("FLOORED_MODULO", number, float(layer["teeth"]))
    setting = nodes.node(build.tree, "ShaderNodeTexWhiteNoise", {"W": tooth}, noise_dimensions="1D").outputs[0]
    return build.f("ADD", wander, build.f("MULTIPLY_ADD", setting, 2.8, -1.4))
