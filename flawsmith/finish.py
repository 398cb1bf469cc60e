"""What a finished dataset gets beside its images: exports, contact sheet, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from flawsmith.contact_sheet import contact_sheet
from flawsmith.exports_coco import export_coco
from flawsmith.exports_mvtec import export_mvtec
from flawsmith.exports_yolo import export_yolo
from flawsmith.report import report

EXPORTS: Mapping[str, Callable[[Path], list[str]]] = {
    "mvtec": export_mvtec,
    "coco": export_coco,
    "yolo": export_yolo,
}


def finish(dataset: Path, exports: Iterable[str]) -> list[str]:
    """Write the named exports, contact_sheet.png and report.html from what is on disk. Returns notes for the user."""
    notes = [note for name in exports for note in EXPORTS[name](dataset)]
    contact_sheet(dataset)
    report(dataset)
    return list(dict.fromkeys(notes))
