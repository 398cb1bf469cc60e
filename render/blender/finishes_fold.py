"""What a pixel cannot resolve of a micro-structure becomes roughness. Plain Python, no Blender.

Every layer of a structure is a sum of waves, each with a wavelength L, an rms height h and rms slopes across and along
the lay. A wave is drawn where a pixel is below L / 7, gone above L / 2.5, faded in between, and the part of its slope
variance s^2 that is gone widens the microfacet distribution: alpha^2 grows by 2 s^2 (a Beckmann distribution's alpha^2
is twice its slope variance; Olano and Baker 2010 filter normal maps the same way). Blender's lobe is GGX; fitted in the
L1 norm to GGX lobes smeared by a normal distribution, the factor is 2.1 to 1.7 for s / alpha from 0.3 to 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SHARP, GONE = 7.0, 2.5
"""Pixels per wavelength at which a wave is drawn in full, and at which it is gone."""
MM, UM = 1e-3, 1e-6
LEAST_ASPECT = 0.1
"""Of alpha along over alpha across: the most anisotropic that Blender's principled model goes."""


@dataclass(frozen=True)
class Wave:
    """length_m: wavelength. height_m: rms. across, along: rms slope across and along the lay."""

    length_m: float
    height_m: float
    across: float
    along: float


def drawn(length_m: float, metres_per_pixel: float) -> float:
    """Share of a wave's height that is drawn, 0..1."""
    pixels = length_m / max(metres_per_pixel, 1e-12)
    t = min(max(math.log(pixels / GONE) / math.log(SHARP / GONE), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def waves(layer: dict) -> tuple[Wave, ...]:
    """The waves of one layer of a structure (a dumped `core.material.Structure`), coarsest first."""
    return WAVES[layer["kind"]](layer)


def level(cover: float) -> float:
    """The value that a normal variable exceeds with probability `cover` (Abramowitz and Stegun 26.2.22)."""
    p = min(max(cover, 1e-4), 0.5)
    t = math.sqrt(-2 * math.log(p))
    return t - (2.30753 + 0.27061 * t) / (1 + 0.99229 * t + 0.04481 * t * t)


def _octaves(layer: dict, length_m: float, directional: bool) -> tuple[Wave, ...]:
    powers = [layer["fall"] ** i for i in range(layer["octaves"])]
    unit = layer["height_um"] * UM / math.sqrt(sum(p * p for p in powers))
    made = []
    for i, power in enumerate(powers):
        length, height = length_m / 2**i, power * unit
        slope = 2 * math.pi * height / length
        made.append(Wave(length, height, slope, 0.0 if directional else slope))
    return tuple(made)


def _feed(layer: dict) -> tuple[Wave, ...]:
    """A parabola of height c over a width f: slopes are even between -4 c / f and 4 c / f."""
    pitch, cusp = layer["feed_mm"] * MM, layer["cusp_um"] * UM
    scatter = math.sqrt(1 + layer["runout"] ** 2)
    slope = 4 * cusp / pitch / math.sqrt(3) * scatter
    sets = [1.0] + ([layer["recut"]] if layer["recut"] > 0 else [])
    height = cusp * math.sqrt(8 / 15 * (1 + layer["runout"] ** 2) - 4 / 9)
    return tuple(Wave(pitch, k * height, k * slope, 0.0) for k in sets)


def _pits(layer: dict) -> tuple[Wave, ...]:
    """Bowls d (1 - x^2) where balls about `cover` of the sites meet the surface: one site a cubic spacing, radii even
    between a quarter and a half of size."""
    ratio, depth = layer["size_mm"] / layer["spacing_mm"], abs(layer["depth_um"]) * UM
    area = min(1.0, layer["cover"] * 4 / 3 * math.pi * 0.0586 * ratio**3)
    slope = depth / (layer["size_mm"] * MM) * math.sqrt(5.12 * area)
    height = depth * math.sqrt(max(0.2286 * area - (0.4 * area) ** 2, 0.0))
    return (Wave(layer["size_mm"] * MM, height, slope, slope),)


def _scratches(layer: dict) -> tuple[Wave, ...]:
    width, depth = layer["width_mm"] * MM, layer["depth_um"] * UM
    slope = 2 * depth / width * math.sqrt(layer["cover"])
    both = slope / math.sqrt(2) if layer["directions"] > 1 else 0.0
    return (Wave(width, depth * math.sqrt(layer["cover"] / 3), both or slope, both),)


def _spangle(layer: dict) -> tuple[Wave, ...]:
    """Dendrites point another way in each crystal: half of the slope variance to each axis."""
    length, height = layer["dendrite_mm"] * MM, layer["dendrite_um"] * UM
    slope = 2 * math.pi * height / length / math.sqrt(2)
    return (Wave(length, height, slope, slope),)


WAVES = {
    "grain": lambda layer: _octaves(layer, layer["size_mm"] * MM, False),
    "lines": lambda layer: _octaves(layer, layer["width_mm"] * MM, True),
    "feed": _feed,
    "pits": _pits,
    "scratches": _scratches,
    "spangle": _spangle,
    "mottle": lambda layer: (),
}


@dataclass(frozen=True)
class Lobe:
    """Microfacet widths of the principled model, across and along the lay."""

    across: float
    along: float

    @property
    def roughness(self) -> float:
        return min(1.0, (self.across * self.along) ** 0.25)

    @property
    def anisotropy(self) -> float:
        """Blender: alpha_x, alpha_y = roughness^2 / aspect, roughness^2 * aspect, aspect^2 = 1 - 0.9 anisotropic."""
        return (1 - max(self.along / self.across, LEAST_ASPECT)) / 0.9


def lobe(surface: dict, structure: list[dict], metres_per_pixel: float) -> Lobe:
    """The lobe of a finish: its bulk roughness widened by the slopes that are not drawn at this pixel size."""
    aspect = math.sqrt(1 - 0.9 * surface["anisotropy"])
    bulk = max(surface["roughness"], 0.01) ** 2
    across, along = (bulk / aspect) ** 2, (bulk * aspect) ** 2
    for layer in structure:
        for wave in waves(layer):
            lost = 1 - drawn(wave.length_m, metres_per_pixel) ** 2
            across += 2 * lost * wave.across**2
            along += 2 * lost * wave.along**2
    across = math.sqrt(max(across, along))
    return Lobe(across, max(math.sqrt(along), LEAST_ASPECT * across))
