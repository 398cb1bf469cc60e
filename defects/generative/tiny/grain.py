"""Grain of a photograph: how strong it is around each pixel, and where an edit must grow it again.

In sRGB, whose exponent is close to the square root, photon noise has nearly the same strength at every brightness
(Anscombe 1948), so a change that is added to the photograph rightly keeps the grain that is there. Only pixels that
were clipped have none to keep.
"""

from __future__ import annotations

import cv2
import numpy as np

LEAST = 1.0 / 512
CLIPPED = (0.5 / 255, 254.5 / 255)


def local_grain(image: np.ndarray, sigma_px: float = 4.0) -> np.ndarray:
    """(h, w, 3) sRGB in [0, 1] -> (h, w) float32: standard deviation of the finest detail around each pixel."""
    grey = np.ascontiguousarray(image, np.float32).mean(2)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.0)
    return np.sqrt(np.maximum(cv2.GaussianBlur(fine * fine, (0, 0), sigma_px), 0.0)).astype(np.float32)


def grain_channel(image: np.ndarray) -> np.ndarray:
    """(h, w) float32, what the network sees of it: logarithmic, about -1 without grain, 1 where texture is strong."""
    return (np.log2(local_grain(image) + LEAST) + 6.0) / 3.0


def edited(image: np.ndarray, change: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The photograph with a change added, in [0, 1]. Pixels that were clipped and are so no longer get grain.

    image, change: (h, w, 3) float32, sRGB. field: (h, w, 3), standard normal. The grain is the median of what is
    around among pixels that were not clipped, and grows in with the distance from the clipping level.
    """
    low, high = CLIPPED
    clipped = (image <= low) | (image >= high)
    result = image + change
    if clipped.any() and not clipped.all():
        sigma = float(np.median(local_grain(image)[~clipped.any(2)])) if not clipped.any(2).all() else 0.0
        freed = np.clip(np.abs(change) / max(3 * sigma, 1e-6), 0.0, 1.0) * clipped
        result = result + freed * sigma * field
    return np.clip(result, 0.0, 1.0).astype(np.float32)
