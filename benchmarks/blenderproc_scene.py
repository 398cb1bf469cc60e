"""Child of render_throughput.py, run by a Python that has blenderproc and bpy: the saved scene, with segmentation.

python benchmarks/blenderproc_scene.py SCENE.blend WIDTH HEIGHT SAMPLES FRAMES     prints CPU seconds of every frame,
after a small one
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile

PRINTED = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
# BlenderProc wants to install its own Blender and packages; with bpy from pip it needs neither. It is imported once as
# from its command line, to take the installation step out, and again as from inside Blender.
os.environ["OUTSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT_BUT_IN_RUN_SCRIPT"] = "1"
import blenderproc.python.utility.SetupUtility as setup_module  # noqa: E402

setup_module.SetupUtility.setup = staticmethod(lambda *_, **__: None)
SITE = os.path.dirname(os.path.dirname(sys.modules["blenderproc"].__file__))
del sys.modules["blenderproc"]
os.environ["INSIDE_OF_THE_INTERNAL_BLENDER_PYTHON_ENVIRONMENT"] = "1"
sys.path.insert(0, SITE)  # its start removes one entry of the path

import blenderproc as bproc  # noqa: E402
import bpy  # noqa: E402


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    blend, width, height, samples, frames = sys.argv[1], *map(int, sys.argv[2:6])
    bpy.ops.wm.open_mainfile(filepath=blend)
    for i, thing in enumerate(o for o in bpy.data.objects if o.type == "MESH"):
        thing["category_id"] = i + 1
    bpy.context.scene.render.image_settings.file_format = "PNG"
    bpy.context.scene.render.use_compositing = True  # its segmentation comes out of the compositor
    bpy.context.scene.render.use_file_extension = True
    folder = tempfile.mkdtemp()
    bproc.camera.set_resolution(width // 10, height // 10)
    bpy.context.scene.frame_start = bpy.context.scene.frame_end = 0  # as its own start leaves it; else 250 frames
    bproc.camera.add_camera_pose(bpy.context.scene.camera.matrix_world)
    bproc.renderer.set_max_amount_of_samples(1)
    bproc.renderer.set_noise_threshold(0)
    bproc.renderer.set_denoiser("INTEL")
    bproc.renderer.enable_segmentation_output(map_by=["category_id", "instance"], output_dir=folder)
    bproc.renderer.render(output_dir=folder, verbose=True)
    bproc.camera.set_resolution(width, height)
    bproc.renderer.set_max_amount_of_samples(samples)
    for _ in range(frames):
        before = cpu_seconds()
        bproc.renderer.render(output_dir=folder, verbose=True)
        seconds = cpu_seconds() - before
        PRINTED.write(json.dumps({"cpu_seconds": seconds, "blender": bpy.app.version_string}) + "\n")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
