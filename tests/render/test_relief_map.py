"""Our normal map is the one that Blender means: the same tangents, and in Cycles the light of the true normals."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

import parts
from core.part import Part
from flawsmith.captured import smooth_under_maps
from recon.bake import Maps, filled
from recon.model_files import glb, images, mtl, obj, png
from recon.result import Reconstruction
from recon.tangents import Fans, normal_map, smooth_normals, tangents
from recon.unwrap import Atlas, unwrap
from tests.recon.bumpy import RADIUS, bumpy_ball, bumpy_normals, degrees
from tests.recon.known import fitted, ring
from tests.render.test_textured import from_above, radiance, sun

pytestmark = pytest.mark.render
SIZE = 512


@pytest.fixture(scope="module")
def relief() -> tuple[Reconstruction, Maps]:
    """A white ball of few vertices whose map holds the normals of the bumpy one. Its charts lie any way round, some of
    them mirrored."""
    found = replace(fitted(ring()), albedo=np.ones((642, 3)), roughness=np.ones(642), metallic=np.zeros(642))
    atlas = unwrap(found.vertices, found.faces, SIZE)
    covered = atlas.covered
    face, bary = atlas.face[covered], torch.tensor(atlas.bary[covered])
    vertices = torch.tensor(found.vertices)
    fans = Fans.of(found.faces, atlas.uv)
    normals = smooth_normals(vertices, fans.faces)
    along = torch.einsum("npc,np->nc", tangents(fans, vertices, normals)[fans.fan[face].long()], bary).numpy()
    smooth = torch.einsum("npc,np->nc", normals[fans.faces[face]], bary).numpy()
    places = np.einsum("npc,np->nc", found.vertices[found.faces[face]], atlas.bary[covered])
    across = np.cross(smooth, along) * fans.side.numpy()[face][:, None]
    shares = np.linalg.solve(np.stack([along, across, smooth], 2), bumpy_normals(places)[..., None])[..., 0]
    image = np.zeros((SIZE, SIZE, 2))
    image[covered] = shares[:, :2] / shares[:, 2:]
    plain = np.ones((SIZE, SIZE), np.float32)
    return found, Maps(atlas, np.ones((SIZE, SIZE, 3), np.float32), plain, 0 * plain, plain, {},
                       normal_map(filled(image, covered)))  # fmt: skip


def loaded(folder: Path, found: Reconstruction, maps: Maps, kind: str) -> Part:
    folder.mkdir(parents=True)
    (folder / "part.glb").write_bytes(glb(found, maps))
    (folder / "part.obj").write_bytes(obj(found, maps))
    (folder / "part.mtl").write_bytes(mtl(maps))
    for name, image in images(maps).items():
        (folder / name).write_bytes(png(image))
    return smooth_under_maps(parts.load(folder / f"part.{kind}", unit="m"))


def seen_normals(renderer, folder: Path, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals that three suns tell (n, 3), and where (n, 3) on the ball, of the pixels that all three reach."""
    camera = from_above(128)
    ways = [np.array(w) / np.linalg.norm(w) for w in ((0.6, 0.1, 1), (-0.4, 0.5, 1), (0, -0.6, 1))]
    lit = [radiance(renderer, folder / str(k), part, camera=camera, lights=(sun(w),))[..., 0]
           for k, w in enumerate(ways)]  # fmt: skip
    y, x = np.indices(lit[0].shape) + 0.5
    x, y = (x - camera.width / 2) / camera.pixels_per_unit, (camera.height / 2 - y) / camera.pixels_per_unit
    inside = x**2 + y**2 < (0.6 * RADIUS) ** 2
    normals = np.linalg.solve(np.stack(ways), np.stack([image[inside] for image in lit]))
    places = np.stack([x, y, np.sqrt(RADIUS**2 - x**2 - y**2, where=inside, out=np.zeros_like(x))], -1)[inside]
    return (normals / np.linalg.norm(normals, axis=0)).T, places


@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_cycles_shows_the_normals_that_were_baked(renderer, tmp_path: Path, relief, kind: str) -> None:
    """To what 8 bits leave; the same map with its green turned round is further off than none at all."""
    found, maps = relief
    part = loaded(tmp_path / "in", found, maps, kind)
    assert not part.report["map_faults"]
    seen, places = seen_normals(renderer, tmp_path / "out", part)
    truth, bumpy = bumpy_normals(places), places[:, 0] > 0.3 * RADIUS
    without = degrees(places / RADIUS, truth)[bumpy].mean()
    assert degrees(seen, truth)[bumpy].mean() < 0.7 < 0.1 * without
    assert degrees(seen, truth)[~bumpy].mean() < 0.4
    if kind == "glb":
        turned = replace(maps, normal=maps.normal * np.array([1, -1, 1], np.float32))
        wrong, _ = seen_normals(renderer, tmp_path / "wrong", loaded(tmp_path / "turned", found, turned, kind))
        assert degrees(wrong, truth)[bumpy].mean() > without


