"""The finishes that ship, and those of a folder."""

from __future__ import annotations

from pathlib import Path

from core.errors import InputError
from core.material import Material
from core.models import load
from scenes import library


def load_materials(folder: Path | None = None) -> dict[str, Material]:
    """Every .yaml of a folder (None: the library's) as a Material, by name, sorted.

    InputError when the folder is missing or a file's name is not that of its material.
    """
    folder = library.folder("materials") if folder is None else folder
    if not folder.is_dir():
        raise InputError(f"no folder {folder}", "a folder of material .yaml files", "correct the path")
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        material = load(Material, path)
        if material.name != path.stem:
            raise InputError(f"{path}: name '{material.name}'", f"'{path.stem}', as the file", "rename one of them")
        found[material.name] = material
    return found
