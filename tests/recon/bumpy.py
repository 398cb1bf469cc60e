"""A ball, one half of it with bumps finer than a fit's vertices, whose normals are known to a formula."""

from __future__ import annotations

import numpy as np
import trimesh

from recon.bake import Maps
from recon.capture.model import Capture
from recon.result import Reconstruction, Shading
from recon.tangents import Fans, bent, smooth_normals, tangents
from tests.recon.synthetic import GROUND, LAMP_RADIUS, LAMPS, SKY

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


def smooth_ball(capture: Capture, subdivisions: int = 3) -> Reconstruction:
    """A fit of the bumpy ball that knows its light, its colour and its shape but for the bumps."""
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=RADIUS)
    points, n = np.array(ball.vertices), len(ball.vertices)
    seen = np.where(points[:, 2] > -0.5 * RADIUS, 5, 0)
    shading = Shading(np.ones((n, 3)), np.zeros((n, 3)), np.ones(3))
    return Reconstruction(
        points, np.array(ball.faces, np.int32), np.full((n, 3), 0.5), np.full(n, 0.95), np.full(n, 0.02),
        room_light(), np.stack([v.camera_from_part for v in capture.views]), [shading] * len(capture.views),
        seen, np.where(seen > 0, 0.02, np.nan), [], {},
    )  # fmt: skip


def room_light(rows: int = 32) -> np.ndarray:
    """(rows, 2 rows, 3) of the lamps and the sky of `synthetic`, as a reconstruction has it."""
    rise = np.pi / 2 - (np.arange(rows) + 0.5) / rows * np.pi
    turn = (np.arange(2 * rows) + 0.5) / rows * np.pi - np.pi
    way = np.stack(np.broadcast_arrays(np.cos(rise)[:, None] * np.cos(turn), np.cos(rise)[:, None] * np.sin(turn),
                                       np.sin(rise)[:, None]), -1)  # fmt: skip
    area = np.broadcast_to(np.cos(rise)[:, None] * (np.pi / rows) ** 2, way.shape[:2])
    light = np.where(way[..., 2] > 0, SKY, GROUND)
    for towards, strength in LAMPS:
        inside = way @ (towards / np.linalg.norm(towards)) > np.cos(LAMP_RADIUS)
        light = light + inside * strength * np.pi / area[inside].sum()
    return np.repeat(0.4 * light[..., None], 3, axis=2).astype(np.float32)
