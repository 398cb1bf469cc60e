"""The part's beauty material: a finish, the decals on it, one bump, one principled BSDF."""

from __future__ import annotations

import bpy

from . import decals, finishes, nodes

FILM_ROUGHNESS = 0.04
FILM_IOR = 1.45


def build(material: dict, textures: list[decals.Textures], metres_per_pixel: float) -> bpy.types.Material:
    """A material ready for objects that carry the attributes `lay`, `lay_tangent` and `chart_<id>`."""
    made = bpy.data.materials.new("fs_surface")
    made.use_nodes = True
    tree = made.node_tree
    tree.nodes.clear()
    sockets = decals.fold(tree, finishes.build(tree, material, metres_per_pixel), textures)
    bump = nodes.node(
        tree, "ShaderNodeBump", {"Strength": 1.0, "Distance": 1.0, "Height": sockets["height_m"]}
    ).outputs[0]
    coat = sockets.get("coat", 0.0)
    film = sockets["film"]
    inputs = {
        "Base Color": sockets["albedo"],
        "Metallic": sockets["metallic"],
        "Roughness": sockets["roughness"],
        "Normal": bump,
        "Coat Weight": nodes.math(tree, "MAXIMUM", coat, film),
        "Coat Roughness": nodes.mix(tree, film, sockets.get("coat_roughness", FILM_ROUGHNESS), FILM_ROUGHNESS),
        "Coat IOR": sockets.get("coat_ior", FILM_IOR),
        "Coat Normal": sockets.get("coat_normal", bump),
    }
    optional = {"ior": "IOR", "specular": "Specular IOR Level", "anisotropy": "Anisotropic", "tangent": "Tangent"}
    inputs |= {name: sockets[key] for key, name in optional.items() if key in sockets}
    shader = nodes.node(tree, "ShaderNodeBsdfPrincipled", inputs, distribution="MULTI_GGX")
    nodes.node(tree, "ShaderNodeOutputMaterial", {"Surface": shader.outputs[0]})
    return made


def switch_defects(material: bpy.types.Material, on: bool) -> None:
    """The decals' part in the picture: 1 for the defected image, 0 for its clean twin."""
    material.node_tree.nodes[decals.SWITCH].outputs[0].default_value = float(on)
