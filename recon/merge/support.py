"""Where another seating may stand, from how far the part reaches in every direction.

The support h(d), the greatest d.x over the part, is exact in a hull wherever a camera looks along the plane that
touches it there; a turntable ring shows it for all directions but those near its axis. If b = R a + t, then
h_b(d) = h_a(R' d) + t.d, which is linear in t: for each of some thousand rotations the best shift is a small least
squares problem, and what is left over ranks them. No features are needed, so it serves bare metal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from recon.merge.seating import Seating

ROTATIONS = 4000
DIRECTIONS = 400
BANDS = 90
TOUCH = 0.04
"""Distance of the nearest camera from a touching plane, over its distance from the part, below which it shows it."""
FEWEST = 40
KEPT = 160
APART_RAD = np.deg2rad(7.0)
ROUNDS = 10
FIRST_STEP_RAD = np.deg2rad(6.0)


@dataclass(frozen=True, eq=False)
class Candidates:
    """rotations (n, 3, 3), shifts (n, 3), scales (n,): point of the other seating = scale R x + shift, x of the first.
    residual: (n,) rms of what the supports differ by, over the first's radius; ascending."""

    rotations: np.ndarray
    shifts: np.ndarray
    scales: np.ndarray
    residual: np.ndarray


@dataclass(frozen=True, eq=False)
class _Support:
    """On a grid of polar angle and azimuth. height: (bands + 1, 2 bands) greatest d.x about the centre. exact: bool."""

    height: np.ndarray
    exact: np.ndarray

    def at(self, ways: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Unit directions (..., 3) -> heights and whether they are exact."""
        row = np.arccos(np.clip(ways[..., 2], -1, 1)) / np.pi * BANDS
        column = np.arctan2(ways[..., 1], ways[..., 0]) / np.pi * BANDS
        top = np.minimum(row.astype(int), BANDS - 1)
        left = np.floor(column).astype(int)
        v, u = row - top, column - left
        a, b = left % (2 * BANDS), (left + 1) % (2 * BANDS)
        h = self.height
        value = (1 - v) * ((1 - u) * h[top, a] + u * h[top, b]) + v * ((1 - u) * h[top + 1, a] + u * h[top + 1, b])
        near = np.where(u < 0.5, a, b), np.where(v < 0.5, top, top + 1)
        return value, self.exact[near[1], near[0]]


def _support(one: Seating) -> _Support:
    polar = np.arange(BANDS + 1) / BANDS * np.pi
    azimuth = np.arange(2 * BANDS) / BANDS * np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    corners = one.hull.vertices[ConvexHull(one.hull.vertices).vertices] - one.centre
    height = (ways.reshape(-1, 3) @ corners.T).max(1).reshape(p.shape)
    eyes = np.stack([v.centre for v in one.views]) - one.centre
    off = np.full(p.shape, np.inf)
    for eye in eyes:
        off = np.minimum(off, np.abs(height - ways @ eye) / np.linalg.norm(eye))
    return _Support(height, off < TOUCH)


def search(first: Seating, other: Seating, *, scaled: bool = False, kept: int = 64) -> Candidates:
    """The `kept` best ways in which the other seating may stand, at least 7 degrees apart. scaled: units differ."""
    a, b = _support(first), _support(other)
    ways = sphere(DIRECTIONS)
    wanted, shown = b.at(ways)
    ways, wanted = ways[shown], wanted[shown]
    rotations = all_rotations(ROTATIONS)
    chosen = np.argsort(_fit(a, ways, wanted, rotations, first.radius, scaled)[0], kind="stable")[:KEPT]
    rotations = downhill(rotations[chosen], lambda tried: _fit(a, ways, wanted, tried, first.radius, scaled)[0])
    residual, shifts, scales = _fit(a, ways, wanted, rotations, first.radius, scaled)
    order = np.argsort(residual, kind="stable")
    picked: list[int] = []
    for i in order:
        if np.isfinite(residual[i]) and all(apart(rotations[i], rotations[j]) > APART_RAD for j in picked):
            picked.append(int(i))
        if len(picked) == kept:
            break
    moved = other.centre + shifts - scales[:, None] * np.einsum("nij,j->ni", rotations, first.centre)
    return Candidates(rotations[picked], moved[picked], scales[picked], residual[picked])


def _fit(
    a: _Support, ways: np.ndarray, wanted: np.ndarray, rotations: np.ndarray, radius: float, scaled: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Residual (n,), shift (n, 3) and scale (n,) of each rotation, about both centres."""
    heights, exact = a.at(np.einsum("di,nij->ndj", ways, rotations))
    weight = exact.astype(float)
    enough = weight.sum(1) >= FEWEST
    columns = [np.broadcast_to(ways, (*heights.shape, 3))]
    if scaled:
        columns.append(heights[..., None])
    matrix = np.concatenate(columns, -1)
    target = wanted - (0 if scaled else heights)
    left = np.einsum("ndi,nd,ndj->nij", matrix, weight, matrix) + 1e-9 * np.eye(matrix.shape[-1])
    right = np.einsum("ndi,nd,nd->ni", matrix, weight, np.broadcast_to(target, heights.shape))
    found = np.linalg.solve(left, right[..., None])[..., 0]
    off = (np.einsum("ndi,ni->nd", matrix, found) - target) ** 2
    residual = np.sqrt((off * weight).sum(1) / np.maximum(weight.sum(1), 1)) / radius
    scales = found[:, 3] if scaled else np.ones(len(found))
    residual = np.where(enough & (scales > 0.2) & (scales < 5), residual / scales, np.inf)
    return residual, found[:, :3], scales


def downhill(rotations: np.ndarray, off: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Rotations (n, 3, 3) each moved to where off, (n, 3, 3) -> (n,), is less: a pattern search of halving steps, all
    at once."""
    step = np.full(len(rotations), FIRST_STEP_RAD)
    best = off(rotations)
    moves = np.concatenate([np.eye(3), -np.eye(3)])
    for _ in range(ROUNDS):
        better = np.zeros(len(rotations), bool)
        for move in moves:
            tried = Rotation.from_rotvec(step[:, None] * move).as_matrix() @ rotations
            found = off(tried)
            good = found < best
            rotations, best = np.where(good[:, None, None], tried, rotations), np.where(good, found, best)
            better |= good
        step = np.where(better, step, step / 2)
    return rotations


def apart(first: np.ndarray, other: np.ndarray) -> float:
    """Radians between two rotations (3, 3)."""
    return float(np.arccos(np.clip((np.trace(first.T @ other) - 1) / 2, -1, 1)))


def sphere(count: int) -> np.ndarray:
    """(count, 3) unit directions, evenly spread on a Fibonacci spiral."""
    i = np.arange(count) + 0.5
    z, azimuth = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    return np.stack([np.sqrt(1 - z**2) * np.cos(azimuth), np.sqrt(1 - z**2) * np.sin(azimuth), z], 1)


def all_rotations(count: int) -> np.ndarray:
    """(count, 3, 3) evenly spread: the spiral of Alexa, *Super-Fibonacci Spirals*, CVPR 2022."""
    s = np.arange(count) + 0.5
    r, big = np.sqrt(s / count), np.sqrt(1 - s / count)
    alpha, beta = 2 * np.pi * s / np.sqrt(2), 2 * np.pi * s / 1.533751168755204288118041
    quaternions = np.stack([r * np.sin(alpha), r * np.cos(alpha), big * np.sin(beta), big * np.cos(beta)], 1)
    return Rotation.from_quat(quaternions).as_matrix()
