"""Children of render_throughput.py: save a job's scene, and render it with nothing but bpy.

python benchmarks/bare_scene.py save JOB.json SCENE.blend
python benchmarks/bare_scene.py render SCENE.blend FRAMES     prints CPU seconds of every frame, after a small one
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile

import bpy

PRINTED = os.fdopen(os.dup(1), "w", buffering=1)


def save(job_path: str, blend_path: str) -> None:
    """The beauty scene of a RenderJob, defects on, as one .blend."""
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from render.blender import stage

    with open(job_path, encoding="utf-8") as stream:
        job = json.load(stream)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    made = stage.build(job, "CPU")
    made.show(defected=True)
    beauty = made.beauty
    beauty.render.resolution_x, beauty.render.resolution_y = job["camera"]["width"], job["camera"]["height"]
    bpy.context.window_manager.windows[0].scene = beauty if bpy.context.window_manager.windows else None
    for scene in list(bpy.data.scenes):
        if scene is not beauty:
            bpy.data.scenes.remove(scene)
    bpy.ops.file.pack_all()
    bpy.ops.wm.save_as_mainfile(filepath=blend_path)


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def render(blend_path: str, frames: int) -> None:
    """PNGs of the saved scene, denoised, as anyone would script it."""
    bpy.ops.wm.open_mainfile(filepath=blend_path)
    scene = bpy.context.scene
    scene.view_layers[0].cycles.denoising_store_passes = False
    scene.render.image_settings.file_format = "PNG"
    scene.render.use_file_extension = True
    with tempfile.TemporaryDirectory() as folder:
        samples, scene.cycles.samples, scene.render.resolution_percentage = scene.cycles.samples, 1, 10
        frame(scene, os.path.join(folder, "warm.png"))
        scene.cycles.samples, scene.render.resolution_percentage = samples, 100
        for i in range(frames):
            seconds = frame(scene, os.path.join(folder, f"{i}.png"))
            PRINTED.write(json.dumps({"cpu_seconds": seconds, "blender": bpy.app.version_string}) + "\n")


def frame(scene: bpy.types.Scene, path: str) -> float:
    """CPU seconds of one picture on disk."""
    before = cpu_seconds()
    scene.render.filepath = path
    bpy.ops.render.render(write_still=True)
    assert os.path.exists(path)
    return cpu_seconds() - before


if __name__ == "__main__":
    os.dup2(2, 1)
    if sys.argv[1] == "save":
        save(sys.argv[2], sys.argv[3])
    else:
        render(sys.argv[2], int(sys.argv[3]))
