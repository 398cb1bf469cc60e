"""The raster layers of a decal: what a defect does to a surface, on its chart, in metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.arrays import frozen

FIELDS = (
    "sdf_m", "affected_m", "height_m", "albedo_weight", "roughness", "metallic", "surface_weight", "lay_keep", "film",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Layers:
    """Rasters of one shape (h, w) over the chart; row 0 is at the least v, column 0 at the least u.

    origin_m: chart position (u, v) of the outer corner of texel [0, 0]; texel [r, c] has its centre at
    origin + ((c + 0.5) * pitch, (r + 0.5) * pitch). Everything is sampled bilinearly between texel centres, and
    the outermost ring of texels must lie outside both zones, because sampling is clamped there.

    sdf_m: signed distance to the rim of the *label* zone, negative inside, cut at 0.
    affected_m: the same for the wider zone in which anything at all changes (halo, lip, ploughed rim).
    height_m: fine relief along the outward normal, rendered as bump. Positive is proud of the surface.
    displacement_m: large relief, baked into real vertices (dent), or None.
    albedo (h, w, 3) linear with albedo_weight in [0, 1]: replaces the base colour by that weight.
    roughness, metallic with surface_weight in [0, 1]: replace the finish's values by that weight.
    lay_keep in [0, 1]: how much of the finish's own micro-structure (tool marks, grain) survives.
    film in [0, 1]: weight of a thin wet dielectric film on top (oil, water, fresh paint).
    """

    pitch_m: float
    origin_m: tuple[float, float]
    sdf_m: np.ndarray
    affected_m: np.ndarray
    height_m: np.ndarray
    albedo: np.ndarray
    albedo_weight: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    surface_weight: np.ndarray
    lay_keep: np.ndarray
    film: np.ndarray
    displacement_m: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = np.shape(self.sdf_m)
        put = object.__setattr__
        for name in FIELDS:
            put(self, name, frozen(getattr(self, name), np.float32, shape, name))
        put(self, "albedo", frozen(self.albedo, np.float32, (*shape, 3), "albedo"))
        if self.displacement_m is not None:
            put(self, "displacement_m", frozen(self.displacement_m, np.float32, shape, "displacement_m"))
        for name in ("sdf_m", "affected_m"):
            ring = np.concatenate([a.ravel() for a in _ring(getattr(self, name))])
            if not (ring > 0).all():
                raise ValueError(f"{name} reaches the border of the raster; pad it")

    @property
    def shape(self) -> tuple[int, int]:
        return self.sdf_m.shape  # type: ignore[return-value]

    @property
    def size_m(self) -> tuple[float, float]:
        """Extent (u, v) of the raster, metres."""
        return self.shape[1] * self.pitch_m, self.shape[0] * self.pitch_m

    def texture_coordinates(self, chart_uv_m: np.ndarray) -> np.ndarray:
        """Chart positions (..., 2) in metres -> (..., 2) in [0, 1] over the raster, u right, v up (row 0 at v = 0)."""
        return (chart_uv_m - np.asarray(self.origin_m)) / np.asarray(self.size_m)

    def sample(self, name: str, chart_uv_m: np.ndarray) -> np.ndarray:
        """Bilinear value of one layer at chart positions (n, 2), metres -> (n,) or (n, 3). Clamped at the border."""
        layer = getattr(self, name)
        h, w = self.shape
        xy = self.texture_coordinates(np.asarray(chart_uv_m, np.float64)) * (w, h) - 0.5
        x, y = np.clip(xy[..., 0], 0, w - 1), np.clip(xy[..., 1], 0, h - 1)
        c, r = np.minimum(x.astype(int), w - 2), np.minimum(y.astype(int), h - 2)
        fx, fy = x - c, y - r
        if layer.ndim == 3:
            fx, fy = fx[..., None], fy[..., None]
        low = layer[r, c] * (1 - fx) + layer[r, c + 1] * fx
        high = layer[r + 1, c] * (1 - fx) + layer[r + 1, c + 1] * fx
        return low * (1 - fy) + high * fy

    def textures(self) -> np.ndarray:
        """(3, h, w, 4) float32 as the shader takes them.

        0: albedo r, g, b, albedo_weight.  1: roughness, metallic, surface_weight, lay_keep.
        2: height_m, sdf_m, affected_m, film.
        """
        first = np.concatenate([self.albedo, self.albedo_weight[..., None]], axis=2)
        second = np.stack([self.roughness, self.metallic, self.surface_weight, self.lay_keep], axis=2)
        third = np.stack([self.height_m, self.sdf_m, self.affected_m, self.film], axis=2)
        return np.stack([first, second, third])


def _ring(a: np.ndarray) -> tuple[np.ndarray, ...]:
    return a[0], a[-1], a[:, 0], a[:, -1]


def plain(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    """Layers that change nothing, to be overridden: keyword arguments for `Layers` less pitch, origin and zones."""
    zero = np.zeros(shape, np.float32)
    return {
        "height_m": zero, "albedo": np.zeros((*shape, 3), np.float32), "albedo_weight": zero, "roughness": zero,
        "metallic": zero, "surface_weight": zero, "lay_keep": np.ones(shape, np.float32), "film": zero,
    }  # fmt: skip
