"""Closed meshes of known size, outward, with shading normals, patches and the labels that a Part's mesh has."""

from __future__ import annotations

import numpy as np

from core.mesh import NORMAL, Mesh


def _labelled(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, patch: np.ndarray) -> Mesh:
    count = len(faces)
    labels = {"patch": patch, "solid": np.zeros(count, int), "cad_face": patch, "colour": np.full(count, -1)}
    return Mesh(vertices, faces, {NORMAL: normals}, labels)


def box(size_m: tuple[float, float, float] = (0.05, 0.04, 0.03)) -> Mesh:
    """A box with one corner at the origin; patches 0..5 are -x +x -y +y -z +z."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * size_m
    quads = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    faces = (
        np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).reshape(2, 6, 3).transpose(1, 0, 2).reshape(-1, 3)
    )
    mesh = Mesh(corners, faces)
    return _labelled(corners, faces, np.repeat(mesh.face_normals[:, None], 3, 1), np.repeat(np.arange(6), 2))


def cylinder(radius_m: float = 0.01, height_m: float = 0.04, sides: int = 32) -> Mesh:
    """A capped cylinder about z from z = 0; patches: 0 the wall, 1 the bottom, 2 the top."""
    angle = np.arange(sides) * 2 * np.pi / sides
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    low, high = ring * radius_m, ring * radius_m + [0, 0, height_m]
    vertices = np.concatenate([low, high, [[0, 0, 0], [0, 0, height_m]]])
    i, j = np.arange(sides), (np.arange(sides) + 1) % sides
    wall = np.concatenate([np.stack([i, j, j + sides], 1), np.stack([i, j + sides, i + sides], 1)])
    bottom = np.stack([np.full(sides, 2 * sides), j, i], 1)
    top = np.stack([np.full(sides, 2 * sides + 1), i + sides, j + sides], 1)
    faces = np.concatenate([wall, bottom, top])
    around = np.concatenate([ring, ring, np.zeros((2, 3))])[wall]
    down = np.broadcast_to([0.0, 0.0, -1.0], (sides, 3, 3))
    patch = np.repeat([0, 1, 2], [2 * sides, sides, sides])
    return _labelled(vertices, faces, np.concatenate([around, down, -down]), patch)


def sphere(radius_m: float = 0.02, rings: int = 32, sides: int = 64) -> Mesh:
    """A sphere about the origin of latitude rings; one patch, exact normals."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.arange(sides) * 2 * np.pi / sides
    t, p = np.meshgrid(theta, phi, indexing="ij")
    body = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1).reshape(-1, 3)
    unit = np.concatenate([body, [[0, 0, 1], [0, 0, -1]]])
    faces = []
    for r in range(rings - 2):
        for s in range(sides):
            a, b = r * sides + s, r * sides + (s + 1) % sides
            faces += [[a, a + sides, b + sides], [a, b + sides, b]]
    last = (rings - 2) * sides
    for s in range(sides):
        faces += [[len(body), s, (s + 1) % sides], [len(body) + 1, last + (s + 1) % sides, last + s]]
    triangles = np.array(faces)
    return _labelled(unit * radius_m, triangles, unit[triangles], np.zeros(len(triangles), int))
