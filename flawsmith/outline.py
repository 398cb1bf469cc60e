"""The outline of a mask along the edges of its pixels: filled at pixel centres it gives the same mask back."""

from __future__ import annotations

import numpy as np

Point = tuple[int, int]


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Outer outlines of a (h, w) bool mask, one per 8-connected piece: (n, 2) int x, y of pixel corners.

    Clockwise as seen (y down), without points inside straight runs. Holes are not outlined.
    """
    following = _edges(np.pad(mask, 1))
    loops: list[np.ndarray] = []
    for start in sorted(following):
        if start not in following:
            continue
        loop = np.array(_walk(following, start))
        if _area(loop) > 0:
            loops.append(_corners(loop) - 1)
    return loops


def _edges(mask: np.ndarray) -> dict[Point, list[Point]]:
    """Directed pixel edges with the mask on their right: start -> ends."""
    following: dict[Point, list[Point]] = {}
    sides = (((0, 0), (1, 0), (-1, 0)), ((1, 0), (1, 1), (0, 1)), ((1, 1), (0, 1), (1, 0)), ((0, 1), (0, 0), (0, -1)))
    for start, end, (dy, dx) in sides:
        rows, columns = np.nonzero(mask & ~np.roll(mask, (-dy, -dx), (0, 1)))
        for r, c in zip(rows.tolist(), columns.tolist(), strict=True):
            following.setdefault((c + start[0], r + start[1]), []).append((c + end[0], r + end[1]))
    return following


def _walk(following: dict[Point, list[Point]], first: Point) -> list[Point]:
    """Take one closed loop of edges out of `following`. Where two ways go on, the left one joins diagonal pixels.

    first: the least point left, where two ways never meet, because both would come from a lesser point.
    """
    loop, here, heading = [first], first, (0, 0)
    while True:
        ends = following[here]
        left = (here[0] + heading[1], here[1] - heading[0])
        end = left if len(ends) > 1 and left in ends else ends[0]
        ends.remove(end)
        if not ends:
            del following[here]
        heading = (end[0] - here[0], end[1] - here[1])
        here = end
        if here == first:
            return loop
        loop.append(here)


def _area(loop: np.ndarray) -> float:
    """Signed area, positive when clockwise with y down."""
    x, y = loop.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2


def _corners(loop: np.ndarray) -> np.ndarray:
    before, after = loop - np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0) - loop
    return loop[(before != after).any(axis=1)]
