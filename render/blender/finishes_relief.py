"""Relief of each kind of structure layer as shader nodes: a height in metres, and what it does to tone and gloss.

Blender's own noises, measured on planes: the 3D noise has an rms of 0.135 and a dominant wavelength of 2.56 cells, the
squared distance to the nearest Voronoi site 0.171 and 1.74.
"""

from __future__ import annotations

import math as m
from dataclasses import dataclass, field

import bpy

from . import finishes_fold as fold
from . import nodes
from .finishes_frame import Frame, Socket, combine, vector

NOISE_RMS, NOISE_CELLS = 0.1351, 2.564
CELL_RMS, CELL_CELLS, CELL_MEAN = 0.1709, 1.742, 0.288
MM, UM = 1e-3, 1e-6


@dataclass
class Build:
    """What the layers of one finish add up to. heights: metres. roughness, tone: relative. tints: (mask, RGB)."""

    tree: bpy.types.NodeTree
    frame: Frame
    metres_per_pixel: float
    seed: int = 0
    count: int = 0
    heights: list[Socket] = field(default_factory=list)
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

    def in_grain(self, length_m: float) -> Socket:
        """Part coordinates in units of a length, shifted."""
        scaled = self.v("SCALE", self.frame.point, Scale=1 / length_m)
        return self.v("ADD", scaled, self.offset())

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

    def cells(self, at: Socket) -> bpy.types.Node:
        return nodes.node(self.tree, "ShaderNodeTexVoronoi", {"Vector": at, "Scale": 1.0}, feature="F1")

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


def grain(build: Build, layer: dict) -> None:
    for wave, share in build.shares(layer):
        if layer["form"] == "noise":
            at = build.in_grain(wave.length_m / NOISE_CELLS)
            build.heights.append(build.noise(at, wave.height_m * share))
            continue
        k = wave.height_m * share / CELL_RMS * (1 if layer["form"] == "dimples" else -1)
        distance = build.cells(build.in_grain(wave.length_m / CELL_CELLS)).outputs["Distance"]
        squared = build.f("MULTIPLY", distance, distance)
        build.heights.append(build.f("MULTIPLY_ADD", squared, k, -k * CELL_MEAN))


def pits(build: Build, layer: dict) -> None:
    for _wave, share in build.shares(layer):
        spacing = layer["spacing_mm"] * MM
        site = build.cells(build.in_grain(spacing))
        split = nodes.node(build.tree, "ShaderNodeSeparateColor", {0: site.outputs["Color"]})
        chosen, size = split.outputs[0], split.outputs[1]
        present = build.f("LESS_THAN", chosen, layer["cover"])
        radius = build.f(
            "MULTIPLY_ADD", size, 0.25 * layer["size_mm"] * MM / spacing, 0.25 * layer["size_mm"] * MM / spacing
        )
        x = build.f("DIVIDE", site.outputs["Distance"], radius)
        bowl = build.f("MAXIMUM", build.f("MULTIPLY_ADD", build.f("MULTIPLY", x, x), -1.0, 1.0), 0.0)
        bowl = build.f("MULTIPLY", bowl, present)
        build.heights.append(build.f("MULTIPLY", bowl, -layer["depth_um"] * UM * share))
        if layer["tone"] != 1.0:
            build.tone.append(build.f("MULTIPLY", build.ramp(bowl, 0.0, 0.5), (layer["tone"] - 1.0) * share))


def lines(build: Build, layer: dict) -> None:
    length = layer["length_mm"] * MM / NOISE_CELLS
    for wave, share in build.shares(layer):
        at = build.in_lay(wave.length_m / NOISE_CELLS, length)
        build.heights.append(build.noise(at, wave.height_m * share))


def scratches(build: Build, layer: dict) -> None:
    """Lines where a noise drawn out along one direction passes a level that `cover` of it exceeds."""
    for _wave, share in build.shares(layer):
        width, length = layer["width_mm"] * MM, layer["length_mm"] * MM / NOISE_CELLS
        number = max(1, layer["directions"])
        for i in range(number):
            if layer["directions"] == 0:
                at = build.in_lay(1.2 * width, length)
            else:
                at = build.v("MULTIPLY", _rotated(build, i), (1 / (1.2 * width), 1 / length, 1 / (1.2 * width)))
                at = build.v("ADD", at, build.offset())
            level = _level(layer["cover"] / number)
            groove = build.ramp(build.noise(at, 1.0), level - 0.35, level + 0.55)
            build.heights.append(build.f("MULTIPLY", groove, -layer["depth_um"] * UM * share))


