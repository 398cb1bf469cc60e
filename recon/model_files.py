"""A fitted part with its maps as the bytes of files that other tools read: GLB, OBJ with MTL, PLY, PNG."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial

from core.colour import srgb_from_linear
from recon.result import Reconstruction

if TYPE_CHECKING:
    from recon.bake import Maps

CLAMP_TO_EDGE = 33071
NAME = "captured"
TANGENT = "TANGENT"
NORMAL = "normal.png"
NAMES = ("albedo.png", "roughness.png", "metallic.png", "confidence.png", NORMAL)
"""Of all maps that a reconstruction may have."""


def eight_bits(values: np.ndarray) -> np.ndarray:
    """[0, 1] -> uint8, rounded."""
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)


def images(maps: Maps) -> dict[str, np.ndarray]:
    """File name -> (s, s, 3) or (s, s) uint8. The albedo is sRGB, the others are plain numbers. A normal map, where
    there is one, has -1 at 0 and 1 at 255, green up: 8 bits, as part.glb and most readers keep no more, which is right
    to 0.2 degrees each way."""
    shares = [srgb_from_linear(maps.albedo), maps.roughness, maps.metallic, maps.confidence]
    shares += [] if maps.normal is None else [maps.normal / 2 + 0.5]
    return {name: eight_bits(share) for name, share in zip(NAMES, shares, strict=False)}


def png(image: np.ndarray) -> bytes:
    """(h, w) or RGB (h, w, 3) uint8."""
    done, data = cv2.imencode(".png", image[..., ::-1] if image.ndim == 3 else image)
    assert done, "OpenCV could not encode a PNG"
    return data.tobytes()


def glb(found: Reconstruction, maps: Maps) -> bytes:
    """Metres, +Y up as glTF has it: x, y, z of the part becomes x, z, -y. Vertices are split at the atlas' seams, their
    normals are not. With a normal map goes the tangent of every vertex."""
    import torch
    from PIL import Image

    from recon.tangents import Fans, smooth_normals, tangents

    fans = Fans.of(found.faces, maps.atlas.uv)
    corner, uv, faces = fans.vertex.numpy(), fans.uv.numpy(), fans.fan.numpy()
    vertices = torch.tensor(np.asarray(found.vertices, np.float64))
    normals = smooth_normals(vertices, fans.faces)
    turned = [_upright(v.numpy()[corner]) for v in (vertices, normals)]
    made = images(maps)
    shine = np.dstack([np.full_like(made["roughness.png"], 255), made["roughness.png"], made["metallic.png"]])
    material = PBRMaterial(
        name=NAME, baseColorFactor=[255, 255, 255, 255], metallicFactor=1.0, roughnessFactor=1.0,
        baseColorTexture=Image.fromarray(made["albedo.png"]), metallicRoughnessTexture=Image.fromarray(shine),
        normalTexture=Image.fromarray(made[NORMAL]) if NORMAL in made else None,
    )  # fmt: skip
    mesh = trimesh.Trimesh(turned[0], faces, vertex_normals=turned[1], process=False)
    mesh.visual = TextureVisuals(uv=uv, material=material)
    if NORMAL in made:
        side = np.ones(len(corner))
        side[faces] = fans.side.numpy()[:, None]
        along = _upright(tangents(fans, vertices, normals).numpy())
        mesh.vertex_attributes[TANGENT] = np.column_stack([along, side]).astype(np.float32)
    return export_glb(trimesh.Scene({NAME: mesh}), include_normals=True, tree_postprocessor=_finished)


def _upright(vectors: np.ndarray) -> np.ndarray:
    return vectors[:, [0, 2, 1]] * [1.0, 1.0, -1.0]


def _finished(tree: dict[str, Any]) -> None:
    """What lies at one side of the maps has nothing to do with the other. Trimesh takes tangents for data of our own,
    whose names begin with a line."""
    for attributes in (p["attributes"] for m in tree["meshes"] for p in m["primitives"]):
        if f"_{TANGENT}" in attributes:
            attributes[TANGENT] = attributes.pop(f"_{TANGENT}")
    tree["samplers"] = [{"wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}]
    for texture in tree["textures"]:
        texture["sampler"] = 0


def obj(found: Reconstruction, maps: Maps) -> bytes:
    """The part's own frame, metres; positions, texture coordinates and normals by indices of their own."""
    normals = trimesh.Trimesh(found.vertices, found.faces, process=False).vertex_normals
    uv, index = np.unique(maps.atlas.uv.reshape(-1, 2).astype(np.float32), axis=0, return_inverse=True)
    place, where = found.faces.ravel() + 1, index.ravel() + 1
    lines = ["mtllib part.mtl", f"o {NAME}", f"usemtl {NAME}", "s 1"]
    lines += ["v {:.9g} {:.9g} {:.9g}".format(*p) for p in found.vertices.tolist()]
    lines += ["vt {:.8f} {:.8f}".format(*p) for p in uv.tolist()]
    lines += ["vn {:.6f} {:.6f} {:.6f}".format(*p) for p in np.asarray(normals).tolist()]
    corners = [f"{v}/{t}/{v}" for v, t in zip(place.tolist(), where.tolist(), strict=True)]
    lines += [f"f {a} {b} {c}" for a, b, c in zip(corners[::3], corners[1::3], corners[2::3], strict=True)]
    return ("\n".join(lines) + "\n").encode()


def mtl(maps: Maps) -> bytes:
    """The maps, with the physically based additions that most readers of MTL know. A normal map is `norm` among them;
    Blender looks for it under `map_Bump`, which readers that know `norm` then leave alone."""
    files = {"map_Kd": "albedo.png", "map_Pr": "roughness.png", "map_Pm": "metallic.png"}
    files |= {} if maps.normal is None else {"norm": NORMAL, "map_Bump": NORMAL}
    lines = [f"newmtl {NAME}", "Kd 1 1 1", "Ks 0.04 0.04 0.04", "Pr 1", "Pm 1", "illum 2"]
    return ("\n".join([*lines, *(f"{key} -clamp on {name}" for key, name in files.items())]) + "\n").encode()


def ply(found: Reconstruction) -> bytes:
    """The part's own frame, metres, sRGB colours per vertex."""
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    colours = np.c_[srgb_from_linear(found.albedo), np.ones(len(found.vertices))]
    mesh.visual = ColorVisuals(mesh, vertex_colors=eight_bits(colours))
    exported = mesh.export(file_type="ply")
    assert isinstance(exported, bytes)
    return exported
