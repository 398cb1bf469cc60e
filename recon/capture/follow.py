"""Points of the part followed from photograph to photograph: SIFT inside the masks, matched between neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from recon.capture.turntable import Tracks

MOST = 4000
RATIO = 0.8
NEIGHBOURS = 2


def follow(images: Sequence[np.ndarray], masks: Sequence[np.ndarray], closed: bool) -> Tracks:
    """images: 8 bit grey (h, w); masks: (h, w), only points inside them count, for the background stands still and
    would freeze the camera. closed: the last photograph is a neighbour of the first. Points seen in fewer than three
    views are left out."""
    sift = cv2.SIFT.create(nfeatures=MOST, contrastThreshold=0.02)
    keys, descriptions = [], []
    for image, mask in zip(images, masks, strict=True):
        inner = cv2.erode((mask >= 0.5).astype(np.uint8), np.ones((5, 5), np.uint8))
        found, described = sift.detectAndCompute(image, inner)  # type: ignore[call-overload]
        keys.append(np.array([k.pt for k in found], float).reshape(-1, 2) + 0.5)
        descriptions.append(described if described is not None else np.zeros((0, 128), np.float32))
    starts = np.r_[0, np.cumsum([len(k) for k in keys])]
    pairs = []
    for i in range(len(images)):
        for gap in range(1, NEIGHBOURS + 1):
            j = i + gap
            if j >= len(images) and not closed:
                continue
            j %= len(images)
            matched = _matched(keys[i], descriptions[i], keys[j], descriptions[j])
            pairs.append(matched + np.array([starts[i], starts[j]]))
    return _joined(np.concatenate(pairs) if pairs else np.zeros((0, 2), int), keys, starts)


def _matched(here: np.ndarray, first: np.ndarray, there: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(m, 2) indices: mutual best matches by the ratio test, on one epipolar geometry (MAGSAC)."""
    none = np.zeros((0, 2), int)
    if len(first) < 8 or len(second) < 8:
        return none
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    forth = [m[0] for m in matcher.knnMatch(first, second, 2) if len(m) == 2 and m[0].distance < RATIO * m[1].distance]
    back = {m[0].queryIdx: m[0].trainIdx for m in matcher.knnMatch(second, first, 1) if m}
    both = np.array([(m.queryIdx, m.trainIdx) for m in forth if back.get(m.trainIdx) == m.queryIdx], int).reshape(-1, 2)
    if len(both) < 8:
        return none
    cv2.setRNGSeed(0)
    try:
        _, good = cv2.findFundamentalMat(here[both[:, 0]], there[both[:, 1]], cv2.USAC_MAGSAC, 1.5, 0.999, 5000)
    except cv2.error:  # its way to say that no seven of them give a geometry, as on an even part
        return none
    return none if good is None else both[good.ravel() > 0]


def _joined(pairs: np.ndarray, keys: Sequence[np.ndarray], starts: np.ndarray) -> Tracks:
    """Matches joined into points; a point that meets one photograph twice is a mistake and left out."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    total = int(starts[-1])
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(total, total))
    _, label = connected_components(graph, directed=False)
    view = np.repeat(np.arange(len(keys)), np.diff(starts))
    length = np.bincount(label)
    used = np.unique(np.stack([label, view], 1), axis=0)
    distinct = np.bincount(used[:, 0], minlength=len(length))
    keep = ((length >= 3) & (distinct == length))[label]
    _, point = np.unique(label[keep], return_inverse=True)
    pixels = np.concatenate(keys) if total else np.zeros((0, 2))
    return Tracks(point, view[keep], pixels[keep])
