"""Relief of the layers that follow the lay, and of tiles, as shader nodes: height in metres, tone and gloss.

Blender's own 3D noise, measured on planes, has an rms of 0.135 and a dominant wavelength of 2.56 cells.
"""

from __future__ import annotations

import math as m
from collections.abc import Callable
from dataclasses import dataclass, field

import bpy

from . import finishes_fold as fold
from . import nodes
from .finishes_frame import Frame, Socket, combine, vector
from .finishes_tiles import HEIGHT, MASK, ROUGHNESS, TONE, Tile

NOISE_RMS, NOISE_CELLS = 0.1351, 2.564
STEP = 0.2
"""Cells over which the slope of a noise is taken: a thirteenth of its wavelength."""
MM, UM = 1e-3, 1e-6


@dataclass(frozen=True)
class Mark:
    """Relief along the lay that brings its own slope. height: metres. slope: of the height over s."""

    height: Socket
    slope: Socket


@dataclass
class Build:
    """What the layers of one finish add up to. heights: metres, for a bump. marks: over `frame.s`, recuts: over
    `frame.mirrored`. roughness, tone: relative. tints: (mask, RGB)."""

    tree: bpy.types.NodeTree
    frame: Frame
    metres_per_pixel: float
    seed: int = 0
    count: int = 0
    heights: list[Socket] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    recuts: list[Mark] = field(default_factory=list)
    roughness: list[Socket] = field(default_factory=list)
    tone: list[Socket] = field(default_factory=list)
    tints: list[tuple[Socket, tuple]] = field(default_factory=list)

    def f(self, operation: str, *values: nodes.Value) -> Socket:
        return nodes.math(self.tree, operation, *values)

    def v(self, operation: str, *values: nodes.Value, **named: nodes.Value) -> Socket:
        return vector(self.tree, operation, *values, **named)

    def offset(self) -> tuple[float, float, float]:
        """Another place in the noise for every call and every seed."""
        self.count += 1
        n = self.count + 31 * (self.seed % 4093)
        return tuple((n * k) % 61.0 for k in (12.9898, 7.233, 3.7719))  # type: ignore[return-value]

    def in_lay(self, across_m: float, along_m: float) -> Socket:
        """Lay coordinates in units of one length across and another along the marks, shifted."""
        here = combine(self.tree, self.frame.s, self.frame.a, self.frame.b)
        scaled = self.v("MULTIPLY", here, (1 / across_m, 1 / along_m, 1 / along_m))
        return self.v("ADD", scaled, self.offset())

    def noise(self, at: Socket, rms: float) -> Socket:
        """Gradient noise of zero mean and a given rms."""
        made = nodes.node(
            self.tree, "ShaderNodeTexNoise", {"Vector": at, "Scale": 1.0, "Detail": 0.0}, noise_dimensions="3D"
        )
        k = rms / NOISE_RMS
        return self.f("MULTIPLY_ADD", made.outputs[0], k, -0.5 * k)

    def ramp(self, value: Socket, low: float, high: float) -> Socket:
        """0 below `low`, 1 above `high` (or the other way round), smooth."""
        inputs = {0: value, 1: low, 2: high, 3: 0.0, 4: 1.0}
        if low > high:
            inputs = {0: value, 1: high, 2: low, 3: 1.0, 4: 0.0}
        return nodes.node(self.tree, "ShaderNodeMapRange", inputs, interpolation_type="SMOOTHSTEP").outputs[0]

    def total(self, parts: list[Socket], start: float) -> nodes.Value:
        out: nodes.Value = start
        for part in parts:
            out = self.f("ADD", part, out)
        return out

    def shares(self, layer: dict) -> list[tuple[fold.Wave, float]]:
        """The waves that are at least partly drawn, with their share."""
        found = [(w, fold.drawn(w.length_m, self.metres_per_pixel)) for w in fold.waves(layer)]
        return [(w, k) for w, k in found if k > 0]


TURN = (0.16, 0.21, 0.12)
"""Of the planes that tiles are projected along against the part's axes, radians: square and 45 degree faces of a part
then lie near one of them, not between two."""
BLEND = 0.15


