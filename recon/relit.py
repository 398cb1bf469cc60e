"""How much more diffuse light a bent normal meets than the smooth one that a fit's shading is told at."""

from __future__ import annotations

import numpy as np

MOST = 4.0
"""Factor beyond which a ratio says more about darkness than about the bend."""


def harmonics(ways: np.ndarray) -> np.ndarray:
    """(..., 9) real spherical harmonics of order 0 to 2 at unit directions (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(ways, float), -1, 0)
    return np.stack(
        [
            np.full_like(x, 0.282095), 0.488603 * y, 0.488603 * z, 0.488603 * x, 1.092548 * x * y, 1.092548 * y * z,
            0.315392 * (3 * z * z - 1), 1.092548 * x * z, 0.546274 * (x * x - y * y),
        ],
        -1,
    )  # fmt: skip


def soft_light(environment: np.ndarray) -> np.ndarray:
    """(9, 3) so that `harmonics(normals) @` it is the irradiance over pi of an environment (h, 2 h, 3) in the room's
    frame, to about 3 % (Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps, 2001).
    """
    h, w = environment.shape[:2]
    rise = np.pi / 2 - (np.arange(h) + 0.5) / h * np.pi
    turn = (np.arange(w) + 0.5) / w * 2 * np.pi - np.pi
    level = np.cos(rise)[:, None]
    ways = np.stack(np.broadcast_arrays(level * np.cos(turn), level * np.sin(turn), np.sin(rise)[:, None]), -1)
    area = level * (np.pi / h) * (2 * np.pi / w)
    lobes = np.array([np.pi, *[2 * np.pi / 3] * 3, *[np.pi / 4] * 5]) / np.pi
    return np.einsum("hwk,hwc->kc", harmonics(ways) * area[..., None], environment.astype(float)) * lobes[:, None]


def gain(environment: np.ndarray, smooth: np.ndarray, bent: np.ndarray) -> np.ndarray:
    """(..., 3) diffuse light at `bent` over that at `smooth`, unit normals (..., 3) in the room's frame; the light is
    far and shadows are those of the smooth surface."""
    light = soft_light(environment)
    least = 0.02 * light[0] * 0.282095
    before, after = (np.maximum(harmonics(n) @ light, least) for n in (smooth, bent))
    return np.clip(after / before, 1 / MOST, MOST)
