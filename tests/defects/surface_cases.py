"""What the tests of the surface kinds share: grounds, blueprints, and what holds for every decal."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.blueprint import Blueprint
from core.files import read_yaml
from core.layers import Layers
from core.material import Material, Surface
from core.models import load
from core.seeds import child
from defects.procedural.kind import Ground
from defects.procedural.kinds import (
    KINDS,
    foreign,
    heat_tint,
    paint_run,
    peel,
    perlin_overlay,
    print_fault,
    rust,
    stain,
)

MODULES = {
    "foreign": foreign, "heat_tint": heat_tint, "paint_run": paint_run, "peel": peel, "perlin_overlay": perlin_overlay,
    "print_fault": print_fault, "rust": rust, "stain": stain,
}  # fmt: skip
LIBRARY = Path(__file__).parents[2] / "scenes" / "library" / "blueprints"
FILES = [f for f in sorted(LIBRARY.glob("*.yaml")) if read_yaml(f)["kind"] in MODULES]
BLUEPRINTS = {f.stem: load(Blueprint, f) for f in FILES}

BARE = Surface(albedo=(0.5, 0.49, 0.47), metallic=1.0, roughness=0.4)
STEEL = Ground(Material(name="steel", version=1, text="", process="", surface=BARE))
PAINTED = Ground(
    Material(
        name="painted", version=1, text="", process="", coat_um=80.0, substrate=BARE,
        surface=Surface(albedo=(0.2, 0.24, 0.28), metallic=0.0, roughness=0.35),
    )
)  # fmt: skip
WEIGHTS = ("albedo", "albedo_weight", "roughness", "metallic", "surface_weight", "lay_keep", "film")
MM, UM = 1e-3, 1e-6


def ground_for(kind: str) -> Ground:
    return STEEL if kind == "heat_tint" else PAINTED


def paint(kind: str, seed: int = 1, ground: Ground | None = None, **values: object) -> Layers:
    made = KINDS[kind].parameters(values, "test")
    assert KINDS[kind].paint is not None
    return KINDS[kind].paint(made, ground or ground_for(kind), child(seed, "paint"))


def places(layers: Layers) -> tuple[np.ndarray, np.ndarray]:
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w) + 0.5) * layers.pitch_m
    v = layers.origin_m[1] + (np.arange(h) + 0.5) * layers.pitch_m
    return np.meshgrid(u, v)


def area_m2(layers: Layers, name: str = "sdf_m", fine: int = 4) -> float:
    """Area of the zone as the renderer cuts it: the bilinear signed distance at sub-texel points."""
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w * fine) + 0.5) * layers.pitch_m / fine
    v = layers.origin_m[1] + (np.arange(h * fine) + 0.5) * layers.pitch_m / fine
    values = layers.sample(name, np.stack(np.meshgrid(u, v), axis=-1))
    return float((values < 0).sum()) * (layers.pitch_m / fine) ** 2


def assert_sound(layers: Layers, reach_m: float) -> None:
    """What holds for every decal of these kinds."""
    for name in (*WEIGHTS, "sdf_m", "affected_m", "height_m"):
        assert np.isfinite(getattr(layers, name)).all(), name
    for name in WEIGHTS:
        values = getattr(layers, name)
        assert values.min() >= 0 and values.max() <= 1, name
    assert (layers.sdf_m < 0).any()
    assert (layers.affected_m <= layers.sdf_m).all()
    assert np.abs(layers.height_m).max() < 2.5 * MM
    away = layers.affected_m > 1.01 * layers.pitch_m
    assert not layers.albedo_weight[away].any() and not layers.surface_weight[away].any()
    assert not layers.film[away].any() and not layers.height_m[away].any() and (layers.lay_keep[away] == 1).all()
    assert np.hypot(*places(layers))[layers.affected_m <= 0].max() <= reach_m


def documented(kind: str) -> dict[str, tuple[str, str]]:
    """parameter -> (default, range) as the table of one kind says."""
    text = (Path(__file__).parents[2] / "docs" / "kinds-surface.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {name.strip(" `"): (default.strip(), span.strip()) for name, default, span, *_ in rows}
