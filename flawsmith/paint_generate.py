"""Whole pictures that nobody took, with a ControlNet: what `flawsmith generate` does, for scripts too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.blueprint import Blueprint
from core.errors import InputError, RenderError
from core.files import sha256_bytes, write_bytes, write_json
from core.seeds import child, child_seed
from defects.generative.label import NO_OP_IOU
from defects.generative.painter import GOOD
from defects.generative.photo import Photo, photos_in, png_bytes, read_marks, write_painted
from defects.generative.sd15.backend import Generated, Sd15Painter, generate
from defects.generative.sd15.learned import read_about
from flawsmith.paint_choice import PaintChoice, damage_for, painter_of
from flawsmith.paint_folder import blueprint_named
from flawsmith.paint_ground import flat_ground
from flawsmith.paint_masks import draw_mark
from flawsmith.paint_out import FACTS, begin, finished, forget, order_sha256, refuse_out

LEAST_PX = 16
PICTURES = ("images", "clean", "labels", "requested")


@dataclass(frozen=True)
class GenerateOrder:
    """choice: backend sd15-controlnet, with `learned` and `base`; `mm_per_px` for a blueprint.

    mask: a file or a folder of masks, taken in turn; or blueprint: a name of the library or a file, drawn anywhere in
    the picture. damage: None takes the blueprint's. paste: outside the mask the twin's pixels.
    """

    out: Path
    choice: PaintChoice
    mask: Path | None = None
    blueprint: str | None = None
    damage: str | None = None
    images: int = 1
    seed: int = 0
    paste: bool = False


def generate_folder(
    order: GenerateOrder,
    device: str = "cpu",
    told: Callable[[str, str], None] | None = None,
    painter: Sd15Painter | None = None,
) -> dict[str, Any]:
    """Write images/, clean/, labels/, requested/ and facts/ NAME for every picture; returns counts.

    Every mask and the backend are read and checked before the first file is written. What this very order has made
    before is kept. A picture in which nothing visible happened in any try is left out and counted, and so is what an
    earlier order made under its name; RenderError where that is all of them. painter: instead of the one that `choice`
    names.
    """
    if (order.mask is None) == (order.blueprint is None):
        raise InputError("neither --mask nor --blueprint" if order.mask is None else "both --mask and --blueprint",
                         "one of the two", "say where the defect goes")  # fmt: skip
    if order.mask is None and order.choice.mm_per_px is None:
        raise InputError("--blueprint without --mm-per-px", "the scale of the pictures", "say it, or use --mask")
    blueprint = None if order.blueprint is None else blueprint_named(order.blueprint)
    files = [] if order.mask is None else photos_in(order.mask)
    refuse_out(order.out, {f"{k:06d}" for k in range(order.images)}, files, PICTURES)
    painter = painter or _loaded(order.choice, device)
    damage = _damage(order, blueprint, painter)
    masks = [_read(f, painter.size) for f in files]
    known, say = dict(painter.facts), told or (lambda name, text: None)
    made, kept, dropped, beyond = 0, 0, [], []
    for index in range(order.images):
        name = f"{index:06d}"
        mask, origin = _placed(order, blueprint, painter, masks, files, index)
        asked = order_sha256(
            painter.name, known, order.choice, blueprint, damage=damage, seed=order.seed, index=index,
            paste=order.paste, mask=sha256_bytes(mask.tobytes()),
        )  # fmt: skip
        if there := finished(order.out, name, asked, PICTURES):
            kept += 1
            beyond.append(there["outside"])
            say(name, "there already")
            continue
        found = _visible(order, painter, mask, damage, index)
        if found is None:
            forget(order.out, name, PICTURES)
            dropped.append(name)
            say(name, f"{order.choice.tries} tries showed no {damage}")
            continue
        picture, seed, tries = found
        facts = {
            "backend": painter.name, "source": "generated", "damage": damage, "seed": seed, **dict(painter.facts),
            "tries": tries, "mask": origin, "label_iou": round(picture.iou, 4), "outside": round(picture.outside, 6),
            "pasted": order.paste, "image_sha256": sha256_bytes(picture.image.tobytes()), "order_sha256": asked,
        }  # fmt: skip
        _write(order, name, picture, mask, facts)
        made += 1
        beyond.append(picture.outside)
        say(name, f"{damage}, {int(picture.label.sum())} px, {picture.iou:.0%} of the mask; "
                  f"{picture.outside:.1%} changed outside it{', pasted back' if order.paste else ''}")  # fmt: skip
    if not made + kept:
        raise RenderError(
            f"0 of {order.images} pictures made ({order.choice.tries} tries at each showed no {damage})",
            "a change inside the mask", "draw the mask larger, raise --guidance or --tries, or train for longer",
        )  # fmt: skip
    return {"pictures": order.images, "made": made, "kept": kept, "nothing_visible": dropped, "pasted": order.paste,
            "outside": max(beyond), "out": str(order.out)}  # fmt: skip


def _loaded(choice: PaintChoice, device: str) -> Sd15Painter:
    use = read_about(Path.cwd() / (choice.learned or ""))["use"]
    if use != "sd15-controlnet":
        raise InputError(
            f"{choice.learned} was trained for {use}, which fills a part of a photograph", "sd15-controlnet",
            "train with --backend sd15-controlnet, or use flawsmith inpaint",
        )  # fmt: skip
    painter = painter_of(choice, Path.cwd(), device)
    assert isinstance(painter, Sd15Painter)
    return painter


def _damage(order: GenerateOrder, blueprint: Blueprint | None, painter: Sd15Painter) -> str:
    known = ", ".join(t for t in painter.types if t != GOOD)
    if order.damage is None:
        if blueprint is None:
            raise InputError("--mask without --type", f"one of {known}", "say which damage to show")
        return damage_for(blueprint.name, blueprint.kind, order.choice, painter)
    if order.damage not in painter.types or order.damage == GOOD:
        raise InputError(f"--type {order.damage}", f"one of {known}", "choose a damage that was learned")
    return order.damage


def _read(file: Path, size: int) -> np.ndarray:
    """A mask (size, size) bool: there is no photograph whose size it could have."""
    mask = read_marks(file)
    if mask.shape != (size, size) or not mask.any() or mask.all():
        state = "empty" if not mask.any() else "white all over" if mask.all() else "of another size"
        raise InputError(
            f"mask {file}, {mask.shape[1]} x {mask.shape[0]} pixels, is {state}",
            f"{size} x {size} pixels, white where the defect goes", "draw another, or give --size",
        )  # fmt: skip
    return mask


def _placed(
    order: GenerateOrder,
    blueprint: Blueprint | None,
    painter: Sd15Painter,
    masks: list[np.ndarray],
    files: list[Path],
    index: int,
) -> tuple[np.ndarray, str]:
    """The mask of one picture, and where it came from."""
    if blueprint is None:
        return masks[index % len(masks)], files[index % len(masks)].name
    blank = Photo("a picture", np.full((painter.size, painter.size, 3), 128, np.uint8))
    assert order.choice.mm_per_px is not None
    ground = flat_ground(blank, order.choice.mm_per_px)
    mark = draw_mark(ground, blueprint, child(order.seed, "place", index), np.zeros(blank.size, bool), LEAST_PX)
    return mark.mask, f"blueprint {blueprint.name}"


def _visible(
    order: GenerateOrder, painter: Sd15Painter, mask: np.ndarray, damage: str, index: int
) -> tuple[Generated, int, int] | None:
    """The first try whose label is a picture of the mask, its seed and its number; None where none was."""
    for attempt in range(order.choice.tries):
        seed = child_seed(order.seed, "picture", index, attempt)
        made = generate(painter, mask, damage, seed, order.paste)
        if made.iou >= NO_OP_IOU:
            return made, seed, attempt + 1
    return None


def _write(order: GenerateOrder, name: str, made: Generated, mask: np.ndarray, facts: dict[str, Any]) -> None:
    begin(order.out, name)
    image = order.out / "images" / f"{name}.png"
    if order.paste:
        write_painted(image, made.image, made.clean, mask)
    else:
        write_bytes(image, png_bytes(made.image))
    write_bytes(order.out / "clean" / f"{name}.png", png_bytes(made.clean))
    for folder, bits in (("labels", made.label), ("requested", mask)):
        write_bytes(order.out / folder / f"{name}.png", png_bytes(bits.astype(np.uint8) * 255))
    write_json(order.out / FACTS / f"{name}.json", facts)
