"""Marking faults: print where none belongs - a stray or doubled mark, smeared ink, a splash.

The clean twin shows the surface without any print, so every mark here is a deviation and all of it is the label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from core.errors import RecipeError
from core.layers import Layers
from defects.procedural.kind import MM, Ground, Kind
from defects.procedural.kinds import glyphs
from defects.procedural.kinds.canvas import UM, box, compose, noise, one_of, rim, stroke_sdf
from defects.procedural.kinds.marks import require
from defects.procedural.raster import Grid, fractal_noise, smoothstep

PROCESSES, CONTENTS = ("ink", "laser"), ("text", "code")
FORMS = ("stray", "ghost", "smear", "splash")
VISIBLE = 0.2


@dataclass(frozen=True)
class Params:
    """form: "stray" (a mark where none belongs, badly inked), "ghost" (struck twice, both shifted), "smear" (dragged
    along +u while wet) or "splash" (ink drops).

    process: "ink" or "laser" (dark annealed lines). content: "text" or "code". characters: of the text. height_mm: of
    the text or of the code; of the largest drop for a splash. stroke_mm: width of a line. cells: of the code, a side.
    shift_mm: of the second strike. smear_mm: decay length of the drag. missing: share of the mark that did not
    print. drops: of a splash, spread_mm wide. red, green, blue: linear albedo of the ink. opacity: of the ink.
    """

    form: str = "stray"
    process: str = "ink"
    content: str = "text"
    characters: int = 6
    height_mm: float = 2.5
    stroke_mm: float = 0.28
    cells: int = 12
    shift_mm: float = 0.5
    smear_mm: float = 3.0
    missing: float = 0.15
    drops: int = 25
    spread_mm: float = 8.0
    red: float = 0.012
    green: float = 0.012
    blue: float = 0.016
    opacity: float = 0.95

    def __post_init__(self) -> None:
        one_of(self, form=FORMS, process=PROCESSES, content=CONTENTS)
        require(
            self, characters=(1, 24), height_mm=(0.3, 40), stroke_mm=(0.03, 4), cells=(4, 48), shift_mm=(0, 10),
            smear_mm=(0.1, 40), missing=(0, 0.85), drops=(0, 200), spread_mm=(0.3, 80), red=(0, 1), green=(0, 1),
            blue=(0, 1), opacity=(0.2, 1),
        )  # fmt: skip
        if self.form != "splash" and self.content == "text" and self.stroke_mm > 0.4 * self.height_mm:
            raise RecipeError(
                f"strokes of {self.stroke_mm:g} mm in text {self.height_mm:g} mm high",
                f"at most {0.4 * self.height_mm:g} mm",
                "make the strokes thinner",
            )


def _half_size(p: Params) -> tuple[float, float]:
    if p.form == "splash":
        return 0.5 * p.spread_mm + p.height_mm, 0.5 * p.spread_mm + p.height_mm
    wide = p.characters * glyphs.ASPECT * p.height_mm if p.content == "text" else p.height_mm
    extra = {"ghost": p.shift_mm, "smear": 0.0}.get(p.form, 0.0) + p.stroke_mm + 0.2
    return 0.5 * wide + extra + (2.2 * p.smear_mm if p.form == "smear" else 0.0), 0.5 * p.height_mm + extra


def _finest_mm(p: Params) -> float:
    if p.form == "splash":
        return min(0.12 * p.height_mm, 0.2)
    return min(p.stroke_mm / 2 if p.content == "text" else p.height_mm / p.cells / 2, 0.2)


def reach_mm(p: Params) -> float:
    return float(np.hypot(*_half_size(p))) + 0.3


def paint(p: Params, ground: Ground, rng: np.random.Generator) -> Layers:
    """The layers of one marking fault. The label is the print as far as it took 20 % of its ink or more. Pure."""
    half = np.array(_half_size(p)) * MM
    grid = box((-half[0], -half[1]), (half[0], half[1]), _finest_mm(p) * MM)
    if p.form == "splash":
        sdf = _splash(p, grid, rng)
        return _optics(p, grid, sdf, _soft(sdf, grid), ground, rng)
    mark = _mark(p, grid, rng)
    sdf, density = _printed(mark, _inking(p, grid, mark, rng), grid)
    if p.form == "ghost":
        angle = rng.uniform(0, 2 * np.pi)
        shift = np.array([np.sin(angle), np.cos(angle)]) * p.shift_mm * MM / grid.pitch
        again = ndimage.shift(mark, shift, order=1, mode="nearest")
        second = _printed(again, 0.75 * _inking(p, grid, again, rng), grid)
        sdf, density = np.minimum(sdf, second[0]), np.maximum(density, second[1])
    if p.form == "smear":
        drag = _smear(p, density, grid, rng)
        sdf, density = np.minimum(sdf, rim(VISIBLE - drag, grid.pitch)), np.maximum(0.75 * density, drag)
    return _optics(p, grid, sdf, density, ground, rng)


def _soft(sdf: np.ndarray, grid: Grid) -> np.ndarray:
    """Density 0..1 of a printed area from its signed distance: an edge one texel wide."""
    return smoothstep(0.6 * grid.pitch, -0.6 * grid.pitch, sdf)


def _printed(mark: np.ndarray, inking: np.ndarray, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Signed distance to the visible print, and its density: the mark less what took too little ink."""
    bare = rim(VISIBLE - inking, grid.pitch) if inking.min() < VISIBLE else np.full(grid.shape, -6 * grid.pitch)
    return np.maximum(mark, bare), _soft(mark, grid) * inking


