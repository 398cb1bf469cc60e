"""Labels drawn for people: a colour a kind, an outline that stands off so that it hides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from core.record import ImageRecord
from flawsmith import images

PALETTE = (
    "#f25f3a", "#2aa9e0", "#f2b705", "#a06cd5", "#4caf6d", "#e0457b", "#17b5a6", "#c98a4b",
    "#6d83f2", "#9ab83a", "#d96ad0", "#5fb4c9", "#e58e26", "#8f7f6b", "#3f8f4f", "#b5523b",
    "#7a5cc0", "#c7a52b", "#4d7fb8", "#bf5f8a",
)  # fmt: skip
VERDICT_COLOURS = {"defect": "#e5484d", "acceptable": "#e2a336", "good": "#3fa66b"}
STAND_OFF = 2
"""Pixels of the shown picture between a label and its outline."""


def colours(categories: Sequence[str]) -> dict[str, str]:
    """`#rrggbb` by kind."""
    return {kind: PALETTE[i % len(PALETTE)] for i, kind in enumerate(categories)}


def rgb(colour: str) -> tuple[int, int, int]:
    """(r, g, b) in 0..255 of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def thumbnail(dataset: Path, record: ImageRecord, size: tuple[int, int]) -> np.ndarray:
    """(h, w, 3) uint8 sRGB, no larger than `size` (width, height), aspect kept."""
    photo = np.ascontiguousarray(images.read_photo(dataset / record.files["image"].path))
    return cv2.resize(photo, fitted(record, size), interpolation=cv2.INTER_AREA)


def fitted(record: ImageRecord, size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of one image within `size`."""
    scale = min(size[0] / record.width, size[1] / record.height)
    return max(1, round(record.width * scale)), max(1, round(record.height * scale))


def overlay(
    dataset: Path, record: ImageRecord, size: tuple[int, int], colour: Mapping[str, str], fill: float = 0.3
) -> np.ndarray:
    """(h, w, 4) uint8 RGBA: labels filled by `fill` and outlined; dashes of light for marks within limits."""
    width, height = fitted(record, size)
    result = np.zeros((height, width, 4), np.uint8)
    if not record.labelled:
        return result
    ids = images.read_grey(dataset / record.files["mask"].path)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * STAND_OFF + 1, 2 * STAND_OFF + 1))
    for label in record.labelled:
        share = cv2.resize((ids == label.id).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        inside = (share > 0).astype(np.uint8)
        wide = cv2.dilate(inside, kernel)
        ring = cv2.dilate(wide, np.ones((3, 3), np.uint8)) - wide > 0
        r, g, b = rgb(colour[label.kind])
        result[inside > 0] = (r, g, b, round(255 * fill))
        if label.verdict == "acceptable":
            y, x = np.indices(ring.shape)
            ring &= (x + y) % 8 < 4
        result[ring] = (r, g, b, 255)
    return result


def blended(photo: np.ndarray, over: np.ndarray) -> np.ndarray:
    """`over` (h, w, 4) on `photo` (h, w, 3), uint8."""
    alpha = over[..., 3:].astype(np.float32) / 255
    return np.rint(photo * (1 - alpha) + over[..., :3] * alpha).astype(np.uint8)


def evenly(records: Sequence[ImageRecord], most: int) -> list[ImageRecord]:
    """At most `most` records, spread over the whole."""
    if len(records) <= most:
        return list(records)
    return [records[i] for i in np.linspace(0, len(records) - 1, most).round().astype(int)]
