"""Defect decals folded, one after another, onto the sockets of a finish."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from . import nodes

SWITCH = "fs_defects_on"


@dataclass(frozen=True)
class Textures:
    """The three images of one defect; channels as in `core.layers.Layers.textures`. The rest says which of them do
    anything: look-ups that change nothing are left out of the shader."""

    id: int
    colour: bpy.types.Image
    surface: bpy.types.Image
    form: bpy.types.Image
    tints: bool
    coats: bool
    dulls: bool
    forms: bool
    films: bool


def load(decal: dict) -> Textures:
    """Images from the .npy of one decal: (3, h, w, 4) float32, row 0 at v = 0 as Blender wants it."""
    stack = np.load(decal["textures"])
    names = ("colour", "surface", "form")
    images = [nodes.picture(f"fs_{n}_{decal['id']}", a) for n, a in zip(names, stack, strict=True)]
    colour, surface, form = stack
    return Textures(
        decal["id"], *images,
        tints=bool(colour[..., 3].any()), coats=bool(surface[..., 2].any()), dulls=bool((surface[..., 3] != 1).any()),
        forms=bool(form[..., 0].any()), films=bool(form[..., 3].any()),
    )  # fmt: skip


def sample(tree: bpy.types.NodeTree, image: bpy.types.Image, defect_id: int) -> bpy.types.Node:
    """Bilinear lookup through the defect's chart; faces outside the chart land on the neutral border."""
    chart = nodes.attribute(tree, f"chart_{defect_id}").outputs["Vector"]
    return nodes.node(
        tree, "ShaderNodeTexImage", {"Vector": chart}, image=image, interpolation="Linear", extension="EXTEND"
    )


def fold(tree: bpy.types.NodeTree, sockets: dict, textures: list[Textures]) -> dict:
    """New sockets with every decal applied in order of id. Adds "film" where one has a film; all react to the SWITCH
    value node."""
    on = nodes.value(tree, SWITCH, 1.0).outputs[0]
    out = dict(sockets)
    for texture in textures:
        if texture.tints:
            colour = sample(tree, texture.colour, texture.id)
            tint = nodes.math(tree, "MULTIPLY", colour.outputs["Alpha"], on)
            out["albedo"] = nodes.mix_colour(tree, tint, out["albedo"], colour.outputs["Color"])
        if texture.coats or texture.dulls:
            _resurface(tree, out, texture, on)
        if texture.forms or texture.films:
            form = sample(tree, texture.form, texture.id)
        if texture.forms:
            height = nodes.node(tree, "ShaderNodeSeparateColor", {0: form.outputs["Color"]}).outputs[0]
            out["height_m"] = nodes.math(tree, "MULTIPLY_ADD", height, on, out["height_m"])
        if texture.films:
            film = nodes.math(tree, "MULTIPLY", form.outputs["Alpha"], on)
            out["film"] = nodes.math(tree, "MAXIMUM", out["film"], film) if "film" in out else film
    return out


def _resurface(tree: bpy.types.NodeTree, out: dict, texture: Textures, on: bpy.types.NodeSocket) -> None:
    """Roughness, metal and coat of a decal; and how much is left of the marks under it."""
    surface = sample(tree, texture.surface, texture.id)
    if texture.coats:
        split = nodes.node(tree, "ShaderNodeSeparateColor", {0: surface.outputs["Color"]})
        weight = nodes.math(tree, "MULTIPLY", split.outputs[2], on)
        out["roughness"] = nodes.mix(tree, weight, out["roughness"], split.outputs[0])
        out["metallic"] = nodes.mix(tree, weight, out["metallic"], split.outputs[1])
        if "coat" in out:
            out["coat"] = nodes.mix(tree, weight, out["coat"], 0.0)
    if texture.dulls:
        kept = nodes.mix(tree, on, 1.0, surface.outputs["Alpha"])
        for key in ("height_m", "slope_across", "slope_along", "anisotropy", "normal_map"):
            if key in out:
                out[key] = nodes.math(tree, "MULTIPLY", out[key], kept)
