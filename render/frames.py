"""From the worker's EXRs to a Frame: ids, coverage, amodal masks, twin, noise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.camera import Sensor
from core.errors import RenderError
from core.frame import Frame
from core.job import RenderJob, Window
from render import develop
from render.client import Rendered
from render.exr import read_passes

ID, SEEN = "fs_id", "fs_seen"


def read_ids(job: RenderJob, files: Mapping[str, Path]) -> np.ndarray:
    """(h, w) uint8: what the defected scene shows at pixel centres, else what has vanished from the clean one."""
    return _merged_ids(job, files, read_passes(files["label"]))


def read_frame(job: RenderJob, rendered: Rendered, sensor: Sensor, rng: np.random.Generator) -> Frame:
    """Read, check and develop one frame. `rng`: the camera noise of this image."""
    files = rendered.files
    label = read_passes(files["label"])
    ids = _merged_ids(job, files, label)
    shape = (job.camera.height, job.camera.width)
    part = label[SEEN][..., 0] > 0.5
    beauty = read_passes(files["beauty"])
    radiance = _radiance(beauty, job)
    noisy = beauty["Noisy Image"][..., :3] if job.denoise else radiance
    clean, clean_noisy = _twin(job, files, radiance, noisy)
    factor = develop.exposure(sensor, radiance, part)
    field = develop.noise_field(sensor, shape, rng)
    return Frame(
        camera=job.camera,
        rgb=develop.develop(sensor, radiance, factor, field),
        clean=None if clean is None else develop.develop(sensor, clean, factor, field),
        depth_m=_depth(job, label, part),
        normal=_normal(job, label, part),
        part=part,
        ids=ids,
        coverage=_coverage(job, files, shape),
        amodal=_amodal(job, files, shape),
        visibility={}
        if clean_noisy is None
        else {i: develop.visibility(sensor, noisy, clean_noisy, factor, ids == i) for i in job.defect_ids},
        twin_windows=_twin_windows(job),
        exposure=factor,
        measured={"saturated_fraction": _saturated(radiance, factor, part)},
    )


def _merged_ids(job: RenderJob, files: Mapping[str, Path], label: dict[str, np.ndarray]) -> np.ndarray:
    ids = _rounded(label[ID][..., 0], job)
    around = union(tuple(job.windows.values()))
    if "label_clean" in files and around is not None:
        vanished = _rounded(read_passes(files["label_clean"])[ID][..., 0], job)
        ids[_box(around)] = _combined(ids[_box(around)], vanished)
    return ids


def _twin_windows(job: RenderJob) -> tuple[Window, ...]:
    whole = (0, 0, job.camera.width, job.camera.height)
    return {"windowed": job.twin_windows, "full": (whole,), "none": ()}[job.twin]


def _saturated(radiance: np.ndarray, factor: float, part: np.ndarray) -> float:
    return float((radiance.max(2) * factor >= 1.0)[part].mean()) if part.any() else 0.0


def _radiance(passes: dict[str, np.ndarray], job: RenderJob) -> np.ndarray:
    image = passes["Combined"][..., :3]
    if not np.isfinite(image).all():
        raise RenderError(f"'{job.name}' has non-finite pixels", "finite radiance", "report the job file")
    return image


def _twin(job: RenderJob, files: Mapping[str, Path], radiance: np.ndarray, noisy: np.ndarray):
    """Clean radiance and its noisy version: the image with every window pasted from the clean render."""
    if job.twin == "none":
        return None, None
    if job.twin == "full":
        passes = read_passes(files["twin_0"])
        image = _radiance(passes, job)
        return image, passes["Noisy Image"][..., :3] if job.denoise else image
    clean, clean_noisy = radiance.copy(), noisy.copy()
    for i, window in enumerate(job.twin_windows):
        passes = read_passes(files[f"twin_{i}"])
        x0, y0, x1, y1 = window
        left, top = max(0, x0 - job.twin_margin), max(0, y0 - job.twin_margin)
        inner = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
        clean[_box(window)] = _radiance(passes, job)[inner]
        clean_noisy[_box(window)] = passes["Noisy Image"][..., :3][inner] if job.denoise else clean[_box(window)]
    return clean, clean_noisy


def _rounded(values: np.ndarray, job: RenderJob) -> np.ndarray:
    ids = np.round(values).astype(np.uint8)
    if np.abs(values - ids).max(initial=0.0) > 1e-3 or not set(np.unique(ids)) <= {0, *job.defect_ids}:
        raise RenderError(
            f"'{job.name}': the id pass holds values that are no ids", "whole defect ids", "report the job"
        )
    return ids


def _combined(defected: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """The defected scene's id; where it has none, the id of what has vanished from the clean scene."""
    return np.where(defected > 0, defected, clean)


def _coverage(job: RenderJob, files: Mapping[str, Path], shape: tuple[int, int]) -> dict[int, np.ndarray]:
    grid, result = job.coverage_grid, {}
    for i in job.defect_ids:
        result[i] = np.zeros(shape, np.float32)
        if grid <= 1 or i not in job.windows:
            continue
        fine = read_passes(files[f"cover_{i}"])[ID][..., 0]
        if f"cover_clean_{i}" in files:
            fine = _combined(fine, read_passes(files[f"cover_clean_{i}"])[ID][..., 0])
        h, w = (n // grid for n in fine.shape)
        result[i][_box(job.windows[i])] = (np.round(fine) == i).reshape(h, grid, w, grid).mean(axis=(1, 3))
    return result


def _amodal(job: RenderJob, files: Mapping[str, Path], shape: tuple[int, int]) -> dict[int, np.ndarray]:
    result = {i: np.zeros(shape, bool) for i in job.defect_ids}
    around = union(tuple(job.windows.values()))
    if not job.amodal or around is None:
        return result
    for name in ("amodal", "amodal_clean"):
        if name in files:
            passes = read_passes(files[name])
            for i in job.defect_ids:
                result[i][_box(around)] |= passes[f"fs_amodal_{i}"][..., 0] > 0.5
    return result


def _depth(job: RenderJob, label: dict[str, np.ndarray], part: np.ndarray) -> np.ndarray:
    camera_from_world = np.linalg.inv(job.camera.pose())
    z = label["Position"].astype(np.float64) @ camera_from_world[2, :3] + camera_from_world[2, 3]
    return np.where(part, z, np.inf).astype(np.float32)


def _normal(job: RenderJob, label: dict[str, np.ndarray], part: np.ndarray) -> np.ndarray:
    turned = label["Normal"].astype(np.float64) @ job.camera.pose()[:3, :3]
    return np.where(part[..., None], turned, 0.0).astype(np.float32)


def _box(window: Window) -> tuple[slice, slice]:
    x0, y0, x1, y1 = window
    return slice(y0, y1), slice(x0, x1)


def union(windows: tuple[Window, ...]) -> Window | None:
    if not windows:
        return None
    return (
        min(w[0] for w in windows), min(w[1] for w in windows), max(w[2] for w in windows), max(w[3] for w in windows),
    )  # fmt: skip
