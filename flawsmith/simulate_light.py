"""The light of a room as one equirectangular image, seen from the table's middle."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from core.job import Light
from core.material import RGB
from flawsmith.images import read_exr

HEIGHT = 128
FLAT = ("rect", "disk")
FINE = 3


def directions(height: int, fine: int = 1) -> np.ndarray:
    """(height * fine, 2 * height * fine, 3): row 0 looks along +Z, azimuth atan2(y, x) from -pi (left) to pi."""
    rows, columns = height * fine, 2 * height * fine
    polar = (np.arange(rows) + 0.5) / rows * np.pi
    azimuth = (np.arange(columns) + 0.5) / columns * 2 * np.pi - np.pi
    around = np.stack([np.cos(azimuth), np.sin(azimuth)], -1)
    flat = np.sin(polar)[:, None, None] * around[None]
    return np.concatenate([flat, np.broadcast_to(np.cos(polar)[:, None, None], (rows, columns, 1))], -1)


def environment(lights: Sequence[Light], world_radiance: RGB) -> np.ndarray | None:
    """(HEIGHT, 2 HEIGHT, 3) float32 radiance from each direction, room frame, for `recon.result.Reconstruction`.

    A lamp near the part is not at infinity: the image is right for the table's middle only. None where a lamp is
    neither flat nor an image.
    """
    if any(lamp.kind not in (*FLAT, "environment") for lamp in lights):
        return None
    ways = directions(HEIGHT, FINE)
    light = np.broadcast_to(np.asarray(world_radiance, float), ways.shape).copy()
    for lamp in lights:
        if lamp.kind == "environment":
            light += _pictured(lamp, ways)
    nearest = np.full(ways.shape[:2], np.inf)
    for lamp in lights:
        if lamp.kind in FLAT:
            _before(light, nearest, lamp, ways)
    return light.reshape(HEIGHT, FINE, 2 * HEIGHT, FINE, 3).mean((1, 3)).astype(np.float32)


def _before(light: np.ndarray, nearest: np.ndarray, lamp: Light, ways: np.ndarray) -> None:
    """Put a flat lamp's radiance over what lies behind it."""
    pose = np.array(lamp.world_from_light)
    centre, axes = pose[:3, 3], pose[:3, :3]
    facing = -(ways @ axes[:, 2])
    cosine = np.maximum(-facing, 0.0)  # towards the lamp is against its emission, -z
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (centre @ axes[:, 2]) / (ways @ axes[:, 2])
    spot = (ways * np.where(np.isfinite(away), away, 0.0)[..., None] - centre) @ axes[:, :2]
    half = np.array(lamp.size_m if lamp.kind == "rect" else (lamp.size_m[0],) * 2) / 2
    if lamp.kind == "rect":
        inside = (np.abs(spot) <= half).all(-1)
    else:
        inside = (spot**2).sum(-1) <= half[0] ** 2
    inside &= (cosine > 0) & (away > 0) & (away < nearest)
    glow = np.full(ways.shape[:2], lamp.radiance)
    if lamp.spread_rad < np.pi - 1e-6:
        tangent = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(cosine, 1e-9)
        glow *= np.clip(1 - tangent / np.tan(lamp.spread_rad / 2), 0, 1)
    if lamp.segments:
        number = ((spot[..., 0] / half[0] + 1) / 2 * len(lamp.segments)).astype(int)
        glow *= np.array(lamp.segments)[np.clip(number, 0, len(lamp.segments) - 1)]
    nearest[inside] = away[inside]
    light[inside] = glow[inside][:, None] * np.array(lamp.tint)


def _pictured(lamp: Light, ways: np.ndarray) -> np.ndarray:
    """Radiance of an equirectangular image in Blender's layout: the middle column looks along +X, the left one along
    -X, and +Y is a quarter to the left of the middle."""
    picture = read_exr(_file(str(lamp.image)))[..., :3]
    height, width = picture.shape[:2]
    turn = np.arctan2(lamp.world_from_light[1][0], lamp.world_from_light[0][0])
    azimuth = np.arctan2(ways[..., 1], ways[..., 0]) - turn
    column = np.floor((0.5 - azimuth / (2 * np.pi)) % 1.0 * width).astype(int) % width
    row = np.clip(np.arccos(np.clip(ways[..., 2], -1, 1)) / np.pi * height, 0, height - 1).astype(int)
    return picture[row, column] * lamp.radiance * np.array(lamp.tint)


def _file(name: str) -> Path:
    """An absolute path, or a name of the studio lights that the bpy wheel carries."""
    if Path(name).is_absolute():
        return Path(name)
    spec = find_spec("bpy")
    assert spec is not None and spec.origin is not None
    found = sorted(Path(spec.origin).parent.glob(f"**/studiolights/world/{name}"))
    assert found, f"studio light {name}"
    return found[0]
