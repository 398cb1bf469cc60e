"""Drawn damage where only a mask is known: a surface with height and colour made up inside it, finer than pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from defects.generative.crop import bounds
from defects.generative.look import ABSOLUTE, Look, averaged, samples_a_pixel, shaded
from defects.procedural.raster import fractal_noise, smoothstep

MOST = 1_500_000
"""Samples in all: a mask of 300 x 300 pixels still gets four a pixel along each axis."""
ROUND_PX = (0.75, 2.0)
"""A mask's stairs are rounded over this: of a line one pixel wide, and of a thick mask."""
LAMP = np.deg2rad([-150.0, -30.0])
GROUND = 0.5
RUST = np.array([(0.21, 0.088, 0.034), (0.125, 0.047, 0.020), (0.070, 0.027, 0.016), (0.030, 0.015, 0.011)])
PALE = np.array([(0.40, 0.41, 0.40), (0.60, 0.61, 0.60), (0.74, 0.75, 0.73)])

Raster = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Field:
    """A mask at `count` samples a pixel. depth: (h, w) px to the rim, 0 outside. wide: px, the depth of the middle of
    what is here, even along a line. x, y: sample positions, px. along: radians, the mask's long axis."""

    depth: np.ndarray
    wide: np.ndarray
    x: np.ndarray
    y: np.ndarray
    along: float
    count: int
    rng: np.random.Generator

    @property
    def profile(self) -> np.ndarray:
        """0 at the rim, 1 in the middle."""
        return np.clip(self.depth / self.wide, 0, 1)

    @property
    def bowl(self) -> np.ndarray:
        """The same without a crease along the middle."""
        sigma = 0.3 * float(self.depth.max()) * self.count
        smooth = ndimage.gaussian_filter(smoothstep(0.0, 1.0, self.profile), sigma)
        return smooth * smoothstep(0.0, 0.3, self.profile)

    @property
    def inside(self) -> np.ndarray:
        return (self.depth > 0).astype(np.float32)

    def noise(self, wavelength: float, octaves: int = 3, stretch: float = 1.0) -> np.ndarray:
        """Fractal noise, about -1..1; stretch: so many times longer along the mask than across it."""
        if stretch == 1.0:
            return fractal_noise(self.x, self.y, wavelength, self.rng, octaves)
        c, s = np.cos(self.along), np.sin(self.along)
        return fractal_noise(
            (c * self.x + s * self.y) / stretch, c * self.y - s * self.x, wavelength, self.rng, octaves
        )


def look_of_mask(mask: np.ndarray, damage: str, rng: np.random.Generator) -> Look:
    """mask: (h, w) bool, never empty. damage: a kind; unknown ones are drawn as a line or a stain by their shape."""
    y0, y1, x0, x1 = bounds(mask)
    box = np.pad(mask[y0:y1, x0:x1], 2)
    count = samples_a_pixel(4.0, 1.0, max(1, 4 * box.size))
    field = _field(box, count, rng)
    draw = DRAWN.get(damage, _line)
    raster = _plain(field) | draw(field)
    raster["inside"] = field.inside
    angle = rng.uniform(*LAMP)
    made = averaged(shaded(raster, 1 / count, (float(np.cos(angle)), float(np.sin(angle))), rng).channels(), count)
    made = made[2:-2, 2:-2]
    reflects = None if damage in ABSOLUTE else GROUND
    return Look(y0, x0, made[..., 0], made[..., 1], made[..., 2], made[..., 3:], reflects)


