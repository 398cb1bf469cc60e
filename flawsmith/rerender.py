"""A saved reconstruction's GLB, photographed by Cycles where the capture's cameras stood, under the light that was
found: what the fit's own picture of itself is worth in a renderer that it never saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

import parts
from core.camera import Camera, as_matrix
from core.colour import srgb_from_linear
from core.material import Material
from defects.procedural.apply import defect_part
from flawsmith.captured import smooth_under_maps
from flawsmith.relight import photographs, surrounding
from flawsmith.simulate_room import library_file
from recon.capture.model import Capture, View
from recon.result import Reconstruction
from recon.strips import Strip, psnr_db
from render.client import Renderer

SIZE_M = 0.2
"""Diagonal to which a part without a scale is brought."""
SMOOTH_DEG = 60.0


class Gap(NamedTuple):
    """sRGB decibels over the photograph's mask of Cycles' picture against the photograph and against the fit's own,
    and of the fit's own against the photograph."""

    view: str
    held_out: bool
    cycles_photo_db: float
    cycles_fit_db: float
    fit_photo_db: float


def rerender(
    folder: Path,
    capture: Capture,
    found: Reconstruction,
    numbers: Sequence[int],
    *,
    samples: int = 32,
    device: str = "cpu",
) -> dict[int, np.ndarray]:
    """View number -> sRGB picture (h, w, 3) before black, with the photograph's exposure, of `folder`'s part.glb under
    its environment.exr."""
    diagonal = float(np.linalg.norm(np.ptp(found.vertices, axis=0)))
    scale = 1.0 if capture.metric else SIZE_M / diagonal
    part = smooth_under_maps(parts.load(folder / "part.glb", unit=scale, smooth_angle_deg=SMOOTH_DEG))
    material = library_file(Material, "materials", "as_captured")
    subject = defect_part(part, (), material=material, seed=0), material
    views = [capture.views[i] for i in numbers]
    cameras, poses = [], []
    for view, number in zip(views, numbers, strict=True):
        room_from_part = np.eye(4)
        room_from_part[:3, :3] = view.room_from_part
        part_from_camera = np.linalg.inv(found.camera_from_part[number])
        part_from_camera[:3, 3] *= scale
        cameras.append(_camera(view, room_from_part @ part_from_camera))
        poses.append(room_from_part)
    light = surrounding((folder / "environment.exr").resolve())
    with Renderer(device) as renderer:
        taken = photographs(renderer, subject, cameras, poses, (light,), samples=samples)
    return {
        number: srgb_from_linear(_cut(one.radiance, camera, view) * found.shadings[number].exposure)
        for number, one, camera, view in zip(numbers, taken, cameras, views, strict=True)
    }


def gaps(strips: Mapping[int, Strip], taken: Mapping[int, np.ndarray]) -> list[Gap]:
    """One a view that was rendered again."""
    return [
        Gap(
            strips[i].name, strips[i].held_out, psnr_db(image, strips[i].photo, strips[i].mask),
            psnr_db(image, strips[i].render, strips[i].mask), strips[i].psnr_db,
        )
        for i, image in taken.items()
    ]  # fmt: skip


def _camera(view: View, room_from_camera: np.ndarray) -> Camera:
    """One with square pixels and its principal point in the middle that sees all that the view does."""
    (height, width), k = view.size, view.intrinsics
    focal = float(max(k[0, 0], k[1, 1]))
    half = [max(k[i, 2], side - k[i, 2]) * focal / k[i, i] for i, side in enumerate((width, height))]
    across, down = (2 * int(np.ceil(h - 1e-6)) for h in half)
    pose = as_matrix(room_from_camera)
    return Camera(projection="perspective", width=across, height=down, pixels_per_unit=focal, world_from_camera=pose)


def _cut(image: np.ndarray, camera: Camera, view: View) -> np.ndarray:
    """(h, w, 3): the part of such a camera's picture that the view shows."""
    (height, width), k = view.size, view.intrinsics
    scale = np.array([k[0, 0], k[1, 1]]) / camera.pixels_per_unit
    shift = k[:2, 2] - scale * [camera.width / 2, camera.height / 2]
    centres = 0.5 * scale + shift - 0.5  # OpenCV counts from pixel centres
    matrix = np.array([[scale[0], 0, centres[0]], [0, scale[1], centres[1]]])
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
