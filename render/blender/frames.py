"""All renders of one job, in order, and where each landed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from . import meshes, output, stage


def render_job(job: dict, folder: str, device: str, wanted: Callable[[dict], bool] | None = None) -> dict:
    """Files of one frame in `folder`: labels, coverage, amodal, beauty, twins. Returns {"files", "seconds", "skipped"}.

    Names: label, label_clean; cover_<id>, cover_clean_<id>; amodal, amodal_clean; beauty; twin_<i>; scenery.
    The labels come first; `wanted(files)` may then refuse the rest. seconds: CPU seconds of this process per group.
    """
    begun = time.process_time()
    stage.clear()
    made = stage.build(job, device)
    shapes = job["clean"] != job["defected"]
    size = (job["camera"]["width"], job["camera"]["height"])
    files: dict[str, str] = {}
    seconds = {"build": time.process_time() - begun}

    def shoot(scene, name: str, group: str, window=None, scale: int = 1) -> None:
        start = time.process_time()
        files[name] = output.render(scene, os.path.join(folder, f"{name}.exr"), size, window, scale)
        seconds[group] = seconds.get(group, 0.0) + time.process_time() - start

    if job["export_scenery"]:
        path = os.path.join(folder, "scenery.npy")
        files["scenery"] = meshes.export_triangles(made.label, (made.clean, made.defected), path)
    if shapes:
        made.show(defected=False)
        _labels(made, job, shoot, "_clean", whole=False)
    made.show(defected=True)
    _labels(made, job, shoot, "", whole=True)
    if wanted is not None and not wanted(files):
        return {"files": files, "seconds": seconds, "skipped": True}
    shoot(made.beauty, "beauty", "beauty")
    made.show(defected=False)
    if job["twin"] == "full":
        shoot(made.beauty, "twin_0", "twin")
    elif job["twin"] == "windowed":
        for i, window in enumerate(job["twin_windows"]):
            shoot(made.beauty, f"twin_{i}", "twin", wider(window, job["twin_margin"], size))
    return {"files": files, "seconds": seconds, "skipped": False}


def wider(window, margin: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = window
    return max(0, x0 - margin), max(0, y0 - margin), min(size[0], x1 + margin), min(size[1], y1 + margin)


def _labels(made: stage.Stage, job: dict, shoot, suffix: str, whole: bool) -> None:
    windows = {int(k): tuple(v) for k, v in job["windows"].items()}
    around = _union(list(windows.values()))
    if whole or around:
        shoot(made.label, f"label{suffix}", "label", None if whole else around)
    for i, window in windows.items():
        if job["coverage_grid"] > 1:
            shoot(made.label, f"cover{suffix}_{i}", "coverage", window, job["coverage_grid"])
    if job["amodal"] and around:
        made.see_through(True)
        shoot(made.label, f"amodal{suffix}", "amodal", around)
        made.see_through(False)


def _union(windows: list) -> tuple[int, int, int, int] | None:
    if not windows:
        return None
    lows, highs = zip(*((w[:2], w[2:]) for w in windows), strict=True)
    x0, y0 = (min(v) for v in zip(*lows, strict=True))
    x1, y1 = (max(v) for v in zip(*highs, strict=True))
    return x0, y0, x1, y1
