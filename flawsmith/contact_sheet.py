"""contact_sheet.png: the whole dataset at a glance, labels outlined, one caption a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.files import atomic_path
from core.record import DatasetHeader, ImageRecord
from flawsmith.dataset import read_header, read_manifest
from flawsmith.overlay import VERDICT_COLOURS, blended, colours, evenly, overlay, thumbnail

GROUND, INK, FAINT = "#15181c", "#e8eaed", "#8d949e"
MOST = 60


def contact_sheet(dataset: Path, path: Path | None = None, tile: int = 240, most: int = MOST) -> Path:
    """Write the sheet and return its path. At most `most` pictures, spread evenly over the dataset."""
    header, records = read_header(dataset), read_manifest(dataset)
    path = path or dataset / "contact_sheet.png"
    picture = sheet(dataset, header, evenly(records, most), len(records), tile)
    with atomic_path(path) as part:
        picture.save(part, compress_level=6)
    return path


def sheet(dataset: Path, header: DatasetHeader, records: list[ImageRecord], total: int, tile: int) -> Image.Image:
    """The picture of a contact sheet."""
    columns = next(c for c in range(1, 13) if c * c * 0.6 >= len(records) or c == 12)
    ratio = max((r.height / r.width for r in records), default=1.0)
    cell_h, caption, gap, top = round(tile * ratio), 34, 12, 74
    rows = -(-len(records) // columns)
    size = (gap + columns * (tile + gap), top + rows * (cell_h + caption + gap) + 34)
    canvas = Image.new("RGB", size, GROUND)
    draw = ImageDraw.Draw(canvas)
    draw.text((gap, 14), header.name, INK, font=_font(24))
    shown = f"{total} images" if total == len(records) else f"{len(records)} of {total} images"
    size_mm = " x ".join(f"{v:.4g}" for v in header.part.size_mm)
    draw.text((gap, 46), f"{shown}, {header.part.name} ({size_mm} mm), seed {header.seed}", FAINT, font=_font(14))
    colour = colours(header.categories)
    for i, record in enumerate(records):
        x, y = gap + i % columns * (tile + gap), top + i // columns * (cell_h + caption + gap)
        photo = thumbnail(dataset, record, (tile, cell_h))
        canvas.paste(Image.fromarray(blended(photo, overlay(dataset, record, (tile, cell_h), colour, 0.0))), (x, y))
        _caption(draw, record, (x, y + cell_h + 5), tile)
    _legend(draw, header, colour, (gap, size[1] - 26))
    return canvas


def _caption(draw: ImageDraw.ImageDraw, record: ImageRecord, at: tuple[int, int], width: int) -> None:
    x, y = at
    draw.ellipse((x, y + 4, x + 8, y + 12), fill=VERDICT_COLOURS[record.verdict])
    kinds = ", ".join(dict.fromkeys(d.kind.replace("_", " ") for d in record.labelled)) or "good"
    draw.text((x + 14, y), _cut(draw, f"{record.index}  {kinds}", width - 14, 13), INK, font=_font(13))
    draw.text((x + 14, y + 15), _cut(draw, record.station.replace("_", " "), width - 14, 11), FAINT, font=_font(11))


def _legend(draw: ImageDraw.ImageDraw, header: DatasetHeader, colour: dict[str, str], at: tuple[int, int]) -> None:
    x, y = at
    for kind in header.categories:
        text = kind.replace("_", " ")
        draw.rectangle((x, y + 3, x + 10, y + 13), outline=colour[kind], width=2)
        draw.text((x + 16, y), text, FAINT, font=_font(12))
        x += 16 + round(draw.textlength(text, font=_font(12))) + 18


def _cut(draw: ImageDraw.ImageDraw, text: str, width: int, size: int) -> str:
    while len(text) > 4 and draw.textlength(text, font=_font(size)) > width:
        text = text[:-2].rstrip(" ,.") + "."
    return text


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def tile_sheet(pictures: list[tuple[str, np.ndarray]], tile: int = 240, columns: int = 5) -> Image.Image:
    """A plain sheet of captioned pictures, each (h, w, 3) uint8 sRGB: library thumbnails."""
    caption, gap = 26, 12
    columns = min(columns, max(len(pictures), 1))
    rows = -(-len(pictures) // columns)
    canvas = Image.new("RGB", (gap + columns * (tile + gap), gap + rows * (tile + caption + gap)), GROUND)
    draw = ImageDraw.Draw(canvas)
    for i, (name, pixels) in enumerate(pictures):
        x, y = gap + i % columns * (tile + gap), gap + i // columns * (tile + caption + gap)
        picture = Image.fromarray(pixels)
        picture.thumbnail((tile, tile))
        canvas.paste(picture, (x + (tile - picture.width) // 2, y + (tile - picture.height) // 2))
        draw.text((x, y + tile + 5), _cut(draw, name, tile, 14), INK, font=_font(14))
    return canvas
