"""The folder that painted photographs and made pictures go to: what must not lie there, and what is done already."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from core.blueprint import Blueprint
from core.errors import InputError
from core.files import sha256_json, usable_folder
from flawsmith.paint_choice import PaintChoice

PICTURES = ("images", "labels", "requested")
FACTS = "facts"


def refuse_out(out: Path, names: Collection[str], inputs: Iterable[Path], pictures: tuple[str, ...] = PICTURES) -> None:
    """InputError when `out` takes no files, or would mix with the `inputs`. Nothing is left behind. Pictures of other
    orders may lie there: each has facts of its own."""
    folders = [out / f for f in (*pictures, FACTS)]
    usable_folder(out)
    blocked = next((f for f in folders if f.is_file()), None)
    if blocked is not None:
        raise InputError(f"--out {out} has a file {blocked.name}", "a folder there, or none", "choose another folder")
    known = {_identity(p): i for i in inputs for p in (i.parent, i)}
    for folder in folders:
        suffix = ".json" if folder.name == FACTS else ".png"
        for path in (folder, *(folder / f"{n}{suffix}" for n in names)):
            if path.exists() and (given := known.get(_identity(path))):
                raise InputError(
                    f"--out {out} would write to {path}, and {given} is a file that you gave",
                    "a folder of its own for what is painted", "choose another folder",
                )  # fmt: skip


def order_sha256(
    painter: str, facts: dict[str, Any], choice: PaintChoice, blueprint: Blueprint | None, **more: Any
) -> str:
    """Of all that one picture follows from, JSON. painter, facts: its name, and what it says before its first picture;
    the facts name the weights, wherever these lie."""
    return sha256_json({
        "painter": painter, "facts": facts, **more,
        "choice": choice.model_dump(mode="json", exclude={"learned", "base", "weights"}),
        "blueprint": None if blueprint is None else blueprint.model_dump(mode="json"),
    })  # fmt: skip


def finished(out: Path, name: str, order: str, pictures: tuple[str, ...] = PICTURES) -> dict[str, Any] | None:
    """The facts of a picture that this very order has made, all of whose files are there; else None."""
    try:
        facts = json.loads((out / FACTS / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(facts, dict) and facts.get("order_sha256") == order
    return facts if same and all((out / f / f"{name}.png").is_file() for f in pictures) else None


def begin(out: Path, name: str) -> None:
    """Take the facts of an earlier order away: they are written last, and vouch for the pictures."""
    (out / FACTS / f"{name}.json").unlink(missing_ok=True)


def forget(out: Path, name: str, pictures: tuple[str, ...] = PICTURES) -> None:
    """Take away what an earlier order left under this name: it would pass for this order's."""
    begin(out, name)
    for folder in pictures:
        (out / folder / f"{name}.png").unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int]:
    """The same for every name of one file, whatever links lead there."""
    found = path.stat()
    return found.st_dev, found.st_ino
