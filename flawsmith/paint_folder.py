"""Photographs in, painted photographs out: what `flawsmith inpaint` does, for scripts too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.blueprint import Blueprint
from core.errors import InputError, NothingVisible, RecipeError
from core.files import sha256_bytes, write_bytes, write_json
from core.models import load
from core.seeds import child, child_seed
from defects.generative.look import Look
from defects.generative.paint import Painted, paint_photo
from defects.generative.painter import GOOD, Drawer, Painter
from defects.generative.photo import (
    TURNED,
    Photo,
    check_mask,
    mask_for,
    photos_in,
    png_bytes,
    read_mask,
    read_photo,
    write_painted,
)
from flawsmith.paint_choice import PaintChoice, damage_for, painter_of
from flawsmith.paint_ground import flat_ground
from flawsmith.paint_masks import draw_mark
from flawsmith.paint_out import FACTS, begin, finished, forget, order_sha256, refuse_out
from scenes import library


@dataclass(frozen=True)
class PaintOrder:
    """photos: a file or folder. mask: a file or folder, or blueprint: a name of the library or a file, drawn with
    choice.mm_per_px. damage: None takes the blueprint's. part_mask: a file or folder."""

    photos: Path
    out: Path
    choice: PaintChoice
    mask: Path | None = None
    blueprint: str | None = None
    damage: str | None = None
    part_mask: Path | None = None
    seed: int = 0


def inpaint_folder(
    order: PaintOrder,
    device: str = "cpu",
    told: Callable[[str, str], None] | None = None,
    painter: Painter | None = None,
) -> dict[str, Any]:
    """Write images/, labels/, requested/ and facts/ NAME for every photograph; returns counts.

    Every photograph, mask and the backend are read and checked before the first file is written. What this very order
    has painted before is kept. A photograph on which nothing visible happened is left out and counted, and so is what
    an earlier order painted on it; NothingVisible where that is all of them. painter: instead of the chosen backend.
    """
    if (order.mask is None) == (order.blueprint is None):
        raise InputError("neither --mask nor --blueprint" if order.mask is None else "both --mask and --blueprint",
                         "one of the two", "say where the defect goes")  # fmt: skip
    files = photos_in(order.photos)
    if len({f.stem for f in files}) < len(files):
        raise InputError(f"{order.photos} holds two photographs of one name", "a name for each", "rename one")
    refuse_out(order.out, {f.stem for f in files}, _inputs(order, files))
    blueprint = None if order.blueprint is None else blueprint_named(order.blueprint)
    for file in files:
        _place(order, read_photo(file), file, blueprint)
    painter = painter or painter_of(order.choice, Path.cwd(), device)
    damage = _damage(order, blueprint, painter)
    known, say = dict(painter.facts), told or (lambda name, text: None)
    painted, kept, dropped, last = 0, 0, [], None
    for file in files:
        photo = read_photo(file)
        mask, part, mm, origin, look = _place(order, photo, file, blueprint)
        seed = child_seed(order.seed, "photo", photo.name)
        asked = order_sha256(
            painter.name, known, order.choice, blueprint, damage=damage, seed=seed, photo=photo.sha256,
            mask=sha256_bytes(mask.tobytes()), part=None if part is None else sha256_bytes(part.tobytes()),
        )  # fmt: skip
        if finished(order.out, photo.name, asked):
            kept += 1
            say(photo.name, "there already")
            continue
        try:
            made = paint_photo(
                photo, mask, damage, painter, seed, part=part, mm_per_px=mm, tries=order.choice.tries, look=look
            )
        except NothingVisible as error:
            forget(order.out, photo.name)
            dropped.append(photo.name)
            last = error
            say(photo.name, str(error))
            continue
        _write(order.out, photo, made, {"mask": origin, "order_sha256": asked})
        painted += 1
        line = f"{damage}, {int(made.label.sum())} px, {made.facts['label_iou']:.0%} of the mask"
        if origin == "user" and photo.turned_in_place:
            line += f"; the photograph was {TURNED}, its mask is taken as drawn on that"
        say(photo.name, line)
    if last is not None and not painted + kept:
        raise NothingVisible(f"0 of {len(files)} photographs painted ({last.given})", last.expected, last.do) from last
    return {"photographs": len(files), "painted": painted, "kept": kept, "nothing_visible": dropped,
            "out": str(order.out)}  # fmt: skip


