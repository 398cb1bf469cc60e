"""What a label measures: pixels, millimetres, boxes. Pure functions from a Frame to the numbers in its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from core.camera import Camera
from core.defect import Defect
from core.frame import Frame
from core.record import DefectRecord

GRAZING = 0.05
"""Least cosine between a surface and the view: what is seen flatter counts as this, or its area would be noise."""


def defect_record(frame: Frame, defect: Defect) -> DefectRecord:
    """The record of one defect in one frame; all zeros where the frame does not show it."""
    label = frame.ids == defect.id
    seen = {} if not label.any() else _seen(frame, label)
    coverage, amodal = frame.coverage.get(defect.id), frame.amodal.get(defect.id)
    return DefectRecord(
        id=defect.id,
        kind=defect.kind,
        form=defect.form,
        blueprint=defect.blueprint,
        blueprint_version=defect.blueprint_version,
        severity=defect.severity,
        verdict=defect.verdict,
        seed=defect.seed,
        parameters=jsonable(defect.parameters),
        measured=jsonable(defect.measured),
        point_mm=_triple(np.asarray(defect.site.point_m) * 1e3),
        direction=_triple(defect.site.direction),
        normal=_triple(defect.site.normal),
        regions=tuple(defect.regions),
        cad_face=int(defect.cad_face),
        patch=int(defect.patch),
        coverage_px=0.0 if coverage is None else round(float(coverage.sum(dtype=np.float64)), 6),
        amodal_px=-1 if amodal is None else int(np.count_nonzero(amodal)),
        visibility=round(float(frame.visibility.get(defect.id, 0.0)), 6),
        **seen,
    )


def _seen(frame: Frame, label: np.ndarray) -> dict[str, Any]:
    rows, columns = np.nonzero(label)
    box = (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    return {
        "box": tuple(int(v) for v in box),
        "area_px": len(rows),
        "area_mm2": round(1e6 * float(pixel_areas_m2(frame.camera, frame.depth_m, frame.normal, label).sum()), 9),
        "size_px": least_rectangle(rows, columns),
        "mm_per_pixel": mm_per_pixel(frame.camera, frame.depth_m, label),
    }


def mm_per_pixel(camera: Camera, depth_m: np.ndarray, where: np.ndarray) -> float:
    """At the median of `depth_m` (h, w) in `where` (h, w) bool; 0 when no pixel there has a depth."""
    depth = depth_m[where]
    depth = depth[np.isfinite(depth)]
    return round(1e3 * camera.metres_per_pixel(float(np.median(depth))), 9) if len(depth) else 0.0


def pixel_areas_m2(camera: Camera, depth_m: np.ndarray, normal: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(n,) surface area that each pixel in `where` sees, square metres. normal: (h, w, 3), camera's frame.

    A pixel's footprint on the plane of constant depth is (z / f)^2 (1 / p^2 telecentric); on a surface with normal n
    seen along d (with d_z = 1) it is that over |n . d|. Pixels that see no surface (a hole) count as square to the
    axis.
    """
    rows, columns = np.nonzero(where)
    n, depth = normal[where].astype(float), depth_m[where].astype(float)
    flat = np.where(np.isfinite(depth), depth, 0.0) / camera.pixels_per_unit
    direction = np.stack([columns + 0.5 - camera.width / 2, rows + 0.5 - camera.height / 2], 1) / camera.pixels_per_unit
    if camera.projection == "telecentric":
        flat, direction = np.full(len(rows), 1 / camera.pixels_per_unit), np.zeros((len(rows), 2))
    d = np.c_[direction, np.ones(len(rows))]
    cosine = np.where(np.any(n != 0, axis=1), np.abs((n * d).sum(1)), 1.0)
    return flat**2 / np.maximum(cosine, GRAZING)


def least_rectangle(rows: np.ndarray, columns: np.ndarray) -> tuple[float, float]:
    """Long and short side of the least rectangle around whole pixels, in pixels."""
    corners = np.concatenate([np.stack([columns + dx, rows + dy], 1) for dx in (0, 1) for dy in (0, 1)])
    _, size, _ = cv2.minAreaRect(cv2.convexHull(corners.astype(np.float32)))
    return round(float(max(size)), 4), round(float(min(size)), 4)


def jsonable(values: Mapping[str, Any]) -> dict[str, Any]:
    """numpy scalars, arrays and tuples as plain JSON values; key order as given."""
    return {str(k): _plain(v) for k, v in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return jsonable(value)
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _triple(value: Any) -> tuple[float, float, float]:
    x, y, z = (round(float(v), 9) for v in value)
    return x, y, z
