"""The label pass: what each pixel centre sees, without depth of field, filter, denoiser or shading.

AOVs: `fs_id` is the id of the defect whose label zone (signed distance < 0, or a tagged face) the first surface
shows; `fs_seen` is 1 on the part; `fs_amodal_<id>` adds up front-facing label surface, which in the transparent mode
counts every layer along the ray, so that occluders do not matter.
"""

from __future__ import annotations

import bpy

from . import decals, meshes, nodes

SEE_THROUGH = "fs_see_through"
ID, SEEN = "fs_id", "fs_seen"
MAX_LAYERS = 256


def amodal_name(defect_id: int) -> str:
    return f"fs_amodal_{defect_id}"


def declare(view_layer: bpy.types.ViewLayer, ids: list[int]) -> None:
    """All passes, before the first render: one that is added later stays zero under persistent data."""
    view_layer.use_pass_position = True
    view_layer.use_pass_normal = True
    for name in (ID, SEEN, *(amodal_name(i) for i in ids)):
        aov = view_layer.aovs.add()
        aov.name, aov.type = name, "VALUE"


def build(textures: list[decals.Textures], ids: list[int]) -> bpy.types.Material:
    """The override material of the label scene. Order of ids is order of precedence, last on top."""
    made = bpy.data.materials.new("fs_label")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    forms = {t.id: t.form for t in textures}
    on = nodes.value(tree, decals.SWITCH, 1.0).outputs[0]
    tag = nodes.attribute(tree, meshes.TAG).outputs["Fac"]
    front = nodes.math(tree, "SUBTRACT", 1.0, nodes.node(tree, "ShaderNodeNewGeometry").outputs["Backfacing"])
    shown = tag
    for i in ids:
        inside = _equals(tree, tag, i)
        if i in forms:
            zone = nodes.math(tree, "MULTIPLY", _below_zero(tree, forms[i], i), on)
            inside = nodes.math(tree, "MAXIMUM", inside, zone)
        shown = nodes.mix(tree, inside, shown, float(i))
        _aov(tree, amodal_name(i), nodes.math(tree, "MULTIPLY", inside, front))
    _aov(tree, ID, shown)
    _aov(tree, SEEN, nodes.attribute(tree, meshes.PART).outputs["Fac"])
    through = nodes.value(tree, SEE_THROUGH, 0.0).outputs[0]
    # A real BSDF: Cycles drops an emission of no strength and lets the ray, and the passes, go through.
    dark = nodes.node(tree, "ShaderNodeBsdfDiffuse").outputs[0]
    clear = nodes.node(tree, "ShaderNodeBsdfTransparent").outputs[0]
    blend = nodes.node(tree, "ShaderNodeMixShader", {0: through, 1: dark, 2: clear}).outputs[0]
    nodes.node(tree, "ShaderNodeOutputMaterial", {"Surface": blend})
    return made


def _below_zero(tree: bpy.types.NodeTree, form: bpy.types.Image, defect_id: int) -> bpy.types.NodeSocket:
    colour = decals.sample(tree, form, defect_id).outputs["Color"]
    distance = nodes.node(tree, "ShaderNodeSeparateColor", {0: colour}).outputs[1]
    return nodes.math(tree, "LESS_THAN", distance, 0.0)


def _equals(tree: bpy.types.NodeTree, socket: bpy.types.NodeSocket, number: int) -> bpy.types.NodeSocket:
    return nodes.math(tree, "COMPARE", socket, float(number), 0.25)


def _aov(tree: bpy.types.NodeTree, name: str, socket: bpy.types.NodeSocket) -> None:
    nodes.node(tree, "ShaderNodeOutputAOV", {"Value": socket}, aov_name=name)