def _field(box: np.ndarray, count: int, rng: np.random.Generator) -> Field:
    thick = float(np.asarray(ndimage.distance_transform_edt(box)).max())
    soft = ndimage.gaussian_filter(box.astype(np.float32), float(np.clip(0.6 + 0.15 * thick, *ROUND_PX)))
    peak = ndimage.gaussian_filter(ndimage.maximum_filter(soft, 5), 1.0)
    level = soft - 0.5 * np.minimum(peak, 1.0)
    size = (box.shape[1] * count, box.shape[0] * count)
    fine = cv2.resize(level, size, interpolation=cv2.INTER_CUBIC) > 0
    fine &= cv2.resize(box.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if not fine.any():
        fine = cv2.resize(box.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    depth = np.asarray(ndimage.distance_transform_edt(fine)).astype(np.float32)
    depth = ndimage.gaussian_filter(depth, min(0.12 * float(depth.max()), 1.0 * count)) * fine / count
    most = max(1, int(np.ceil(depth.max() * count)))
    ridge = ndimage.maximum_filter(depth, min(2 * most + 1, 161))
    wide = np.maximum(ndimage.gaussian_filter(ridge, 1.5 * min(most, 80)), 0.25)
    x, y = (np.arange(n) / count for n in size)
    rows, columns = np.nonzero(box)
    spread = np.cov(np.stack([columns, rows])) if len(rows) > 2 else np.eye(2)
    axis = np.linalg.eigh(spread)[1][:, 1]
    x, y = np.broadcast_to(x, fine.shape), np.broadcast_to(y[:, None], fine.shape)
    return Field(depth, wide, x, y, float(np.arctan2(axis[1], axis[0])), count, rng)


def _plain(f: Field) -> Raster:
    zero = np.zeros(f.depth.shape, np.float32)
    return {"height_m": zero, "albedo": np.zeros((*zero.shape, 3), np.float32), "albedo_weight": zero,
            "surface_weight": zero, "metallic": zero, "lay_keep": zero + 1, "film": zero}  # fmt: skip


def _ramp(colours: np.ndarray, t: np.ndarray) -> np.ndarray:
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(t, stops, colours[:, k]) for k in range(3)], axis=-1)


def _flat(f: Field, colour: tuple[float, float, float], mottle: float) -> np.ndarray:
    return np.asarray(colour) * np.exp(mottle * f.noise(6, 3))[..., None]


def _line(f: Field) -> Raster:
    """A furrow with a ploughed rim, even along its length."""
    t = f.profile
    pressed = 1 + 0.12 * f.noise(max(8.0, 4 * float(f.wide.max())), 2, 6)
    furrow = -0.5 * f.wide * smoothstep(0.1, 0.9, t) * pressed
    rim = 0.12 * f.wide * smoothstep(0.0, 0.12, t) * smoothstep(0.3, 0.12, t)
    cut = smoothstep(0.05, 0.35, t)
    return {"height_m": furrow + rim, "surface_weight": cut, "lay_keep": 1 - 0.85 * cut,
            "albedo": np.full((*t.shape, 3), 0.42), "albedo_weight": 0.35 * cut, "metallic": cut}  # fmt: skip


def _crack(f: Field) -> Raster:
    t = np.clip(f.profile + 0.2 * f.noise(3, 3), 0, 1) * (f.depth > 0)
    gap = smoothstep(0.15, 0.5, t)
    return {"height_m": -1.2 * np.minimum(f.wide, 3) * gap, "lay_keep": 1 - gap,
            "albedo": _flat(f, (0.03, 0.028, 0.026), 0.2), "albedo_weight": 0.75 * gap}  # fmt: skip


def _streaks(f: Field) -> Raster:
    """Many fine nearly parallel scratches, thinning towards the rim."""
    within = smoothstep(0.0, 0.35, f.profile)
    lines = f.noise(1.8, 2, 18) + 0.5 * f.noise(0.8, 1, 24)
    press = 0.5 * f.noise(9, 2, 3)
    scored = smoothstep(-0.4, 0.6, lines + press + 0.8 * within - 0.4) * within
    tone = 0.74 if f.rng.random() < 0.7 else 0.26
    return {"height_m": -0.14 * scored, "surface_weight": 0.9 * np.maximum(scored, 0.35 * within),
            "lay_keep": 1 - 0.6 * scored, "albedo": _flat(f, (tone, tone, 0.98 * tone), 0.08),
            "albedo_weight": 0.6 * scored + 0.2 * within}  # fmt: skip


def _pit(f: Field) -> Raster:
    """A steep hole with a dark, uneven floor."""
    edge = f.depth + min(0.12 * float(f.depth.max()), 1.2) * f.noise(4, 3) * (f.depth > 0)
    bowl = smoothstep(0.0, 0.6, np.clip(edge / f.wide, 0, 1))
    floor = 1 + 0.15 * f.noise(5, 3)
    return {"height_m": -0.8 * np.minimum(f.wide, 6) * bowl * floor, "lay_keep": 1 - bowl,
            "albedo": _flat(f, (0.08, 0.078, 0.075), 0.3), "albedo_weight": 0.8 * bowl}  # fmt: skip


