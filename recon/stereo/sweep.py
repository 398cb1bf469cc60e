"""How alike neighbouring photographs are, plane by plane before one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample

WINDOW = 7
GRAIN = 0.02
"""Standard deviation of sRGB values within a window that says nothing."""


@dataclass(frozen=True, eq=False)
class Photo:
    """One view made ready. grey: (h, w) sRGB over black. mask: (h, w). pixels: (3, 4) part frame -> homogeneous
    pixels. eye: (3,)."""

    number: int
    grey: torch.Tensor
    mask: torch.Tensor
    pixels: np.ndarray
    eye: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.grey.shape[0], self.grey.shape[1]

    def rays(self) -> np.ndarray:
        """(h, w, 3) from the eye through each pixel centre, at depth one."""
        h, w = self.size
        x, y = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
        return np.stack([x, y, np.ones_like(x)], -1) @ np.linalg.inv(self.pixels[:, :3]).T


def likeness(photo: Photo, others: list[Photo], depths: np.ndarray) -> torch.Tensor:
    """(planes, h, w) in [-1, 1]: normalised cross-correlation in windows, the mean over the better half of the others.

    depths: (planes, h, w) along the photo's axis. Flat windows say 0: they are alike at any depth. So does what falls
    outside the others' masks: there the hull has spoken.
    """
    rays = photo.rays()
    image = photo.grey[None, None]
    mean = _box(image)
    spread = _box(image * image) - mean * mean
    found = torch.full((len(others), len(depths), *photo.size), -1.0)
    for row, other in enumerate(others):
        start = other.pixels[:, :3] @ photo.eye + other.pixels[:, 3]
        ways = rays @ other.pixels[:, :3].T
        at = (start + ways * depths[..., None]).astype(np.float32)
        h, w = other.size
        grid = torch.from_numpy(at[..., :2] / np.maximum(at[..., 2:], 1e-6) / np.array([w, h], np.float32) * 2 - 1)
        both = torch.stack([other.grey, other.mask])[None].expand(len(depths), -1, -1, -1)
        seen = grid_sample(both, grid, align_corners=False)
        warped, inside = seen[:, :1], seen[:, 1:]
        other_mean = _box(warped)
        other_spread = _box(warped * warped) - other_mean * other_mean
        common = _box(image * warped) - mean * other_mean
        floor = GRAIN**2
        ncc = common / ((spread + floor) * (other_spread + floor)).clamp(min=1e-12).sqrt()
        found[row] = torch.where(inside > 0.5, ncc, torch.zeros_like(ncc))[:, 0]
    better = max(1, (len(others) + 1) // 2)
    return found.topk(better, dim=0).values.mean(0)


def _box(image: torch.Tensor) -> torch.Tensor:
    """Mean in a window, of what of it lies within the picture."""
    for size in ((WINDOW, 1), (1, WINDOW)):
        image = avg_pool2d(image, size, 1, (size[0] // 2, size[1] // 2), count_include_pad=False)
    return image
