"""How a painted patch joins its photograph: a backend's colour shift taken out at the rim, paste by the binary mask,
feathered only inside; and a measure of how visible the rim is."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from defects.generative.crop import bounds

RING_PX = 8
FEATHER_PX, SOFT = 2.0, 0.1
"""The most over which a change fades in at the rim, and the share of the mask's depth."""


def without_shift(change: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """change: (n, n, 3), painted less clean. The change that the backend makes just outside the mask, where there
    should be none, continued smoothly to the inside and subtracted: what an autoencoder shifts goes away, the defect
    stays."""
    n = mask.shape[0]
    width = max(RING_PX, n // 32)
    outside = ~mask
    away = np.asarray(ndimage.distance_transform_edt(outside))
    ring = (outside & (away <= width)).astype(np.float32)
    if not ring.any():
        return change
    steady = _median_limited(change, ring > 0)
    return (change - _continued(steady, ring, 0.5 * width)).astype(np.float32)


def _median_limited(change: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Values of the ring cut to three robust sigmas about their median: a stray edge does not tint the patch."""
    values = change[ring]
    middle = np.median(values, axis=0)
    spread = 3 * 1.4826 * np.median(np.abs(values - middle), axis=0) + 1e-6
    return np.clip(change, middle - spread, middle + spread)


def _continued(values: np.ndarray, weight: np.ndarray, sigma: float) -> np.ndarray:
    """Weighted mean over ever wider neighbourhoods: near the ring its own values, far from it their mean."""
    out = np.broadcast_to((values * weight[..., None]).sum((0, 1)) / weight.sum(), values.shape).astype(np.float32)
    n = values.shape[0]
    for wide in reversed([s for k in range(6) if (s := sigma * 2**k) <= n / 4]):
        share = cv2.GaussianBlur(weight, (0, 0), wide, borderType=cv2.BORDER_REPLICATE)[..., None]
        mean = cv2.GaussianBlur((values * weight[..., None]).astype(np.float32), (0, 0), wide,
                                borderType=cv2.BORDER_REPLICATE)  # fmt: skip
        trust = np.clip(share / 0.1, 0, 1)
        out = trust * mean / np.maximum(share, 1e-6) + (1 - trust) * out
    return out


def feather(mask: np.ndarray) -> np.ndarray:
    """(h, w) float32 in [0, 1]: 0 outside the mask, rising inside over a tenth of how deep each piece of it is, at most
    FEATHER_PX: the rims of real pores and cracks are sharp, those of large damage soft."""
    out = np.zeros(mask.shape, np.float32)
    y0, y1, x0, x1 = bounds(mask)
    inside = np.pad(mask[y0:y1, x0:x1], 1)
    depth = np.asarray(ndimage.distance_transform_edt(inside))
    count, found = cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)
    piece = np.asarray(found, np.intp)
    deepest = np.zeros(count)
    np.maximum.at(deepest, piece, depth)
    soft = np.clip(SOFT * deepest[piece], 0, FEATHER_PX)
    alpha = np.where(inside, np.clip(depth / (soft + 1), 0, 1), 0)
    out[y0:y1, x0:x1] = alpha[1:-1, 1:-1]
    return out


def pasted(photo: np.ndarray, change: np.ndarray, mask: np.ndarray, share: np.ndarray, grey: bool) -> np.ndarray:
    """photo: (h, w, 3) uint8. change: (h, w, 3) float32 in [-1, 1], sRGB. share: (h, w) of it that is taken (`feather`
    of the whole mask, of which `mask` may be a tile). Outside the mask the photograph's own bytes.

    grey: the photograph has one channel, so the change gets one.
    """
    if grey:
        change = np.repeat((change @ np.array([0.299, 0.587, 0.114], np.float32))[..., None], 3, axis=2)
    wanted = photo.astype(np.float32) + 255 * share[..., None] * change
    out = photo.copy()
    out[mask] = np.rint(np.clip(wanted[mask], 0, 255)).astype(np.uint8)
    assert (out[~mask] == photo[~mask]).all(), "pixels outside the mask changed"
    return out


def seam_visibility(image: np.ndarray, mask: np.ndarray, photo: np.ndarray) -> float:
    """Steps across the mask's rim over steps at the photograph's own defects-free rims: 1 is invisible.

    The mean absolute difference of neighbouring pixels across the rim in `image` ((h, w, 3) uint8), over the same for
    pairs wholly inside the painted patch or the same pairs in `photo`, whichever is larger.
    """
    grey = image.astype(np.float32).mean(axis=2)
    clean = photo.astype(np.float32).mean(axis=2)
    across, within, before = [], [], []
    for axis in (0, 1):
        step, old = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(clean, axis=axis))
        first, second = (np.take(mask, range(k, mask.shape[axis] - 1 + k), axis) for k in (0, 1))
        across.append(step[first != second])
        within.append(step[first & second])
        before.append(old[first != second])
    rim = np.concatenate(across)
    inner, own = np.concatenate(within), np.concatenate(before)
    base = max(float(inner.mean()) if len(inner) else 0.0, float(own.mean()), 0.5)
    return float(rim.mean() / base)
