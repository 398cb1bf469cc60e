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
FINE_SHARE = 0.872
"""What `local_grain` tells of white noise of strength 1: sqrt(1 - 2 g(0) + sum g^2) for its Gaussian g."""


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

    image, change: (h, w, 3) float32, sRGB. field: (h, w, 3), standard normal; of a grey image its first channel serves
    all. The grain is as strong as around the pixels that were not clipped (their median, per channel), and grows in
    with the distance from the clipping level.
    """
    low, high = CLIPPED
    clipped = (image <= low) | (image >= high)
    result = image + change
    sound = ~clipped.any(2)
    if clipped.any() and sound.any():
        sigma = np.array([np.median(local_grain(image[..., c : c + 1])[sound]) for c in range(3)]) / FINE_SHARE
        freed = np.clip(np.abs(change) / np.maximum(3 * sigma, 1e-6), 0.0, 1.0) * clipped
        grey = bool((image == image[..., :1]).all())
        result = result + freed * sigma * (field[..., :1] if grey else field)
    return np.clip(result, 0.0, 1.0).astype(np.float32)
