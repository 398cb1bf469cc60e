"""A ball, one half of it with bumps finer than a fit's vertices, whose normals are known to a formula."""

from __future__ import annotations

import numpy as np
import trimesh

from recon.bake import Maps
from recon.result import Reconstruction
from recon.tangents import Fans, bent, smooth_normals, tangents

RADIUS = 0.02
WAVE = 0.005
"""Metres from bump to bump."""
HEIGHT = 1.2e-4


def bumps(points: np.ndarray) -> np.ndarray:
    """(n,) height in metres over the ball at directions (n, 3): none where x is below 0, all above 0.3."""
    way = points / np.linalg.norm(points, axis=1, keepdims=True)
    a, b, c = (np.sin(2 * np.pi * RADIUS / WAVE * way[:, k]) for k in range(3))
    share = np.clip(way[:, 0] / 0.3, 0, 1)
    return HEIGHT * (a * b + b * c + c * a) * share**2 * (3 - 2 * share)


def bumpy_normals(points: np.ndarray) -> np.ndarray:
    """(n, 3) unit, of the bumpy ball in the direction of points (n, 3): the gradient of |p| - RADIUS - height."""
    step = 1e-6
    rise = [(bumps(points + step * e) - bumps(points - step * e)) / (2 * step) for e in np.eye(3)]
    normals = points / np.linalg.norm(points, axis=1, keepdims=True) - np.stack(rise, 1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def bumpy_ball(subdivisions: int = 6) -> trimesh.Trimesh:
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions, radius=RADIUS)
    points = np.array(mesh.vertices)
    mesh.vertices = points * (1 + bumps(points)[:, None] / RADIUS)
    mesh.metadata["smooth"] = True
    return mesh


def mapped_normals(found: Reconstruction, maps: Maps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At every texel of a chart: its place on the mesh, its smooth normal and the one that its map says, (k, 3)."""
    import torch

    atlas = maps.atlas
    rows = atlas.covered
    face, bary = atlas.face[rows], torch.tensor(atlas.bary[rows])
    vertices = torch.tensor(found.vertices)
    fans = Fans.of(found.faces, atlas.uv)
    normals = smooth_normals(vertices, fans.faces)

    def within(values: torch.Tensor, corners: torch.Tensor) -> torch.Tensor:
        return torch.einsum("npc,np->nc", values[corners.long()], bary)

    places, smooth = within(vertices, fans.faces[face]), within(normals, fans.faces[face])
    along = within(tangents(fans, vertices, normals), fans.fan[face])
    assert maps.normal is not None
    relief = torch.tensor(maps.normal[rows][:, :2] / maps.normal[rows][:, 2:])
    turned = bent(smooth, along, fans.side[torch.tensor(face).long()][:, None], relief)
    return places.numpy(), (smooth / smooth.norm(dim=1, keepdim=True)).numpy(), turned.numpy()


def degrees(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,) between unit vectors (n, 3)."""
    return np.rad2deg(np.arccos(np.clip((first * second).sum(1), -1, 1)))
