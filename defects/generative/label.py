"""What a painted photograph really shows: the requested mask where the change stands out of the photograph's grain."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SMOOTH_PX = 1.5
LEAST_K = 1.0
MARGIN = 1.25
LEAST_SIGMA = 1.0
"""8-bit codes: a photograph without any grain still has steps of one."""
NO_OP_IOU = 0.25
"""Below it the label is no picture of what was asked for: the sample is tried again or dropped."""


@dataclass(frozen=True, eq=False)
class Label:
    """mask: (h, w) bool. k: change over grain that counts. iou: with the requested mask. strength: median change over
    grain inside the label."""

    mask: np.ndarray
    k: float
    iou: float
    strength: float

    @property
    def no_op(self) -> bool:
        """Nothing visible happened, or next to nothing."""
        return self.iou < NO_OP_IOU


def grain_sigma(photo: np.ndarray, mask: np.ndarray, reach: float = 12.0) -> np.ndarray:
    """(h, w) float32, 8-bit codes: the local standard deviation of the photograph's grain, read outside the mask and
    continued into it. photo: (h, w, 3) uint8."""
    grey = photo.astype(np.float32).mean(axis=2)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), SMOOTH_PX)
    size = np.sqrt(np.maximum(1 - 1 / (np.pi * SMOOTH_PX**2) + 1 / (4 * np.pi * SMOOTH_PX**2), 0.1))
    clear = ~cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if not clear.any():
        clear = ~mask
    typical = 1.4826 * np.median(np.abs(fine[clear]))
    strong = np.minimum(np.abs(fine), 4 * max(typical, 0.25))
    weight = clear.astype(np.float32)
    power = cv2.GaussianBlur(strong**2 * weight, (0, 0), reach)
    share = cv2.GaussianBlur(weight, (0, 0), reach)
    mean = float((strong[clear] ** 2).mean())
    local = np.where(share > 0.02, power / np.maximum(share, 0.02), mean)
    return np.maximum(np.sqrt(local) / size, LEAST_SIGMA).astype(np.float32)


def standing_out(painted: np.ndarray, photo: np.ndarray, mask: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """(h, w) float32: the change, smoothed over the mask only, over the grain; 0 outside the mask."""
    weight = mask.astype(np.float32)
    change = (painted.astype(np.float32) - photo) * weight[..., None]
    share = np.maximum(cv2.GaussianBlur(weight, (0, 0), SMOOTH_PX), 1e-4)[..., None]
    smooth = cv2.GaussianBlur(change, (0, 0), SMOOTH_PX) / share
    return np.where(mask, np.sqrt((smooth**2).mean(axis=2)) / sigma, 0).astype(np.float32)


def label_of(painted: np.ndarray, good: np.ndarray | None, photo: np.ndarray, mask: np.ndarray) -> Label:
    """painted, good, photo: (h, w, 3) uint8; good: the pass without damage over the same mask, None: a backend that
    changes nothing then. k: a quarter above what the good pass reaches in 99 of 100 pixels, at least 1."""
    sigma = grain_sigma(photo, mask)
    k = LEAST_K
    if good is not None:
        k = max(k, MARGIN * float(np.quantile(standing_out(good, photo, mask, sigma)[mask], 0.99)))
    out = standing_out(painted, photo, mask, sigma)
    seen = (out > k) & mask
    both = int(seen.sum())
    return Label(seen, k, both / int(mask.sum()), float(np.median(out[seen])) if both else 0.0)
