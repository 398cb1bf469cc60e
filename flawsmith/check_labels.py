"""Do the pictures of one image agree with its record and with each other?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from core.record import DatasetHeader, DefectRecord, ImageRecord
from flawsmith import images
from flawsmith.measure import least_rectangle, mm_per_pixel, pixel_areas_m2

EXCUSED = 0.02
"""Share of a label's pixels that may disagree with coverage or amodal mask: those cut by its own edge."""
PLAIN_TO_SEE = 8.0
"""Contrast to noise from which a defect must change at least one 8-bit value of its picture."""
AREA = 0.02
"""Areas were measured before the normals were stored with 16 bits."""


def label_faults(dataset: Path, header: DatasetHeader, record: ImageRecord) -> list[str]:
    """One sentence per fault. The files must be whole."""
    return [*_faults(dataset, header, record)]


def _faults(dataset: Path, header: DatasetHeader, record: ImageRecord) -> Iterator[str]:
    roles = {"image", "mask"} if record.twin == "none" or "clean" not in header.outputs else {"image", "mask", "clean"}
    if missing := roles - set(record.files):
        yield f"has no {', '.join(sorted(missing))}"
        return
    photo = images.read_photo(dataset / record.files["image"].path)
    ids = images.read_grey(dataset / record.files["mask"].path)
    if photo.shape != (record.height, record.width, 3) or ids.shape != (record.height, record.width):
        yield f"is {photo.shape[1]} x {photo.shape[0]}, its record says {record.width} x {record.height}"
        return
    yield from _mask(ids, header, record)
    yield from _geometry(dataset, ids, record)
    yield from _coverage(dataset, ids, record)
    yield from _amodal(dataset, ids, record)
    if "clean" in record.files:
        clean = images.read_photo(dataset / record.files["clean"].path)
        yield from _twin(photo, clean, record)
        yield from _painted(dataset, photo, clean, record)
    if "image16" in record.files:
        wide = images.read_photo(dataset / record.files["image16"].path)
        if wide.shape != photo.shape or np.abs(wide / 257.0 - photo).max() > 0.5 + 1e-6:
            yield "images16 is another picture than images"


def _mask(ids: np.ndarray, header: DatasetHeader, record: ImageRecord) -> Iterator[str]:
    if strange := sorted({d.kind for d in record.defects} - set(header.categories)):
        yield f"has a defect of the kind '{strange[0]}', which is none of the dataset's categories"
    shown = set(np.unique(ids).tolist()) - {0}
    named = {d.id for d in record.labelled}
    if shown != named:
        yield f"its mask shows ids {sorted(shown)}, its record names {sorted(named)}"
    for label in record.labelled:
        mask = ids == label.id
        if np.count_nonzero(mask) != label.area_px:
            yield f"defect {label.id} covers {np.count_nonzero(mask)} px, its record says {label.area_px}"
        elif cv2.boundingRect(mask.astype(np.uint8)) != label.box:
            yield f"defect {label.id} has another box than its record"
        elif least_rectangle(*np.nonzero(mask)) != label.size_px:
            yield f"defect {label.id} has another size in pixels than its record"
    verdicts = {d.verdict for d in record.labelled}
    if record.verdict != ("defect" if "defect" in verdicts else "acceptable" if verdicts else "good"):
        yield f"is called {record.verdict}, which its labels are not"


def _geometry(dataset: Path, ids: np.ndarray, record: ImageRecord) -> Iterator[str]:
    """A label lies on the part; only material that is gone may leave a hole in it."""
    if "part" not in record.files:
        return
    part = images.read_grey(dataset / record.files["part"].path) > 0
    if np.count_nonzero(part) != record.part_px:
        yield f"its part covers {np.count_nonzero(part)} px, its record says {record.part_px}"
    gone = [d.id for d in record.labelled if d.form == "solid"]
    off = np.count_nonzero((ids > 0) & ~part & ~np.isin(ids, gone))
    if off:
        yield f"{off} label pixels lie off the part"
    depth = normal = None
    if "depth" in record.files:
        depth = images.read_exr(dataset / record.files["depth"].path)[..., 0]
        if not np.isfinite(depth[part]).all():
            yield "its part has pixels without depth"
    if "normal" in record.files:
        normal = images.read_exr(dataset / record.files["normal"].path)
        if part.any() and not np.allclose(np.linalg.norm(normal[part], axis=1), 1.0, atol=5e-3):
            yield "its part has normals that are not of unit length"
    if depth is not None:
        yield from _scale(ids, part, depth, normal, record)


