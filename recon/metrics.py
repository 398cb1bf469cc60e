"""How far a reconstruction is from the truth: shape in exact distances, pictures in decibels.

Distances are from points to surfaces, not from points to points, which would have a floor of the sampling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.colour import srgb_from_linear
from core.errors import InputError
from recon.capture.model import View
from recon.nearest import Nearest, Surface

SAMPLES = 60_000
F_SHARE = 0.005
"""Of the diagonal: within this distance a point counts as found."""
SEEN_DEG = 80.0
SEEN_VIEWS = 2
LIFT = 1e-5
"""Of the diagonal: how far above the surface a line of sight starts."""

MeshArrays = tuple[np.ndarray, np.ndarray]
"""vertices (n, 3) and faces (m, 3)."""


@dataclass(frozen=True)
class ShapeScores:
    """chamfer: mean of both directions' mean distances, the meshes' unit; percent: of the truth's bounding-box
    diagonal. f_score: at 0.5 % of it. normal_deg: mean angle between the normals of the truth's samples and of what is
    nearest to them. share: of the truth's surface that was looked at."""

    chamfer: float
    percent: float
    accuracy: float
    completeness: float
    f_score: float
    normal_deg: float
    share: float

    @property
    def chamfer_mm(self) -> float:
        """Where the unit is a metre."""
        return 1e3 * self.chamfer


def compare_shapes(
    found: MeshArrays, truth: MeshArrays, rng: np.random.Generator, views: Sequence[View] = (), samples: int = SAMPLES
) -> ShapeScores:
    """Scores of all of the truth's surface, or, with views, of what at least two of them see.

    Points of `found` count where their nearest point of the truth counts. InputError when the views see nothing.
    """
    ours, true = Surface(*found), Surface(*truth)
    points, face = true.samples(samples, rng)
    own, _ = ours.samples(samples, rng)
    back = ours.closest(points)
    there = true.closest(own)
    kept, own_kept = np.ones(samples, bool), np.ones(samples, bool)
    if views:
        kept = view_counts(true, points, face, views) >= SEEN_VIEWS
        own_kept = view_counts(true, there.points, there.face, views) >= SEEN_VIEWS
        if not kept.any() or not own_kept.any():
            raise InputError(
                f"{len(views)} views that see no surface twice", "views of the mesh", "check the poses and the unit"
            )
    return _scores(back, there, kept, own_kept, true, _angles(true.normals[face], ours.normals[back.face]))


def _scores(
    back: Nearest, there: Nearest, kept: np.ndarray, own_kept: np.ndarray, true: Surface, angles: np.ndarray
) -> ShapeScores:
    completeness, accuracy = float(back.distance[kept].mean()), float(there.distance[own_kept].mean())
    limit = F_SHARE * true.diagonal
    recall, precision = float((back.distance[kept] < limit).mean()), float((there.distance[own_kept] < limit).mean())
    chamfer = (completeness + accuracy) / 2
    return ShapeScores(
        chamfer=chamfer,
        percent=100 * chamfer / true.diagonal,
        accuracy=accuracy,
        completeness=completeness,
        f_score=2 * precision * recall / max(precision + recall, 1e-12),
        normal_deg=float(np.degrees(angles[kept]).mean()),
        share=float(kept.mean()),
    )


def _angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) radians between unit vectors, exact for small angles too."""
    return 2 * np.arctan2(np.linalg.norm(a - b, axis=1), np.linalg.norm(a + b, axis=1))


def view_counts(surface: Surface, points: np.ndarray, face: np.ndarray, views: Sequence[View]) -> np.ndarray:
    """(n,) int: how many views see each point of the surface, inside the picture, at less than 80 degrees, past
    everything that stands before it."""
    normals = surface.normals[face]
    start = points + LIFT * surface.diagonal * normals
    count = np.zeros(len(points), int)
    for view in views:
        pixels, _ = view.project(points)
        height, width = view.size
        with np.errstate(invalid="ignore"):
            inside = ((pixels >= 0) & (pixels < [width, height])).all(1)
        way = view.centre - points
        cosine = (way * normals).sum(1) / np.linalg.norm(way, axis=1)
        asked = np.flatnonzero(inside & (cosine > np.cos(np.radians(SEEN_DEG))))
        end = np.broadcast_to(view.centre, (len(asked), 3))
        count[asked] += surface.free(start[asked], end)
    return count


def psnr(found: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Decibels between linear pictures (h, w, 3) in sRGB, clipped to [0, 1], over a bool mask (h, w) or everywhere.

    InputError for an empty mask. Equal pictures give infinity.
    """
    return decibel(squared_error(found, truth, mask))


def squared_error(found: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean square of the difference in sRGB: what several pictures are pooled by."""
    difference = np.asarray(srgb_from_linear(found), float) - srgb_from_linear(truth)
    if mask is not None:
        difference = difference[np.asarray(mask, bool)]
    if not difference.size:
        raise InputError("an empty mask", "pixels to compare", "check the mask")
    return float(np.mean(difference**2))


def decibel(squared: float) -> float:
    """Of a mean squared error against a peak of 1."""
    return float(-10 * np.log10(squared)) if squared > 0 else float("inf")


def channel_scales(found: Sequence[np.ndarray], truth: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray:
    """(3,) factors that bring `found` nearest to `truth`, linear least squares over all pictures' masks together."""
    top, bottom = np.zeros(3), np.zeros(3)
    for ours, true, mask in zip(found, truth, masks, strict=True):
        a, b = np.asarray(ours, float)[mask], np.asarray(true, float)[mask]
        top, bottom = top + (a * b).sum(0), bottom + (a * a).sum(0)
    return np.where(bottom > 0, top / np.maximum(bottom, 1e-300), 1.0)


def pooled_psnr(
    found: Sequence[np.ndarray], truth: Sequence[np.ndarray], masks: Sequence[np.ndarray], scaled: bool = False
) -> float:
    """Mean of the pictures' PSNR over their masks; `scaled`: after one factor a channel for all pictures."""
    scales = channel_scales(found, truth, masks) if scaled else np.ones(3)
    return float(np.mean([psnr(np.asarray(f) * scales, t, m) for f, t, m in zip(found, truth, masks, strict=True)]))
