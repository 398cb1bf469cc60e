"""Wavefront MTL as looks: diffuse colour, shininess, the common physically based additions, and their images.

Roughness of a Phong exponent n: alpha = sqrt(2 / (n + 2)) (Walter and others 2007, "Microfacet models for refraction
through rough surfaces"), alpha = roughness squared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.colour import linear_from_srgb
from core.errors import InputError
from core.texture import PbrMaps
from parts.container import beside
from parts.images import Budget, decoded, resized
from parts.skin import PLAIN_ROUGHNESS, Look

IMAGES = {"map_kd": "base colour", "map_pr": "roughness", "map_pm": "metallic", "norm": "normal", "map_kn": "normal"}
OTHER_IMAGES = ("map_", "bump", "disp", "decal", "refl")
ARGUMENTS = {"-blendu": 1, "-blendv": 1, "-cc": 1, "-clamp": 1, "-texres": 1, "-imfchan": 1, "-type": 1, "-boost": 1,
             "-bm": 1, "-mm": 2}  # fmt: skip
VECTORS = ("-o", "-s", "-t")
RGB = tuple[float, float, float]


@dataclass
class _Entry:
    """One `newmtl`. images: what for -> (reference, clamped)."""

    colour: RGB | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    images: dict[str, tuple[str, bool]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Library:
    """Materials of the MTL files of one model. files: those read, images included. notes: what is missing."""

    palette: dict[str, RGB] = field(default_factory=dict)
    looks: dict[str, Look] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_libraries(folder: Path, references: list[str], wanted: set[str], name: str) -> Library:
    """The materials in `wanted`, from the MTL files that `name` refers to. InputError for paths out of `folder`."""
    out, entries = Library(), {}
    for reference in dict.fromkeys(references):
        place = beside(folder, reference, name)
        if not place.is_file():
            out.notes.append(f"material file '{reference}' is missing: colours are unknown")
            continue
        out.files.append(place)
        entries |= _entries(place, folder)
    out.palette = {n: e.colour for n, e in entries.items() if e.colour}
    painter = _Painter(folder, out)
    out.looks = {n: painter.look(n, e) for n, e in entries.items() if n in wanted}
    return out


def _entries(place: Path, folder: Path) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    entry = None
    for line in place.read_text("utf-8", "replace").splitlines():
        key, _, rest = line.strip().partition(" ")
        key, rest = key.lower(), rest.strip()
        if key == "newmtl":
            entry = found.setdefault(rest, _Entry())
        elif entry is None or not rest:
            continue
        elif key == "kd":
            entry.colour = _diffuse(rest, place.name)
        elif key in ("ns", "pr", "pm"):
            entry.numbers[key] = _number(rest.split()[0], key, place.name)
        elif key in IMAGES or key.startswith(OTHER_IMAGES):
            _image_line(entry, key, rest, folder, place.name)
    return found


def _image_line(entry: _Entry, key: str, rest: str, folder: Path, name: str) -> None:
    """Note what an image line asks for; its path is checked whether or not it is used."""
    reference, options = _options(rest)
    beside(folder, reference, name)
    kind = IMAGES.get(key)
    if kind is None:
        if entry.images.get("normal", ("", False))[0] != reference:
            entry.notes.append(f"{key} is left out")
        return
    moved = any(_number(v, key, name) != (1.0 if o == "-s" else 0.0) for o in VECTORS for v in options.get(o, []))
    if moved:
        entry.faults.append(f"{name}: {key} shifts or scales its image, which is not supported")
    entry.images[kind] = (reference, options.get("-clamp", ["off"])[0].lower() == "on")


def _options(rest: str) -> tuple[str, dict[str, list[str]]]:
    """The file name, which may hold blanks, and the options before it."""
    words, at, found = rest.split(), 0, {}
    while at < len(words) - 1 and (words[at] in ARGUMENTS or words[at] in VECTORS):
        option, values = words[at], []
        at += 1
        most = ARGUMENTS.get(option, 3)
        while at < len(words) - 1 and len(values) < most and (option in ARGUMENTS or _is_number(words[at])):
            values.append(words[at])
            at += 1
        found[option] = values
    return " ".join(words[at:]), found


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _number(word: str, key: str, name: str) -> float:
    if not _is_number(word) or not np.isfinite(float(word)):
        raise InputError(f"{name} has '{key} {word[:40]}'", "a number", "correct the material file")
    return float(word)


def _diffuse(text: str, name: str) -> RGB:
    """Kd as linear RGB. MTL does not say what its numbers are; they are taken as what a screen shows (sRGB)."""
    try:
        values = [float(v) for v in text.split()[:3]]
        r, g, b = linear_from_srgb(np.array(values if len(values) == 3 else values[:1] * 3)).tolist()
    except ValueError as error:
        raise InputError(f"{name} has 'Kd {text[:40]}'", "three numbers", "correct the material file") from error
    return round(r, 6), round(g, 6), round(b, 6)


@dataclass
class _Painter:
    """Reads each image once. An image of colour is not multiplied by Kd: exporters leave Kd at 0 or 0.8 beside one."""

    folder: Path
    library: Library
    budget: Budget = field(default_factory=Budget)
    _images: dict[str, np.ndarray] = field(default_factory=dict)
    _maps: dict[tuple, PbrMaps] = field(default_factory=dict)

    def look(self, name: str, entry: _Entry) -> Look:
        faults, images = list(entry.faults), {}
        for kind, (reference, _) in entry.images.items():
            try:
                images[kind] = self._image(reference, f"the {kind} image '{reference}' of material '{name}'")
            except InputError as error:
                faults.append(f"{error.given}: expected {error.expected}")
        rough = entry.numbers.get("pr", _roughness(entry.numbers.get("ns")))
        shine = np.clip([1.0 if "roughness" in images else rough,
                         1.0 if "metallic" in images else entry.numbers.get("pm", 0.0)], 0, 1).tolist()  # fmt: skip
        r, g, b = (1.0, 1.0, 1.0) if "base colour" in images or entry.colour is None else np.clip(entry.colour, 0, 1)
        clamped = next((c for _, c in entry.images.values()), False)
        maps = self._shared(images, clamped) if images else None
        notes = tuple(f"material '{name}': {n}" for n in dict.fromkeys(entry.notes))
        return Look(name, (float(r), float(g), float(b)), shine[0], shine[1], maps, tuple(faults), notes)

    def _shared(self, images: dict[str, np.ndarray], clamped: bool) -> PbrMaps:
        key = (*((k, id(v)) for k, v in images.items()), clamped)
        if key not in self._maps:
            gloss = _gloss(images.get("roughness"), images.get("metallic"))
            wrap = "extend" if clamped else "repeat"
            self._maps[key] = PbrMaps(images.get("base colour"), gloss, images.get("normal"), wrap=wrap)
        return self._maps[key]

    def _image(self, reference: str, what: str) -> np.ndarray:
        if reference not in self._images:
            path = beside(self.folder, reference, what)
            if not path.is_file():
                raise InputError(f"{what} is missing", "the image beside the model", "add that file")
            self.library.files.append(path)
            self._images[reference] = decoded(path.read_bytes(), what, self.budget)
        return self._images[reference]


def _roughness(shininess: float | None) -> float:
    return PLAIN_ROUGHNESS if shininess is None else (2.0 / (max(shininess, 0.0) + 2.0)) ** 0.25


def _gloss(roughness: np.ndarray | None, metallic: np.ndarray | None) -> np.ndarray | None:
    """(h, w, 2) of two grey images (h, w, 3), the smaller resampled; a missing one is white: only its factor counts."""
    found = [i for i in (roughness, metallic) if i is not None]
    if not found:
        return None
    height, width = np.max([i.shape[:2] for i in found], axis=0).tolist()
    white = np.full((height, width, 3), 255, np.uint8)
    pair = [white if i is None else i if i.shape[:2] == (height, width) else resized(i, height, width)
            for i in (roughness, metallic)]  # fmt: skip
    return np.stack([pair[0][..., 0], pair[1][..., 0]], axis=2)