def _inputs(order: PaintOrder, files: list[Path]) -> list[Path]:
    """Every file that the order names: none of them may be written to."""
    masks = [m for m in (order.mask, order.part_mask) if m is not None]
    return [*files, *(mask_for(f, m) for m in masks for f in files)]


def _write(out: Path, photo: Photo, made: Painted, more: dict[str, Any]) -> None:
    """Facts last: where they are, the pictures are."""
    facts = {**made.facts, **more, "photo_sha256": photo.sha256, "converted": list(photo.notes),
             "canonical_sha256": sha256_bytes(photo.pixels.tobytes())}  # fmt: skip
    begin(out, photo.name)
    write_painted(out / "images" / f"{photo.name}.png", made.image, photo.pixels, made.requested)
    for folder, bits in (("labels", made.label), ("requested", made.requested)):
        write_bytes(out / folder / f"{photo.name}.png", png_bytes(bits.astype(np.uint8) * 255))
    write_json(out / FACTS / f"{photo.name}.json", facts)


def _place(
    order: PaintOrder, photo: Photo, file: Path, blueprint: Blueprint | None
) -> tuple[np.ndarray, np.ndarray | None, float, str, Look | None]:
    """Mask, part, mm per pixel, where the mask came from and what is drawn there, of one photograph."""
    part = photo.part if order.part_mask is None else read_mask(mask_for(file, order.part_mask), photo)
    mm = order.choice.mm_per_px or float("nan")
    if order.mask is not None:
        path = mask_for(file, order.mask)
        return check_mask(read_mask(path, photo), photo, part, str(path)), part, mm, "user", None
    assert blueprint is not None
    if not mm > 0:
        raise InputError("--blueprint without --mm-per-px", "the photograph's scale", "measure it, or use --mask")
    ground = flat_ground(photo, mm, part)
    rng = child(order.seed, "place", photo.name)
    mark = draw_mark(ground, blueprint, rng, np.zeros(photo.size, bool))
    return mark.mask, part, mm, "blueprint", mark.look


def blueprint_named(name: str) -> Blueprint:
    """Of the library or a .yaml file. RecipeError where there is none."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else library.folder("blueprints") / f"{name}.yaml"
    if not path.is_file():
        known = "a name of `flawsmith list blueprints`, or a .yaml file"
        raise RecipeError(f"blueprint '{name}' does not exist", known, "correct it")
    return load(Blueprint, path)


def _damage(order: PaintOrder, blueprint: Blueprint | None, painter: Painter) -> str:
    if order.damage is not None:
        if order.damage not in painter.types:
            raise InputError(f"--type {order.damage}", f"one of {', '.join(painter.types)}", "choose a known one")
        if blueprint is not None and isinstance(painter, Drawer) and order.damage != GOOD:
            _refuse_other(order.damage, damage_for(blueprint.name, blueprint.kind, order.choice, painter), painter)
        return order.damage
    if blueprint is None:
        known = ", ".join(t for t in painter.types if t != GOOD)
        raise InputError("--mask without --type", f"one of {known}", "say which damage to paint")
    return damage_for(blueprint.name, blueprint.kind, order.choice, painter)


def _refuse_other(asked: str, drawn: str, painter: Painter) -> None:
    """A backend that draws the blueprint's own layers shows that blueprint, whatever the facts would call it."""
    if asked != drawn:
        raise InputError(
            f"--type {asked} with a blueprint that backend {painter.name} draws as {drawn}", drawn,
            f"leave --type out, take a blueprint of {asked}, or give --mask",
        )  # fmt: skip
