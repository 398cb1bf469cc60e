"""What a part brought with it: its corner colours and its image maps, as sockets of a finish."""

from __future__ import annotations

import bpy

from . import meshes, nodes

EXTENSION = {"repeat": "REPEAT", "extend": "EXTEND", "mirror": "MIRROR"}
FLAT = (0.5, 0.5, 1.0, 1.0)
WHITE = (1.0, 1.0, 1.0, 1.0)
BENDS = "normal_map"
"""Socket that fades the normal map, for what covers or wears it."""


def build(tree: bpy.types.NodeTree, maps: list[dict]) -> dict:
    """albedo, roughness and metallic: corner attributes `captured_*` times the images. Where one has a normal map,
    also normal_map (its strength) and normal_colour, for `bent`.
    """
    gloss = nodes.node(tree, "ShaderNodeSeparateXYZ", {0: nodes.attribute(tree, "captured_gloss").outputs["Vector"]})
    out = {
        "albedo": nodes.attribute(tree, "captured_albedo").outputs["Color"],
        "roughness": gloss.outputs[0],
        "metallic": gloss.outputs[1],
    }
    if not maps:
        return out
    faces = [_is(tree, number) for number in range(len(maps))]
    colour = _chosen(tree, maps, faces, "albedo", WHITE)
    if colour is not None:
        out["albedo"] = nodes.node(
            tree, "ShaderNodeMix", {0: 1.0, 6: out["albedo"], 7: colour}, data_type="RGBA", blend_type="MULTIPLY"
        ).outputs[2]
    shine = _chosen(tree, maps, faces, "gloss", WHITE)
    if shine is not None:
        split = nodes.node(tree, "ShaderNodeSeparateColor", {0: shine})
        out["roughness"] = nodes.math(tree, "MULTIPLY", out["roughness"], split.outputs[1])
        out["metallic"] = nodes.math(tree, "MULTIPLY", out["metallic"], split.outputs[2])
    bump = _chosen(tree, maps, faces, "normal", FLAT)
    if bump is not None:
        strength = 0.0
        for entry, here in zip(maps, faces, strict=True):
            if entry["normal"]:
                strength = nodes.math(tree, "MULTIPLY_ADD", here, entry["normal_scale"], strength)
        out |= {"normal_colour": bump, BENDS: strength}
    return out


def bent(tree: bpy.types.NodeTree, sockets: dict) -> bpy.types.NodeSocket | None:
    """The normal of the normal map, faded by what lies on it; None where there is no such map."""
    if BENDS not in sockets:
        return None
    inputs = {"Strength": sockets[BENDS], "Color": sockets["normal_colour"]}
    return nodes.node(tree, "ShaderNodeNormalMap", inputs, space="TANGENT", uv_map=meshes.UV).outputs[0]


def _is(tree: bpy.types.NodeTree, number: int) -> bpy.types.NodeSocket:
    """1 on the faces that use these maps, else 0."""
    return nodes.math(tree, "COMPARE", nodes.attribute(tree, meshes.TEXTURE).outputs["Fac"], float(number), 0.25)


def _chosen(tree: bpy.types.NodeTree, maps: list[dict], faces: list, kind: str, plain: tuple):
    """The colour of each face's own image of a kind, `plain` where it has none; None when no maps have one."""
    out = None
    for entry, here in zip(maps, faces, strict=True):
        if entry[kind]:
            out = nodes.mix_colour(tree, here, plain if out is None else out, _image(tree, entry, kind))
    return out


def _image(tree: bpy.types.NodeTree, entry: dict, kind: str) -> bpy.types.NodeSocket:
    image = bpy.data.images.load(entry[kind], check_existing=True)
    image.colorspace_settings.name = "sRGB" if kind == "albedo" else "Non-Color"
    where = nodes.node(tree, "ShaderNodeUVMap", uv_map=meshes.UV).outputs[0]
    return nodes.node(
        tree, "ShaderNodeTexImage", {"Vector": where}, image=image, interpolation="Linear",
        extension=EXTENSION[entry["wrap"]],
    ).outputs["Color"]  # fmt: skip