def _scale(
    ids: np.ndarray, part: np.ndarray, depth: np.ndarray, normal: np.ndarray | None, record: ImageRecord
) -> Iterator[str]:
    """Millimetres in the record are those of camera, depth and normals."""
    if not np.isclose(mm_per_pixel(record.camera, depth, part), record.mm_per_pixel, rtol=1e-6):
        yield "its millimetres per pixel are not those of its camera and depth"
    for label in record.labelled:
        mask = ids == label.id
        if not np.isclose(mm_per_pixel(record.camera, depth, mask), label.mm_per_pixel, rtol=1e-6):
            yield f"the millimetres per pixel of defect {label.id} are not those of camera and depth"
        if normal is not None:
            area = 1e6 * pixel_areas_m2(record.camera, depth, normal, mask).sum()
            if not np.isclose(area, label.area_mm2, rtol=AREA, atol=1e-9):
                yield f"defect {label.id} covers {area:.4g} mm2, its record says {label.area_mm2:.4g}"


def _coverage(dataset: Path, ids: np.ndarray, record: ImageRecord) -> Iterator[str]:
    """Coverage and ids come from different samples of one surface: inside a label both say yes, far outside both no."""
    total = np.zeros(ids.shape)
    for defect in record.defects:
        entry = record.files.get(f"coverage_{defect.id}")
        if entry is None:
            continue
        value = images.read_grey(dataset / entry.path) / 65535.0
        total += value
        if abs(value.sum() - defect.coverage_px) > 1e-5 * max(np.count_nonzero(value), 1):
            yield f"the coverage of defect {defect.id} sums to {value.sum():.3f}, its record says {defect.coverage_px}"
        label = ids == defect.id
        wrong = np.count_nonzero(_eroded(label) & (value < 0.5)) + np.count_nonzero((value > 0.9999) & ~label)
        if wrong > _excused(defect):
            yield f"the coverage of defect {defect.id} contradicts its mask in {wrong} px"
    if (total > 1 + 1e-3).any():
        yield "coverages add up to more than one"


def _amodal(dataset: Path, ids: np.ndarray, record: ImageRecord) -> Iterator[str]:
    for defect in record.defects:
        entry = record.files.get(f"amodal_{defect.id}")
        if entry is None:
            continue
        mask = images.read_grey(dataset / entry.path) > 0
        if np.count_nonzero(mask) != defect.amodal_px:
            yield f"the amodal mask of defect {defect.id} has another size than its record"
        hidden = np.count_nonzero((ids == defect.id) & ~mask)
        if defect.form != "solid" and hidden > _excused(defect):
            yield f"{hidden} visible pixels of defect {defect.id} are missing from its amodal mask"


def _twin(photo: np.ndarray, clean: np.ndarray, record: ImageRecord) -> Iterator[str]:
    """Image and twin are equal outside the recorded windows, and not equal where a defect is plain to see."""
    if clean.shape != photo.shape:
        yield "its clean twin has another size"
        return
    differs = (photo != clean).any(axis=2)
    outside = differs.copy()
    for x0, y0, x1, y1 in record.twin_windows:
        outside[y0:y1, x0:x1] = False
    if record.twin == "windowed" and outside.any():
        yield f"its clean twin differs in {np.count_nonzero(outside)} px outside the recorded windows"
    for label in record.labelled:
        x, y, w, h = label.box
        if label.visibility >= PLAIN_TO_SEE and not differs[y : y + h, x : x + w].any():
            yield f"defect {label.id} is not in the picture: it equals its clean twin there"


def _painted(dataset: Path, photo: np.ndarray, clean: np.ndarray, record: ImageRecord) -> Iterator[str]:
    """A painted photograph equals the photograph outside the masks that were asked for. (A refined picture does not:
    a rendered defect also changes the light around it.)"""
    entries = [record.files.get(f"amodal_{d.id}") for d in record.defects]
    if record.source != "photo" or clean.shape != photo.shape:
        return
    outside = (photo != clean).any(axis=2)
    for entry in entries:
        if entry is None:
            return
        outside &= images.read_grey(dataset / entry.path) == 0
    if outside.any():
        yield f"{np.count_nonzero(outside)} px outside the requested masks are not the photograph's own"


def _eroded(mask: np.ndarray) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0


def _excused(defect: DefectRecord) -> float:
    return max(2.0, EXCUSED * defect.area_px)
