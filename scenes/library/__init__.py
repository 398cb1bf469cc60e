"""The files that people edit, by name: stations, cameras, backdrops (and blueprints and materials beside them)."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from core.errors import InputError
from core.models import FileModel, load
from scenes.backdrops import BackdropSpec
from scenes.cameras import CameraSpec
from scenes.stations import Station

M = TypeVar("M", bound=FileModel)


def folder(kind: str = "") -> Path:
    """The library that ships, or one of its folders (`stations`, `cameras`, `backdrops`, `blueprints`, `materials`)."""
    return Path(__file__).resolve().parent / kind


def load_stations(path: Path | None = None) -> dict[str, Station]:
    """Every station in a folder (by default the library's), by name."""
    return _load(Station, path or folder("stations"))


def load_cameras(path: Path | None = None) -> dict[str, CameraSpec]:
    return _load(CameraSpec, path or folder("cameras"))


def load_backdrops(path: Path | None = None) -> dict[str, BackdropSpec]:
    return _load(BackdropSpec, path or folder("backdrops"))


def _load(model: type[M], path: Path) -> dict[str, M]:
    """InputError when the folder holds no file, or a file is not named as what it holds."""
    files = sorted(path.glob("*.yaml"))
    if not files:
        raise InputError(f"{path} holds no .yaml file", f"{model.__name__} files", "check the folder")
    found: dict[str, M] = {}
    for file in files:
        value = load(model, file)
        name = value.name  # type: ignore[attr-defined]
        if name != file.stem:
            raise InputError(f"{file} has the name '{name}'", f"'{file.stem}', as the file", "rename one of them")
        found[name] = value
    return found
