"""How a cube is cut: which of its crossed edges belong to one sheet of surface, for every pattern of signs.

Corner k of a cell stands at (k & 1, k >> 1 & 1, k >> 2 & 1). On a face with two crossed edges the surface joins them;
on a face with four (two inside corners across a diagonal) it rounds the inside corners, or, where that face is
`flipped`, the outside corners. Both cells of a face follow one rule, so the sheets of neighbours meet.
"""

from __future__ import annotations

from functools import cache

import numpy as np

CORNERS = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(8)])
EDGES = np.array([[a, b] for d in range(3) for a in range(8) for b in (a | 1 << d,) if not a & 1 << d])
"""(12, 2) corners, low end first; edge // 4 is its axis."""
NO_SHEET = -1


def _face(axis: int, side: int) -> list[int]:
    """The four corners of a face in cyclic order; face number 2 * axis + side."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    return [side << axis | (p << u) | (q << v) for p, q in ((0, 0), (1, 0), (1, 1), (0, 1))]


FACES = np.array([_face(axis, side) for axis in range(3) for side in (0, 1)])
_NUMBER = {frozenset(map(int, e)): n for n, e in enumerate(EDGES)}
FACE_EDGES = np.array([[_NUMBER[frozenset((int(f[i]), int(f[(i + 1) % 4])))] for i in range(4)] for f in FACES])
"""(6, 4): edge i of a face joins its corners i and i + 1."""


@cache
def sheets(case: int, flips: int) -> tuple[int, ...]:
    """(12,) number of the sheet that crosses each edge, NO_SHEET for an edge not crossed.

    case: bit k says that corner k is inside. flips: bit f says that face f rounds its outside corners.
    """
    inside = [bool(case >> k & 1) for k in range(8)]
    sheet = list(range(12))

    def find(e: int) -> int:
        while sheet[e] != e:
            e = sheet[e]
        return e

    for number, corners in enumerate(FACES):
        for i in _joined(inside, corners, bool(flips >> number & 1)):
            first, second = FACE_EDGES[number][i[0]], FACE_EDGES[number][i[1]]
            sheet[find(int(first))] = find(int(second))
    names: dict[int, int] = {}
    crossed = [inside[a] != inside[b] for a, b in EDGES]
    return tuple(names.setdefault(find(e), len(names)) if crossed[e] else NO_SHEET for e in range(12))


def _joined(inside: list[bool], corners: np.ndarray, flipped: bool) -> list[tuple[int, int]]:
    """Pairs of a face's own edges (0 to 3) that the surface joins on it."""
    state = [inside[int(c)] for c in corners]
    crossed = [i for i in range(4) if state[i] != state[(i + 1) % 4]]
    if len(crossed) < 4:
        return [(crossed[0], crossed[1])] if crossed else []
    rounded = [i for i in range(4) if state[i] != flipped]
    return [((i - 1) % 4, i) for i in rounded]


@cache
def doubled(case: int, flips: int) -> int:
    """Bits of the faces that one sheet meets twice. Where the neighbour's does so too, the dual of the surface would
    have two edges between the same two vertices: not a manifold."""
    found = sheets(case, flips)
    bits = 0
    for number in range(6):
        met = [found[int(e)] for e in FACE_EDGES[number]]
        bits |= int(met[0] >= 0 and len(set(met)) == 1 and NO_SHEET not in met) << number
    return bits & _ambiguous(case)


@cache
def _ambiguous(case: int) -> int:
    bits = 0
    for number, corners in enumerate(FACES):
        state = [case >> int(c) & 1 for c in corners]
        bits |= int(state[0] == state[2] != state[1] == state[3]) << number
    return bits


@cache
def plain_tables() -> tuple[np.ndarray, np.ndarray]:
    """Without flips: sheets (256, 12) int64 and doubled (256,) int64."""
    return np.array([sheets(c, 0) for c in range(256)]), np.array([doubled(c, 0) for c in range(256)])
