"""Frames of an analytic scene: a plane square to a telecentric camera with rectangles as defects. No renderer."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.camera import Camera, Sensor, as_matrix, look_at
from core.defect import Defect, Site
from core.frame import Frame
from core.record import OUTPUTS, DatasetHeader, DatasetSummary, ImageFacts, PartRecord, Rejected, Versions
from core.seeds import child
from flawsmith.dataset import DatasetWriter

SIZE = 64
MM_PER_PIXEL = 0.25
PART = PartRecord(name="plate", sha256="ab" * 32, size_mm=(14.0, 14.0, 2.0), material="milled_steel")
VERSIONS = Versions(
    flawsmith="0.1.0", commit="0" * 40, blender="4.5.15", python="3.11.0", libraries={"numpy": "1.26.4"}
)


def defect(k: int, kind: str = "scratch", verdict: str = "defect") -> Defect:
    site = Site(face=3, point_m=(0.001 * k, 0.0, 0.002), direction=(1.0, 0.0, 0.0), normal=(0.0, 0.0, 1.0))
    return Defect(
        id=k, kind=kind, form="decal", blueprint=f"{kind}_fine", blueprint_version=2, severity="major",
        verdict=verdict, seed=40 + k, site=site, parameters={"length_mm": np.float64(5.0), "bent": True},  # type: ignore[arg-type]
        regions=("planar",), cad_face=7, patch=1, zone_m=(0.0, 0.0, 0.0, 0.003), measured={"area_mm2": 1.5},
    )  # fmt: skip


def camera(size: int = SIZE) -> Camera:
    pose = as_matrix(look_at(np.array([0, 0, 0.3]), np.zeros(3), np.array([0.0, 1.0, 0.0])))
    return Camera(
        projection="telecentric", width=size, height=size, pixels_per_unit=1e3 / MM_PER_PIXEL, world_from_camera=pose
    )


def frame(index: int, defects: tuple[Defect, ...], size: int = SIZE) -> Frame:
    """Defect k covers the rectangle that `box_of` gives; the plate ends 4 pixels from the border."""
    rng = child(5, "frame", index)
    clean = rng.uniform(0.2, 0.6, (size, size, 3)).astype(np.float32)
    rgb, ids = clean.copy(), np.zeros((size, size), np.uint8)
    part = np.zeros((size, size), bool)
    part[4:-4, 4:-4] = True
    for mark in defects:
        x, y, w, h = box_of(mark.id)
        rgb[y : y + h, x : x + w] *= 0.3
        ids[y : y + h, x : x + w] = mark.id
    normal = np.zeros((size, size, 3), np.float32)
    normal[part] = (0, 0, -1)
    boxes = [box_of(d.id) for d in defects]
    return Frame(
        camera=camera(size), rgb=rgb, clean=clean, depth_m=np.where(part, 0.3, np.inf).astype(np.float32),
        normal=normal, part=part, ids=ids, coverage={d.id: (ids == d.id).astype(np.float32) for d in defects},
        amodal={d.id: ids == d.id for d in defects}, visibility={d.id: 12.5 for d in defects},
        twin_windows=tuple((x - 2, y - 2, x + w + 2, y + h + 2) for x, y, w, h in boxes), exposure=2.0,
        measured={"saturated": 0.0},
    )  # fmt: skip


def box_of(k: int) -> tuple[int, int, int, int]:
    """x, y, width, height, pixels."""
    return 8, 10 * k, 20, 4


def header(**changes: object) -> DatasetHeader:
    base = DatasetHeader(
        name="plate", recipe_sha256="cd" * 32, seed=7, part=PART, categories=("dent", "scratch"), versions=VERSIONS
    )
    return base.model_copy(update=changes)


def facts(index: int, rejected: tuple[Rejected, ...] = ()) -> ImageFacts:
    return ImageFacts(
        index=index, image_seed=1000 + index, specimen=index, part=PART, station="dome", viewpoint="fixed",
        backdrop="void", lens="telecentric", sensor=Sensor(), world_from_part=as_matrix(np.eye(4)),
        sampled={"lamp.dome.radiance": 3.5}, samples=64, rejected=rejected,
    )  # fmt: skip


def marks_of(index: int) -> tuple[Defect, ...]:
    """A cycle of three: nothing, a scratch and a dent, an acceptable scratch."""
    return ((), (defect(1), defect(2, "dent")), (defect(3, verdict="acceptable"),))[index % 3]


def write(out: Path, count: int = 6, order: list[int] | None = None, outputs: tuple = OUTPUTS) -> DatasetSummary:
    """A finished dataset of `count` images, written in `order`."""
    writer = DatasetWriter(out, header(outputs=outputs))
    for index in order or range(count):
        if index not in writer.finished:
            marks = marks_of(index)
            rejected = (Rejected(reason="label is empty", count=2),) if index == 1 else ()
            writer.add(frame(index, marks), facts(index, rejected), marks)
    return writer.finish()
