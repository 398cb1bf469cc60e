"""Where a photograph has its edge against where its mask has its outline: tells masks that are too wide or narrow."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from core.colour import srgb_from_linear
from recon.capture.model import View
from recon.hull import outline

REACH = 10
_SOBEL = 1 / 8


@dataclass(frozen=True)
class Edge:
    """offset_px: how far the mask's outline lies outside the photograph's edge (negative: inside it), NaN where the
    mask has no outline. contrast: the edge's strength over the usual one near the outline. at_outline: strength at the
    outline itself over the edge's. on_edge: share of the outline that lies within 2 px of an edge three times as strong
    as usual near it; low where masks agree with each other but not with the photograph."""

    offset_px: float
    contrast: float
    at_outline: float
    on_edge: float = 0.0


def edge(view: View, reach: int = REACH) -> Edge:
    """The mean gradient across the outline, by distance from it, in sRGB; its peak is the edge (to a part of a pixel
    by a parabola through the three bins at the peak)."""
    distance = outline(view.mask).distance
    near = np.abs(distance) < reach + 0.5
    if np.count_nonzero(near) < 50:
        return Edge(float("nan"), 0.0, 0.0)
    across = _gradient(distance)
    strength = np.zeros(distance.shape, np.float32)
    encoded = cv2.GaussianBlur(srgb_from_linear(view.image), (0, 0), 0.8)
    for channel in cv2.split(encoded):
        dx, dy = _gradient(channel)
        strength += np.abs(dx * across[0] + dy * across[1])
    values = strength[near]
    values = np.minimum(values, np.quantile(values, 0.98))  # a few strong marks on the part are no outline
    bins = np.round(distance[near]).astype(int) + reach
    count = np.bincount(bins, minlength=2 * reach + 1)
    profile = np.bincount(bins, values, minlength=2 * reach + 1) / np.maximum(count, 1)
    peak = int(profile.argmax())
    usual = float(np.median(profile))
    if profile[peak] <= 0:
        return Edge(float("nan"), 0.0, 0.0)
    fraction = _vertex(*profile[peak - 1 : peak + 2]) if 0 < peak < 2 * reach else 0.0
    return Edge(
        peak + fraction - reach,
        float(profile[peak]) / max(usual, 1e-6),
        float(profile[reach] / profile[peak]),
        _on_edge(strength, distance, near),
    )


def _on_edge(strength: np.ndarray, distance: np.ndarray, near: np.ndarray) -> float:
    line = np.abs(distance) < 0.7
    strongest = cv2.dilate(strength, np.ones((5, 5), np.uint8))
    return float((strongest[line] > 3 * np.median(strength[near])).mean()) if line.any() else 0.0


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=_SOBEL), cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=_SOBEL)


def _vertex(before: float, top: float, after: float) -> float:
    bend = before - 2 * top + after
    return 0.0 if bend == 0 else float(0.5 * (before - after) / bend)
