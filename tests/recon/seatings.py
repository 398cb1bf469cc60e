"""Sessions of a known part for tests of registration: turned over, put back elsewhere, photographed in own frames."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from core.camera import look_at
from recon.capture.model import Capture, Session, View, hold_out
from recon.capture.poses import rigid
from tests.recon.turntables import photograph

SIZE = (96, 128)
VIEWS = 8
HALF_TURN = np.diag([1.0, -1.0, -1.0])


def block() -> trimesh.Trimesh:
    """A bracket without any symmetry, 40 mm long."""
    boxes = [
        trimesh.creation.box(bounds=[[-0.02, -0.012, 0], [0.02, 0.012, 0.006]]),
        trimesh.creation.box(bounds=[[-0.02, -0.012, 0.005], [-0.012, 0.006, 0.02]]),
        trimesh.creation.box(bounds=[[0.008, -0.004, -0.005], [0.016, 0.010, 0.001]]),
    ]
    return trimesh.boolean.union(boxes, engine="manifold")


def put(yaw: float = 0.7, rotation: np.ndarray = HALF_TURN, shift: tuple[float, float, float] = (0.003, -0.002, 0.01)):
    """(4, 4) session_from_part of a part that was turned over and put back by hand."""
    return rigid(Rotation.from_euler("z", yaw).as_matrix() @ rotation, np.array(shift))


def session(
    mesh: trimesh.Trimesh, session_from_part: np.ndarray, name: str, number: int, views: int = VIEWS,
    elevation_deg: float = 25.0, paint: np.ndarray | None = None, lamp: np.ndarray | None = None,
    size: tuple[int, int] = SIZE,
) -> Capture:  # fmt: skip
    """One session in its own frame before a camera that stands still. paint: (m, 3) colour of each face, or (m,) grey.
    lamp: (3,) direction of the only light, room; without it the part is shaded by its own normals."""
    scale = float(np.cbrt(np.linalg.det(session_from_part[:3, :3])))
    vertices = np.array(trimesh.transform_points(mesh.vertices, session_from_part))
    centre = session_from_part[:3, :3] @ mesh.bounds.mean(0) + session_from_part[:3, 3]
    normals = mesh.face_normals @ session_from_part[:3, :3].T / scale
    away, focal, rise = 2.6 * scale * mesh.scale, 2.1 * min(size), np.deg2rad(elevation_deg)
    k = np.array([[focal, 0, size[1] / 2 + 1.5], [0, focal, size[0] / 2 - 1.0], [0, 0, 1.0]])
    found = []
    for step in range(views):
        room = Rotation.from_euler("z", 2 * np.pi * step / views).as_matrix()
        eye = centre + room.T @ (away * np.array([np.cos(rise), 0, np.sin(rise)]))
        pose = np.linalg.inv(look_at(eye, centre, np.array([0, 0, 1.0])))
        blank = View(f"{name}_{step:03d}", np.zeros((*size, 3)), np.zeros(size), k, pose, room, number)
        shade = paint if paint is not None and paint.ndim == 1 else None
        if lamp is not None:
            shade = 0.1 + 0.8 * np.clip(normals @ (room.T @ lamp), 0, None)
        view = photograph(vertices, np.array(mesh.faces), blank, paint=shade)
        if paint is not None and paint.ndim == 2:
            channels = [photograph(vertices, np.array(mesh.faces), blank, paint=paint[:, i]) for i in range(3)]
            view = replace(view, image=np.stack([c.image[..., 0] for c in channels], -1))
        found.append(view)
    table = Session(name, centre, np.array([0, 0, 1.0]))
    return Capture("turntable", hold_out(found), (table,), "room", True, "known")


def both(first: Capture, other: Capture) -> Capture:
    """One capture of two sessions, each still in its own frame."""
    views = hold_out([*first.views, *other.views])
    return replace(first, views=views, sessions=(*first.sessions, *other.sessions))


def marked(mesh: trimesh.Trimesh, places: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]], side: float = 0.010):
    """The mesh with AprilTags (36h11) stuck on: number -> (3,) middle, right and up of each; a white margin of a tenth.
    And the grey (m,) of all faces."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    parts, paint = [mesh], [np.full(len(mesh.faces), 0.3)]
    for number, (middle, right, up) in places.items():
        cells = np.pad(cv2.aruco.generateImageMarker(dictionary, number, 8), 1, constant_values=255)[::-1] / 255.0
        n = len(cells)
        lines = (np.arange(n + 1) / n - 0.5) * side * n / 8
        x, y = np.meshgrid(lines, lines)
        corners = middle + x[..., None] * right + y[..., None] * up + 2e-5 * np.cross(right, up)
        at = np.arange((n + 1) ** 2).reshape(n + 1, n + 1)
        a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, 1:].ravel(), at[1:, :-1].ravel()
        faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
        parts.append(trimesh.Trimesh(corners.reshape(-1, 3), faces, process=False))
        paint.append(np.tile(0.02 + 0.7 * cells.ravel(), 2))
    return trimesh.util.concatenate(parts), np.concatenate(paint)


def off(found: np.ndarray, truth: np.ndarray, mesh: trimesh.Trimesh) -> tuple[float, float]:
    """Degrees, and the greatest shift of a vertex in % of the diagonal, between two (4, 4)."""
    angle = Rotation.from_matrix(found[:3, :3] @ truth[:3, :3].T / np.cbrt(np.linalg.det(found[:3, :3]))).magnitude()
    a, b = (trimesh.transform_points(mesh.vertices, m) for m in (found, truth))
    return float(np.degrees(angle)), float(100 * np.linalg.norm(a - b, axis=1).max() / mesh.scale)