def _mark(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to the ink of a sound mark."""
    sdf = np.full(grid.shape, 6 * grid.pitch)
    if p.content == "text":
        for line in glyphs.strokes(glyphs.random_text(p.characters, rng), (p.height_mm - p.stroke_mm) * MM):
            sdf = np.minimum(sdf, stroke_sdf(grid, line, p.stroke_mm * MM / 2))
        return sdf
    cells = glyphs.code(p.cells, rng)
    size = p.height_mm * MM / p.cells
    u, v = grid.uv
    for row, column in zip(*np.nonzero(cells), strict=True):
        cu, cv = ((k + 0.5) * size - p.height_mm * MM / 2 for k in (column, row))
        sdf = np.minimum(sdf, np.maximum(np.abs(u - cu), np.abs(v - cv)) - 0.5 * size - 1 * UM)
    return sdf


def _inking(p: Params, grid: Grid, mark: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Share of ink that was transferred: blotches and a gradient across the mark where it is missing."""
    if p.missing <= 0:
        return np.ones(grid.shape)
    blotch = noise(grid, 0.9 * MM, rng, 4) + 0.6 * noise(grid, 3 * MM, rng)
    edge = np.quantile(blotch[mark < 0], p.missing)
    return smoothstep(edge - 0.12, edge + 0.12, blotch) * np.clip(0.9 + 0.15 * noise(grid, 0.15 * MM, rng, 2), 0, 1)


def _smear(p: Params, density: np.ndarray, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Ink dragged along +u by something with bristles: what lies to the left, carried on and fading."""
    u, v = grid.uv
    tracks = smoothstep(-0.5, 0.5, fractal_noise(0.02 * u, v, 0.22 * MM, rng, 3))
    keep = np.exp(-grid.pitch / (p.smear_mm * MM * (0.15 + 0.6 * tracks.mean(axis=1))))
    carried, state = np.zeros(grid.shape), np.zeros(grid.shape[0])
    for column in range(grid.shape[1]):
        state = np.maximum(state * keep, density[:, column] * 0.8)
        carried[:, column] = state
    end = smoothstep(1.0, 0.9, np.abs(u) / np.abs(u).max())
    return carried * (0.35 + 0.65 * tracks) * end


def _splash(p: Params, grid: Grid, rng: np.random.Generator) -> np.ndarray:
    """Signed distance to drops: one large with arms thrown outwards, and satellites."""
    u, v = grid.uv
    big = p.height_mm * MM / 2
    angle = np.arctan2(v, u)
    arms = int(rng.integers(7, 13))
    lobe = np.ones(grid.shape)
    for _ in range(arms):
        turn = np.angle(np.exp(1j * (angle - rng.uniform(0, 2 * np.pi))))
        lobe = lobe + rng.uniform(0.1, 0.5) * np.exp(-((turn / rng.uniform(0.06, 0.16)) ** 2))
    sdf = (np.hypot(u, v) / lobe - 0.72 * big) * 0.7
    for _ in range(p.drops):
        size = big * float(np.clip(0.12 * np.exp(rng.normal(0, 0.6)), 0.03, 0.35))
        far = min(big * 0.9 + rng.exponential(0.16) * p.spread_mm * MM, p.spread_mm * MM / 2)
        at, stretch = rng.uniform(0, 2 * np.pi), 1 + 0.9 * rng.uniform()
        x, y = (u * np.cos(at) + v * np.sin(at) - far) / stretch, v * np.cos(at) - u * np.sin(at)
        sdf = np.minimum(sdf, np.hypot(x, y) - size)
    return rim(sdf, grid.pitch)


def _optics(
    p: Params, grid: Grid, sdf: np.ndarray, density: np.ndarray, ground: Ground, rng: np.random.Generator
) -> Layers:
    surface = ground.material.surface
    density = density * p.opacity
    if p.process == "laser":
        lines = 0.85 + 0.15 * np.sin(2 * np.pi * grid.uv[1] / (0.06 * MM))
        ink, metallic, rough, height = np.array([0.03, 0.028, 0.027]), 0.15, 0.55, -1.5 * UM
        density = density * lines if grid.pitch < 0.02 * MM else density
    else:
        ink, metallic, rough, height = np.array([p.red, p.green, p.blue]), 0.0, 0.42, 4 * UM
    mottled = np.clip(1 + 0.2 * noise(grid, 0.2 * MM, rng, 2), 0.5, 1.6)[..., None]
    return compose(
        grid,
        sdf,
        height_m=height * ndimage.gaussian_filter(density, 1.0),
        albedo=np.clip(ink * mottled, 0.0, 1.0),
        albedo_weight=density,
        roughness=np.full(grid.shape, rough),
        metallic=np.full(grid.shape, metallic * surface.metallic),
        surface_weight=density,
        lay_keep=1 - 0.4 * density,
    )


KIND = Kind("print_fault", "decal", Params, reach_mm, paint)
