"""report.html: pictures, counts, sizes and the lineage of every image in one file that asks for nothing."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import cv2
import numpy as np

from core.files import write_text
from core.record import DatasetHeader, DefectRecord, ImageRecord
from flawsmith.charts import histogram, stacked
from flawsmith.dataset import read_header, read_manifest, tally
from flawsmith.overlay import VERDICT_COLOURS, colours, evenly, overlay, thumbnail

MOST = 240
THUMB = (360, 360)
SEVERITIES = ("minor", "major", "critical")


def report(dataset: Path, path: Path | None = None, most: int = MOST) -> Path:
    """Write the report and return its path. At most `most` pictures, spread evenly over the dataset."""
    header, records = read_header(dataset), read_manifest(dataset)
    path = path or dataset / "report.html"
    write_text(path, page(dataset, header, records, most))
    return path


def page(dataset: Path, header: DatasetHeader, records: Sequence[ImageRecord], most: int) -> str:
    """The whole page."""
    shown, colour = evenly(records, most), colours(header.categories)
    size = " × ".join(f"{v:.4g}" for v in header.part.size_mm)
    materials = ", ".join(sorted({_words(r.part.material) for r in records})) or _words(header.part.material)
    some = f" {len(shown)} of them are shown below." if len(shown) < len(records) else ""
    template = (Path(__file__).parent / "templates" / "report.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(_words(header.name)),
        subtitle=f"{escape(header.part.name)}, {size} mm, {escape(materials)}. {len(records)} images.{some}"
        + "".join(f" Note: {escape(note)}." for note in header.notes),
        facts=_facts(records),
        panels=_panels(header, records, colour),
        filters=_filters(records, header.categories),
        shots="".join(_shot(dataset, r, colour) for r in shown),
        footer=_footer(header),
    )


def _facts(records: Sequence[ImageRecord]) -> str:
    verdicts, kinds, rejected = tally(records)
    values = [
        (len(records), "images"),
        (verdicts.get("defect", 0), "with defects"),
        (verdicts.get("acceptable", 0), "acceptable marks only"),
        (verdicts.get("good", 0), "good"),
        (sum(kinds.values()), "labels"),
        (sum(rejected.values()), "tries thrown away"),
    ]
    return "".join(f"<div class='fact'><b>{n}</b><span>{what}</span></div>" for n, what in values)


def _panels(header: DatasetHeader, records: Sequence[ImageRecord], colour: Mapping[str, str]) -> str:
    labels = [d for r in records for d in r.labelled]
    by_kind = Counter((d.kind, d.severity) for d in labels)
    totals = Counter(d.kind for d in labels)
    most = max(totals.values(), default=1)
    rows = "".join(
        f"<div class='row'><span title='{escape(kind)}'>{escape(_words(kind))}</span>"
        f"{stacked([(s, by_kind[kind, s]) for s in SEVERITIES], most, colour[kind])}<span>{totals[kind]}</span></div>"
        for kind in header.categories
    )
    key = "".join(f"<i class='{s}'></i>{s}" for s in SEVERITIES)
    verdicts = Counter(d.verdict for d in labels)
    bars = "".join(
        f"<div class='row'><span>{name}</span>{stacked([('', verdicts[name])], len(labels), VERDICT_COLOURS[name])}"
        f"<span>{verdicts[name]}</span></div>"
        for name in ("defect", "acceptable")
    )
    stations = Counter(r.station for r in records)
    cells = "".join(
        f"<div class='row'><span title='{escape(n)}'>{escape(_words(n))}</span>"
        f"{stacked([('', k)], max(stations.values()), 'var(--bar)')}<span>{k}</span></div>"
        for n, k in sorted(stations.items())
    )
    return "".join(
        f"<div class='panel'><h2>{title}</h2>{body}</div>"
        for title, body in (
            ("Labels by kind and severity", f"{rows}<p class='key'>{key}</p>"),
            ("Size of the labels", histogram([_long_mm(d) for d in labels], "long side in mm")),
            ("Visibility", histogram([d.visibility for d in labels], "contrast to noise")),
            ("Verdicts and stations", bars + "<br>" + cells),
        )
    )


def _filters(records: Sequence[ImageRecord], categories: Sequence[str]) -> str:
    names = ["all", *dict.fromkeys(r.verdict for r in records), *categories]
    return "".join(
        f"<button data-filter='{escape(n)}' aria-pressed='{str(n == 'all').lower()}'>{escape(_words(n))}</button>"
        for n in dict.fromkeys(names)
    )


def _shot(dataset: Path, record: ImageRecord, colour: Mapping[str, str]) -> str:
    photo, over = thumbnail(dataset, record, THUMB), overlay(dataset, record, THUMB, colour)
    tags = " ".join(["all", record.verdict, *sorted({d.kind for d in record.labelled})])
    kinds = ", ".join(dict.fromkeys(_words(d.kind) for d in record.labelled)) or "good"
    drawn = f"<img src='{_png(over)}' alt='labels'>" if record.labelled else ""
    href = escape(record.files["image"].path)
    where = " · ".join(escape(_words(v)) for v in (record.station, record.part.material, record.backdrop))
    return (
        f"<article class='shot' data-tags='{escape(tags)}'>"
        f"<a class='view' href='{href}'><img src='{_jpeg(photo)}' alt='image {record.index}'>{drawn}</a>"
        f"<div class='meta'><p><span class='dot {record.verdict}' title='{record.verdict}'></span>"
        f"<b>{record.index}</b><span>{escape(kinds)}</span></p><p class='where' title='{where}'>{where}</p>"
        f"{_lineage(record, colour)}</div></article>"
    )


def _lineage(record: ImageRecord, colour: Mapping[str, str]) -> str:
    parts = [f"<h3>image</h3>{_table(_scene(record))}"]
    for d in record.defects:
        head = f"{d.id}: {_words(d.kind)}" + ("" if d.area_px else " (not in view)")
        parts.append(f"<h3><i style='background:{colour[d.kind]}'></i>{escape(head)}</h3>{_table(_defect(d))}")
    if record.sampled:
        parts.append(f"<h3>drawn for the scene</h3>{_table(record.sampled)}")
    sections = "".join(f"<section>{p}</section>" for p in parts)
    return f"<details><summary>lineage</summary><div class='lineage'>{sections}</div></details>"


def _scene(record: ImageRecord) -> dict[str, Any]:
    values: dict[str, Any] = {
        "verdict": record.verdict,
        "seed": record.image_seed,
        "specimen, view": f"{record.specimen}, {record.view}",
        "mm per pixel": record.mm_per_pixel,
        "camera": record.lens,
        "viewpoint": record.viewpoint,
        "station version": record.station_version,
        "samples": record.samples,
        "image sha256": record.files["image"].sha256[:16],
    }
    thrown = ", ".join(f"{t.count} x {t.reason}" for t in record.rejected)
    return values | ({"tries thrown away": thrown} if thrown else {})


def _defect(d: DefectRecord) -> dict[str, Any]:
    seen = {
        "label": f"{d.area_px} px, {d.area_mm2:.3g} mm²",
        "long, short side": f"{d.size_px[0] * d.mm_per_pixel:.3g}, {d.size_px[1] * d.mm_per_pixel:.3g} mm",
        "visibility": f"{d.visibility:.3g}",
        "hidden by the part": f"{1 - d.area_px / d.amodal_px:.0%}" if d.amodal_px > d.area_px else "0%",
    }
    return {
        "blueprint": f"{d.blueprint} v{d.blueprint_version}",
        "severity, verdict": f"{d.severity}, {d.verdict}",
        **(seen if d.area_px else {}),
        "site": ", ".join(f"{v:.2f}" for v in d.point_mm) + " mm",
        "regions": ", ".join(d.regions),
        **d.parameters,
        **{f"measured {k}": v for k, v in d.measured.items()},
    }


def _table(values: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><td>{escape(_words(k))}</td><td>{escape(_shown(v))}</td></tr>" for k, v in values.items())
    return f"<table>{rows}</table>"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_shown(v) for v in value)
    return str(value)


def _footer(header: DatasetHeader) -> str:
    v = header.versions
    made = f"Flawsmith {v.flawsmith}" + (f" ({v.commit[:12]})" if v.commit else "")
    blender = f", Blender {v.blender}" if v.blender else ""
    return escape(
        f"{made}{blender}, Python {v.python}. Recipe {header.recipe_sha256[:16]}, seed {header.seed}, "
        f"part {header.part.sha256[:16]}. Point at a picture to see its labels."
    )


def _long_mm(label: DefectRecord) -> float:
    return label.size_px[0] * label.mm_per_pixel


def _words(name: str) -> str:
    return name.replace("_", " ")


def _jpeg(rgb: np.ndarray) -> str:
    return _data("jpeg", cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def _png(rgba: np.ndarray) -> str:
    return _data("png", cv2.imencode(".png", rgba[..., [2, 1, 0, 3]], [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


def _data(kind: str, data: np.ndarray) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode('ascii')}"
