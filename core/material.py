"""Industrial finishes: bulk optics, a coat, and micro-structure in millimetres."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from core.models import FileModel

RGB = tuple[float, float, float]


class Surface(FileModel):
    """Bulk optics of one layer, linear RGB, as in a metallic-roughness principled model."""

    albedo: RGB
    metallic: float
    roughness: float
    ior: float = 1.5
    specular: float = 0.5
    anisotropy: float = 0.0
    film_weight: float = 0.0
    film_roughness: float = 0.03


class Structure(FileModel):
    """One layer of micro-structure. kind names a node group of render.blender.materials; the values are in mm,
    um or degrees as their names say (`feed_mm`, `cusp_um`, `grain_mm`)."""

    kind: str
    values: Mapping[str, float | RGB] = {}


class Material(FileModel):
    """A finish. substrate: what a scratch or peel through a coat exposes (None: the material is solid through).

    coat_um: thickness of paint, oxide or zinc. lay: which direction the tool marks run, for `parts.lay`.
    """

    name: str
    version: int
    text: str
    process: str
    surface: Surface
    substrate: Surface | None = None
    coat_um: float = 0.0
    lay: Literal["none", "straight", "turned", "milled"] = "none"
    structure: tuple[Structure, ...] = ()
