"""What a part's own finish is at a site, for kinds whose paint depends on the ground: wet, crazed or scorched ground
keeps its colour."""

from __future__ import annotations

import numpy as np

from core.colour import linear_from_srgb
from core.material import Material
from core.mesh import CAPTURED, Mesh, barycentric
from core.texture import TEXTURE, UV, PbrMaps, look_up

REACH_M = 2e-3
"""Around a site, over which its finish is the mean."""
MOST_FACES = 400
GRID = np.array([(i, j, 6 - i - j) for i in range(7) for j in range(7 - i)], float) / 6


def finish_at(material: Material, mesh: Mesh, maps: tuple[PbrMaps, ...], face: int, point: np.ndarray) -> Material:
    """The material with the surface that the mesh's own colours and images have about a point (3,) inside a face."""
    if not material.captured or CAPTURED[0] not in mesh.corner:
        return material
    faces, weights = _samples(mesh, face, np.asarray(point, float))
    albedo, gloss = looks(mesh, maps, faces, weights)
    r, g, b = np.clip(albedo.mean(0), 0.0, 1.0).tolist()
    roughness, metallic = np.clip(gloss.mean(0), 0.0, 1.0).tolist()
    surface = material.surface.model_copy(update={"albedo": (r, g, b), "roughness": roughness, "metallic": metallic})
    return material.model_copy(update={"surface": surface})


def looks(
    mesh: Mesh, maps: tuple[PbrMaps, ...], faces: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear albedo (n, 3), and roughness and metallic (n, 2), at barycentric `weights` (n, 3) of `faces` (n,).

    The renderer's own rule: corner attributes times the images of the face's maps.
    """

    def corner(name: str) -> np.ndarray:
        return np.einsum("np,npk->nk", weights, mesh.corner[name][faces])

    albedo, gloss = corner(CAPTURED[0]), corner(CAPTURED[1])[:, :2]
    if UV not in mesh.corner:
        return albedo, gloss
    uv, which = corner(UV), mesh.face[TEXTURE][faces]
    for number in np.unique(which[which >= 0]).tolist():
        here, entry = which == number, maps[number]
        if entry.albedo is not None:
            albedo[here] *= linear_from_srgb(look_up(entry.albedo, uv[here], entry.wrap) / 255)
        if entry.gloss is not None:
            gloss[here] *= look_up(entry.gloss, uv[here], entry.wrap) / 255
    return albedo, gloss


def _samples(mesh: Mesh, face: int, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Faces (n,) and barycentric weights (n, 3) of points about a point, itself first: a disc on its own face, which
    may be large, and a grid on each face near by."""
    own = _disc(mesh, face, point)
    near = np.flatnonzero((np.abs(mesh.triangles.mean(1) - point) < REACH_M).all(1))
    near = np.setdiff1d(near[:: len(near) // MOST_FACES + 1], [face])
    faces, weights = np.repeat(near, len(GRID)), np.tile(GRID, (len(near), 1))
    inside = np.linalg.norm(np.einsum("np,npk->nk", weights, mesh.triangles[faces]) - point, axis=1) < REACH_M
    return np.r_[np.full(len(own), face), faces[inside]], np.r_[own, weights[inside]]


def _disc(mesh: Mesh, face: int, point: np.ndarray) -> np.ndarray:
    """(n, 3) weights of the point and of those about it that lie on the same face."""
    normal = mesh.face_normals[face]
    along = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    along /= np.linalg.norm(along)
    steps = np.linspace(-REACH_M, REACH_M, 9)
    u, v = (a.ravel() for a in np.meshgrid(steps, steps))
    places = point + u[:, None] * along + v[:, None] * np.cross(normal, along)
    places = np.r_[point[None], places[u**2 + v**2 <= REACH_M**2]]
    weights = barycentric(mesh.triangles[face][None], places[None])[0]
    keep = (weights >= 0).all(1)
    keep[0] = True
    return weights[keep]
