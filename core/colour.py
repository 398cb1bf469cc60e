"""sRGB transfer and luminance. Inside, images are linear Rec.709 float32; sRGB only at files (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def srgb_from_linear(linear: np.ndarray) -> np.ndarray:
    """Encode linear values in [0, 1] (clipped) to sRGB in [0, 1]; any shape, float32."""
    x = np.clip(np.asarray(linear, np.float32), 0.0, 1.0)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4) - 0.055).astype(np.float32)


def linear_from_srgb(encoded: np.ndarray) -> np.ndarray:
    """Decode sRGB values in [0, 1] to linear; any shape, float32."""
    x = np.asarray(encoded, np.float32)
    return np.where(x <= 0.04045, x / 12.92, np.power((x + 0.055) / 1.055, 2.4)).astype(np.float32)


def luminance(linear: np.ndarray) -> np.ndarray:
    """Rec.709 luminance of a linear (..., 3) image."""
    return np.asarray(linear, np.float32) @ LUMINANCE