def test_a_displaced_ball_looks_the_same(renderer, tmp_path: Path, relief) -> None:
    """Bumps in the mesh and bumps in the map, under one sun, away from where bumps would shade each other."""
    found, maps = relief
    camera, light = from_above(128), (sun((0.3, 0.3, 1)),)
    flat = loaded(tmp_path / "in", found, maps, "glb")
    true = bumpy_ball()
    solid = replace(found, vertices=np.array(true.vertices), faces=np.array(true.faces, np.int32))
    atlas = Atlas(np.zeros((len(solid.faces), 3, 2)), 4, np.full((4, 4), 0, np.int32), np.full((4, 4, 3), 1 / 3))
    white, none = np.ones((4, 4, 3), np.float32), np.zeros((4, 4), np.float32)
    part = loaded(tmp_path / "true", solid, Maps(atlas, white, none + 1, none, none, {}), "glb")
    pictures = [radiance(renderer, tmp_path / n, p, camera=camera, lights=light)[..., 0]
                for n, p in (("map", flat), ("mesh", part))]  # fmt: skip
    y, x = np.indices(pictures[0].shape) + 0.5 - np.array(pictures[0].shape)[:, None, None] / 2
    inside = np.hypot(x, y) < 0.6 * RADIUS * camera.pixels_per_unit
    mapped, meshed = (p[inside] for p in pictures)
    assert np.corrcoef(mapped, meshed)[0, 1] > 0.99
    assert np.abs(mapped - meshed).mean() < 0.02 * meshed.mean()


BLENDER = """
import sys, bpy, numpy as np
bpy.ops.wm.read_factory_settings(use_empty=True)
path, out = sys.argv[-2:]
if path.endswith("glb"):
    bpy.ops.import_scene.gltf(filepath=path)
else:
    bpy.ops.wm.obj_import(filepath=path, forward_axis="Y", up_axis="Z")
(thing,) = [o for o in bpy.data.objects if o.type == "MESH"]
mesh = thing.data
mesh.calc_tangents()
bends = [n for n in mesh.materials[0].node_tree.nodes if n.type == "NORMAL_MAP"]
image = bends[0].inputs["Color"].links[0].from_node.image
assert bends[0].space == "TANGENT" and image.size[0] == 512, image
if path.endswith("glb"):
    assert image.colorspace_settings.name == "Non-Color"
at = [mesh.vertices[l.vertex_index].co for l in mesh.loops]
uv = [d.uv for d in mesh.uv_layers.active.data]
np.savez(out, at=at, uv=uv, normal=[l.normal for l in mesh.loops], tangent=[l.tangent for l in mesh.loops],
         sign=[l.bitangent_sign for l in mesh.loops])
"""


@pytest.mark.skipif(find_spec("bpy") is None, reason="needs bpy")
@pytest.mark.parametrize("kind", ["glb", "obj"])
def test_blender_finds_the_same_tangents(tmp_path: Path, relief, kind: str) -> None:
    """By its own import and its own MikkTSpace, corner by corner, mirrored charts among them."""
    found, maps = relief
    loaded(tmp_path / "in", found, maps, kind)
    command = [sys.executable, "-c", BLENDER, str(tmp_path / "in" / f"part.{kind}"), str(tmp_path / "seen.npz")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fans = Fans.of(found.faces, maps.atlas.uv)
    assert 0 < (fans.side < 0).sum() < 0.5 * len(fans.side)
    normals = smooth_normals(torch.tensor(found.vertices), fans.faces)
    ours = tangents(fans, torch.tensor(found.vertices), normals).numpy()
    with np.load(tmp_path / "seen.npz") as seen:
        keys = np.column_stack([found.vertices[fans.vertex] / RADIUS, fans.uv])
        near, same = KDTree(keys).query(np.column_stack([seen["at"] / RADIUS, seen["uv"]]))
        assert near.max() < 1e-5
        assert degrees(seen["normal"], normals.numpy()[fans.vertex[same]]).max() < 0.05
        assert degrees(seen["tangent"], ours[same]).max() < 0.1
        side = np.zeros(len(keys))
        side[fans.fan.numpy()] = fans.side.numpy()[:, None]
        np.testing.assert_array_equal(seen["sign"], side[same])


def test_the_glb_carries_the_tangents(relief) -> None:
    """For viewers that would guess them from the picture's derivatives. Without a normal map there are none."""
    found, maps = relief
    data = glb(found, maps)
    length = int.from_bytes(data[12:16], "little")
    told = json.loads(data[20 : 20 + length])
    assert "normalTexture" in told["materials"][0]
    place = told["accessors"][told["meshes"][0]["primitives"][0]["attributes"]["TANGENT"]]
    view = told["bufferViews"][place["bufferView"]]
    assert (place["type"], place["componentType"]) == ("VEC4", 5126)
    start = 20 + length + 8 + view.get("byteOffset", 0)
    four = np.frombuffer(data, "<f4", 4 * place["count"], start).reshape(-1, 4)
    np.testing.assert_allclose(np.linalg.norm(four[:, :3], axis=1), 1, atol=1e-5)
    assert set(four[:, 3]) == {-1.0, 1.0}
    bare = glb(found, replace(maps, normal=None))
    assert b"TANGENT" not in bare and b"normalTexture" not in bare
