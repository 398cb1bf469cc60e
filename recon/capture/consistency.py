"""Do masks and poses describe one still thing? Each view against the hull that the others carve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import GeometryError
from recon.capture.model import View
from recon.capture.pixels import resized, smaller
from recon.hull import COARSE, Outline, depth_inside, outlines, region
from recon.isosurface import isosurface
from recon.silhouettes import overlap, silhouette

GRID = 48
SIDE = 128


@dataclass(frozen=True, eq=False)
class Depths:
    """depths: (v, n) float32 how far each sample of a grid is inside each view's mask; lower, spacing, shape: of the
    grid."""

    depths: np.ndarray
    lower: np.ndarray
    spacing: float
    shape: tuple[int, int, int]

    def least(self, views: np.ndarray) -> np.ndarray:
        """(n,) over the views that a bool array (v,) selects."""
        return self.depths[views].min(0) if views.any() else np.full(self.depths.shape[1], 1.0, np.float32)

    def surface(self, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mesh (vertices, faces) of a field (n,), positive inside; empty arrays where nothing is inside."""
        block = np.full(tuple(s + 2 for s in self.shape), -self.spacing, np.float32)
        block[1:-1, 1:-1, 1:-1] = np.clip(field, -4 * self.spacing, 4 * self.spacing).reshape(self.shape)
        if (block <= 0).all():
            return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
        upper = self.lower + self.spacing * np.array(self.shape)
        return isosurface(-block, self.lower - self.spacing, upper)


@dataclass(frozen=True, eq=False)
class Agreement:
    """Per view against the hull of the other trusted views: iou; missing: share of the hull's silhouette that the
    mask leaves out; excess: share of the mask that the hull does not reach. trusted: (v,) bool."""

    iou: np.ndarray
    missing: np.ndarray
    excess: np.ndarray
    trusted: np.ndarray


def measure(views: Sequence[View], grid: int = GRID, tolerated: float = 0.15) -> Depths:
    """Depths on a grid round what at most the `tolerated` share of the views carve away."""
    masks, k = outlines(views, 256)
    cube = _robust_region(views)
    lower, spacing = cube[0], float(cube[1, 0] - cube[0, 0]) / (COARSE - 1)
    points = _lattice(lower, spacing, (COARSE,) * 3)
    against = np.zeros(len(points), int)
    for view, mask, one in zip(views, masks, k, strict=True):
        against += depth_inside(points, view, mask, one) < -spacing
    kept = np.argwhere((against <= tolerated * len(views)).reshape((COARSE,) * 3))
    if not len(kept):
        raise GeometryError("the masks have no point in common", "masks of one still part", "check masks and poses")
    low, high = lower + spacing * (kept.min(0) - 1.5), lower + spacing * (kept.max(0) + 1.5)
    fine = float((high - low).max()) / (grid - 1)
    shape = tuple(int(c) for c in np.ceil((high - low) / fine).astype(int) + 1)
    return Depths(_depths(views, masks, k, low, fine, shape), low, fine, (shape[0], shape[1], shape[2]))


def _depths(
    views: Sequence[View], masks: Sequence[Outline], k: np.ndarray, low: np.ndarray, step: float, shape: Sequence[int]
) -> np.ndarray:
    points = _lattice(low, step, shape)
    return np.stack([depth_inside(points, v, m, one) for v, m, one in zip(views, masks, k, strict=True)])


def _lattice(lower: np.ndarray, spacing: float, shape: Sequence[int]) -> np.ndarray:
    axes = [lower[i] + spacing * np.arange(shape[i]) for i in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)


def _robust_region(views: Sequence[View]) -> np.ndarray:
    """`region` of the views whose masks are neither empty nor reach most of the photograph."""
    share = np.array([v.mask.mean() for v in views])
    usable = [
        v for v, s in zip(views, share, strict=True) if 0 < s < min(0.9, 4 * np.median(share[share > 1e-4]) + 1e-6)
    ]
    return region(usable)


def agree(views: Sequence[View], depths: Depths, trusted: np.ndarray) -> Agreement:
    """Every view against the hull of the other trusted ones."""
    numbers = np.flatnonzero(trusted)
    inner = depths.depths[trusted]
    order = inner.argmin(0)
    least = inner.min(0)
    inner_second = inner.copy()
    inner_second[order, np.arange(inner.shape[1])] = np.inf
    second = inner_second.min(0)
    iou, missing, excess = (np.full(len(views), np.nan) for _ in range(3))
    for i, view in enumerate(views):
        field = np.where(order == np.searchsorted(numbers, i), second, least) if trusted[i] else least
        iou[i], missing[i], excess[i] = _against(view, *depths.surface(np.where(np.isfinite(field), field, 1.0)))
    return Agreement(iou, missing, excess, trusted.copy())


def _against(view: View, vertices: np.ndarray, faces: np.ndarray) -> tuple[float, float, float]:
    size = smaller(view.size, SIDE)
    mask = resized(view.mask, size) >= 0.5
    if not len(faces):
        return 0.0, 0.0, 1.0
    covered = silhouette(vertices, faces, view, size)
    hull, part = max(np.count_nonzero(covered), 1), max(np.count_nonzero(mask), 1)
    return (
        float(np.nan_to_num(overlap(covered, mask))),
        np.count_nonzero(covered & ~mask) / hull,
        np.count_nonzero(mask & ~covered) / part,
    )
