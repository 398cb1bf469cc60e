"""Cameras without lens distortion, and rigid poses. OpenCV frame: x right, y down, z forward."""

from __future__ import annotations

from typing import Literal

import numpy as np

from core.models import FileModel

Matrix = tuple[tuple[float, float, float, float], ...]
"""A rigid 4x4 transform by rows, metres."""


class Camera(FileModel):
    """A concrete camera, ready to render. Pixel (column c, row r) has its centre at (c + 0.5, r + 0.5).

    perspective: pixels_per_unit is the focal length in pixels (principal distance / pixel size).
    telecentric: pixels_per_unit is pixels per metre, the same at every depth; rays run along +z.
    The principal point is the image centre. aperture_m: entrance pupil diameter (0: no depth of field);
    focus_m: distance of sharp focus along z.
    """

    projection: Literal["perspective", "telecentric"]
    width: int
    height: int
    pixels_per_unit: float
    world_from_camera: Matrix
    aperture_m: float = 0.0
    focus_m: float = 1.0

    def pose(self) -> np.ndarray:
        """(4, 4) float64 world_from_camera."""
        return np.array(self.world_from_camera, float)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (n, 3) -> pixel positions (n, 2) and depth z (n,), metres. Points behind get NaN pixels."""
        camera_from_world = np.linalg.inv(self.pose())
        local = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        z = local[:, 2]
        centre = np.array([self.width, self.height]) / 2
        if self.projection == "telecentric":
            return local[:, :2] * self.pixels_per_unit + centre, z
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = local[:, :2] / z[:, None] * self.pixels_per_unit + centre
        pixels[z <= 0] = np.nan
        return pixels, z

    def rays(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel positions (n, 2) -> world ray origins (n, 3) and unit directions (n, 3)."""
        local = (np.asarray(pixels, float) - np.array([self.width, self.height]) / 2) / self.pixels_per_unit
        pose = self.pose()
        if self.projection == "telecentric":
            origins = np.c_[local, np.zeros(len(local))] @ pose[:3, :3].T + pose[:3, 3]
            return origins, np.broadcast_to(pose[:3, 2], origins.shape)
        directions = np.c_[local, np.ones(len(local))]
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        return np.broadcast_to(pose[:3, 3], directions.shape), directions @ pose[:3, :3].T

    def metres_per_pixel(self, depth_m: float) -> float:
        """Object size of one pixel, square to the axis, at a depth."""
        return 1 / self.pixels_per_unit if self.projection == "telecentric" else depth_m / self.pixels_per_unit


def look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(4, 4) world_from_camera of a camera at `eye` that looks at `target` with `up` upwards in the image."""
    z = np.asarray(target, float) - eye
    z /= np.linalg.norm(z)
    x = np.cross(z, up)
    if np.linalg.norm(x) < 1e-9:
        x = np.cross(z, [0.0, 1.0, 0.0] if abs(z[1]) < 0.9 else [1.0, 0.0, 0.0])
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    pose[:3, 3] = eye
    return pose


def as_matrix(pose: np.ndarray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in np.asarray(pose, float))  # type: ignore[return-value]


class Sensor(FileModel):
    """What turns radiance into numbers: exposure, shot and read noise. All per pixel.

    exposure: "metered" scales the frame so that `metered_level` of full scale is reached at the 99th percentile of
    the part's pixels (meter "frame": of all pixels, for a silhouette; "highlights": at the 99.9th of the part's, for
    a dark field); "fixed" multiplies radiance by `gain_per_radiance`.
    full_well_e: electrons at full scale. read_noise_e: rms electrons. bits: of the converter.
    """

    exposure: Literal["metered", "fixed"] = "metered"
    meter: Literal["part", "frame", "highlights"] = "part"
    metered_level: float = 0.7
    gain_per_radiance: float = 1.0
    full_well_e: float = 10_000.0
    read_noise_e: float = 3.0
    bits: int = 12
    monochrome: bool = False
