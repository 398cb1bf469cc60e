"""What the network sees beside the noise: the clean crop, the mask's signed distance, the part, the grain."""

from __future__ import annotations

import math

import cv2
import numpy as np

from defects.generative.tiny.grain import grain_channel

REACH_PX = 24.0
CHANNELS = 7
"""Three of the clean crop, mask, signed distance, part, grain."""
SCALE_MM, SCALE_SPAN = 0.05, 3.0
"""log2 of millimetres per pixel is centred on the first and divided by the second."""


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """(h, w) bool -> (h, w) float32 in [-1, 1]: distance to the mask's rim over REACH_PX, positive inside."""
    return np.clip((_to_rim(mask) - _to_rim(~mask)) / REACH_PX, -1.0, 1.0).astype(np.float32)


def _to_rim(inside: np.ndarray) -> np.ndarray:
    """Distance of every pixel inside to the nearest one outside. Squares of it are whole numbers: OpenCV's last bit
    hangs on how memory is aligned."""
    told = cv2.distanceTransform(np.ascontiguousarray(inside, np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(told * told))


def condition(image: np.ndarray, mask: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(CHANNELS, h, w) float32 from an image (h, w, 3) sRGB in [0, 1] and two bool masks."""
    planes = [*(np.moveaxis(image, 2, 0) * 2.0 - 1.0), mask, signed_distance(mask), part, grain_channel(image)]
    return np.stack([np.asarray(p, np.float32) for p in planes])


def scale_code(mm_per_px: float) -> tuple[float, float]:
    """(log scale about zero, 1.0), or two zeros for a scale that is not known."""
    if not (math.isfinite(mm_per_px) and mm_per_px > 0):
        return 0.0, 0.0
    return math.log2(mm_per_px / SCALE_MM) / SCALE_SPAN, 1.0
