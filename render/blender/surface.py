"""The part's beauty material: a finish, the decals on it, one bump, one principled BSDF."""

from __future__ import annotations

import bpy

from . import decals, finishes, meshes, nodes, textured

FILM_ROUGHNESS = 0.04
FILM_IOR = 1.45
BARE_ROUGHNESS = 0.42
"""Of a fresh fracture or torn metal below what its own facets show."""


def build(
    material: dict,
    textures: list[decals.Textures],
    metres_per_pixel: float,
    seed: int = 0,
    maps: list[dict] | None = None,
) -> bpy.types.Material:
    """A material ready for objects that carry the attributes `lay`, `lay_tangent` and `chart_<id>`.

    seed: which stretch of the finish's grain lies on the part. maps: image files of a captured material.
    """
    made = bpy.data.materials.new("fs_surface")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    finish = finishes.build(tree, material, metres_per_pixel, seed)
    if material.get("captured"):
        finish |= textured.build(tree, maps or [])
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
    """The normal of the part's own normal map and of the marks along the lay, for a Bump node to go on from."""
    mapped = textured.bent(tree, sockets)
    normal = mapped or nodes.node(tree, "ShaderNodeNewGeometry").outputs["Normal"]
    for slope, way in (("slope_across", "lay_across"), ("slope_along", "lay_along")):
        if slope in sockets:
            down = nodes.math(tree, "MULTIPLY", sockets[slope], -1.0)
            inputs = {0: sockets[way], 1: down, 2: normal}
            normal = nodes.node(tree, "ShaderNodeVectorMath", inputs, operation="MULTIPLY_ADD").outputs[0]
    if "slope_across" not in sockets:
        return {"Normal": mapped} if mapped else {}
    return {"Normal": nodes.node(tree, "ShaderNodeVectorMath", {0: normal}, operation="NORMALIZE").outputs[0]}


def _bared(tree: bpy.types.NodeTree, sockets: dict, material: dict) -> dict:
    """Where a face is marked bare (a fracture, a burr): the metal under the finish, without its marks or coat."""
    raw = material["substrate"] or material["surface"]
    bare = nodes.attribute(tree, meshes.BARE).outputs["Fac"]
    plain = {"roughness": BARE_ROUGHNESS, "metallic": raw["metallic"]}
    plain |= dict.fromkeys(("height_m", "slope_across", "slope_along", "anisotropy", "coat", textured.BENDS), 0.0)
    out = dict(sockets)
    out["albedo"] = nodes.mix_colour(tree, bare, sockets["albedo"], [*raw["albedo"], 1.0])
    for key in plain.keys() & sockets.keys():
        out[key] = nodes.mix(tree, bare, sockets[key], plain[key])
    return out


def switch_defects(material: bpy.types.Material, on: bool) -> None:
    """The decals' part in the picture: 1 for the defected image, 0 for its clean twin."""
    material.node_tree.nodes[decals.SWITCH].outputs[0].default_value = float(on)
