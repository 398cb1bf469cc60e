"""Micro-structure without direction as periodic pictures, layers of about one scale in one tile. Numpy, no Blender.

A noise that a shader works out costs far more than a look-up, and a bump asks for it three times. So grain, pits,
spangle and mottle are drawn once a job, as random fields with the spectrum that `finishes_fold` books: six texels to
the shortest wave, hundreds of waves across a tile. Heights are made for bicubic B-spline look-ups: prefiltered, so that
the spline goes through them (Unser, Splines, IEEE SPM 1999), with continuous slopes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from . import finishes_cells as cells
from . import finishes_fold as fold

MM = 1e-3
SIDE, WIDE = 512, 1024
PER_WAVE = 6
REACH = 6.0
"""Longest over shortest wave of one tile."""
FINER = {"noise": 1.0, "bumps": 0.5, "dimples": 0.5}
"""The wave to resolve, over the dominant one: cells have sharp ridges."""
HEIGHT, TONE, ROUGHNESS, MASK = range(4)


@dataclass(frozen=True, eq=False)
class Tile:
    """pixels: (n, n, 4) float32, row 0 at v = 0, one period. Channels: height over height_m, relative tone, relative
    roughness, share of `tint`. used: channels that are not zero."""

    period_m: float
    pixels: np.ndarray
    height_m: float
    tint: tuple[float, float, float] | None

    @property
    def used(self) -> tuple[int, ...]:
        return tuple(k for k in range(4) if self.pixels[..., k].any())


@dataclass(frozen=True)
class Item:
    """One wave of a layer, or a whole layer whose waves cannot be parted. index: of the layer, octave: in it."""

    layer: dict
    index: int
    octave: int
    shortest_m: float
    longest_m: float


def tileable(layer: dict) -> bool:
    """True where a layer has no direction; the others follow the lay and stay in the shader."""
    return layer["kind"] in ("grain", "pits", "spangle") or (layer["kind"] == "mottle" and layer["stretch"] == 1)


def build(structure: list[dict], metres_per_pixel: float) -> list[Tile]:
    """Tiles of the tileable layers of a structure, each wave as strong as a pixel of that size shows it."""
    made = [_drawn(group, metres_per_pixel) for group in _groups(structure)]
    return [tile for tile in made if tile.used]


def _items(structure: list[dict]) -> Iterator[Item]:
    for index, layer in enumerate(structure):
        if not tileable(layer):
            continue
        if layer["kind"] == "mottle":
            lengths = [layer["size_mm"] * MM / 2**i for i in range(layer["octaves"])]
        else:
            lengths = [wave.length_m for wave in fold.waves(layer)]
        if layer["kind"] == "spangle":
            lengths.append(layer["size_mm"] * MM)
        if layer["kind"] == "spangle" or layer.get("tint") is not None:
            yield Item(layer, index, -1, min(lengths), max(lengths))
        else:
            finer = 0.4 if layer["kind"] == "pits" else FINER[layer.get("form", "noise")]
            yield from (Item(layer, index, i, finer * length, length) for i, length in enumerate(lengths))


def _groups(structure: list[dict]) -> list[list[Item]]:
    """Items of about one scale together, finest first; one tint a group."""
    groups: list[list[Item]] = []
    for item in sorted(_items(structure), key=lambda i: (i.shortest_m, i.index, i.octave)):
        for group in groups:
            tints = sum(i.layer.get("tint") is not None for i in (*group, item))
            if max(item.longest_m, *(i.longest_m for i in group)) <= REACH * group[0].shortest_m and tints <= 1:
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def _drawn(group: list[Item], metres_per_pixel: float) -> Tile:
    shortest = group[0].shortest_m
    side = SIDE if max(i.longest_m for i in group) <= 2 * REACH * shortest else WIDE
    period = side * shortest / PER_WAVE
    smooth, sharp = (np.zeros((4, side, side), np.float32) for _ in range(2))
    tint = None
    for item in group:
        draw = {"grain": _grain, "pits": _pits, "mottle": _mottle, "spangle": _spangle}[item.layer["kind"]]
        draw(item, period, metres_per_pixel, smooth, sharp)
        tint = item.layer.get("tint") or tint
    pixels = np.moveaxis(_prefiltered(smooth) + sharp, 0, -1)
    height = float(pixels[..., HEIGHT].std())
    if height > 0:
        pixels[..., HEIGHT] /= height
    return Tile(period, np.ascontiguousarray(pixels), height, tint)


def _grain(item: Item, period: float, metres_per_pixel: float, smooth: np.ndarray, sharp: np.ndarray) -> None:
    layer, wave = item.layer, fold.waves(item.layer)[item.octave]
    height = wave.height_m * fold.drawn(wave.length_m, metres_per_pixel)
    if height == 0:
        return
    if layer["form"] == "noise":
        smooth[HEIGHT] += height * _noise(smooth.shape[1], period / wave.length_m, _key(item))
    else:
        sign = 1 if layer["form"] == "dimples" else -1
        smooth[HEIGHT] += sign * height * cells.bowls(smooth.shape[1], period / wave.length_m, _key(item))


def _pits(item: Item, period: float, metres_per_pixel: float, smooth: np.ndarray, sharp: np.ndarray) -> None:
    layer = item.layer
    share = fold.drawn(layer["size_mm"] * MM, metres_per_pixel)
    if share == 0:
        return
    ratio = period / (layer["spacing_mm"] * MM)
    bowl = cells.pits(smooth.shape[1], ratio, layer["size_mm"] / layer["spacing_mm"], layer["cover"], _key(item))
    smooth[HEIGHT] -= layer["depth_um"] * fold.UM * share * bowl
    sharp[TONE] += (layer["tone"] - 1.0) * share * _smoothstep(bowl, 0.0, 0.5)


def _mottle(item: Item, period: float, metres_per_pixel: float, smooth: np.ndarray, sharp: np.ndarray) -> None:
    layer = item.layer
    norm = math.sqrt(sum(0.36**i for i in range(layer["octaves"])))
    value = np.zeros(smooth.shape[1:], np.float32)
    for octave in range(layer["octaves"]) if item.octave < 0 else (item.octave,):
        length = layer["size_mm"] * MM / 2**octave
        share = fold.drawn(length, metres_per_pixel)
        if share > 0:
            wave = _noise(len(value), period / length, _key(replace(item, octave=octave)))
            value += share * 0.6**octave / norm * wave
    smooth[TONE] += layer["tone"] * value
    smooth[ROUGHNESS] += layer["roughness"] * value
    if layer["tint"] is not None and layer["tint_cover"] > 0 and value.any():
        level = fold.level(layer["tint_cover"])
        sharp[MASK] = _smoothstep(value, level - 0.5, level + 0.9)


def _spangle(item: Item, period: float, metres_per_pixel: float, smooth: np.ndarray, sharp: np.ndarray) -> None:
    layer = item.layer
    share = fold.drawn(layer["size_mm"] * MM, metres_per_pixel)
    crystal = cells.crystals(
        smooth.shape[1], period / (layer["size_mm"] * MM), layer["size_mm"] / layer["dendrite_mm"], _key(item)
    )
    spread = share * math.sqrt(12)
    sharp[TONE] += spread * layer["tone"] * crystal.draws[0]
    sharp[ROUGHNESS] += spread * layer["roughness"] * crystal.draws[1]
    for wave in fold.waves(layer):
        part = fold.drawn(wave.length_m, metres_per_pixel)
        smooth[HEIGHT] += part * wave.height_m * crystal.fern
        smooth[TONE] += 0.4 * part * layer["tone"] * crystal.fern


def _key(item: Item) -> str:
    return f"{item.index} {item.octave} {sorted(item.layer.items())}"


@lru_cache(maxsize=24)
def _noise(side: int, waves: float, key: str) -> np.ndarray:
    """(side, side) float32, periodic, Gaussian, zero mean and unit rms; rms slope on each axis 2 pi `waves` a side.

    Power k^2 exp(-k^2 / 2 s^2) over the plane, a broad ring like that of gradient noise: its mean k^2 is 4 s^2.
    """
    white = np.fft.rfft2(cells.rng(key).standard_normal((side, side)))
    k2 = np.add.outer((np.fft.fftfreq(side) * side) ** 2, (np.fft.rfftfreq(side) * side) ** 2)
    field = np.fft.irfft2(white * np.sqrt(k2 * np.exp(-k2 / waves**2)), s=(side, side))
    made = (field / field.std()).astype(np.float32)
    made.flags.writeable = False
    return made


def _prefiltered(fields: np.ndarray) -> np.ndarray:
    """Coefficients of the periodic cubic B-splines that go through fields (k, n, n)."""
    n = fields.shape[-1]
    out = np.zeros_like(fields)
    rows, columns = ((2 + np.cos(2 * np.pi * f)) / 3 for f in (np.fft.fftfreq(n), np.fft.rfftfreq(n)))
    for k, field in enumerate(fields):
        if field.any():
            out[k] = np.fft.irfft2(np.fft.rfft2(field) / np.multiply.outer(rows, columns), s=(n, n))
    return out


def _smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)
