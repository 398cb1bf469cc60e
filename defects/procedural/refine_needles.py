"""Cutting needles across. CAD kernels tessellate a cylinder into strips as long as it is; halving their edges again and
again makes ever thinner needles (three of the same slenderness from one, each time), so they are cut into pieces about
as long as wide in one step, before any halving."""

from __future__ import annotations

import itertools

import numpy as np

from defects.procedural.refine_pool import Pool, edge_keys, split

SLENDER = 4.0
"""A needle's longest edge is more than so many times its shortest edge, or its height."""
FOOTS = 4


def cut_needles(pool: Pool, limit: np.ndarray, points: np.ndarray, radii: np.ndarray) -> Pool:
    """The pool with every needle that is longer than its `limit` (w,) cut across near the sites."""
    for _ in range(FOOTS):
        length = pool.lengths
        longest, shortest = length.max(axis=1), length.min(axis=1)
        height = pool.double_areas / np.maximum(longest, 1e-300)
        flat = (longest > limit) & (SLENDER * height < longest) & (SLENDER * shortest >= longest)
        if not flat.any():
            break
        pool, limit = _at_feet(pool, flat, limit)
    length = pool.lengths
    longest, shortest = length.max(axis=1), length.min(axis=1)
    needle = (longest > limit) & (SLENDER * shortest < longest)
    if not needle.any():
        return pool
    chains, vertices = _chains(pool, needle, np.maximum(limit, shortest), points, radii)
    return _zipped(pool, chains, vertices)


def _at_feet(pool: Pool, flat: np.ndarray, limit: np.ndarray) -> tuple[Pool, np.ndarray]:
    """Split the longest edge of flat triangles at the foot of their height, which leaves two needles each."""
    base = np.where(flat, pool.lengths.argmax(axis=1), -1)
    rows = np.flatnonzero(flat)
    a, b, c = (pool.corners[rows, (base[rows] + k) % 3] for k in range(3))
    foot = np.einsum("ij,ij->i", c - a, b - a) / np.maximum(((b - a) ** 2).sum(1), 1e-300)
    low_first = pool.faces[rows, base[rows]] < pool.faces[rows, (base[rows] + 1) % 3]
    share = np.full(len(flat), 0.5)
    share[rows] = np.where(low_first, foot, 1 - foot)
    return split(pool, base, share, limit)


def _chains(
    pool: Pool, needle: np.ndarray, target: np.ndarray, points: np.ndarray, radii: np.ndarray
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Points on the long edges of needles: edge key -> vertex numbers from its lower to its higher end; all vertices.

    Halved until no piece near a site is longer than `target` (w,); both faces of an edge see the same points.
    """
    n = len(pool.vertices)
    key, length = edge_keys(pool.faces, n), pool.lengths
    long = needle[:, None] & (2 * length > length.max(axis=1)[:, None])
    edges, slot = np.unique(key[long], return_inverse=True)
    aim = np.full(len(edges), np.inf)
    np.minimum.at(aim, slot, np.broadcast_to(target[:, None], key.shape)[long])
    low, high = np.divmod(edges, n)
    start, span = pool.vertices[low], pool.vertices[high] - pool.vertices[low]
    owner, t0, t1 = np.arange(len(edges)), np.zeros(len(edges)), np.ones(len(edges))
    cuts: list[tuple[np.ndarray, np.ndarray]] = []
    while len(owner):
        a, b = (start[owner] + t[:, None] * span[owner] for t in (t0, t1))
        size = np.linalg.norm(b - a, axis=1)
        cut = (size > aim[owner]) & _near(a, b, points, radii, 2 * aim[owner])
        owner, t0, t1 = owner[cut], t0[cut], t1[cut]
        middle = (t0 + t1) / 2
        cuts.append((owner, middle))
        owner, t0, t1 = np.r_[owner, owner], np.r_[t0, middle], np.r_[middle, t1]
    who, where = np.concatenate([c[0] for c in cuts]), np.concatenate([c[1] for c in cuts])
    order = np.lexsort((where, who))
    who, where = who[order], where[order]
    vertices = np.concatenate([pool.vertices, start[who] + where[:, None] * span[who]])
    first = np.searchsorted(who, np.arange(len(edges) + 1))
    chains = {
        int(edges[e]): np.r_[low[e], n + np.arange(first[e], first[e + 1]), high[e]]
        for e in np.flatnonzero(np.diff(first) > 0)
    }
    return chains, vertices


def _near(a: np.ndarray, b: np.ndarray, points: np.ndarray, radii: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Whether segments a..b (n, 3) come within a radius of any of the points, and `more` (n,) beyond: both long edges
    of a needle that overlaps the radius are cut."""
    along = b - a
    square = np.maximum((along**2).sum(1), 1e-300)
    near = np.zeros(len(a), bool)
    for point, radius in zip(points, radii, strict=True):
        t = np.clip(((point - a) * along).sum(1) / square, 0.0, 1.0)
        near |= np.linalg.norm(a + t[:, None] * along - point, axis=1) < radius + more
    return near


def _zipped(pool: Pool, chains: dict[int, np.ndarray], vertices: np.ndarray) -> Pool:
    """Every face with a chain on an edge, triangulated between its chains."""
    if not chains:
        return pool
    key = edge_keys(pool.faces, len(pool.vertices))
    hit = np.flatnonzero(np.isin(key, np.fromiter(chains, np.int64)).any(axis=1))
    length = pool.lengths
    pieces: list[np.ndarray] = []
    for f in hit:
        sides = []
        for j in range(3):
            a, b = int(pool.faces[f, j]), int(pool.faces[f, (j + 1) % 3])
            chain = chains.get(int(key[f, j]), np.array([min(a, b), max(a, b)]))
            sides.append(chain if a < b else chain[::-1])
        # the apex lies opposite the shortest edge
        j = int((length[f].argmin() + 2) % 3)
        pieces.append(_zip(sides[j], sides[(j + 1) % 3], sides[(j + 2) % 3][::-1], vertices))
    whole = np.ones(len(pool.faces), bool)
    whole[hit] = False
    faces = np.concatenate([pool.faces[whole], *pieces])
    source = np.r_[np.flatnonzero(whole), np.repeat(hit, [len(p) for p in pieces])]
    return pool.replaced(vertices, faces, source)


def _zip(right: np.ndarray, base: np.ndarray, left: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Triangles between two chains that start at one apex, nearest points first; the base closes the far end.

    right: apex .. b, base: b .. c, left: apex .. c, counter-clockwise; vertex numbers.
    """
    far = [np.linalg.norm(vertices[c] - vertices[c[0]], axis=1) for c in (right, left)]
    i = j = 1
    result = [(right[0], right[1], left[1])]
    while i < len(right) - 1 or j < len(left) - 1:
        if j == len(left) - 1 or (i < len(right) - 1 and far[0][i + 1] <= far[1][j + 1]):
            result.append((right[i], right[i + 1], left[j]))
            i += 1
        else:
            result.append((right[i], left[j + 1], left[j]))
            j += 1
    if len(base) > 2:
        tip = next(v for v in result.pop() if v not in (base[0], base[-1]))
        result += [(a, b, tip) for a, b in itertools.pairwise(base)]
    return np.array(result)