def _dent(f: Field) -> Raster:
    return {"height_m": -0.55 * float(f.wide.max()) * f.bowl, "surface_weight": 0.35 * smoothstep(0.05, 0.3, f.profile)}


def _broken(f: Field) -> Raster:
    """A torn face: facets, brighter and rougher than the skin."""
    edge = smoothstep(0.0, 0.15, f.profile)
    size = float(np.clip(1.2 * f.depth.max(), 4, 24))
    facets = np.abs(f.noise(size, 2)) + 0.25 * f.noise(2.5, 2)
    tone = np.clip(0.30 + 0.06 * f.noise(size, 3) + 0.05 * f.noise(2, 2), 0.05, 0.9)[..., None]
    return {"height_m": (0.10 * size * facets - 0.35 * np.minimum(f.wide, 8)) * edge, "lay_keep": 1 - edge,
            "albedo": tone * np.array([1.0, 0.98, 0.95]), "albedo_weight": 0.8 * edge}  # fmt: skip


def _burr(f: Field) -> Raster:
    """A torn lip that stands proud along the mask."""
    on = smoothstep(0.0, 0.25, f.profile)
    lip = f.bowl * (1 + 0.25 * f.noise(6, 2, 2)) * min(float(f.wide.max()), 6)
    return {"height_m": 0.6 * lip, "surface_weight": on, "lay_keep": 1 - 0.7 * on,
            "albedo": np.full((*on.shape, 3), 0.6), "albedo_weight": 0.4 * on, "metallic": 0 * on}  # fmt: skip


def _torn(f: Field, amount: float) -> np.ndarray:
    """Cover of a stain, 0..1: its rim torn by noise of several sizes, its middle with holes and thin places."""
    most = float(f.depth.max())
    tear = min(0.3 * most, 2.5) * amount
    edge = f.depth + tear * (f.noise(max(4.0, 0.6 * most), 3) + 0.5 * f.noise(1.6, 3)) - 0.15 * tear
    return smoothstep(0.0, 0.5 + 0.25 * tear, edge) * (f.depth > 0)


def _rust(f: Field) -> Raster:
    cover = _torn(f, 1.0)
    clumps, fine = f.noise(7, 4), f.noise(1.8, 3)
    deep = smoothstep(0.0, 0.9, f.profile)
    thick = np.clip(0.25 + 0.35 * deep + 0.35 * clumps + 0.2 * fine, 0, 1)
    weight = cover * np.clip(0.72 + 0.3 * clumps + 0.25 * deep, 0.35, 0.97)
    grain = np.exp(0.22 * fine)[..., None]
    return {"height_m": 0.35 * cover * (0.6 + 0.5 * clumps + 0.3 * fine), "albedo": _ramp(RUST, thick) * grain,
            "albedo_weight": weight, "surface_weight": 0 * cover, "lay_keep": 1 - 0.8 * cover}  # fmt: skip


def _white(f: Field) -> Raster:
    cover = _torn(f, 1.0)
    thick = np.clip(0.5 + 0.4 * f.noise(6, 4), 0, 1)
    return {"height_m": 0.25 * cover * thick, "albedo": _ramp(PALE, thick),
            "albedo_weight": cover * np.clip(0.6 + 0.5 * f.noise(9, 3), 0.25, 0.95), "lay_keep": 1 - cover}  # fmt: skip


def _stain(f: Field) -> Raster:
    """A dried film: faint in its middle, darker at its rim, where it dried last."""
    cover = _torn(f, 0.45)
    ring = smoothstep(0.0, 0.5, f.depth) * smoothstep(max(3.0, 0.4 * float(f.depth.max())), 0.5, f.depth)
    weight = cover * np.clip(0.38 + 0.3 * ring + 0.15 * f.noise(10, 3), 0.1, 0.85)
    tint = np.array([0.16, f.rng.uniform(0.10, 0.15), f.rng.uniform(0.05, 0.12)])
    return {"albedo": np.broadcast_to(tint, (*cover.shape, 3)), "albedo_weight": weight, "film": 0.3 * cover}


