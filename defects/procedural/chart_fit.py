"""From faces placed one by one to one continuous map: exact where the faces agree, fitted where curvature parts them.

In polar coordinates about the site the logarithmic map of a smooth surface keeps lengths along the geodesics and, by
the Gauss lemma, only stretches across them: its derivative is a rotation and one stretch. A polyhedron has its
curvature in its vertices, so that straight lines on it converge behind every vertex; following them gives a map with
a cut behind each. The fit looks for the continuous map whose derivative in every face is a rotation and a smooth
stretch across the radius: local steps find the rotations and the stretch, global steps solve a Poisson problem for
the map, in the manner of Liu et al. 2008 (a local/global approach to mesh parameterization, doi
10.1111/j.1467-8659.2008.01290.x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import SuperLU, splu

ACROSS = 0.05
"""Weight across the geodesics against along them, while their directions still come from the placed faces."""
ROUNDS = 24
STILL = 2e-5
"""Greatest move of a vertex, as a share of the radius, at which the rounds end."""
SMOOTH = 0.06
"""Over which share of the radius the stretch is smoothed."""


@dataclass(frozen=True, eq=False)
class Means:
    """z: (n,) complex vertex positions, metres (NaN where unused). stray: (n,) greatest distance between that and the
    vertex's position in one of its faces."""

    z: np.ndarray
    stray: np.ndarray


def corner_means(faces: np.ndarray, place: np.ndarray, n: int) -> Means:
    """Every vertex at the mean of its corners' positions. faces: (f, 3); place: (f, 3) complex."""
    who = faces.ravel()
    count = np.bincount(who, minlength=n)
    total = np.bincount(who, place.real.ravel(), n) + 1j * np.bincount(who, place.imag.ravel(), n)
    z = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    stray = np.zeros(n)
    np.maximum.at(stray, who, np.abs(place.ravel() - z[who]))
    return Means(z, stray)


class _Elements:
    """Linear elements on placed triangles: derivatives along x and y of the chart's plane, weighted by area."""

    def __init__(self, faces: np.ndarray, place: np.ndarray, n: int) -> None:
        self.faces, self.n = faces, n
        self.gradient, area = gradients(place)
        self.root = np.sqrt(area)
        self.x, self.y = self.along(np.ones(len(faces))), self.along(np.full(len(faces), 1j))
        self.laplace = self.x.T @ self.x + self.y.T @ self.y

    def along(self, direction: np.ndarray) -> csr_matrix:
        """(f, n) derivative of a vertex field along unit directions (f,) complex, times the root of the area."""
        entry = self.root[:, None] * (np.conj(self.gradient) * direction[:, None]).real
        row = np.repeat(np.arange(len(self.faces)), 3)
        return csr_matrix((entry.ravel(), (row, self.faces.ravel())), (len(self.faces), self.n))

    def to_vertices(self, values: np.ndarray) -> np.ndarray:
        """A density (f,) integrated against the hat functions (n,)."""
        return np.bincount(self.faces.ravel(), np.repeat(self.root**2 / 3 * values, 3), self.n)


def fit(faces: np.ndarray, place: np.ndarray, start: int, n: int, radius: float) -> tuple[np.ndarray, float]:
    """(n,) complex: the continuous map, and how far it is from linear in the faces, metres.

    faces: (f, 3) that hang together; place: (f, 3) complex. The start face's corners keep their place.
    """
    used, local = np.unique(faces, return_inverse=True)
    local = local.reshape(-1, 3)
    mesh = _Elements(local, place, len(used))
    free = np.ones(len(used), bool)
    free[local[start]] = False
    z = np.zeros(len(used), complex)
    z[local[start]] = place[start]
    if free.any():
        z = _rounds(mesh, z, free, place.mean(axis=1), radius)
    result = np.full(n, np.nan + 0j)
    result[used] = z
    return result, _interpolation_error(mesh, z, place)


