"""Surface that no light reaches from outside: the inside of a part that came out like Swiss cheese."""

from __future__ import annotations

import numpy as np
import torch

from recon.shading import vertex_normals
from recon.visibility import Occluder

RAYS = 192
CLOSED = 0.01
"""Openness below which a place is inside: what the bottom of a hole five diameters deep sees, 1 / (1 + (2 h / D)^2)."""


def openness(vertices: np.ndarray, faces: np.ndarray, rays: int = RAYS) -> np.ndarray:
    """(n,) cosine-weighted share of the directions above each vertex' horizon in which nothing of the part stands."""
    points = torch.tensor(vertices, dtype=torch.float32)
    triangles = torch.tensor(np.ascontiguousarray(faces), dtype=torch.int32)
    normals = vertex_normals(points, triangles.long())
    ways = directions(rays)
    size = float(np.linalg.norm(np.ptp(vertices, axis=0)))
    free = Occluder(points, triangles).unshadowed(points, normals, ways, 1e-3 * size).numpy()
    weight = np.clip(normals.numpy() @ ways.T, 0, None)
    return (weight * free).sum(1) / np.maximum(weight.sum(1), 1e-9)


def directions(count: int) -> np.ndarray:
    """(count, 3) spread evenly over the sphere, on a golden spiral."""
    number = np.arange(count) + 0.5
    z = 1 - 2 * number / count
    turn = np.pi * (3 - np.sqrt(5)) * number
    return np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], axis=1)


def interior_share(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Share of the surface's area that is inside."""
    t = vertices[faces]
    areas = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1)
    shut = openness(vertices, faces) < CLOSED
    return float((areas * shut[faces].mean(1)).sum() / max(areas.sum(), 1e-30))
