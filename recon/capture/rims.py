"""Photographs against the outlines of their masks: are the masks too wide, aside, or another photograph's, and how
sharp is the rim? A hull cannot tell: masks that are all wrong alike agree with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from core.colour import srgb_from_linear
from recon.capture.model import View
from recon.hull import outline

REACH = 8
"""How far an outline is looked for from the mask's, px."""
POINTS = 600
STRONG = 0.95
"""A point counts no more than this quantile of its own photograph's: a bright mark inside the part is no outline."""
MARGIN = 6.0
"""Where the photograph is compared inside and outside the rim, px."""
STEP = 0.10
"""Contrast in sRGB that makes a point of the rim tell its blur."""


@dataclass(frozen=True)
class Rim:
    """One view. wide_px: the mask lies so far outside the photograph's outline. aside_px: (x, y) and is shifted by so
    much. held: strength of the photograph's edges at the mask's outline over that at the outline so moved (1: the mask
    is where it should be). outside: the same a little outside the mask, where there is part only if the mask is wrong.
    blur_px: sigma of the edge spread along the rim; NaN where the rim shows no contrast."""

    wide_px: float
    aside_px: tuple[float, float]
    held: float
    outside: float
    blur_px: float


def rim(view: View) -> Rim | None:
    """None where the mask has no outline to speak of."""
    line = rim_line(view)
    if line is None:
        return None
    points, normals = line
    encoded = srgb_from_linear(view.image)
    profile = _profile(cv2.GaussianBlur(encoded, (0, 0), 0.8), points, normals)
    (wide, x, y), best, here = _aligned(profile, normals)
    moved = points - normals * (wide + normals @ np.array([x, y]))[:, None]
    beyond = profile[:, profile.shape[1] // 2 + 4 :].mean()
    return Rim(wide, (x, y), here / max(best, 1e-9), float(beyond) / max(best, 1e-9), _blur(encoded, moved, normals))


def rim_line(view: View) -> tuple[np.ndarray, np.ndarray] | None:
    """Points (n, 2) on the mask's outline in px, (x, y) with pixel centres at whole numbers, and unit normals (n, 2)
    that point out of the part. The photograph's border is no outline."""
    distance = outline(view.mask).distance
    dx, dy = cv2.Sobel(distance, cv2.CV_32F, 1, 0), cv2.Sobel(distance, cv2.CV_32F, 0, 1)
    height, width = distance.shape
    rows, columns = np.nonzero(np.abs(distance) < 0.71)
    inner = (rows > 1) & (rows < height - 2) & (columns > 1) & (columns < width - 2)
    rows, columns = rows[inner], columns[inner]
    slope = np.stack([dx[rows, columns], dy[rows, columns]], 1)
    length = np.linalg.norm(slope, axis=1)
    kept = np.flatnonzero(length > 1e-3)
    if len(kept) < 40:
        return None
    kept = kept[np.linspace(0, len(kept) - 1, min(len(kept), POINTS)).astype(int)]
    inwards = slope[kept] / length[kept, None]
    points = np.stack([columns[kept], rows[kept]], 1) - inwards * distance[rows[kept], columns[kept]][:, None]
    return points.astype(np.float32), -inwards.astype(np.float32)


def sampled(image: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(..., channels) bilinear at points (..., 2), the border repeated."""
    grid = points.reshape(len(points), -1, 2).astype(np.float32)
    found = cv2.remap(image, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(*points.shape[:-1], -1)


def _profile(encoded: np.ndarray, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 4 REACH + 1) contrast across the rim, in half pixels from -2 REACH inside to 2 REACH outside."""
    steps = np.arange(-4 * REACH - 1, 4 * REACH + 2) / 2
    values = sampled(encoded, points[:, None] + steps[None, :, None] * normals[:, None])
    strength = np.abs(values[:, 2:] - values[:, :-2]).sum(-1)
    most = np.quantile(strength, STRONG)
    return np.minimum(strength, most) if most > 0 else strength


def _aligned(profile: np.ndarray, normals: np.ndarray) -> tuple[tuple[float, float, float], float, float]:
    """(wide, x, y) px of the mask against the photograph, the edges' mean strength there, and at the mask itself.

    The outline of a mask that is `wide` and shifted lies outside the true one by wide + normal . shift.
    """
    best, found = -1.0, (0.0, 0.0, 0.0)
    for step in (2.0, 1.0, 0.5):
        reach = REACH if step == 2.0 else 2 * step
        ticks = np.arange(-reach, reach + step / 2, step)
        centre = found
        for wide in ticks + centre[0]:
            for x in ticks + centre[1]:
                for y in ticks + centre[2]:
                    if abs(wide) > REACH or np.hypot(x, y) > REACH:
                        continue
                    value = _strength(profile, normals, wide, x, y)
                    if value > best + 1e-9:
                        best, found = value, (float(wide), float(x), float(y))
    return found, best, _strength(profile, normals, 0.0, 0.0, 0.0)


def _strength(profile: np.ndarray, normals: np.ndarray, wide: float, x: float, y: float) -> float:
    middle = profile.shape[1] // 2
    column = np.rint(middle - 2 * (wide + normals[:, 0] * x + normals[:, 1] * y)).astype(int)
    return float(profile[np.arange(len(profile)), np.clip(column, 0, profile.shape[1] - 1)].mean())


def _blur(encoded: np.ndarray, points: np.ndarray, normals: np.ndarray) -> float:
    """Median over the rim of contrast / (steepest slope x sqrt(2 pi)): the sigma of a Gaussian edge."""
    steps = np.arange(-2 * MARGIN, 2 * MARGIN + 1) / 2
    grey = sampled(encoded.mean(2), points[:, None] + steps[None, :, None] * normals[:, None])[..., 0]
    contrast = np.abs(grey[:, :3].mean(1) - grey[:, -3:].mean(1))
    slope = np.abs(grey[:, 2:] - grey[:, :-2])[:, 4:-4].max(1)
    clear = contrast > STEP
    if clear.sum() < 20:
        return float("nan")
    return float(np.median(contrast[clear] / np.maximum(slope[clear], 1e-6)) / np.sqrt(2 * np.pi))


def whose(views: Sequence[View]) -> np.ndarray:
    """(v, v) strength of the edges of each photograph (row) along each mask's outline (column), over the strength along
    its own; NaN where sizes differ or there is no outline."""
    lines = [rim_line(v) for v in views]
    result = np.full((len(views), len(views)), np.nan)
    for i, view in enumerate(views):
        encoded = cv2.GaussianBlur(srgb_from_linear(view.image), (0, 0), 0.8)
        slope = np.hypot(cv2.Sobel(encoded, cv2.CV_32F, 1, 0), cv2.Sobel(encoded, cv2.CV_32F, 0, 1)).max(2)
        slope = np.minimum(slope, np.quantile(slope, 0.995))
        for j, line in enumerate(lines):
            if line is not None and views[j].size == view.size:
                result[i, j] = sampled(slope, line[0]).mean()
    return result / np.maximum(np.diag(result), 1e-9)[:, None]