def _rounds(mesh: _Elements, z: np.ndarray, free: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """The map from directions of the placed faces, then from its own rotations until it stands still."""
    radial = _unit(centre)
    a, b = mesh.along(radial), mesh.along(1j * radial)
    matrix = a.T @ a + ACROSS * (b.T @ b)
    wanted = a.T @ (mesh.root * radial) + ACROSS * (b.T @ (mesh.root * 1j * radial))
    z = _solved(_factor(matrix[free][:, free]), matrix, wanted, z, free)
    solver = _factor(mesh.laplace[free][:, free])
    weight = (np.abs(centre) / radius) ** 4
    ground = diags(mesh.to_vertices(weight) + 1e-12 * mesh.to_vertices(np.ones(len(weight))))
    smoother = _factor(ground + (SMOOTH * radius) ** 2 * mesh.laplace)
    for _ in range(ROUNDS):
        before = z
        wanted_x, wanted_y = _derivatives(mesh, z, weight, smoother, radius)
        wanted = mesh.x.T @ (mesh.root * wanted_x) + mesh.y.T @ (mesh.root * wanted_y)
        z = _solved(solver, mesh.laplace, wanted, z, free)
        if np.abs(z - before).max() < STILL * radius:
            break
    return z


def _derivatives(
    mesh: _Elements, z: np.ndarray, weight: np.ndarray, smoother: SuperLU, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Per face, the derivatives along x and y of the nearest rotation with a smooth stretch across the radius."""
    dx, dy = (mesh.x @ z) / mesh.root, (mesh.y @ z) / mesh.root
    centre = z[mesh.faces].mean(axis=1)
    out = _unit(centre)
    radial = out * np.conj(_unit(dx - 1j * dy))
    across = 1j * radial
    stretch = ((dx * across.real + dy * across.imag) * np.conj(1j * out)).real
    # stretch - 1 is about K r^2 / 6: smooth its ratio to r^2, which varies as slowly as the curvature does
    square = np.maximum(np.abs(centre) / radius, 1e-3) ** 2
    ratio = smoother.solve(mesh.to_vertices(weight * (stretch - 1) / square))[mesh.faces].mean(axis=1)
    side = (1 + ratio * square) * 1j * out
    return out * radial.real + side * across.real, out * radial.imag + side * across.imag


def _factor(matrix: csr_matrix) -> SuperLU:
    """Factors of a symmetric positive definite matrix."""
    return splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})


def _solved(solver: SuperLU, matrix: csr_matrix, wanted: np.ndarray, z: np.ndarray, free: np.ndarray) -> np.ndarray:
    """z with its free entries such that matrix @ z = wanted there."""
    right = (wanted - matrix @ np.where(free, 0, z))[free]
    result = z.copy()
    result[free] = solver.solve(np.ascontiguousarray(right.real)) + 1j * solver.solve(np.ascontiguousarray(right.imag))
    return result


def _interpolation_error(mesh: _Elements, z: np.ndarray, place: np.ndarray) -> float:
    """An eighth of the square of the edge length times the second derivative, from the change of the first between
    a face and the mean about its corners."""
    dx, dy = (mesh.x @ z) / mesh.root, (mesh.y @ z) / mesh.root
    turn = _unit(dx - 1j * dy)
    rest = (dx + 1j * dy) * np.conj(_unit(z[mesh.faces].mean(axis=1))) ** 2 * turn
    mass = mesh.to_vertices(np.ones(len(turn)))
    about = (mesh.to_vertices(rest.real) + 1j * mesh.to_vertices(rest.imag)) / np.maximum(mass, 1e-300)
    longest = np.abs(np.roll(place, -1, axis=1) - place).max(axis=1)
    return float((longest * np.abs(about[mesh.faces] - rest[:, None]).max(axis=1)).max() / 4)


def gradients(place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(f, 3) complex gradients of the three hat functions of every placed triangle, and areas (f,)."""
    opposite = np.roll(place, -2, axis=1) - np.roll(place, -1, axis=1)
    twice = np.maximum((np.conj(opposite[:, 2]) * -opposite[:, 1]).imag, 1e-300)
    return 1j * opposite / twice[:, None], twice / 2


def stretches(z: np.ndarray, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least (negative when flipped) and greatest stretch of every face from the surface into the chart, (f,) each."""
    gradient, _ = gradients(place)
    z = z - z[:, :1]
    dx, dy = (gradient.real * z).sum(axis=1), (gradient.imag * z).sum(axis=1)
    turning, folding = np.abs(dx - 1j * dy) / 2, np.abs(dx + 1j * dy) / 2
    return turning - folding, turning + folding


def _unit(value: np.ndarray) -> np.ndarray:
    return value / np.maximum(np.abs(value), 1e-300)
