"""Few-shot examples: photographs with masks, by damage. Two layouts are read, both plain folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from core.errors import InputError
from core.files import sha256_bytes
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
    and `ok` need no masks. Empty masks are passed over, but a type's folder without any other is one of too few.
    """
    root = _mvtec(folder)
    found = _of_mvtec(root) if root else _of_folders(folder)
    counts = {t: len(e) for t, e in sorted(found.items()) if t != GOOD}
    if not any(counts.values()):
        raise InputError(
            f"{folder} holds no example of a damage", "test/TYPE with ground_truth/TYPE, or a folder a type with masks",
            "see docs/photo-route.md",
        )  # fmt: skip
    few = [f"{n} of {t}" for t, n in counts.items() if n < least]
    if few:
        raise InputError(
            f"{folder} holds {', '.join(few)}", f"at least {least} of each", "add examples, or leave the type out"
        )
    return sorted((e for of in found.values() for e in of), key=lambda e: (e.damage == GOOD, e.damage, e.name))


def types_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """GOOD and the damages, sorted."""
    return (GOOD, *sorted({e.damage for e in examples} - {GOOD}))


def print_of(example: Example) -> list[str]:
    """What tells an example from every other: its names, and a hash of photograph, mask and part."""
    arrays = (example.image, example.mask, example.part)
    return [example.damage, example.name, sha256_bytes(b"".join(a.tobytes() for a in arrays))]


def _mvtec(folder: Path) -> Path | None:
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder", "a folder with examples", "check the path")
    for root in (folder, *sorted(p for p in folder.glob("*") if p.is_dir()), *sorted(folder.glob("mvtec/*"))):
        if (root / "ground_truth").is_dir() and (root / "test").is_dir():
            return root
    return None


def _of_mvtec(root: Path) -> Mapping[str, list[Example]]:
    """Examples by type; a type whose folder holds none is there too."""
    found = {GOOD: [_good(p) for p in _pictures(root / "train" / "good")]}
    for kind in _kinds(root / "test"):
        if kind.name == GOOD:
            found[GOOD] += [_good(p) for p in _pictures(kind)]
        elif kind.name != "combined":
            masks = root / "ground_truth" / kind.name
            found[kind.name] = [e for p in _pictures(kind) for e in _example(p, masks, kind.name)]
    return found


def _of_folders(folder: Path) -> Mapping[str, list[Example]]:
    found: dict[str, list[Example]] = {}
    for kind in _kinds(folder):
        inner = next((p for p in kind.iterdir() if p.is_dir() and p.name.lower() in INNER), kind)
        name = kind.name.lower().removeprefix("mt_")
        pictures = _pictures(inner)
        jpegs = [p for p in pictures if p.suffix.lower() in (".jpg", ".jpeg")]
        if name in (GOOD, "free", "ok"):
            found.setdefault(GOOD, []).extend(_good(p) for p in jpegs or pictures)
            continue
        of = found.setdefault(name, [])
        for path in pictures:
            plain = not any(path.stem.endswith(end) for end in MASK_SUFFIXES if end)
            if plain and not (path.suffix.lower() == ".png" and any(j.stem == path.stem for j in jpegs)):
                of.extend(_example(path, inner, name))
    return found


def _kinds(folder: Path) -> list[Path]:
    """Folders, but hidden ones."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


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
