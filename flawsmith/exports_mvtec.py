"""The folder layout of MVTec AD (Bergmann et al., CVPR 2019): train on good parts only, test on all.

A third of the specimens goes to train/good: their good pictures as they are, and the clean twins of the others. The
rest is tested. No specimen is on both sides, so a test picture's own twin was never trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flawsmith import images
from flawsmith.dataset import read_header, read_manifest
from flawsmith.exports import Linker, fresh_folder, held_out, labels_of

TRAIN_SHARE = 1 / 3
COMBINED = "combined"
"""The folder of pictures that show more than one kind, named as MVTec AD names it."""


def export_mvtec(dataset: Path) -> list[str]:
    """Write `mvtec/<name>/`. Returns notes for the user. Marks within limits count as good."""
    header, records, link = read_header(dataset), read_manifest(dataset), Linker()
    train = held_out(records, TRAIN_SHARE, "mvtec")
    with fresh_folder(dataset / "mvtec") as folder:
        root = folder / header.name
        for name in ("train/good", "test/good", "ground_truth"):
            (root / name).mkdir(parents=True)
        for record in records:
            picture, labels = f"{record.name}.png", labels_of(record)
            if record.index in train:
                source = record.files.get("clean") if labels else record.files["image"]
                if source is not None:
                    link(dataset / source.path, root / "train" / "good" / picture)
                continue
            kinds = {d.kind for d in labels}
            kind = "good" if not kinds else kinds.pop() if len(kinds) == 1 else COMBINED
            link(dataset / record.files["image"].path, root / "test" / kind / picture)
            if labels:
                ids = images.read_grey(dataset / record.files["mask"].path)
                mask = np.where(np.isin(ids, [d.id for d in labels]), np.uint8(255), np.uint8(0))
                truth = root / "ground_truth" / kind / f"{record.name}_mask.png"
                truth.parent.mkdir(exist_ok=True)
                truth.write_bytes(images.ids_bytes(mask))
    return link.notes
