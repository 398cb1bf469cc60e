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
from recon.hull import carve_views, outline
from recon.silhouettes import silhouette

SIDE = 200
ROUNDS = 4
GAP = int(cv2.GC_BGD)


def dino_mask(image: np.ndarray) -> np.ndarray:
    """The recipe published with the Middlebury dino: brightest sRGB channel above 0.19, grown by 10 px, shrunk by 7.
    Holes are filled: they are shadows."""
    bright = (srgb_from_linear(image).max(2) > 0.19).astype(np.uint8)
    grown = cv2.dilate(bright, _disc(10))
    shrunk = cv2.erode(grown, _disc(7))
    outer, _ = cv2.findContours(largest(shrunk > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(shrunk), outer, -1, (1,), cv2.FILLED).astype(np.float32)


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
    border = _border((image.shape[0], image.shape[1]))
    gain = np.median(part[border] / np.maximum(empty[border], 1e-3), axis=0)
    difference = np.linalg.norm(part - empty * gain, axis=2)
    noise = max(float(np.median(difference)), 1.0 / 255)
    level, _ = cv2.threshold(
        np.clip(difference / noise, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU
    )
    found = largest(_closed(difference > noise * np.clip(level, 5, 20), 2))
    return grabcut(image, found, 3, 3)


def seeded(views: Sequence[View]) -> list[np.ndarray]:
    """Masks (h, w) float32 of photographs with poses: one GrabCut (Rother et al. 2004) of all photographs together, so
    that part and background have one set of colours, seeded first from the middle of the scene and then from the hull
    of these masks, which takes back what only some views take for part."""
    small = [_small(v) for v in views]
    centre = closest_point(np.array([v.centre for v in views]), np.array([v.camera_from_part[2, :3] for v in views]))
    labels = [_central(v.size, v.project(centre[None])[0][0]) for v in small]
    masks = _cut_together(small, labels)
    for _ in range(2):
        masks = _cut_together(small, _from_hull(small, masks))
    return [resized(m, v.size) for m, v in zip(masks, views, strict=True)]


def central(image: np.ndarray) -> np.ndarray:
    """(h, w) float32: one photograph without a pose, by GrabCut from its middle."""
    labels = _central((image.shape[0], image.shape[1]), np.array([image.shape[1], image.shape[0]]) / 2)
    return _softened(largest(_closed(_cut(image, labels), 1)))


def _central(size: tuple[int, int], middle: np.ndarray) -> np.ndarray:
    """Labels: the border is background, an ellipse round `middle` (x, y) px is likely part."""
    height, width = size
    middle = middle if np.isfinite(middle).all() else np.array([width / 2, height / 2])
    rows, columns = np.mgrid[:height, :width]
    away = np.hypot((columns - middle[0]) / width, (rows - middle[1]) / height)
    labels = np.full(size, cv2.GC_PR_BGD, np.uint8)
    labels[away < 0.2] = cv2.GC_PR_FGD
    labels[_border(size)] = cv2.GC_BGD
    return labels


def _from_hull(views: Sequence[View], masks: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Labels from the hull that most masks leave: part well inside it, background well outside."""
    marked = [replace(v, mask=m) for v, m in zip(views, masks, strict=True)]
    try:
        hull = carve_views([v for v in marked if v.mask.any()], 64, tolerated=len(views) // 4)
    except GeometryError:
        return [np.where(m >= 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8) for m in masks]
    result = []
    for view in marked:
        seen = silhouette(hull.vertices, hull.faces, view, view.size)
        reach = max(4, round(0.12 * np.sqrt(np.count_nonzero(seen))))
        labels = _band(seen, 2 * reach, reach)
        labels[_border(view.size) & ~seen] = cv2.GC_BGD
        result.append(labels)
    return result


def _cut_together(views: Sequence[View], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """GrabCut on a mosaic of all photographs; strips of background keep them apart."""
    across = int(np.ceil(np.sqrt(len(views))))
    height, width = (max(v.size[i] for v in views) + 2 for i in (0, 1))
    picture = np.zeros((height * across, width * across, 3), np.float32)
    known = np.full(picture.shape[:2], GAP, np.uint8)
    corners = [(height * (i // across), width * (i % across)) for i in range(len(views))]
    for view, label, (r, c) in zip(views, labels, corners, strict=True):
        h, w = view.size
        picture[r : r + h + 2, c : c + w + 2] = np.pad(view.image, ((0, 2), (0, 2), (0, 0)), mode="edge")
        known[r : r + h, c : c + w] = label
    found = _cut(picture, known)
    tiles = [found[r : r + v.size[0], c : c + v.size[1]] for v, (r, c) in zip(views, corners, strict=True)]
    return [_softened(largest(_closed(t, 1))) for t in tiles]


def grabcut(image: np.ndarray, seed: np.ndarray, inwards: int, outwards: int) -> np.ndarray:
    """(h, w) float32 soft mask: GrabCut within `inwards` px inside and `outwards` px outside the seed's outline."""
    return _softened(largest(_closed(_cut(image, _band(seed, inwards, outwards)), 1)))


def _band(seed: np.ndarray, inwards: int, outwards: int) -> np.ndarray:
    """Labels: undecided near the seed's outline."""
    distance = outline(seed.astype(np.float32)).distance
    labels = np.full(seed.shape, cv2.GC_BGD, np.uint8)
    labels[distance > -outwards] = cv2.GC_PR_BGD
    labels[distance > 0] = cv2.GC_PR_FGD
    labels[distance > inwards] = cv2.GC_FGD
    return labels


def _cut(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(h, w) bool, from an image and GrabCut's four labels."""
    part = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if part.all() or not part.any():
        return part
    picture = np.ascontiguousarray(np.round(255 * srgb_from_linear(image)[:, :, ::-1]).astype(np.uint8))
    found = labels.copy()
    cv2.setRNGSeed(0)  # GrabCut starts from k-means
    cv2.grabCut(picture, found, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD)


def _softened(part: np.ndarray) -> np.ndarray:
    """The outline of a label image runs along pixels: a little blur makes it a contour."""
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
