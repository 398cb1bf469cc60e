"""Mesh files into Blender objects, with the corner normals and attributes that they carry."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

TAG, PART, BARE, TEXTURE = "fs_tag", "fs_part", "fs_bare", "fs_texture"
UV = "uv"


def load_object(name: str, path: str, material: bpy.types.Material, world_from_part: list) -> bpy.types.Object:
    """An object from an .npz of `render.meshfile`: vertices, faces, normal, defect_tag and vector attributes;
    uv and texture where the part has images of its own."""
    with np.load(path) as arrays:
        mesh = _mesh(name, arrays)
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    thing.matrix_world = Matrix(world_from_part)  # a plain list would be read by columns
    return thing


def _mesh(name: str, arrays) -> bpy.types.Mesh:
    vertices, faces = arrays["vertices"], arrays["faces"]
    count = len(faces)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(3 * count)
    mesh.loops.foreach_set("vertex_index", faces.astype(np.int32).ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, bool))
    for key in arrays.files:
        if key.startswith("corner_"):
            layer = mesh.attributes.new(key.removeprefix("corner_"), "FLOAT_VECTOR", "CORNER")
            layer.data.foreach_set("vector", arrays[key].astype(np.float32).ravel())
    _face_attribute(mesh, TAG, arrays["defect_tag"])
    _face_attribute(mesh, BARE, arrays["bare"])
    _face_attribute(mesh, PART, np.ones(count, np.int32))
    if UV in arrays.files:
        mesh.uv_layers.new(name=UV).data.foreach_set("uv", arrays[UV].astype(np.float32).ravel())
        _face_attribute(mesh, TEXTURE, arrays["texture"])
    mesh.update(calc_edges=True)
    if mesh.validate(verbose=False, clean_customdata=False):
        raise ValueError(f"{name}: Blender dropped faces it takes for invalid; the mesh file is not clean")
    mesh.normals_split_custom_set(arrays["normal"].reshape(-1, 3).astype(np.float32))
    return mesh


def _face_attribute(mesh: bpy.types.Mesh, name: str, values: np.ndarray) -> None:
    layer = mesh.attributes.new(name, "FLOAT", "FACE")
    layer.data.foreach_set("value", np.asarray(values, np.float32))


def export_triangles(scene: bpy.types.Scene, without: tuple[bpy.types.Object, ...], path: str) -> str:
    """World triangles (n, 3, 3) float32 of every mesh in the scene but some, for an independent ray caster."""
    found = [np.zeros((0, 3, 3), np.float32)]
    graph = scene.view_layers[0].depsgraph
    graph.update()
    for thing in scene.objects:
        if thing.type != "MESH" or thing in without:
            continue
        mesh = thing.evaluated_get(graph).to_mesh()
        mesh.calc_loop_triangles()
        positions = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", positions)
        corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        matrix = np.array(thing.matrix_world, np.float32)
        world = positions.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
        found.append(world[corners].reshape(-1, 3, 3))
        thing.to_mesh_clear()
    np.save(path, np.concatenate(found))
    return path
