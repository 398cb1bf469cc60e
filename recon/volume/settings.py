"""Every number of the volumetric solver in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from recon.fit.settings import Settings, Stage
from recon.hashgrid import HashLayout


@dataclass(frozen=True)
class VolumeSettings:
    """The pass over a signed grid.

    cells: along the longest side of the hull. side_px: photographs are averaged down to this longer side. steps:
    optimiser steps of `views_per_step` views. rate: step of the preconditioned values, in bounding radii; falls by
    `fall`. still: first steps, in which the shape rests. warm: steps over which the rate rises, then and after holes
    were asked for: Adam's first steps are of full length whatever the gradient, and smooth away what stereo dug.
    stiffness: of the grid's preconditioner. renew_every: steps between new shadow tables; distance_every: between new
    distances. slack: cells that the shape may stand out of the masks' hull. tolerated: masks that may be wrong about a
    sample. pierce_after: share of the steps after which what stands in a pit is decided, and what may be a
    closed hole is questioned. outlier_limit:
    gradients on vertices are cut at so many times their median: outlines pull harder than shading. sign: weights of the
    sign term at first and after a quarter; spread: of L_dev; laplacian: of the surface's unevenness, in cells. paint:
    of an albedo that is finer than the grid; None for one value a sample. paint_rate: step of its features.
    """

    cells: int = 32
    side_px: int = 96
    steps: int = 240
    views_per_step: int = 4
    still: int = 20
    warm: int = 25
    rate: float = 1.5
    fall: float = 0.2
    flex_rate: float = 0.005
    stiffness: float = 10.0
    renew_every: int = 20
    distance_every: int = 30
    slack: float = 0.5
    tolerated: int = 0
    pierce_after: float = 0.7
    sign: tuple[float, float] = (0.2, 0.01)
    spread: float = 0.25
    laplacian: float = 0.3
    outlier_limit: float = 4.0
    paint: HashLayout | None = None
    paint_rate: float = 0.01
    loss: Settings = field(default_factory=lambda: Settings("volume", (Stage(96, 0.07, 1, 1e-2),), mask_weight=10.0))

    def for_paint(self) -> VolumeSettings:
        """The same for a part with marks all over: its albedo is pixel by pixel, and hardly kept even."""
        return replace(self, paint=HashLayout(finest=128), loss=replace(self.loss, albedo_smoothness=0.05))
