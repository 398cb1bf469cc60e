"""Captures of a mesh for tests of reading and carving: exact cameras, soft masks, a shaded picture; no ray casting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from core.camera import look_at
from recon.capture.model import Capture, Session, View, hold_out
from recon.raster.protocol import Topology
from recon.raster.warp_backend import WarpRasterizer

FINE = 4


def photograph(
    vertices: np.ndarray,
    faces: np.ndarray,
    view: View,
    background: np.ndarray | float = 0.0,
    paint: np.ndarray | None = None,
    fine: int = FINE,
) -> View:
    """The view with a picture of the mesh (shaded by its normals, or with `paint` (m,) a face, on `background`) and
    its exact soft mask, of `fine`^2 samples a pixel."""
    height, width = view.size
    k = np.diag([fine, fine, 1.0]) @ view.intrinsics
    local = vertices @ view.camera_from_part[:3, :3].T + view.camera_from_part[:3, 3]
    topology = Topology.of(faces.astype(np.int32), len(vertices))
    positions = torch.as_tensor((local @ k.T).astype(np.float32))
    face = WarpRasterizer().rasterize(positions, topology, (height * fine, width * fine)).face.numpy()
    t = vertices[faces]
    normals = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    shade = 0.25 + 0.2 * (normals @ np.array([0.5, 0.4, 0.77]))[:, None] + 0.1 * normals
    if paint is not None:
        shade = np.repeat(paint[:, None], 3, 1)
    covered = (face >= 0).reshape(height, fine, width, fine)
    colour = np.where(face[..., None] >= 0, shade[np.maximum(face, 0)], 0.0).reshape(height, fine, width, fine, 3)
    mask = covered.mean((1, 3))
    return replace(view, image=colour.mean((1, 3)) + (1 - mask)[..., None] * background, mask=mask)


def turntable(
    vertices: np.ndarray,
    faces: np.ndarray,
    views: int = 24,
    size: tuple[int, int] = (96, 128),
    elevations_deg: tuple[float, ...] = (15.0, 45.0),
    background: np.ndarray | float = 0.0,
    paint: np.ndarray | None = None,
) -> Capture:
    """A part that turned by equal steps, one ring after another."""
    low, high = vertices.min(0), vertices.max(0)
    centre, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    focal = 2.1 * min(size)
    k = np.array([[focal, 0, size[1] / 2 + 1.5], [0, focal, size[0] / 2 - 1.0], [0, 0, 1.0]])
    found = []
    for number in range(views):
        ring, step = divmod(number, -(-views // len(elevations_deg)))
        turn, rise = 2 * np.pi * step / -(-views // len(elevations_deg)), np.deg2rad(elevations_deg[ring])
        c, s = np.cos(turn), np.sin(turn)
        room = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        away = 5.2 * radius
        eye = centre + room.T @ (away * np.array([np.cos(rise), 0, np.sin(rise)]))
        pose = np.linalg.inv(look_at(eye, centre, np.array([0, 0, 1.0])))
        blank = View(f"{number:03d}", np.zeros((*size, 3)), np.zeros(size), k, pose, room)
        found.append(photograph(vertices, faces, blank, background, paint))
    session = Session("1", centre, np.array([0, 0, 1.0]))
    return Capture("turntable", hold_out(found), (session,), "room", True, "known")
