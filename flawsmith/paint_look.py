"""How a drawn defect looks on a photograph: its layers seen through the camera at several samples a pixel."""

from __future__ import annotations

import cv2
import numpy as np

from core.layers import Layers
from core.material import Material
from defects.generative.crop import bounds
from defects.generative.look import ABSOLUTE, Look, averaged, samples_a_pixel, shaded_layers
from flawsmith.paint_ground import PhotoGround

LAMP = np.deg2rad([-150.0, -30.0])
"""From where the light falls, in the picture: somewhere above."""


def look_of(
    ground: PhotoGround,
    layers: Layers,
    label: np.ndarray,
    plane: tuple[np.ndarray, np.ndarray, np.ndarray],
    kind: str,
    material: Material,
    rng: np.random.Generator,
) -> Look:
    """The layers on the tangent plane `plane` (point, u, v; camera frame, metres), as each pixel about `label`
    ((h, w) bool, never empty) sees them on average. material: the one that they were drawn for."""
    point, u, v = plane
    h, w = label.shape
    y0, y1, x0, x1 = bounds(label)
    y0, y1, x0, x1 = max(y0 - 2, 0), min(y1 + 2, h), max(x0 - 2, 0), min(x1 + 2, w)
    row, column = (y0 + y1) // 2, (x0 + x1) // 2
    rows, columns = np.nonzero(label)
    nearest = int(np.argmin((rows - row) ** 2 + (columns - column) ** 2))
    pixel = ground.metres_per_px(rows[nearest], columns[nearest])
    count = samples_a_pixel(pixel, layers.pitch_m, (y1 - y0) * (x1 - x0))
    angle = rng.uniform(*LAMP)
    lamp = np.array([np.cos(angle), np.sin(angle), 0.0])
    along = np.array([lamp @ u, lamp @ v]) / max(float(np.hypot(lamp @ u, lamp @ v)), 1e-9)
    channels, clean = shaded_layers(layers, (float(along[0]), float(along[1])), rng)
    chart = _chart(ground, (y0, y1, x0, x1), count, point, u, v)
    at = layers.texture_coordinates(chart) * (layers.shape[1], layers.shape[0]) - 0.5
    fine = _sampled(channels, at.astype(np.float32), clean)
    made = averaged(fine, count)
    reflects = None if kind in ABSOLUTE else float(np.mean(material.surface.albedo))
    return Look(y0, x0, made[..., 0], made[..., 1], made[..., 2], made[..., 3:], reflects)


def _chart(
    ground: PhotoGround, box: tuple[int, int, int, int], count: int, point: np.ndarray, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Chart positions (rows * count, columns * count, 2), metres, that samples of the pixels of `box` see."""
    y0, y1, x0, x1 = box
    r, c = np.meshgrid(
        y0 - 0.5 + (np.arange((y1 - y0) * count) + 0.5) / count,
        x0 - 0.5 + (np.arange((x1 - x0) * count) + 0.5) / count,
        indexing="ij",
    )
    origin, way = ground.rays(r.ravel(), c.ravel())
    n = np.cross(u, v)
    slope = way @ n
    slope = np.where(np.abs(slope) < 1e-6, 1e-6, slope)
    hit = origin + way * (((point - origin) @ n) / slope)[:, None] - point
    return np.stack([hit @ u, hit @ v], 1).reshape(*r.shape, 2)


def _sampled(channels: np.ndarray, at: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """(h, w, 6) at texel positions (n, m, 2), bilinear; beyond the raster `clean` (6,)."""
    x, y = (np.ascontiguousarray(at[..., k]) for k in (0, 1))
    parts = []
    for few, value in ((channels[..., :3], clean[:3]), (channels[..., 3:], clean[3:])):
        border = [float(k) for k in value]
        parts.append(_remap(np.ascontiguousarray(few), x, y, border))
    return np.dstack(parts)


def _remap(image: np.ndarray, x: np.ndarray, y: np.ndarray, border: list[float]) -> np.ndarray:
    """OpenCV takes no more than 32767 rows of a map or an image."""
    rows = 8192
    done = [
        cv2.remap(image, x[k : k + rows], y[k : k + rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                  borderValue=border)
        for k in range(0, len(x), rows)
    ]  # fmt: skip
    return np.concatenate(done)
