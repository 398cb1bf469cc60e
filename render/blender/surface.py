"""The part's beauty material: a finish, the decals on it, one bump, one principled BSDF."""

from __future__ import annotations

import bpy

from . import decals, finishes, meshes, nodes

FILM_ROUGHNESS = 0.04
FILM_IOR = 1.45
BARE_ROUGHNESS = 0.42
"""Of a fresh fracture or torn metal below what its own facets show."""


def build(
    material: dict, textures: list[decals.Textures], metres_per_pixel: float, seed: int = 0
) -> bpy.types.Material:
    """A material ready for objects that carry the attributes `lay`, `lay_tangent` and `chart_<id>`.

    seed: which stretch of the finish's grain lies on the part.
    """
    made = bpy.data.materials.new("fs_surface")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    finish = finishes.build(tree, material, metres_per_pixel, seed)
    if material.get("captured"):
        finish |= _captured(tree)
    finish = _bared(tree, finish, material)
    sockets = decals.fold(tree, finish, textures)
    relief = {"Strength": 1.0, "Distance": 1.0, "Height": sockets["height_m"], **_marked(tree, sockets)}
    bump = nodes.node(tree, "ShaderNodeBump", relief).outputs[0]
    inputs = {
        "Base Color": sockets["albedo"],
        "Metallic": sockets["metallic"],
        "Roughness": sockets["roughness"],
        "Normal": bump,
    }
    inputs |= _coat(tree, sockets, bump)
    optional = {"ior": "IOR", "specular": "Specular IOR Level", "anisotropy": "Anisotropic", "tangent": "Tangent"}
    inputs |= {name: sockets[key] for key, name in optional.items() if key in sockets}
    shader = nodes.node(tree, "ShaderNodeBsdfPrincipled", inputs, distribution="MULTI_GGX")
    nodes.node(tree, "ShaderNodeOutputMaterial", {"Surface": shader.outputs[0]})
    return made


def _coat(tree: bpy.types.NodeTree, sockets: dict, normal: bpy.types.NodeSocket) -> dict:
    """The finish's own film, and those that defects lay over it."""
    if not sockets.keys() & {"coat", "film"}:
        return {}
    coat, film = sockets.get("coat", 0.0), sockets.get("film", 0.0)
    return {
        "Coat Weight": nodes.math(tree, "MAXIMUM", coat, film),
        "Coat Roughness": nodes.mix(tree, film, sockets.get("coat_roughness", FILM_ROUGHNESS), FILM_ROUGHNESS),
        "Coat IOR": sockets.get("coat_ior", FILM_IOR),
        "Coat Normal": normal,
    }


def _marked(tree: bpy.types.NodeTree, sockets: dict) -> dict:
    """The normal of the marks along the lay, from their slopes, for a Bump node to go on from."""
    normal = nodes.node(tree, "ShaderNodeNewGeometry").outputs["Normal"]
    for slope, way in (("slope_across", "lay_across"), ("slope_along", "lay_along")):
        if slope in sockets:
            down = nodes.math(tree, "MULTIPLY", sockets[slope], -1.0)
            inputs = {0: sockets[way], 1: down, 2: normal}
            normal = nodes.node(tree, "ShaderNodeVectorMath", inputs, operation="MULTIPLY_ADD").outputs[0]
    if "slope_across" not in sockets:
        return {}
    return {"Normal": nodes.node(tree, "ShaderNodeVectorMath", {0: normal}, operation="NORMALIZE").outputs[0]}


def _captured(tree: bpy.types.NodeTree) -> dict:
    """What photographs of this very part showed, corner by corner."""
    gloss = nodes.node(tree, "ShaderNodeSeparateXYZ", {0: nodes.attribute(tree, "captured_gloss").outputs["Vector"]})
    colour = nodes.attribute(tree, "captured_albedo").outputs["Color"]
    return {"albedo": colour, "roughness": gloss.outputs[0], "metallic": gloss.outputs[1]}


def _bared(tree: bpy.types.NodeTree, sockets: dict, material: dict) -> dict:
    """Where a face is marked bare (a fracture, a burr): the metal under the finish, without its marks or coat."""
    raw = material["substrate"] or material["surface"]
    bare = nodes.attribute(tree, meshes.BARE).outputs["Fac"]
    plain = {"roughness": BARE_ROUGHNESS, "metallic": raw["metallic"]}
    plain |= dict.fromkeys(("height_m", "slope_across", "slope_along", "anisotropy", "coat"), 0.0)
    out = dict(sockets)
    out["albedo"] = nodes.mix_colour(tree, bare, sockets["albedo"], [*raw["albedo"], 1.0])
    for key in plain.keys() & sockets.keys():
        out[key] = nodes.mix(tree, bare, sockets[key], plain[key])
    return out


def switch_defects(material: bpy.types.Material, on: bool) -> None:
    """The decals' part in the picture: 1 for the defected image, 0 for its clean twin."""
    material.node_tree.nodes[decals.SWITCH].outputs[0].default_value = float(on)
