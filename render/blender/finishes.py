"""Industrial finishes as shader nodes: sockets for a principled model, micro-structure in true size.

`build` returns these keys; all are sockets of the tree.
    albedo      colour, linear
    roughness   value, principled (alpha is its square); holds the slopes that a pixel cannot resolve
    metallic    value
    height_m    value, metres along the outward normal: for one Bump node with strength 1 and distance 1
    slope_across, slope_along
                value, slopes of the marks that follow the lay, not in height_m; only where there are such marks
    lay_across, lay_along
                vector, world frame, what the slopes go by
    relief_m    value, metres: height_m and the marks together; nothing shades by it
    anisotropy  value, for Anisotropic
    tangent     vector, world frame, across the marks (Blender's lobe is wide along the tangent), for Tangent
    ior         value, for IOR
    specular    value, for Specular IOR Level
    coat        value, coat_roughness, coat_ior: only where the finish has a clear film, for Coat Weight, Roughness, IOR

Marks follow the attributes `lay` and `lay_tangent` (see `parts.lay`); grain follows the part's own coordinates.
"""

from __future__ import annotations

from typing import Any

import bpy

from . import finishes_fold as fold
from . import finishes_frame, finishes_relief, finishes_tiles, nodes
from .finishes_feed import feed
from .finishes_relief import MM, Build

LAYERS = {
    "feed": feed,
    "lines": finishes_relief.lines,
    "scratches": finishes_relief.scratches,
    "mottle": finishes_relief.mottle,
}
LEAST_ROUGHNESS = 0.02


def build(
    tree: bpy.types.NodeTree, material: dict[str, Any], metres_per_pixel: float, seed: int = 0
) -> dict[str, bpy.types.NodeSocket]:
    """Add the nodes of a finish (a dumped `core.material.Material`) to a tree. seed: another stretch of the grain."""
    surface, structure = material["surface"], material["structure"]
    feeds = [layer for layer in structure if layer["kind"] == "feed"]
    arc, lane = (feeds[0]["arc_radius_mm"] * MM, feeds[0]["pass_mm"] * MM) if feeds else (0.0, 1.0)
    made = Build(tree, finishes_frame.build(tree, arc, lane), metres_per_pixel, seed)
    for tile in finishes_tiles.build(structure, metres_per_pixel):
        finishes_relief.tile(made, tile)
    for layer in structure:
        if not finishes_tiles.tileable(layer):
            LAYERS[layer["kind"]](made, layer)
    lobe = fold.lobe(surface, structure, metres_per_pixel)
    sockets = {
        "albedo": _albedo(made, surface["albedo"]),
        "roughness": _roughness(made, lobe.roughness),
        "metallic": _value(tree, surface["metallic"]),
        "height_m": _socket(tree, made.total(made.heights, 0.0)),
        **_marks(made),
        "anisotropy": _value(tree, lobe.anisotropy),
        "tangent": made.frame.across,
        "ior": _value(tree, surface["ior"]),
        "specular": _value(tree, surface["specular"]),
    }
    if surface["film_weight"] > 0:
        sockets["coat"] = _value(tree, surface["film_weight"])
        sockets["coat_roughness"] = _value(tree, surface["film_roughness"])
        sockets["coat_ior"] = _value(tree, surface["film_ior"])
    return sockets


def _marks(made: Build) -> dict[str, bpy.types.NodeSocket]:
    """Slopes of all marks: a bump would ask for the whole lay frame and every cusp three times."""
    both = [*made.marks, *made.recuts]
    out = {"relief_m": _socket(made.tree, made.total([*made.heights, *(m.height for m in both)], 0.0))}
    if not both:
        return out
    forth = made.total([m.slope for m in made.marks], 0.0)
    back = made.total([m.slope for m in made.recuts], 0.0)
    out |= {"lay_across": made.frame.lay_across, "lay_along": made.frame.lay_along}
    out["slope_across"] = made.f("ADD", forth, back)
    if made.frame.bow is not None:
        out["slope_along"] = made.f("MULTIPLY", made.f("SUBTRACT", forth, back), made.frame.bow)
    return out


def _albedo(made: Build, albedo: tuple[float, float, float]) -> bpy.types.NodeSocket:
    colour = nodes.node(made.tree, "ShaderNodeRGB").outputs[0]
    colour.default_value = [*albedo, 1.0]
    for mask, tint in made.tints:
        colour = nodes.mix_colour(made.tree, mask, colour, tint)
    if not made.tone:
        return colour
    factor = made.f("MAXIMUM", made.total(made.tone, 1.0), 0.05)
    return made.v("SCALE", colour, Scale=factor)


def _roughness(made: Build, bulk: float) -> bpy.types.NodeSocket:
    if not made.roughness:
        return _value(made.tree, bulk)
    value = made.f("MULTIPLY", made.total(made.roughness, 1.0), bulk)
    return made.f("MINIMUM", made.f("MAXIMUM", value, LEAST_ROUGHNESS), 1.0)


def _value(tree: bpy.types.NodeTree, number: float) -> bpy.types.NodeSocket:
    made = nodes.node(tree, "ShaderNodeValue")
    made.outputs[0].default_value = number
    return made.outputs[0]


def _socket(tree: bpy.types.NodeTree, value: nodes.Value) -> bpy.types.NodeSocket:
    return value if isinstance(value, bpy.types.NodeSocket) else _value(tree, value)
