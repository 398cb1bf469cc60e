"""COCO instance segmentation: one annotation a defect, run-length encoded, exact to the pixel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from core.files import write_json
from core.record import DefectRecord, ImageRecord
from flawsmith import images
from flawsmith.dataset import read_header, read_manifest
from flawsmith.exports import labels_of


def export_coco(dataset: Path, acceptable: bool = False) -> list[str]:
    """Write `coco/instances.json`; file names are relative to the dataset. acceptable: also marks within limits."""
    header, records = read_header(dataset), read_manifest(dataset)
    numbers = {kind: i for i, kind in enumerate(header.categories, 1)}
    annotations: list[dict[str, Any]] = []
    for record in records:
        labels = labels_of(record, acceptable)
        ids = images.read_grey(dataset / record.files["mask"].path) if labels else None
        for label in labels:
            assert ids is not None
            annotations.append(_annotation(record, label, ids == label.id, numbers[label.kind], len(annotations) + 1))
    value = {
        "info": {"description": header.name, "version": header.versions.flawsmith, "contributor": "flawsmith"},
        "licenses": [],
        "categories": [{"id": i, "name": kind, "supercategory": "defect"} for kind, i in numbers.items()],
        "images": [_image(r) for r in records],
        "annotations": annotations,
    }
    write_json(dataset / "coco" / "instances.json", value)
    return []


def _image(record: ImageRecord) -> dict[str, Any]:
    return {
        "id": record.index,
        "file_name": record.files["image"].path,
        "width": record.width,
        "height": record.height,
        "verdict": record.verdict,
    }


def _annotation(
    record: ImageRecord, label: DefectRecord, mask: np.ndarray, category: int, number: int
) -> dict[str, Any]:
    rle: Any = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {
        "id": number,
        "image_id": record.index,
        "category_id": category,
        "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
        "area": int(coco_mask.area(rle)),
        "bbox": [float(v) for v in coco_mask.toBbox(rle)],
        "iscrowd": 0,
        "attributes": {
            "defect_id": label.id,
            "blueprint": label.blueprint,
            "severity": label.severity,
            "verdict": label.verdict,
            "visibility": label.visibility,
            "mm_per_pixel": label.mm_per_pixel,
        },
    }
