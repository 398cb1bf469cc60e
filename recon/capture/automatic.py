"""Masks made from photographs alone: against an empty plate, by GrabCut from seeds, or by a published recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from core.colour import srgb_from_linear
from core.errors import GeometryError, InputError
from recon.capture.model import View
from recon.capture.pixels import resized, smaller
from recon.capture.poses import closest_point
from recon.hull import carve_views, outline, silhouette

SIDE = 400
ROUNDS = 4


def dino_mask(image: np.ndarray) -> np.ndarray:
    """The recipe published with the Middlebury dino: brightest sRGB channel above 0.19, grown by 10 px, shrunk by 7."""
    bright = (srgb_from_linear(image).max(2) > 0.19).astype(np.uint8)
    grown = cv2.dilate(bright, _disc(10))
    shrunk = cv2.erode(grown, _disc(7))
    return largest(shrunk > 0).astype(np.float32)


def plate_mask(image: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """(h, w) float32: where a photograph differs from one of the empty table.

    Differences count in units of the noise that the two show where nothing changed; the threshold lies between the two
    modes (Otsu 1979), never below five times that noise. Exposure drift between the two is taken out first.
    """
    if image.shape != plate.shape:
        raise InputError(
            f"the empty plate has {plate.shape[:2]} pixels and a photograph {image.shape[:2]}",
            "both from one still camera",
            "take the plate again with the same settings",
        )
    part, empty = (cv2.GaussianBlur(srgb_from_linear(i), (0, 0), 1.0) for i in (image, plate))
    border = _border(image.shape[:2])
    gain = np.median(part[border] / np.maximum(empty[border], 1e-3), axis=0)
    difference = np.linalg.norm(part - empty * gain, axis=2)
    noise = max(float(np.median(difference)), 1.0 / 255)
    level, _ = cv2.threshold(
        np.clip(difference / noise, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU
    )
    found = largest(_closed(difference > noise * np.clip(level, 5, 20), 2))
    return grabcut(image, found, 3, 3)


def seeded(views: Sequence[View]) -> list[np.ndarray]:
    """Masks (h, w) float32 of photographs with poses: GrabCut (Rother et al. 2004) from the middle of the scene, then
    again from the hull of these masks, which takes back what only single views take for part."""
    small = [_small(v) for v in views]
    rays = np.array([v.camera_from_part[2, :3] for v in views])
    centre = closest_point(np.array([v.centre for v in views]), rays)
    masks = [central(v.image, v.project(centre[None])[0][0]) for v in small]
    for _ in range(2):
        masks = _again(small, masks)
    return [resized(m, v.size) for m, v in zip(masks, views, strict=True)]


def _again(views: Sequence[View], masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    marked = [replace(v, mask=m) for v, m in zip(views, masks, strict=True)]
    try:
        hull = carve_views(marked, 64, tolerated=max(1, len(views) // 8))
    except GeometryError:
        return list(masks)
    result = []
    for view in marked:
        seen = largest(silhouette(hull.vertices, hull.faces, view, view.size))
        result.append(grabcut(view.image, seen, 6, 6) if seen.any() else view.mask)
    return result


def central(image: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """GrabCut with the border as background and an ellipse round `middle` (x, y) px as likely part."""
    height, width = image.shape[:2]
    middle = middle if np.isfinite(middle).all() else np.array([width / 2, height / 2])
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot((columns - middle[0]) / width, (rows - middle[1]) / height)
    labels = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    labels[away < 0.22] = cv2.GC_PR_FGD
    labels[_border((height, width))] = cv2.GC_BGD
    return _cut(image, labels)


def grabcut(image: np.ndarray, seed: np.ndarray, inwards: int, outwards: int) -> np.ndarray:
    """(h, w) float32 soft mask: GrabCut within `inwards` px inside and `outwards` px outside the seed's outline."""
    distance = outline(seed.astype(np.float32)).distance
    labels = np.full(seed.shape, cv2.GC_BGD, np.uint8)
    labels[distance > -outwards] = cv2.GC_PR_BGD
    labels[distance > 0] = cv2.GC_PR_FGD
    labels[distance > inwards] = cv2.GC_FGD
    return _cut(image, labels)


def _cut(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    known = set(np.unique(labels).tolist())
    if not known & {cv2.GC_FGD, cv2.GC_PR_FGD} or not known & {cv2.GC_BGD, cv2.GC_PR_BGD}:
        return (labels & 1).astype(np.float32)
    picture = np.ascontiguousarray(np.round(255 * srgb_from_linear(image)[:, :, ::-1]).astype(np.uint8))
    cv2.setRNGSeed(0)  # GrabCut starts from k-means
    cv2.grabCut(picture, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    part = largest(_closed((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD), 1))
    # the outline of a label image runs along pixels: half a pixel of blur makes it a contour
    return cv2.GaussianBlur(part.astype(np.float32), (0, 0), 0.6)


def largest(mask: np.ndarray) -> np.ndarray:
    """The largest connected piece of a bool mask, its holes kept."""
    count, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count <= 2:
        return mask
    return label == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


def _small(view: View) -> View:
    size = smaller(view.size, SIDE)
    k = np.diag([size[1] / view.size[1], size[0] / view.size[0], 1.0]) @ view.intrinsics
    return replace(view, image=resized(view.image, size), mask=resized(view.mask, size), intrinsics=k)


def _border(size: tuple[int, int]) -> np.ndarray:
    border = np.ones(size, bool)
    wide = max(2, round(0.03 * min(size)))
    border[wide:-wide, wide:-wide] = False
    return border


def _closed(mask: np.ndarray, radius: int) -> np.ndarray:
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, _disc(radius)) > 0


def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
