"""A painted ball, photographed by rays, and a fit of it that knows shape and light but not the paint."""

from __future__ import annotations

import numpy as np
import trimesh

from recon.capture.model import Capture
from recon.result import Reconstruction, Shading
from tests.recon.synthetic import GROUND, LAMP_POINTS, LAMPS, SKY, lamp_points, turntable

RADIUS = 0.02
FIRST, SECOND = np.array([0.6, 0.25, 0.1]), np.array([0.15, 0.3, 0.5])
FIELDS = 14
GREY = (FIRST + SECOND) / 2


def checker(points: np.ndarray) -> np.ndarray:
    """(n, 3) linear: FIELDS bands of latitude, twice as many fields about the pole."""
    z = points[:, 2] / np.linalg.norm(points, axis=1)
    bands = np.floor(np.arccos(np.clip(z, -1, 1)) / np.pi * FIELDS)
    fields = np.floor(np.arctan2(points[:, 1], points[:, 0]) / np.pi * FIELDS)
    return np.where(((bands + fields) % 2 > 0)[:, None], FIRST, SECOND)


def photographed(albedo=checker, views: int = 12, size: int = 112) -> Capture:
    ball = trimesh.creation.icosphere(subdivisions=5, radius=RADIUS)
    ball.metadata["smooth"] = True
    return turntable(ball, albedo, views=views, size=size, grid=2)


def unpainted(capture: Capture) -> Reconstruction:
    """The ball in the mean colour: its vertices are a third of a field apart."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=RADIUS)
    points = np.array(ball.vertices)
    n = len(points)
    seen = np.where(points[:, 2] > -0.5 * RADIUS, 5, 0)
    shadings = [Shading(lit(points / RADIUS, v.room_from_part), np.zeros((n, 3)), np.ones(3)) for v in capture.views]
    return Reconstruction(
        points, np.array(ball.faces, np.int32), np.tile(GREY, (n, 1)), np.full(n, 0.5), np.zeros(n),
        np.ones((8, 16, 3)), np.stack([v.camera_from_part for v in capture.views]), shadings,
        seen, np.where(seen > 0, 0.02, np.nan), [], {},
    )  # fmt: skip


def lit(normals: np.ndarray, room_from_part: np.ndarray) -> np.ndarray:
    """(n, 3) irradiance over pi of `synthetic`'s lamps and sky on a convex part."""
    room = normals @ room_from_part.T
    light = SKY + (GROUND - SKY) * (0.5 - 0.5 * room[:, 2])
    for towards, strength in LAMPS:
        for one in lamp_points(towards):
            light = light + strength / LAMP_POINTS * np.clip(room @ one, 0, None)
    return np.repeat(0.4 * light[:, None], 3, axis=1)