def _rotated(build: Build, index: int) -> Socket:
    """Part coordinates turned by a fixed odd rotation, another one for each index."""
    axis = (m.cos(2.4 * index), m.sin(2.4 * index), 0.6 * m.cos(1.7 * index + 0.4))
    return nodes.node(
        build.tree, "ShaderNodeVectorRotate",
        {"Vector": build.frame.point, "Axis": axis, "Angle": 0.7 + 1.9 * index}, rotation_type="AXIS_ANGLE",
    ).outputs[0]  # fmt: skip


def _level(cover: float) -> float:
    """The value that a normal variable exceeds with probability `cover` (Abramowitz and Stegun 26.2.22)."""
    p = min(max(cover, 1e-4), 0.5)
    t = m.sqrt(-2 * m.log(p))
    return t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t)


def mottle(build: Build, layer: dict) -> None:
    parts = []
    for i in range(layer["octaves"]):
        length = layer["size_mm"] * MM / 2**i
        share = fold.drawn(length, build.metres_per_pixel)
        if share > 0:
            cell = length / NOISE_CELLS
            at = build.in_grain(cell) if layer["stretch"] == 1 else build.in_lay(cell, layer["stretch"] * cell)
            parts.append(build.noise(at, share * 0.6**i))
    if not parts:
        return
    norm = m.sqrt(sum(0.36**i for i in range(layer["octaves"])))
    value = build.f("DIVIDE", build.total(parts, 0.0), norm)
    for amount, onto in ((layer["roughness"], build.roughness), (layer["tone"], build.tone)):
        if amount > 0:
            onto.append(build.f("MULTIPLY", value, amount))
    if layer["tint"] is not None and layer["tint_cover"] > 0:
        level = _level(layer["tint_cover"])
        build.tints.append((build.ramp(value, level - 0.5, level + 0.9), layer["tint"]))


def spangle(build: Build, layer: dict) -> None:
    size = layer["size_mm"] * MM
    here = build.in_grain(1.15 * size)
    ragged = nodes.node(build.tree, "ShaderNodeTexNoise", {"Vector": here, "Scale": 9.0, "Detail": 2.0})
    warp = build.v("SCALE", build.v("SUBTRACT", ragged.outputs["Color"], (0.5, 0.5, 0.5)), Scale=0.16)
    crystal = build.cells(build.v("ADD", here, warp))
    draw = nodes.node(build.tree, "ShaderNodeSeparateColor", {0: crystal.outputs["Color"]}).outputs
    share = fold.drawn(size, build.metres_per_pixel)
    spread = share * m.sqrt(12)
    build.tone.append(build.f("MULTIPLY_ADD", draw[0], spread * layer["tone"], -0.5 * spread * layer["tone"]))
    build.roughness.append(
        build.f("MULTIPLY_ADD", draw[1], spread * layer["roughness"], -0.5 * spread * layer["roughness"])
    )
    for wave, part in build.shares(layer):
        fern = build.f("MAXIMUM", _fern(build, crystal, wave.length_m, 0), _fern(build, crystal, wave.length_m, 1))
        build.heights.append(build.f("MULTIPLY", fern, wave.height_m * part))
        build.tone.append(build.f("MULTIPLY", fern, 0.4 * layer["tone"] * part))


def _fern(build: Build, crystal: bpy.types.Node, length_m: float, arm: int) -> Socket:
    """Unit noise drawn out along one of the directions that a crystal's dendrites grow in."""
    spin = build.v("SUBTRACT", crystal.outputs["Color"], (0.5, 0.5, 0.5))
    direction = build.v("NORMALIZE", build.v("CROSS_PRODUCT", spin, (0.3, 0.5, 0.81)) if arm else spin)
    cell = length_m / NOISE_CELLS
    across = build.f("DIVIDE", build.v("DOT_PRODUCT", build.frame.point, direction), cell)
    far = build.v("SCALE", build.frame.point, Scale=0.16 / cell)
    at = build.v("ADD", far, build.v("SCALE", direction, Scale=across))
    return build.noise(build.v("ADD", at, build.offset()), 1.0)
