"""CPU seconds of a frame in every finish of the library, against a plain principled material in the same scene.

    python benchmarks/finishes.py [--size 256 --samples 16 --rounds 3 --field-mm 40] [--only milled_steel,rubber]

Each scene is the worker's own beauty scene of a bearing housing with one defect on it under the soft box, the part
filling the picture. The plain material is one principled BSDF with the finish's bulk values and film: no
micro-structure, no decal, no lay. Both render in one process, in turn, round after round; building the scene, starting
up and a small first frame are left out, and the denoiser is off. With --keep the last pictures stay.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    from flawsmith.resolve import library_names
    from scenes.materials import load_materials

    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--samples", type=int, default=16)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--field-mm", type=float, default=40.0)
    options.add_argument("--only", default="", help="names, separated by commas")
    options.add_argument("--keep", type=Path, default=None, help="folder for the pictures, linear EXR")
    chosen = options.parse_args()
    only = set(filter(None, chosen.only.split(",")))
    library = load_materials()
    names = [n for n in library_names("materials") if not library[n].captured and (not only or n in only)]
    with tempfile.TemporaryDirectory() as made:
        jobs = {name: str(write_job(chosen, name, Path(made))) for name in names}
        ask = json.dumps({"jobs": jobs, "rounds": chosen.rounds, "out": str(chosen.keep or made)})
        command = [sys.executable, __file__, "--child", ask]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
    report(chosen, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])


def write_job(chosen: argparse.Namespace, material: str, folder: Path) -> Path:
    """The job of one close picture in one finish."""
    from flawsmith.pipeline import job_of
    from flawsmith.recipe import Recipe
    from flawsmith.shots import draw_shot, load_stock

    values = {
        "part": {"path": "examples/parts/bearing_housing.step"}, "material": material, "images": 1,
        "blueprints": ["scratch_deep"], "defects_per_image": 1, "station": "soft_box", "camera": "area_5mp_25mm",
        "viewpoint": {"kind": "look_at_defect", "field_defects": None, "field_mm": chosen.field_mm},
        "size_px": chosen.size, "samples": chosen.samples, "backdrop": "paper", "twin": "none", "seed": 3,
    }  # fmt: skip
    stock = load_stock(Recipe.model_validate(values).within(ROOT))
    job = job_of(stock, draw_shot(stock, 0, 1, 0), folder / material).model_copy(update={"denoise": False})
    path = folder / f"{material}.json"
    path.write_text(job.model_dump_json())
    return path


def child(ask: dict) -> None:
    """Prints one JSON line a finish and round: CPU seconds of the finish and of the plain material."""
    printed = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, str(ROOT))
    import bpy

    from render.blender import output, stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    out = Path(ask["out"])
    for turn in range(ask["rounds"]):
        for name, path in ask["jobs"].items():
            job = json.loads(Path(path).read_text(encoding="utf-8"))
            size = (job["camera"]["width"], job["camera"]["height"])
            stage.clear()
            made = stage.build(job, "CPU")
            made.show(defected=True)
            spent = {}
            for look in ("finish", "plain"):
                if look == "plain":
                    plain(made.surface, job["material"]["surface"])
                output.render(made.beauty, str(out / "warm.exr"), size, window=(0, 0, 16, 16))
                before = cpu_seconds()
                output.render(made.beauty, str(out / f"{name}_{look}.exr"), size)
                spent[look] = cpu_seconds() - before
            printed.write(json.dumps({"name": name, "round": turn, "blender": bpy.app.version_string, **spent}) + "\n")


def plain(material, surface: dict) -> None:
    """The material's tree replaced by one principled BSDF of the same bulk values."""
    tree = material.node_tree
    tree.nodes.clear()
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.distribution = "MULTI_GGX"
    values = {
        "Base Color": [*surface["albedo"], 1.0], "Metallic": surface["metallic"], "Roughness": surface["roughness"],
        "IOR": surface["ior"], "Specular IOR Level": surface["specular"], "Coat Weight": surface["film_weight"],
        "Coat Roughness": surface["film_roughness"], "Coat IOR": surface["film_ior"],
    }  # fmt: skip
    for key, value in values.items():
        shader.inputs[key].default_value = value
    tree.links.new(shader.outputs[0], tree.nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def report(chosen: argparse.Namespace, lines: list[dict]) -> None:
    """A markdown table, medians over the rounds; ratios are taken within a round."""
    from flawsmith.versions import commit

    print(
        f"{date.today()}, {cpu_name()} ({os.cpu_count()} cores, no GPU used), Blender {lines[0]['blender']}, "
        f"commit {commit()[:10]}, {chosen.size}x{chosen.size}, {chosen.samples} samples, {chosen.field_mm:g} mm field, "
        f"median of {chosen.rounds}\n"
    )
    print("| finish | CPU s | plain, CPU s | ratio |\n|---|---|---|---|")
    for name in dict.fromkeys(line["name"] for line in lines):
        rounds = [line for line in lines if line["name"] == name]
        finish, bare = (statistics.median(r[k] for r in rounds) for k in ("finish", "plain"))
        ratio = statistics.median(r["finish"] / r["plain"] for r in rounds)
        print(f"| {name} | {finish:.2f} | {bare:.2f} | {ratio:.2f} |")


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    names = [x for x in info.read_text().splitlines() if x.startswith("model name")] if info.exists() else []
    return names[0].split(":", 1)[1].strip() if names else platform.processor()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(json.loads(sys.argv[2]))
    else:
        main()
