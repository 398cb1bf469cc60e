"""What the shipped library holds, by folder, with one line of text each and a thumbnail where one ships."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.blueprint import Blueprint
from core.material import Material
from core.models import FileModel, load
from flawsmith.contact_sheet import tile_sheet
from flawsmith.resolve import library_names
from scenes import library
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.stations import Station

FOLDERS: dict[str, type[FileModel]] = {
    "materials": Material,
    "blueprints": Blueprint,
    "stations": Station,
    "cameras": CameraSpec,
    "backdrops": BackdropSpec,
}


@dataclass(frozen=True)
class Entry:
    """One library file. kind: what sort of thing it is within its folder. thumbnail: a picture that ships, or None."""

    name: str
    version: int
    kind: str
    text: str
    thumbnail: Path | None


def entries(folder: str) -> list[Entry]:
    """Everything in one folder of the library, by name."""
    return [_entry(folder, name) for name in library_names(folder)]


def thumbnail_sheet(folder: str, tile: int = 240) -> Image.Image:
    """A sheet of the thumbnails that ship with one folder; a dark tile where there is none."""
    return tile_sheet([(e.name, _picture(e, tile)) for e in entries(folder)], tile)


def _entry(folder: str, name: str) -> Entry:
    value = load(FOLDERS[folder], library.folder(folder) / f"{name}.yaml").model_dump()
    picture = library.folder("thumbnails") / folder / f"{name}.jpg"
    return Entry(name, value["version"], _kind(folder, value), value["text"], picture if picture.is_file() else None)


def _kind(folder: str, value: dict) -> str:
    if folder == "blueprints":
        return f"{value['kind']}, {value['severity']}"
    if folder == "materials":
        return value["process"]
    if folder == "stations":
        return ", ".join(dict.fromkeys(lamp["shape"] for lamp in value["lamps"]))
    return value["lens"]["kind"] if folder == "cameras" else value["kind"]


def _picture(entry: Entry, tile: int) -> np.ndarray:
    if entry.thumbnail is None:
        return np.full((tile, tile, 3), 40, np.uint8)
    with Image.open(entry.thumbnail) as picture:
        return np.asarray(picture.convert("RGB"))
