"""One job's two scenes: the beauty scene and the label scene, sharing objects; and their clean-up."""

from __future__ import annotations

import os
from dataclasses import dataclass

import bpy

from . import backdrops, cameras, decals, labels, lights, meshes, output, surface


@dataclass(frozen=True)
class Stage:
    """What one job needs between its first and last render. `defected` is `clean` when no shape changes."""

    beauty: bpy.types.Scene
    label: bpy.types.Scene
    surface: bpy.types.Material
    label_material: bpy.types.Material
    clean: bpy.types.Object
    defected: bpy.types.Object

    def show(self, defected: bool) -> None:
        """Put the defected part or its clean twin into both scenes."""
        for thing in (self.clean, self.defected):
            thing.hide_render = thing is not (self.defected if defected else self.clean)
        surface.switch_defects(self.surface, defected)
        self.label_material.node_tree.nodes[decals.SWITCH].outputs[0].default_value = float(defected)

    def see_through(self, on: bool) -> None:
        self.label_material.node_tree.nodes[labels.SEE_THROUGH].outputs[0].default_value = float(on)


def build(job: dict, device: str) -> Stage:
    """Fresh datablocks only, so that nothing rendered before can leak into this frame.

    The scenes keep their names from job to job: Blender keeps one render result per scene name for ever.
    """
    textures = [decals.load(d) for d in job["decals"] if d["textures"]]
    ids = sorted(job["defect_ids"])
    per_pixel = _metres_per_pixel(job)
    finish = surface.build(job["material"], textures, per_pixel, job["lay_seed"], job["maps"])
    tags = labels.build(textures, ids)
    clean = meshes.load_object("fs_clean", job["clean"], finish, job["world_from_part"])
    same = job["clean"] == job["defected"]
    defected = clean if same else meshes.load_object("fs_defected", job["defected"], finish, job["world_from_part"])
    parts = [clean] if same else [clean, defected]

    beauty = _scene("fs_beauty", job, device)
    scenery = backdrops.build(beauty, job["backdrop"])
    lamps = lights.build(beauty, job["lights"], _datafiles())
    _adopt(beauty, [*parts, *scenery, *lamps, cameras.build("fs_camera", job["camera"], True)])
    _beauty_settings(beauty, job)

    label = _scene("fs_label", job, "CPU")
    seen_lamps = [lamp for lamp in lamps if lamp.type == "MESH" and lamp.visible_camera]
    _adopt(label, [*parts, *scenery, *seen_lamps, cameras.build("fs_label_camera", job["camera"], False)])
    _label_settings(label, tags, ids)
    return Stage(beauty, label, finish, tags, clean, defected)


def clear() -> None:
    """Remove every datablock of the jobs before; memory stays flat."""
    for scene in list(bpy.data.scenes)[1:]:
        bpy.data.scenes.remove(scene)
    keep = bpy.data.scenes[0]
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    for name in ("meshes", "materials", "images", "cameras", "lights", "worlds", "node_groups", "curves", "textures"):
        blocks = getattr(bpy.data, name)
        for block in list(blocks):
            blocks.remove(block)
    keep.world = None


def _scene(name: str, job: dict, device: str) -> bpy.types.Scene:
    scene = bpy.data.scenes.new(name)
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU" if device == "CPU" else "GPU"
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_auto_tile = False
    scene.render.use_persistent_data = False  # stale images, and crashes when its scene goes, for 2 % of speed
    scene.unit_settings.system = "METRIC"
    world = bpy.data.worlds.new(f"{name}_world")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = [*job["world_radiance"], 1.0]
    scene.world = world
    output.prepare(scene)
    return scene


def _adopt(scene: bpy.types.Scene, things: list[bpy.types.Object]) -> None:
    for thing in things:
        if thing.name not in scene.collection.objects:
            scene.collection.objects.link(thing)
        if thing.type == "CAMERA":
            scene.camera = thing


def _beauty_settings(scene: bpy.types.Scene, job: dict) -> None:
    cycles, layer = scene.cycles, scene.view_layers[0]
    cycles.samples = job["samples"]
    cycles.seed = job["seed"] % (2**31 - 1)
    cycles.max_bounces = job["max_bounces"]
    cycles.diffuse_bounces = min(3, job["max_bounces"])
    cycles.glossy_bounces = min(4, job["max_bounces"])
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 10.0
    cycles.use_denoising = job["denoise"]
    if job["denoise"]:
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_use_gpu = False
        cycles.denoising_prefilter = "FAST"
        layer.cycles.denoising_store_passes = True


def _label_settings(scene: bpy.types.Scene, material: bpy.types.Material, ids: list[int]) -> None:
    cycles, layer = scene.cycles, scene.view_layers[0]
    cycles.samples = 1
    cycles.seed = 0
    cycles.pixel_filter_type = "BOX"
    cycles.filter_width = 0.01
    cycles.max_bounces = 0
    cycles.transparent_max_bounces = labels.MAX_LAYERS
    cycles.use_denoising = False
    scene.world.node_tree.nodes["Background"].inputs["Strength"].default_value = 0.0
    layer.material_override = material
    labels.declare(layer, ids)


def _metres_per_pixel(job: dict) -> float:
    camera = job["camera"]
    if camera["projection"] == "telecentric":
        return 1.0 / camera["pixels_per_unit"]
    eye = [row[3] for row in camera["world_from_camera"][:3]]
    axis = [row[2] for row in camera["world_from_camera"][:3]]
    part = [row[3] for row in job["world_from_part"][:3]]
    depth = sum((p - e) * a for p, e, a in zip(part, eye, axis, strict=True))
    return max(depth, 1e-3) / camera["pixels_per_unit"]


def _datafiles() -> str:
    return os.path.join(bpy.utils.resource_path("LOCAL"), "datafiles")
