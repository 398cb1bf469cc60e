"""YOLO segmentation: one line of normalised polygon corners for each piece of a defect.

The format knows no holes: they are filled. Outlines follow the edges of pixels, so nothing else is lost.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from flawsmith import images
from flawsmith.dataset import read_header, read_manifest
from flawsmith.exports import Linker, fresh_folder, held_out, labels_of
from flawsmith.outline import outlines

VAL_SHARE = 0.2


def export_yolo(dataset: Path, acceptable: bool = False) -> list[str]:
    """Write `yolo/`: data.yaml, links to the images, labels. acceptable: also marks within limits."""
    header, records, link = read_header(dataset), read_manifest(dataset), Linker()
    val = held_out(records, VAL_SHARE, "yolo")
    numbers = {kind: i for i, kind in enumerate(header.categories)}
    with fresh_folder(dataset / "yolo") as folder:
        for split in ("train", "val"):
            (folder / "images" / split).mkdir(parents=True)
            (folder / "labels" / split).mkdir(parents=True)
        for record in records:
            split = "val" if record.index in val else "train"
            link(dataset / record.files["image"].path, folder / "images" / split / f"{record.name}.png")
            labels = labels_of(record, acceptable)
            ids = images.read_grey(dataset / record.files["mask"].path)
            lines = [f"{numbers[d.kind]} {p}" for d in labels for p in polygons(ids == d.id)]
            text = "".join(line + "\n" for line in lines)
            (folder / "labels" / split / f"{record.name}.txt").write_text(text, encoding="ascii")
        data = {"train": "images/train", "val": "images/val", "names": dict(enumerate(header.categories))}
        (folder / "data.yaml").write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return link.notes


def polygons(mask: np.ndarray) -> list[str]:
    """`x1 y1 x2 y2 ...` in [0, 1] for each piece of a (h, w) bool mask."""
    h, w = mask.shape
    return [" ".join(f"{v:.7g}" for v in (loop / (w, h)).ravel()) for loop in outlines(mask)]
