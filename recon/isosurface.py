"""Level sets of sampled fields, and meshes turned into distance fields and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from warp.geometry import IsoSurfaceMarchingCubes

from recon import kernels
from recon.genus import handles
from recon.warps import as_warp, launch_on, wp
from recon.workers import each

FAR = 1.0e6
SLAB = 4
"""Layers of a grid that are worked on in one call."""
MANY_HANDLES = 6
FILM, FLAP, MOST_FILM = 0.75, 3.0, 0.02
"""Half thickness and reach of a film in cells (a corner's samples lie up to 0.75 sqrt 3 + sqrt 3 from the deep ones),
and the share of the part that films may make up."""


def isosurface(field: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """field (a, b, c), negative inside, samples on a grid that spans lower..upper -> vertices (n, 3), faces (m, 3).

    Marching cubes: welded, closed where the field is positive on the grid's border, counter-clockwise from outside.
    """
    sampled: Any = wp.array(np.ascontiguousarray(field, np.float32), dtype=float, device="cpu")
    found, indices = IsoSurfaceMarchingCubes.extract_surface_marching_cubes(sampled, 0.0)
    vertices, faces = found.numpy().astype(np.float64), indices.numpy().reshape(-1, 3).astype(np.int32)
    faces = faces[:, ::-1] if len(faces) and volume(vertices, faces) < 0 else faces
    step = (np.asarray(upper, float) - lower) / (np.array(field.shape) - 1)
    return vertices * step + lower, np.ascontiguousarray(faces)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Of a closed mesh, positive where its faces run counter-clockwise from outside."""
    t = vertices[faces]
    return float(np.einsum("ij,ij->", t[:, 0], np.cross(t[:, 1], t[:, 2])) / 6)


def remesh(vertices: np.ndarray, faces: np.ndarray, cell: float, relax: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """The same surface with even triangles of about `cell`: sampled as a signed distance, extracted again, relaxed.

    The sign is the winding number's, so folds and small self-intersections are healed. Where a surface was pushed
    through the opposite one, tatters remain: a part with many handles loses its films if that halves them.
    relax: rounds of tangential smoothing, which move vertices along the surface only.
    """
    margin = 3 * cell
    lower = vertices.min(0) - margin
    count = np.ceil((vertices.max(0) + margin - lower) / cell).astype(int) + 1
    field = signed_distances(vertices, faces, lower, cell, count)
    upper = lower + (count - 1) * cell
    found, triangles = largest_piece(*isosurface(field, lower, upper))
    if handles(found, triangles) > MANY_HANDLES:
        cleared = without_films(field, cell)
        other = largest_piece(*isosurface(cleared, lower, upper))
        if 2 * handles(*other) <= handles(found, triangles):
            found, triangles = other
    return relaxed(found, triangles, relax), triangles


def signed_distances(
    vertices: np.ndarray, faces: np.ndarray, lower: np.ndarray, cell: float, count: np.ndarray
) -> np.ndarray:
    """count: (3,) samples -> float32 of that shape: distance to the mesh, negative where its winding number says
    inside. The first sample is at `lower`, the others `cell` apart."""
    mesh = wp.Mesh(
        wp.array(vertices.astype(np.float32), dtype=wp.vec3f, device="cpu"),
        wp.array(faces.reshape(-1).astype(np.int32), dtype=wp.int32, device="cpu"),
        support_winding_number=True,
    )
    field = torch.full(tuple(int(c) for c in count), FAR)
    reach = float(np.linalg.norm(vertices.max(0) - vertices.min(0)))

    def slab(first: int) -> None:
        layers = field[first : first + SLAB]
        start = wp.vec3f(float(lower[0] + first * cell), float(lower[1]), float(lower[2]))
        inputs = [mesh.id, start, float(cell), reach]
        launch_on("cpu", kernels.signed_distance, tuple(layers.shape), inputs, [as_warp(layers)])

    each(slab, range(0, len(field), SLAB))
    return field.numpy()


def without_films(field: np.ndarray, cell: float) -> np.ndarray:
    """A signed distance (a, b, c), negative inside, on samples `cell` apart, without what is thinner than 1.5 cells and
    reaches further than three cells from what is thicker. All of it is kept when more than a fiftieth would go: then
    the part itself is thin."""
    inside, deep = field < 0, field < -FILM * cell
    if not deep.any():
        return field
    away = np.asarray(distance_transform_edt(~deep), float)
    film = inside & (away > FLAP)
    if film.sum() > MOST_FILM * inside.sum():
        return field
    return np.where(film, np.maximum(np.abs(field), 0.1 * cell), field).astype(field.dtype)


def largest_piece(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected piece of the greatest volume, its vertices renumbered."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(vertices)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    if count == 1:
        return vertices, faces
    of_face = label[faces[:, 0]]
    volumes = [volume(vertices, faces[of_face == one]) for one in range(count)]
    kept = faces[of_face == int(np.argmax(volumes))]
    used, inverse = np.unique(kept, return_inverse=True)
    return vertices[used], inverse.reshape(-1, 3).astype(np.int32)


def relaxed(vertices: np.ndarray, faces: np.ndarray, rounds: int) -> np.ndarray:
    """Vertices moved half way to their neighbours' mean, within the tangent plane: slivers open, the surface stays."""
    from scipy.sparse import coo_matrix

    n = len(vertices)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    adjacency = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n)).tocsr()
    adjacency = ((adjacency + adjacency.T) > 0).astype(np.float64)
    degree = np.asarray(adjacency.sum(1)).ravel()
    for _ in range(rounds):
        normals = vertex_normals(vertices, faces)
        pull = 0.5 * ((adjacency @ vertices) / np.maximum(degree, 1)[:, None] - vertices)
        vertices = vertices + pull - normals * np.einsum("ij,ij->i", pull, normals)[:, None]
    return vertices


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) unit, area weighted."""
    t = vertices[faces]
    cross = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, faces[:, k], cross)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)
