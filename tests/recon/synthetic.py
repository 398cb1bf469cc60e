"""Turntable captures of meshes under a known light, by ray casting: not the fit's own shader."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import trimesh

from core.camera import look_at
from recon.capture.model import Capture, Session, View, hold_out

LAMPS = ((np.array([0.5, 0.6, 0.62]), 2.2), (np.array([-0.8, 0.1, 0.35]), 0.7))
"""Direction towards the middle of a far lamp, room frame, and its irradiance over pi."""
LAMP_RADIUS, LAMP_POINTS = np.deg2rad(12.0), 12
SKY, GROUND = 0.25, 0.08


def lamp_points(towards: np.ndarray) -> np.ndarray:
    """(LAMP_POINTS, 3) unit directions, spread evenly over the lamp's disc."""
    number = np.arange(LAMP_POINTS) + 0.5
    radius, angle = LAMP_RADIUS * np.sqrt(number / LAMP_POINTS), number * np.pi * (3 - np.sqrt(5))
    axis = towards / np.linalg.norm(towards)
    side = np.cross(axis, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    off = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * np.cross(axis, side)
    return np.cos(radius)[:, None] * axis + np.sin(radius)[:, None] * off


def grey(points: np.ndarray) -> np.ndarray:
    return np.full((len(points), 3), 0.5)


def turntable(
    mesh: trimesh.Trimesh,
    albedo: Callable[[np.ndarray], np.ndarray] = grey,
    views: int = 24,
    size: int = 96,
    elevations: tuple[float, ...] = (20.0, 50.0),
    grid: int = 3,
) -> Capture:
    """A Lambertian part on a turntable under two lamps and a sky, `grid`^2 rays a pixel, exact soft masks."""
    radius = float(np.linalg.norm(mesh.vertices - mesh.bounds.mean(0), axis=1).max())
    centre = mesh.bounds.mean(0)
    focal = 2.2 * size
    found = []
    for number in range(views):
        turn = 2 * np.pi * number / views
        rise = np.deg2rad(elevations[number % len(elevations)])
        room_from_part = trimesh.transformations.rotation_matrix(turn, [0, 0, 1])[:3, :3]
        eye_room = radius * 5.2 * np.array([np.cos(rise), 0, np.sin(rise)])
        eye = centre + room_from_part.T @ eye_room
        pose = look_at(eye, centre, np.array([0.0, 0.0, 1.0]))
        k = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1.0]])
        image, mask = _photograph(mesh, albedo, pose, k, size, room_from_part, grid)
        found.append(View(f"{number:03d}", image, mask, k, np.linalg.inv(pose), room_from_part))
    session = Session("turn", np.zeros(3), np.array([0.0, 0.0, 1.0]))
    return Capture("synthetic", hold_out(found), (session,), "room", True, "synthetic")


def _photograph(
    mesh: trimesh.Trimesh,
    albedo: Callable[[np.ndarray], np.ndarray],
    pose: np.ndarray,
    k: np.ndarray,
    size: int,
    room_from_part: np.ndarray,
    grid: int,
) -> tuple[np.ndarray, np.ndarray]:
    fine = (np.arange(size * grid) + 0.5) / grid
    x, y = np.meshgrid(fine, fine)
    local = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1).reshape(-1, 3)
    ways = local @ pose[:3, :3].T
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    starts = np.broadcast_to(pose[:3, 3], ways.shape)
    points, ray, face = mesh.ray.intersects_location(starts, ways, multiple_hits=False)
    normals = _smooth(mesh, points, face)
    room = normals @ room_from_part.T
    light = SKY + (GROUND - SKY) * (0.5 - 0.5 * room[:, 2])
    for towards, strength in LAMPS:
        lifted = points + mesh.face_normals[face] * 1e-4 * mesh.scale
        for one in lamp_points(towards):
            way = room_from_part.T @ one
            blocked = mesh.ray.intersects_any(lifted, np.broadcast_to(way, points.shape))
            light = light + strength / LAMP_POINTS * np.clip(room @ one, 0, None) * ~blocked
    linear = np.zeros((len(ways), 3), np.float32)
    linear[ray] = albedo(points) * light[:, None] * 0.4
    alpha = np.zeros(len(ways), np.float32)
    alpha[ray] = 1
    shape = (size, grid, size, grid)
    return linear.reshape(*shape, 3).mean((1, 3)), alpha.reshape(shape).mean((1, 3))


def _smooth(mesh: trimesh.Trimesh, points: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Vertex normals interpolated where the mesh says that it is smooth, else the face's own."""
    if not mesh.metadata.get("smooth"):
        return mesh.face_normals[face]
    bary = trimesh.triangles.points_to_barycentric(mesh.triangles[face], points)
    normals = (mesh.vertex_normals[mesh.faces[face]] * bary[..., None]).sum(1)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)
