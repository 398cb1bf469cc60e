"""What a photograph shows, in metres: depth and normals of the part, from the capture's hull or from a plain scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from core.camera import Camera, as_matrix
from core.colour import linear_from_srgb, srgb_from_linear
from core.errors import InputError
from defects.generative.photo import Photo
from recon.capture.model import Capture, View
from recon.capture.pixels import resized, scaled, smaller
from recon.hull import Hull, carve
from recon.raster.protocol import Topology
from recon.raster.warp_backend import WarpRasterizer

RASTER_PX = 512
"""The hull is smooth; finer than this it is interpolated."""


@dataclass(frozen=True, eq=False)
class PhotoGround:
    """photo: canonical array. part: (h, w) bool. depth_m: (h, w) camera z, inf off the part. normal: (h, w, 3) unit,
    camera frame, 0 off the part. intrinsics: (3, 3), None for a telecentric view of a plane. camera: as a record
    keeps it, with the principal point in the middle. part_from_camera: (4, 4), metres. metric: whether lengths mean
    millimetres."""

    photo: Photo
    part: np.ndarray
    depth_m: np.ndarray
    normal: np.ndarray
    intrinsics: np.ndarray | None
    camera: Camera
    part_from_camera: np.ndarray
    metric: bool = True

    def metres_per_px(self, row: float, column: float) -> float:
        """At one pixel of the part, square to the axis."""
        return self.camera.metres_per_pixel(float(self.depth_m[int(row), int(column)]))

    def rays(self, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Camera-frame origins and directions (n, 3), d_z = 1, of pixel centres."""
        if self.intrinsics is None:
            h, w = self.photo.size
            x, y = columns + 0.5 - w / 2, rows + 0.5 - h / 2
            origin = np.stack([x, y, 0 * x], 1) / self.camera.pixels_per_unit
            return origin, np.broadcast_to([0.0, 0.0, 1.0], origin.shape)
        pixels = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))], 1)
        return np.zeros((len(rows), 3)), pixels @ np.linalg.inv(self.intrinsics).T

    def point(self, row: int, column: int) -> np.ndarray:
        """(3,) on the part, camera frame, metres."""
        origin, way = self.rays(np.array([row]), np.array([column]))
        return origin[0] + way[0] * float(self.depth_m[row, column])


def flat_ground(photo: Photo, mm_per_px: float, part: np.ndarray | None = None) -> PhotoGround:
    """A plane square to the view: photographs without a capture, `mm_per_px` everywhere."""
    part = part if part is not None else photo.part
    part = np.ones(photo.size, bool) if part is None else part
    h, w = photo.size
    camera = Camera(projection="telecentric", width=w, height=h, pixels_per_unit=1e3 / mm_per_px,
                    world_from_camera=as_matrix(np.eye(4)))  # fmt: skip
    normal = np.where(part[..., None], np.array([0, 0, -1], np.float32), 0).astype(np.float32)
    return PhotoGround(photo, part, np.where(part, 1, np.inf).astype(np.float32), normal, None, camera, np.eye(4))


def averaged_down(photo: Photo, mm_per_px: float, max_px: int) -> tuple[Photo, float]:
    """The photograph with at most `max_px` on its longer side, averaged in linear light, and its own scale."""
    size = smaller(photo.size, max_px)
    if size == photo.size:
        return photo, mm_per_px
    mean = resized(linear_from_srgb(photo.pixels / np.float32(255)), size)
    pixels = np.rint(srgb_from_linear(mean) * 255).astype(np.uint8)
    part = None if photo.part is None else resized(photo.part.astype(np.float32), size) >= 0.5
    return replace(photo, pixels=pixels, part=part), mm_per_px * max(photo.size) / max(size)


def canonical(view: View) -> Photo:
    """A capture's photograph (undistorted) as 8-bit sRGB."""
    return Photo(view.name, np.rint(srgb_from_linear(view.image) * 255).astype(np.uint8))


def hull_of(capture: Capture) -> Hull:
    """Of all masks. GeometryError where they leave nothing."""
    return carve(capture, 96, mask_side=384)


def captured_ground(view: View, hull: Hull, metres: float) -> PhotoGround:
    """The hull's depth and smoothed normals in one photograph. metres: of the capture's unit."""
    photo, size = canonical(view), smaller(view.size, RASTER_PX)
    k = scaled(view.intrinsics, view.size, size)
    local = hull.vertices @ view.camera_from_part[:3, :3].T + view.camera_from_part[:3, 3]
    faces = torch.as_tensor(np.ascontiguousarray(hull.faces, np.int32))
    seen = WarpRasterizer().rasterize(
        torch.as_tensor((local @ k.T).astype(np.float32)), Topology(faces, torch.full_like(faces, -1)), size
    )
    face, covered = seen.face.numpy(), seen.covered.numpy()
    corners = local[hull.faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-30)
    normal = np.where(covered[..., None], across[face], 0).astype(np.float32)
    normal = _spread(normal, covered, max(2.0, 0.012 * max(size)))
    depth = _spread(seen.depth.numpy()[..., None], covered, 1.0)[..., 0]
    part = view.mask >= 0.5
    covered_there = resized(covered.astype(np.float32), view.size) > 0.5
    if not (part & covered_there).any():
        raise InputError(f"the hull and the mask of {view.name} have nothing in common", "masks of one part", "check")
    normal, depth = resized(normal, view.size), resized(depth.astype(np.float32), view.size) * metres
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-6)
    rigid = np.linalg.inv(view.camera_from_part)
    rigid[:3, 3] *= metres
    return PhotoGround(
        photo=photo,
        part=part,
        depth_m=np.where(part, depth, np.inf).astype(np.float32),
        normal=np.where(part[..., None], normal, 0).astype(np.float32),
        intrinsics=view.intrinsics,
        camera=Camera(
            projection="perspective",
            width=view.size[1],
            height=view.size[0],
            pixels_per_unit=float(np.sqrt(view.intrinsics[0, 0] * view.intrinsics[1, 1])),
            world_from_camera=as_matrix(rigid),
        ),
        part_from_camera=rigid,
    )


def _spread(values: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    """Smoothed over the known pixels, and continued a little beyond them."""
    weight = known.astype(np.float32)
    out = np.zeros_like(values)
    done = np.zeros(known.shape, bool)
    for wide in (sigma, 4 * sigma, 16 * sigma, 64 * sigma):
        share = cv2.GaussianBlur(weight, (0, 0), wide)
        mean = cv2.GaussianBlur(values * weight[..., None], (0, 0), wide).reshape(values.shape)
        here = ~done & (share > 1e-3)
        out[here] = mean[here] / share[here][:, None]
        done |= here
    return out
