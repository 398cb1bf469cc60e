"""Image maps of a part's own finish, looked up through the mesh's corner attribute "uv"."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from core.arrays import frozen

UV, TEXTURE = "uv", "texture"
"""Of a mesh: the corner attribute (m, 3, 2), and the face attribute (m,) with the number of the maps (-1: none)."""
Wrap = Literal["repeat", "extend", "mirror"]


@dataclass(frozen=True, eq=False)
class PbrMaps:
    """The images of one material; each may be None. Every image is multiplied by the mesh's `captured_*` attributes.

    Row 0 is the top of the picture; uv (0, 0) is its lower left corner, (1, 1) the upper right one, and the texel in
    row r and column c has its centre at ((c + 0.5) / w, 1 - (r + 0.5) / h).
    albedo: (h, w, 3) uint8, sRGB. gloss: (h, w, 2) uint8, linear: roughness (its square is alpha), metallic.
    normal: (h, w, 3) uint8, tangent space, x along u, y along v, z outwards, each from -1 at 0 to +1 at 255.
    normal_scale: factor on its x and y. wrap: what lies outside [0, 1].
    """

    albedo: np.ndarray | None = None
    gloss: np.ndarray | None = None
    normal: np.ndarray | None = None
    normal_scale: float = 1.0
    wrap: Wrap = "repeat"

    def __post_init__(self) -> None:
        for name, channels in (("albedo", 3), ("gloss", 2), ("normal", 3)):
            image = getattr(self, name)
            if image is None:
                continue
            if np.asarray(image).dtype != np.uint8:
                raise ValueError(f"{name} map holds {np.asarray(image).dtype}, expected uint8")
            image = frozen(image, np.uint8, (None, None, None), f"{name} map")
            if image.shape[2] != channels or not image.size:
                raise ValueError(f"{name} map has shape {image.shape}, expected (h, w, {channels})")
            object.__setattr__(self, name, image)

    def images(self) -> Iterator[tuple[str, np.ndarray]]:
        """Those that there are, by name."""
        for name in ("albedo", "gloss", "normal"):
            if (image := getattr(self, name)) is not None:
                yield name, image

    @cached_property
    def sha256(self) -> dict[str, str]:
        """Of each image's shape and texels, by name."""
        return {n: hashlib.sha256(repr(i.shape).encode() + i.tobytes()).hexdigest() for n, i in self.images()}


def look_up(image: np.ndarray, uv: np.ndarray, wrap: Wrap = "repeat") -> np.ndarray:
    """Bilinear values (..., c) float64 of an image (h, w, c) at uv (..., 2): the renderer's rule, readable."""
    h, w = image.shape[:2]
    x, y = np.asarray(uv, float)[..., 0] * w - 0.5, (1 - np.asarray(uv, float)[..., 1]) * h - 0.5
    c0, r0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - c0)[..., None], (y - r0)[..., None]

    def texel(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return image[_wrapped(rows, h, wrap), _wrapped(columns, w, wrap)].astype(float)

    top = texel(r0, c0) * (1 - fx) + texel(r0, c0 + 1) * fx
    return top * (1 - fy) + (texel(r0 + 1, c0) * (1 - fx) + texel(r0 + 1, c0 + 1) * fx) * fy


def _wrapped(index: np.ndarray, count: int, wrap: Wrap) -> np.ndarray:
    if wrap == "extend":
        return np.clip(index, 0, count - 1)
    if wrap == "repeat":
        return index % count
    folded = index % (2 * count)
    return np.where(folded < count, folded, 2 * count - 1 - folded)
