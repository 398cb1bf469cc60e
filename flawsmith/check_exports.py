"""Do the copies of the labels for other tools say what the masks say?"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.record import DatasetHeader, ImageRecord
from flawsmith import images
from flawsmith.exports import labels_of
from flawsmith.exports_yolo import polygons


def export_faults(dataset: Path, header: DatasetHeader, records: Sequence[ImageRecord]) -> Iterator[tuple[str, str]]:
    """(where, what) per fault, in the exports that are there or that the header promises."""
    checks = {"mvtec": _mvtec, "coco": _coco, "yolo": _yolo}
    for name, verify in checks.items():
        if (dataset / name).is_dir():
            yield from verify(dataset, header, records)
        elif header.complete and name in header.exports:
            yield name, "is missing"


def _ids(dataset: Path, record: ImageRecord) -> np.ndarray:
    return images.read_grey(dataset / record.files["mask"].path)


def _coco(dataset: Path, header: DatasetHeader, records: Sequence[ImageRecord]) -> Iterator[tuple[str, str]]:
    from pycocotools import mask as coco_mask

    where = "coco/instances.json"
    try:
        value = json.loads((dataset / where).read_bytes())
        per_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for annotation in value["annotations"]:
            per_image[annotation["image_id"]].append(annotation)
        listed = [(i["id"], i["file_name"]) for i in value["images"]]
        categories = {c["id"]: c["name"] for c in value["categories"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield where, f"is damaged ({error})"
        return
    if listed != [(r.index, r.files["image"].path) for r in records]:
        yield where, "lists other images than the manifest"
    for record in records:
        ids, found = _ids(dataset, record), per_image[record.index]
        numbers = [a["attributes"]["defect_id"] for a in found]
        with_acceptable = sorted(d.id for d in labels_of(record, acceptable=True))
        if sorted(numbers) not in (with_acceptable, sorted(d.id for d in labels_of(record))):
            yield where, f"annotates defects {numbers} of image {record.name}"
        kinds = {d.id: d.kind for d in record.labelled}
        for number, annotation in zip(numbers, found, strict=True):
            mask = ids == number
            if not np.array_equal(coco_mask.decode(annotation["segmentation"]) > 0, mask):
                yield where, f"has another mask for defect {number} of image {record.name}"
            elif annotation["area"] != mask.sum() or annotation["bbox"] != list(
                cv2.boundingRect(mask.astype(np.uint8))
            ):
                yield where, f"has another area or box for defect {number} of image {record.name}"
            if categories.get(annotation["category_id"]) != kinds.get(number):
                yield where, f"has another category for defect {number} of image {record.name}"


def _yolo(dataset: Path, header: DatasetHeader, records: Sequence[ImageRecord]) -> Iterator[tuple[str, str]]:
    numbers = {kind: i for i, kind in enumerate(header.categories)}
    for record in records:
        files = sorted((dataset / "yolo" / "labels").glob(f"*/{record.name}.txt"))
        links = sorted((dataset / "yolo" / "images").glob(f"*/{record.name}.png"))
        if len(files) != 1 or len(links) != 1 or files[0].parent.name != links[0].parent.name:
            yield "yolo", f"has not exactly one image and one label file for image {record.name}"
            continue
        if not _same_file(links[0], dataset / record.files["image"].path):
            yield "yolo", f"shows another picture for image {record.name}"
        ids, lines = _ids(dataset, record), files[0].read_text().splitlines()
        expected = [
            [f"{numbers.get(d.kind)} {p}" for d in labels_of(record, acceptable) for p in polygons(ids == d.id)]
            for acceptable in (False, True)
        ]
        if lines not in expected:
            yield "yolo", f"has other outlines for image {record.name}"


def _mvtec(dataset: Path, header: DatasetHeader, records: Sequence[ImageRecord]) -> Iterator[tuple[str, str]]:
    root = dataset / "mvtec" / header.name
    for record in records:
        trained = root / "train" / "good" / f"{record.name}.png"
        tested = sorted((root / "test").glob(f"*/{record.name}.png"))
        if trained.exists() == bool(tested) and (labels_of(record) == () or "clean" in record.files):
            yield "mvtec", f"has image {record.name} in both train and test, or in neither"
        shown = record.files.get("clean", record.files["image"]) if labels_of(record) else record.files["image"]
        if trained.exists() and not _same_file(trained, dataset / shown.path):
            yield "mvtec", f"trains on another picture for image {record.name}"
        for link in tested:
            yield from _tested(dataset, root, record, link)


def _tested(dataset: Path, root: Path, record: ImageRecord, link: Path) -> Iterator[tuple[str, str]]:
    labels, kind = labels_of(record), link.parent.name
    truth = root / "ground_truth" / kind / f"{record.name}_mask.png"
    if not _same_file(link, dataset / record.files["image"].path):
        yield "mvtec", f"tests another picture for image {record.name}"
    if (kind == "good") != (not labels) or truth.exists() != bool(labels):
        yield "mvtec", f"has image {record.name} under {kind}"
    elif labels:
        wanted = np.isin(_ids(dataset, record), [d.id for d in labels])
        if not np.array_equal(images.read_grey(truth) > 0, wanted):
            yield "mvtec", f"has another mask for image {record.name}"


def _same_file(first: Path, second: Path) -> bool:
    """The same file through a link, or an equal copy. A link that leads nowhere is not."""
    return first.exists() and (first.samefile(second) or first.read_bytes() == second.read_bytes())
