"""Fissures: jagged paths at grain scale, their branches and networks, and the signed distance to their opening."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.spatial import Voronoi

from defects.procedural.kinds.marks import window
from defects.procedural.raster import Grid


@dataclass(frozen=True)
class Fissure:
    """points: (n, 2) metres, chart. half: (n,) half width of the opening at each point, metres."""

    points: np.ndarray
    half: np.ndarray


def jagged(start: np.ndarray, end: np.ndarray, grain: float, wander: float, rng: np.random.Generator) -> np.ndarray:
    """A path (n, 2) from start to end that turns at every grain: slow wandering of the heading (rms `wander`
    radians) plus a turn of either sign at each grain boundary, fitted to its ends by a similarity."""
    span = float(np.hypot(*(end - start)))
    n = max(int(np.ceil(span / grain)), 2)
    slow = np.convolve(rng.normal(size=n + 24), np.hanning(26)[1:-1], mode="valid")[:n]
    slow *= wander / max(float(slow.std()), 1e-9) if n > 24 else 0.3 * wander
    heading = slow + rng.choice([-1.0, 1.0], n) * rng.uniform(0.1, 0.75, n)
    step = rng.lognormal(0, 0.45, n)
    walk = np.concatenate([[0], np.cumsum(step * np.exp(1j * (heading - heading.mean())))])
    walk *= complex(*(end - start)) / walk[-1]
    return np.stack([walk.real, walk.imag], axis=1) + start


def tapered(
    points: np.ndarray, half: float, at_start: float, at_end: float, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """Half widths along a path: `half` at mid-length, falling to the shares at_start and at_end of it at the ends."""
    step = np.hypot(*np.diff(points, axis=0).T)
    s = np.concatenate([[0], np.cumsum(step)]) / step.sum()
    end = np.where(s < 0.5, at_start, at_end)
    width = end + (1 - end) * np.maximum(1 - np.abs(2 * s - 1) ** 2.5, 0) ** 0.7
    return half * width * np.clip(1 + noise * rng.normal(size=len(s)) * 0.6, 0.35, 1.6)


def branching(
    length: float, width: float, grain: float, wander: float, branches: int, noise: float, rng: np.random.Generator
) -> list[Fissure]:
    """One fissure whose tips are (-length/2, 0) and (length/2, 0), and its branches, which may branch once more."""
    points = jagged(np.array([-length / 2, 0.0]), np.array([length / 2, 0.0]), grain, wander, rng)
    found = [Fissure(points, tapered(points, width / 2, 0.12, 0.12, noise, rng))]
    for _ in range(branches):
        parent = found[int(rng.integers(min(len(found), 3)))]
        n = len(parent.points)
        k = int(rng.integers(max(1, n // 6), max(2, 5 * n // 6)))
        along = parent.points[min(k + 4, n - 1)] - parent.points[max(k - 4, 0)]
        own = float(np.hypot(*(parent.points[-1] - parent.points[0])))
        turn = rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.0)
        reach = own * rng.uniform(0.12, 0.38)
        way = np.exp(1j * (np.angle(complex(*along)) + turn)) * reach
        start = parent.points[k]
        path = jagged(start, _kept(start + np.array([way.real, way.imag]), length / 2), grain, wander, rng)
        found.append(Fissure(path, tapered(path, parent.half[k] * 0.7, 1.0, 0.1, noise, rng)))
    return found


def _kept(point: np.ndarray, radius: float) -> np.ndarray:
    return point * min(1.0, 0.9 * radius / max(float(np.hypot(*point)), 1e-12))


def network(
    length: float, aspect: float, cell: float, width: float, grain: float, keep: float, noise: float,
    rng: np.random.Generator,
) -> list[Fissure]:  # fmt: skip
    """Fissures along the borders of Voronoi cells of size `cell` inside an ellipse; the share `keep` of them opens.
    Free ends taper out. At least one fissure is returned."""
    a, b = length / 2, length / 2 * aspect
    nu, nv = (int(np.ceil(x / cell)) + 2 for x in (a, b))
    gu, gv = np.meshgrid(np.arange(-nu, nu + 1) * cell, np.arange(-nv, nv + 1) * cell)
    sites = np.stack([gu.ravel(), gv.ravel()], axis=1)
    cells = Voronoi(sites + rng.uniform(-0.42, 0.42, sites.shape) * cell)
    corners = cells.vertices
    inside = np.hypot(corners[:, 0] / (0.93 * a), corners[:, 1] / (0.93 * b)) < 1
    edges = [(i, j) for i, j in cells.ridge_vertices if i >= 0 and j >= 0 and inside[i] and inside[j]]
    edges = [e for e in edges if np.hypot(*(corners[e[0]] - corners[e[1]])) > 2 * grain]
    if not edges:
        return branching(0.9 * length * min(aspect, 1), width, grain, 0.2, 1, noise, rng)
    opened = [e for e in edges if rng.uniform() < keep] or edges[:1]
    met = np.bincount(np.array(opened).ravel(), minlength=len(corners))
    found = []
    for i, j in opened:
        path = jagged(corners[i], corners[j], grain, 0.2, rng)
        ends = [1.0 if met[k] > 1 else 0.1 for k in (i, j)]
        found.append(Fissure(path, tapered(path, width / 2 * rng.uniform(0.55, 1.0), ends[0], ends[1], noise, rng)))
    return found


def opening(grid: Grid, fissures: list[Fissure], reach: float) -> np.ndarray:
    """Signed distance (metres, at most `reach`) to the union of the openings: each segment is a rounded bar whose
    half width changes linearly, and only its own surroundings are visited."""
    sdf = np.full(grid.shape, reach)
    for fissure in fissures:
        for (a, b), (ha, hb) in zip(itertools.pairwise(fissure.points), itertools.pairwise(fissure.half), strict=True):
            wide = max(ha, hb) + reach
            low, high = np.minimum(a, b) - wide, np.maximum(a, b) + wide
            found = window(grid, (low[0], low[1]), (high[0], high[1]))
            if found is None:
                continue
            at, part = found
            u, v = part.uv
            d = b - a
            t = np.clip(((u - a[0]) * d[0] + (v - a[1]) * d[1]) / max(float(d @ d), 1e-30), 0, 1)
            gap = np.hypot(u - a[0] - t * d[0], v - a[1] - t * d[1]) - (ha + (hb - ha) * t)
            np.minimum(sdf[at], gap, out=sdf[at])
    return sdf


def bounds(fissures: list[Fissure], margin: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Box (metres) of all openings and a margin."""
    low = np.min([(f.points - f.half[:, None]).min(0) for f in fissures], axis=0) - margin
    high = np.max([(f.points + f.half[:, None]).max(0) for f in fissures], axis=0) + margin
    return (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
