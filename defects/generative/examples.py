"""Few-shot examples: photographs with masks, by damage. Two layouts are read, both plain folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from core.errors import InputError
from defects.generative.augment import Example
from defects.generative.painter import GOOD
from defects.generative.photo import MASK_SUFFIXES, SUFFIXES, Photo, read_mask, read_photo

LEAST = 3
"""Examples that a type needs."""
INNER = ("imgs", "images", "img")


def read_examples(folder: Path, least: int = LEAST) -> list[Example]:
    """All examples, types in the order of their names, GOOD last. InputError for too few of a type, or none at all.

    MVTec AD's layout: train/good, test/TYPE and ground_truth/TYPE/NAME_mask.png (a folder above it will do, and so
    will a dataset of `flawsmith run`). Or a folder a type: NAME.jpg beside NAME.png or NAME_mask.png; `good`, `free`
    and `ok` need no masks. Empty masks are passed over.
    """
    root = _mvtec(folder)
    found = list(_of_mvtec(root) if root else _of_folders(folder))
    counts = {t: sum(e.damage == t for e in found) for t in sorted({e.damage for e in found} - {GOOD})}
    if not counts:
        raise InputError(
            f"{folder} holds no example of a damage", "test/TYPE with ground_truth/TYPE, or a folder a type with masks",
            "see docs/photo-route.md",
        )  # fmt: skip
    few = [f"{n} of {t}" for t, n in counts.items() if n < least]
    if few:
        raise InputError(
            f"{folder} holds {', '.join(few)}", f"at least {least} of each", "add examples, or leave the type out"
        )
    return sorted(found, key=lambda e: (e.damage == GOOD, e.damage, e.name))


def types_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """GOOD and the damages, sorted."""
    return (GOOD, *sorted({e.damage for e in examples} - {GOOD}))


def _mvtec(folder: Path) -> Path | None:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "a folder with examples", "check the path")
    for root in (folder, *sorted(p for p in folder.glob("*") if p.is_dir()), *sorted(folder.glob("mvtec/*"))):
        if (root / "ground_truth").is_dir() and (root / "test").is_dir():
            return root
    return None


def _of_mvtec(root: Path) -> Iterator[Example]:
    for path in _pictures(root / "train" / "good"):
        yield _good(path)
    for kind in sorted(p for p in (root / "test").iterdir() if p.is_dir() and p.name != "combined"):
        for path in _pictures(kind):
            if kind.name == GOOD:
                yield _good(path)
            else:
                yield from _example(path, root / "ground_truth" / kind.name, kind.name)


def _of_folders(folder: Path) -> Iterator[Example]:
    for kind in sorted(p for p in folder.iterdir() if p.is_dir()):
        inner = next((p for p in kind.iterdir() if p.is_dir() and p.name.lower() in INNER), kind)
        name = kind.name.lower().removeprefix("mt_")
        pictures = _pictures(inner)
        jpegs = [p for p in pictures if p.suffix.lower() in (".jpg", ".jpeg")]
        if name in (GOOD, "free", "ok"):
            yield from (_good(p) for p in jpegs or pictures)
            continue
        for path in pictures:
            plain = not any(path.stem.endswith(end) for end in MASK_SUFFIXES if end)
            if plain and not (path.suffix.lower() == ".png" and any(j.stem == path.stem for j in jpegs)):
                yield from _example(path, inner, name)


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.suffix.lower() in SUFFIXES) if folder.is_dir() else []


def _good(path: Path) -> Example:
    photo = read_photo(path)
    return Example(photo.pixels, np.zeros(photo.size, bool), _part(photo), GOOD, path.stem)


def _example(path: Path, masks: Path, damage: str) -> Iterator[Example]:
    photo = read_photo(path)
    named = (masks / f"{path.stem}{end}{s}" for end in MASK_SUFFIXES for s in (".png", ".bmp", ".tif", ".tiff"))
    file = next((p for p in named if p.is_file() and p != path), None)
    if file is None:
        raise InputError(f"{path} has no mask in {masks}", f"{path.stem}_mask.png", "add the mask, or take it away")
    mask = read_mask(file, photo)
    if mask.any() and not mask.all():
        yield Example(photo.pixels, mask, _part(photo), damage, path.stem)


def _part(photo: Photo) -> np.ndarray:
    return np.ones(photo.size, bool) if photo.part is None else photo.part