def tile(build: Build, drawn: Tile) -> None:
    """One look-up in part coordinates, projected along the axis that a face is nearest to square with."""
    at = nodes.node(build.tree, "ShaderNodeTexCoord").outputs["Object"]
    image = nodes.picture("fs_tile", drawn.pixels)
    found = nodes.node(
        build.tree, "ShaderNodeTexImage", {"Vector": at},
        image=image, interpolation="Cubic", projection="BOX", projection_blend=BLEND, extension="REPEAT",
    )  # fmt: skip
    found.texture_mapping.scale = [1 / drawn.period_m] * 3
    found.texture_mapping.rotation = TURN
    found.texture_mapping.translation = [v / 61.0 for v in build.offset()]
    split = nodes.node(build.tree, "ShaderNodeSeparateColor", {0: found.outputs["Color"]}).outputs
    if HEIGHT in drawn.used:
        build.heights.append(build.f("MULTIPLY", split[HEIGHT], drawn.height_m))
    if TONE in drawn.used:
        build.tone.append(split[TONE])
    if ROUGHNESS in drawn.used:
        build.roughness.append(split[ROUGHNESS])
    if MASK in drawn.used and drawn.tint is not None:
        build.tints.append((found.outputs["Alpha"], drawn.tint))


def lines(build: Build, layer: dict) -> None:
    length = layer["length_mm"] * MM / NOISE_CELLS
    for wave, share in build.shares(layer):
        cell = wave.length_m / NOISE_CELLS
        at = build.in_lay(cell, length)
        build.marks.append(_mark(build, at, cell, lambda p, k=wave.height_m * share: build.noise(p, k)))


def _mark(build: Build, at: Socket, cell_m: float, height: Callable[[Socket], Socket]) -> Mark:
    """A height over lay coordinates with its slope across: half the look-ups of a bump, and the frame only once."""
    low, high = (height(build.v("ADD", at, (side * STEP, 0.0, 0.0))) for side in (-0.5, 0.5))
    middle = build.f("MULTIPLY", build.f("ADD", low, high), 0.5)
    return Mark(middle, build.f("MULTIPLY", build.f("SUBTRACT", high, low), 1 / (STEP * cell_m)))


def scratches(build: Build, layer: dict) -> None:
    """Lines where a noise drawn out along one direction passes a level that `cover` of it exceeds."""
    for _wave, share in build.shares(layer):
        width, length = layer["width_mm"] * MM, layer["length_mm"] * MM / NOISE_CELLS
        number = max(1, layer["directions"])
        for i in range(number):
            level, depth = fold.level(layer["cover"] / number), -layer["depth_um"] * UM * share

            def groove(at: Socket, level: float = level, depth: float = depth) -> Socket:
                return build.f("MULTIPLY", build.ramp(build.noise(at, 1.0), level - 0.35, level + 0.55), depth)

            if layer["directions"] == 0:
                build.marks.append(_mark(build, build.in_lay(1.2 * width, length), 1.2 * width, groove))
            else:
                at = build.v("MULTIPLY", _rotated(build, i), (1 / (1.2 * width), 1 / length, 1 / (1.2 * width)))
                build.heights.append(groove(build.v("ADD", at, build.offset())))


def _rotated(build: Build, index: int) -> Socket:
    """Part coordinates turned by a fixed odd rotation, another one for each index."""
    axis = (m.cos(2.4 * index), m.sin(2.4 * index), 0.6 * m.cos(1.7 * index + 0.4))
    at = nodes.node(build.tree, "ShaderNodeTexCoord").outputs["Object"]
    inputs = {"Vector": at, "Axis": axis, "Angle": 0.7 + 1.9 * index}
    return nodes.node(build.tree, "ShaderNodeVectorRotate", inputs, rotation_type="AXIS_ANGLE").outputs[0]


def mottle(build: Build, layer: dict) -> None:
    parts = []
    for i in range(layer["octaves"]):
        length = layer["size_mm"] * MM / 2**i
        share = fold.drawn(length, build.metres_per_pixel)
        if share > 0:
            cell = length / NOISE_CELLS
            parts.append(build.noise(build.in_lay(cell, layer["stretch"] * cell), share * 0.6**i))
    if not parts:
        return
    norm = m.sqrt(sum(0.36**i for i in range(layer["octaves"])))
    value = build.f("DIVIDE", build.total(parts, 0.0), norm)
    for amount, onto in ((layer["roughness"], build.roughness), (layer["tone"], build.tone)):
        if amount > 0:
            onto.append(build.f("MULTIPLY", value, amount))
    if layer["tint"] is not None and layer["tint_cover"] > 0:
        level = fold.level(layer["tint_cover"])
        build.tints.append((build.ramp(value, level - 0.5, level + 0.9), layer["tint"]))
