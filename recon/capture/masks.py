"""Masks: read, made where there are none, and cross-checked between the views."""

from __future__ import annotations

import cv2
import numpy as np

from core.colour import srgb_from_linear


def dino_mask(image: np.ndarray) -> np.ndarray:
    """The recipe published with the Middlebury dino: brightest sRGB channel above 0.19, grown by 10 px, shrunk by 7."""
    bright = (srgb_from_linear(image).max(2) > 0.19).astype(np.uint8)
    grown = cv2.dilate(bright, _disc(10))
    shrunk = cv2.erode(grown, _disc(7))
    return largest(shrunk > 0).astype(np.float32)


def largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece of a bool mask, its holes kept."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    return label == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
