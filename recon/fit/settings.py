"""How long and how finely to fit: presets with every number in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from core.errors import RecipeError

BULKY = 6.0
"""Surface of a bulky part in squares of its bounding radius (a sphere has 12.6)."""


@dataclass(frozen=True)
class Stage:
    """One mesh, fitted for a fixed number of steps.

    side_px: photographs are averaged down to this longer side. cell: edge length of the mesh, of the part's bounding
    radius; less on a slender part, which has less surface, down to about a pixel. steps: optimiser steps, each over
    `views_per_step` views. vertex_rate: step of the preconditioned vertices in bounding radii; it falls by `fall` over
    the stage. still: steps at the start in which the shape rests, so
    that it is not bent to explain a light that is not yet found. outlier_limit: gradients on vertices are cut at so
    many times their median: low where cavities are to be dug by what shading says (outlines pull harder), high where
    outlines are to be met.
    """

    side_px: int
    cell: float
    steps: int
    vertex_rate: float
    fall: float = 0.1
    still: int = 0
    outlier_limit: float = 4.0

    def halved(self) -> tuple[Stage, Stage]:
        """Two stages that do the same steps at the same rates."""
        first = self.steps // 2
        middle = self.fall ** (max(first - self.still, 0) / max(self.steps - self.still, 1))
        return (
            replace(self, steps=first, fall=middle, still=min(self.still, first)),
            replace(
                self, steps=self.steps - first, vertex_rate=self.vertex_rate * middle, fall=self.fall / middle,
                still=max(self.still - first, 0),
            ),
        )  # fmt: skip

    def cell_for(self, area: float) -> float:
        """area: of the surface, in squares of the bounding radius. A bulky part has `BULKY` of them."""
        return max(self.cell * min(area / BULKY, 1.0) ** 0.5, min(self.cell, 2.0 / self.side_px))


@dataclass(frozen=True)
class Finish:
    """The last pass (`recon.finish`): maps and mesh under light that is drawn pixel by pixel.

    side_px: of the photographs' longer side. draws: of light directions a pixel, and as many of the material;
    final_draws: the same for the pictures that are measured. sigma_px: width of the denoiser, which falls to nothing.
    Rates are Adam's, vertex_rate in bounding radii; all fall by `fall`. The smoothnesses weigh differences between
    texels, vertices and light, beside a colour term of order 0.01.
    """

    side_px: int = 800
    steps: int = 600
    views_per_step: int = 4
    draws: int = 16
    final_draws: int = 64
    sigma_px: float = 1.0
    vertex_rate: float = 2e-3
    albedo_rate: float = 0.03
    gloss_rate: float = 0.02
    relief_rate: float = 0.04
    light_rate: float = 0.02
    gain_rate: float = 0.001
    fall: float = 0.1
    stiffness: float = 8.0
    outlier_limit: float = 10.0
    mask_weight: float = 5.0
    albedo_smoothness: float = 0.1
    gloss_smoothness: float = 0.05
    relief_smoothness: float = 0.01
    relief_curl: float = 0.05
    relief_flatness: float = 0.01
    light_smoothness: float = 0.003


@dataclass(frozen=True)
class Settings:
    """stages: coarse to fine. stiffness: of the preconditioner. shadow_every: steps between new shadow tables.
    key_lights: brightest cells of the light that are lamps with a distance and shadows of their own.

    stereo: the hull's pockets are dug out by depths from pairs of photographs before the fit begins. opening_cells: of
    the grid that then opens what shading shows to be hollow, along the part's longest side; 0 leaves that out.
    settling_steps: of light, gloss and exposures on a part that is given one colour at the end (`recon.plain`).
    pose_rounds: steps of every photograph's pose after each stage but the last; 0 takes poses as they are given.
    shadows, bounces, turning_light: False only to show what they are worth. weights: of the loss' terms.
    """

    name: str
    stages: tuple[Stage, ...]
    hull_resolution: int = 128
    views_per_step: int = 4
    stiffness: float = 8.0
    shadow_every: int = 60
    key_lights: int = 24
    shadows: bool = True
    bounces: bool = True
    stereo: bool = True
    opening_cells: int = 0
    settling_steps: int = 60
    pose_rounds: int = 0
    turning_light: bool = True
    mask_weight: float = 5.0
    albedo_rate: float = 0.02
    light_rate: float = 0.04
    optics_rate: float = 0.01
    gain_rate: float = 0.002
    albedo_smoothness: float = 0.5
    light_smoothness: float = 0.003
    finish: Finish | None = None
    minutes: float | None = None

    @property
    def on_first_mesh(self) -> int:
        """Number of the last stage on a mesh as coarse as the first stage's."""
        return max(k for k, stage in enumerate(self.stages) if stage.cell == self.stages[0].cell)

    def with_minutes(self, minutes: float | None) -> Settings:
        """The same, stopped early after so many minutes (which is recorded in the result)."""
        return replace(self, minutes=minutes)

    def with_poses_refined(self, rounds: int = 2) -> Settings:
        """The same with poses refined between stages, of which there are twice as many: shape and poses take turns."""
        stages = tuple(half for stage in self.stages for half in stage.halved())
        return replace(self, stages=stages, pose_rounds=rounds)


PRESETS = {
    "draft": Settings(
        "draft",
        (
            Stage(96, 0.05, 240, 3e-2, 0.5, still=120),
            Stage(128, 0.03, 300, 2e-2, 0.3),
            Stage(192, 0.02, 250, 1e-2, outlier_limit=40.0),
        ),
        hull_resolution=96,
        opening_cells=40,
    ),
    "standard": Settings(
        "standard",
        (
            Stage(96, 0.06, 250, 3e-2, 0.5, still=100),
            Stage(96, 0.045, 250, 3e-2, 0.5),
            Stage(128, 0.03, 250, 2e-2, 0.3),
            Stage(192, 0.018, 200, 1.5e-2, 0.3, outlier_limit=10.0),
            Stage(256, 0.012, 250, 1e-2, outlier_limit=40.0),
        ),
        opening_cells=40,
    ),
    "full": Settings(
        "full",
        (
            Stage(128, 0.05, 250, 3e-2, 0.5, still=100),
            Stage(192, 0.03, 250, 2e-2, 0.4),
            Stage(384, 0.015, 250, 1.5e-2, 0.3, outlier_limit=10.0),
            Stage(800, 0.008, 300, 1e-2, outlier_limit=40.0),
        ),
        hull_resolution=192,
        opening_cells=56,
        finish=Finish(),
    ),
}
"""draft and standard are for two CPU cores. full is for a GPU: on a CPU it takes hours."""


def preset(name: str) -> Settings:
    """RecipeError when the name is unknown."""
    if name not in PRESETS:
        raise RecipeError(f"preset '{name}'", f"one of {', '.join(PRESETS)}", "choose one of these")
    return PRESETS[name]