def _tint(f: Field) -> Raster:
    """Colours of an oxide that thickens towards the middle."""
    t = np.clip(f.profile + 0.1 * f.noise(12, 2), 0, 1)
    colours = np.array([(0.50, 0.43, 0.28), (0.44, 0.30, 0.13), (0.30, 0.13, 0.10), (0.17, 0.10, 0.20),
                        (0.11, 0.15, 0.30), (0.22, 0.30, 0.38)])  # fmt: skip
    return {"albedo": _ramp(colours, t), "albedo_weight": 0.75 * smoothstep(0.0, 0.25, f.profile)}


def _peel(f: Field) -> Raster:
    """Bare metal below the coat, a step down to it, and a lifted edge."""
    gone = smoothstep(0.15, 0.4, f.depth)
    curl = 0.35 * smoothstep(0.0, 0.2, f.depth) * smoothstep(1.4, 0.4, f.depth)
    primer = smoothstep(1.6, 0.6, f.depth + 0.6 * f.noise(5, 3)) * gone
    bare = np.array([0.30, 0.295, 0.29]) * np.exp(0.18 * f.noise(2, 2, 8))[..., None]
    albedo = bare + (np.array([0.23, 0.13, 0.10]) - bare) * primer[..., None]
    return {"height_m": curl - 0.5 * gone, "albedo": albedo, "albedo_weight": 0.95 * gone, "lay_keep": 1 - gone}


def _run(f: Field) -> Raster:
    """Paint that sagged: a smooth proud bead, darker below."""
    bead = np.sqrt(np.clip(1 - (1 - f.profile) ** 2, 0, 1))
    return {"height_m": 0.45 * np.minimum(f.wide, 5) * bead, "film": 0.5 * smoothstep(0, 0.2, f.profile),
            "lay_keep": 1 - 0.9 * smoothstep(0, 0.3, f.profile)}  # fmt: skip


def _print(f: Field) -> Raster:
    """Ink: crisp at its rim, thin in places."""
    ink = smoothstep(0.0, 0.15, f.depth) * np.clip(0.93 + 0.1 * f.noise(3, 2) - 0.5 * smoothstep(0.35, 0.8, f.noise(
        9, 3)), 0.15, 1)  # fmt: skip
    return {"albedo": _flat(f, (0.022, 0.021, 0.023), 0.15), "albedo_weight": ink, "lay_keep": 1 - 0.6 * ink}


def _foreign(f: Field) -> Raster:
    """A chip or a hair that lies on the surface."""
    on = smoothstep(0.0, 0.2, f.depth)
    proud = np.sqrt(np.clip(1 - (1 - f.profile) ** 2, 0, 1)) * np.minimum(f.wide, 3)
    return {"height_m": 0.8 * proud, "albedo": _flat(f, (0.34, 0.33, 0.32), 0.2), "albedo_weight": on,
            "surface_weight": on, "metallic": on, "lay_keep": 1 - on}  # fmt: skip


def _uneven(f: Field) -> Raster:
    """A surface that was finished otherwise: another tone, without a sharp rim."""
    weight = smoothstep(0.0, 0.6, f.profile) * np.clip(0.8 + 0.3 * f.noise(14, 3), 0, 1)
    tone = f.rng.choice([0.18, 0.8])
    return {"albedo": np.full((*weight.shape, 3), tone), "albedo_weight": 0.6 * weight}


DRAWN: dict[str, Callable[[Field], Raster]] = {
    "crack": _crack, "gouge": _line, "scratch": _line, "scuff": _streaks, "chatter": _streaks, "foreign": _foreign,
    "filiform": _line, "fray": _streaks, "pit": _pit, "porosity": _pit, "blowhole": _pit, "dent": _dent,
    "chip": _broken, "break": _broken, "burr": _burr, "rust": _rust, "stain": _stain, "heat_tint": _tint,
    "peel": _peel, "paint_run": _run, "print_fault": _print, "white_rust": _white, "uneven": _uneven,
}  # fmt: skip
"""Damage -> what it does to the surface under a mask."""
