"""Defect decals folded, one after another, onto the sockets of a finish."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from . import nodes

SWITCH = "fs_defects_on"


@dataclass(frozen=True)
class Textures:
    """The three images of one defect; channels as in `core.layers.Layers.textures`."""

    id: int
    colour: bpy.types.Image
    surface: bpy.types.Image
    form: bpy.types.Image


def load(decal: dict) -> Textures:
    """Images from the .npy of one decal: (3, h, w, 4) float32, row 0 at v = 0 as Blender wants it."""
    stack = np.load(decal["textures"])
    names = ("colour", "surface", "form")
    images = [nodes.picture(f"fs_{n}_{decal['id']}", a) for n, a in zip(names, stack, strict=True)]
    return Textures(decal["id"], *images)


def sample(tree: bpy.types.NodeTree, image: bpy.types.Image, defect_id: int) -> bpy.types.Node:
    """Bilinear lookup through the defect's chart; faces outside the chart land on the neutral border."""
    chart = nodes.attribute(tree, f"chart_{defect_id}").outputs["Vector"]
    return nodes.node(
        tree, "ShaderNodeTexImage", {"Vector": chart}, image=image, interpolation="Linear", extension="EXTEND"
    )


def fold(tree: bpy.types.NodeTree, sockets: dict, textures: list[Textures]) -> dict:
    """New sockets with every decal applied in order of id. Adds "film"; all react to the SWITCH value node."""
    on = nodes.value(tree, SWITCH, 1.0).outputs[0]
    out = {**sockets, "film": 0.0}
    for texture in textures:
        colour = sample(tree, texture.colour, texture.id)
        surface = sample(tree, texture.surface, texture.id)
        form = sample(tree, texture.form, texture.id)
        split_surface = nodes.node(tree, "ShaderNodeSeparateColor", {0: surface.outputs["Color"]})
        split_form = nodes.node(tree, "ShaderNodeSeparateColor", {0: form.outputs["Color"]})
        tint = nodes.math(tree, "MULTIPLY", colour.outputs["Alpha"], on)
        weight = nodes.math(tree, "MULTIPLY", split_surface.outputs[2], on)
        out["albedo"] = nodes.mix_colour(tree, tint, out["albedo"], colour.outputs["Color"])
        out["roughness"] = nodes.mix(tree, weight, out["roughness"], split_surface.outputs[0])
        out["metallic"] = nodes.mix(tree, weight, out["metallic"], split_surface.outputs[1])
        if "coat" in out:
            out["coat"] = nodes.mix(tree, weight, out["coat"], 0.0)
        kept = nodes.mix(tree, on, 1.0, surface.outputs["Alpha"])
        if "anisotropy" in out:
            out["anisotropy"] = nodes.math(tree, "MULTIPLY", out["anisotropy"], kept)
        for slope in sorted(out.keys() & {"slope_across", "slope_along"}):
            out[slope] = nodes.math(tree, "MULTIPLY", out[slope], kept)
        relief = nodes.math(tree, "MULTIPLY", split_form.outputs[0], on)
        out["height_m"] = nodes.math(tree, "MULTIPLY_ADD", out["height_m"], kept, relief)
        film = nodes.math(tree, "MULTIPLY", form.outputs["Alpha"], on)
        out["film"] = nodes.math(tree, "MAXIMUM", out["film"], film)
    return out
