"""What the tests of the mechanical kinds share: grounds, blueprints, measures, and what holds for every mark."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from core import models
from core.blueprint import Blueprint
from core.layers import FIELDS, Layers
from core.material import Material, Surface
from core.seeds import child
from defects.procedural.kind import Ground

NAMES = ("chatter", "crack", "dent", "gouge", "pit", "porosity", "scratch", "scuff")
STEEL = Surface(albedo=(0.56, 0.55, 0.53), metallic=1.0, roughness=0.27)
BLUE = Surface(albedo=(0.03, 0.09, 0.25), metallic=0.0, roughness=0.12)
BARE = Ground(Material(name="steel", version=1, text="", process="", surface=STEEL))
LIBRARY = Path(__file__).parents[2] / "scenes" / "library" / "blueprints"
STILL = {"width_noise": 0.0, "depth_noise": 0.0, "chatter": 0.0, "satellites": 0, "bow": 0.0}


def painted(coat_um: float) -> Ground:
    return Ground(
        Material(name="paint", version=1, text="", process="", surface=BLUE, substrate=STEEL, coat_um=coat_um)
    )


def rng(*names: str | int) -> np.random.Generator:
    return child(11, *names)


@cache
def blueprints() -> tuple[Blueprint, ...]:
    found = (models.load(Blueprint, path) for path in sorted(LIBRARY.glob("*.yaml")))
    return tuple(b for b in found if b.kind in NAMES)


def own_paths() -> list[Path]:
    return [p for p in sorted(LIBRARY.glob("*.yaml")) if models.load(Blueprint, p).kind in NAMES]


def crossings(layers: Layers, start: tuple[float, float], end: tuple[float, float], n: int = 200_001) -> np.ndarray:
    """Distances from `start` (metres) at which the bilinear sdf changes sign on a straight line."""
    t = np.linspace(0, 1, n)[:, None]
    value = layers.sample("sdf_m", np.asarray(start) * (1 - t) + np.asarray(end) * t)
    at = np.flatnonzero((value[1:] < 0) != (value[:-1] < 0))
    span = np.hypot(*np.subtract(end, start))
    return (at + value[at] / (value[at] - value[at + 1])) * span / (n - 1)


def area(layers: Layers, fold: int = 6) -> float:
    """Area (m2) where the bilinear sdf is negative, by fold x fold samples a texel."""
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w * fold) + 0.5) / fold * layers.pitch_m
    v = layers.origin_m[1] + (np.arange(h * fold) + 0.5) / fold * layers.pitch_m
    inside = sum(int((layers.sample("sdf_m", np.stack([u, np.full_like(u, y)], axis=1)) < 0).sum()) for y in v)
    return inside * (layers.pitch_m / fold) ** 2


def radius(layers: Layers) -> np.ndarray:
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w) + 0.5) * layers.pitch_m
    v = layers.origin_m[1] + (np.arange(h) + 0.5) * layers.pitch_m
    return np.hypot(u[None], v[:, None])


def check(layers: Layers, reach_m: float) -> None:
    """What every set of layers must satisfy."""
    label, changed = layers.sdf_m < 0, layers.affected_m <= 0
    assert label.any()
    assert (layers.affected_m <= layers.sdf_m).all()
    assert radius(layers)[changed].max() <= reach_m
    out = ~changed
    assert np.abs(layers.height_m[out]).max() < 0.2e-6
    for name in ("albedo_weight", "surface_weight", "film"):
        assert getattr(layers, name)[out].max() < 0.02, name
    assert layers.lay_keep[out].min() > 0.98
    if layers.displacement_m is not None:
        assert np.abs(layers.displacement_m[out]).max() < 0.01 * np.abs(layers.displacement_m).max()
    for name in FIELDS:
        assert np.isfinite(getattr(layers, name)).all(), name
    for name in ("albedo", "albedo_weight", "roughness", "metallic", "surface_weight", "lay_keep", "film"):
        value = getattr(layers, name)
        assert value.min() >= 0, name
        assert value.max() <= 1, name


def documented(kind: str) -> dict[str, tuple[str, str]]:
    """parameter -> (default, range) as the table of one kind says."""
    text = (Path(__file__).parents[2] / "docs" / "kinds-mechanical.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {name.strip(" `"): (default.strip(), span.strip()) for name, default, span, _ in rows}
