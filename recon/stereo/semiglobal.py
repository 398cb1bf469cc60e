"""Depths that agree with their neighbours: semi-global matching after Hirschmueller, 2008."""

from __future__ import annotations

import numpy as np

STEP, JUMP = 0.04, 0.25
"""What a change of one plane costs a path, and any greater change, in units of likeness."""


def semiglobal(cost: np.ndarray, contrast: np.ndarray, step: float = STEP, jump: float = JUMP) -> np.ndarray:
    """cost (planes, h, w) float32 -> (planes, h, w) summed over eight paths. contrast: (h, w) in [0, 1], the
    photograph's gradient: jumps are cheap where it is high."""
    volume = np.ascontiguousarray(np.moveaxis(cost, 0, -1))
    total = np.zeros_like(volume)
    price = np.maximum(jump / (1 + 8 * contrast), 1.5 * step).astype(np.float32)
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for sign in (1, -1):
            total += _path(volume, price, sign * down, sign * right, step)
    return np.moveaxis(total, -1, 0)


def _path(volume: np.ndarray, price: np.ndarray, down: int, right: int, step: float) -> np.ndarray:
    """One direction. Whole rows (or columns) go forward together."""
    if down == 0:
        return _path(volume.swapaxes(0, 1), price.T, right, 0, step).swapaxes(0, 1)
    h, w, _ = volume.shape
    out = np.empty_like(volume)
    rows = range(h) if down > 0 else range(h - 1, -1, -1)
    last: np.ndarray | None = None
    for row in rows:
        if last is None:
            out[row] = volume[row]
        else:
            before = last
            if right:
                before = np.roll(last, right, axis=0)
                edge = 0 if right > 0 else w - 1
                before[edge] = volume[row - down][edge]
            least = before.min(1, keepdims=True)
            best = np.minimum(before, least + price[row][:, None])
            np.minimum(best[:, 1:], before[:, :-1] + step, out=best[:, 1:])
            np.minimum(best[:, :-1], before[:, 1:] + step, out=best[:, :-1])
            out[row] = volume[row] + best - least
        last = out[row]
    return out
