"""What mechanical marks share: a canvas they cut into, windows of a grid, and the skin that a cut lays bare."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from core.errors import RecipeError
from core.layers import Layers
from defects.procedural.kind import Ground
from defects.procedural.raster import Grid, smoothstep

TEXELS = 1_200_000
COARSEST = 4.0
UM = 1e-6


def require(params: object, **ranges: tuple[float, float]) -> None:
    """RecipeError unless each named parameter lies in its range (ends included)."""
    for name, (low, high) in ranges.items():
        value = getattr(params, name)
        if not low <= value <= high:
            raise RecipeError(f"{name} is {value:g}", f"a value from {low:g} to {high:g}", "correct the blueprint")


def fine_grid(low: tuple[float, float], high: tuple[float, float], pitch: float) -> Grid:
    """A grid over the box (metres) with a row of texel centres on v = 0, coarser where it would pass TEXELS.

    RecipeError where that would lose the finest features: coarser than COARSEST times the pitch asked for.
    """
    width, height = high[0] - low[0], high[1] - low[1]
    needed = float(np.sqrt(width * height / TEXELS))
    if needed > COARSEST * pitch:
        raise RecipeError(
            f"a defect of {width * 1e3:.3g} x {height * 1e3:.3g} mm with details of {6 * pitch * 1e3:.3g} mm",
            f"details of at least {6 * needed / COARSEST * 1e3:.3g} mm at that size",
            "make it smaller, straighter or coarser",
        )
    grid = Grid.around(low, high, max(pitch, needed))
    row = np.round(-grid.v0 / grid.pitch - 0.5)
    return replace(grid, v0=-(row + 0.5) * grid.pitch)


def window(grid: Grid, low: tuple[float, float], high: tuple[float, float]) -> tuple[tuple[slice, slice], Grid] | None:
    """The part of `grid` that covers a box (metres): its index and a grid of its own. None where they miss."""
    (h, w), p = grid.shape, grid.pitch
    c0, c1 = (int(np.floor((x - grid.u0) / p)) for x in (low[0], high[0]))
    r0, r1 = (int(np.floor((x - grid.v0) / p)) for x in (low[1], high[1]))
    c0, c1, r0, r1 = max(c0, 0), min(c1 + 1, w), max(r0, 0), min(r1 + 1, h)
    if c0 >= c1 or r0 >= r1:
        return None
    return np.s_[r0:r1, c0:c1], Grid(grid.u0 + c0 * p, grid.v0 + r0 * p, p, (r1 - r0, c1 - c0))


class Canvas:
    """Marks add up here: the deepest cut and the highest pile win, zones unite. All metres, shape `grid.shape`."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        far = grid.pitch * (sum(grid.shape) + 2)
        self.sdf, self.affected = (np.full(grid.shape, far) for _ in range(2))
        self.cut, self.pile = (np.zeros(grid.shape) for _ in range(2))

    def add(self, at: tuple, sdf: np.ndarray, affected: np.ndarray, cut: np.ndarray, pile: np.ndarray) -> None:
        """Unite one mark, given at the index `at`. cut >= 0: depth below the surface; pile >= 0: height above it."""
        self.sdf[at] = np.minimum(self.sdf[at], sdf)
        self.affected[at] = np.minimum(self.affected[at], affected)
        self.cut[at] = np.maximum(self.cut[at], cut)
        self.pile[at] = np.maximum(self.pile[at], pile)

    @property
    def height(self) -> np.ndarray:
        """Relief along the normal; a later furrow cuts through an earlier ridge."""
        return self.pile * smoothstep(0.0, -self.grid.pitch, -np.maximum(self.sdf, -self.grid.pitch)) - self.cut


@dataclass(frozen=True)
class Skin:
    """Optics of the marked surface, as `Layers` takes them."""

    albedo: np.ndarray
    albedo_weight: np.ndarray
    roughness: np.ndarray
    metallic: np.ndarray
    surface_weight: np.ndarray


def skin(
    ground: Ground, cut_m: np.ndarray, worked: np.ndarray, roughness: np.ndarray | float, whitening: float = 0.2
) -> Skin:
    """Optics after a cut of depth `cut_m` where the surface is `worked` (0..1) to `roughness`.

    Deeper than the coat, the substrate's colour and metallicity show. A cut that stays inside a non-metal scatters on
    its crazed flanks (stress whitening), so its albedo moves towards white by `whitening`.
    """
    material = ground.material
    top, below = material.surface, material.substrate
    shape = cut_m.shape
    coat = material.coat_um * UM
    bared = smoothstep(0.9 * coat, 1.1 * coat + 0.3 * UM, cut_m) if below is not None else np.zeros(shape)
    base = below if below is not None else top
    pale = whitening * (top.metallic < 0.5)
    white = np.asarray(top.albedo) * (1 - pale) + 0.85 * pale
    stress = worked * smoothstep(0.0, 0.8 * float(cut_m.max()), cut_m) if pale and cut_m.any() else np.zeros(shape)
    albedo = white + (np.asarray(base.albedo) - white) * bared[..., None]
    return Skin(
        albedo=albedo,
        albedo_weight=np.maximum(bared, stress),
        roughness=np.clip(np.broadcast_to(roughness, shape), 0.02, 1.0),
        metallic=top.metallic + (base.metallic - top.metallic) * bared,
        surface_weight=np.maximum(worked, bared),
    )


def soot(paint: Skin, weight: np.ndarray, albedo: tuple[float, float, float], roughness: float) -> Skin:
    """Oxide or dirt of `albedo`, a rough non-metal, over a skin by `weight` (0..1)."""
    both = np.maximum(paint.albedo_weight, weight)
    share = (weight / np.maximum(both, 1e-9))[..., None]
    worked = np.maximum(paint.surface_weight, weight)
    part = weight / np.maximum(worked, 1e-9)
    return Skin(
        albedo=paint.albedo + (np.asarray(albedo) - paint.albedo) * share,
        albedo_weight=both,
        roughness=paint.roughness + (roughness - paint.roughness) * part,
        metallic=paint.metallic * (1 - part),
        surface_weight=worked,
    )


def layers(
    grid: Grid, sdf: np.ndarray, affected: np.ndarray, height: np.ndarray, paint: Skin, lay_keep: np.ndarray,
    soft: float = 0.0, displacement: np.ndarray | None = None,
) -> Layers:  # fmt: skip
    """Layers without a film. soft: how far (metres) the skin's soft border reaches beyond the label; the affected zone
    is widened to hold it."""
    return Layers(
        pitch_m=grid.pitch, origin_m=grid.origin, sdf_m=sdf, affected_m=np.minimum(affected, sdf - soft),
        height_m=height, albedo=np.broadcast_to(paint.albedo, (*grid.shape, 3)), albedo_weight=paint.albedo_weight,
        roughness=paint.roughness, metallic=paint.metallic, surface_weight=paint.surface_weight,
        lay_keep=np.clip(lay_keep, 0.0, 1.0), film=np.zeros(grid.shape), displacement_m=displacement,
    )  # fmt: skip
