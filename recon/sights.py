"""Photographs as the points of a fitted surface see them: what to divide by, and which pixels may be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from recon.capture.model import Capture, View
from recon.fit.picture import SATURATED, srgb
from recon.raster.protocol import Rasterizer, Topology
from recon.raster.warp_backend import WarpRasterizer
from recon.result import Reconstruction, Shading
from recon.shading import PLASTIC

EDGE_PX, FADE_PX = 1.5, 2.5
"""A photograph counts for nothing so near to an outline, and fully that much farther in."""
EDGE_SHARE = 0.005
"""Of a photograph's longer side, for outlines that are off by more than a pixel or two in large ones."""
STEP_PX = 8.0
"""A jump in depth, in widths of a pixel, that is an outline inside the part; no slope below 75 degrees reaches it."""
WHOLE = 0.99
"""Share of a pixel above which all of it is part."""


@dataclass(frozen=True, eq=False)
class Sight:
    """One view. layers: (1, 4, h, w) radiance without the photograph's exposure, and trust of the pixel in [0, 1].

    depth: (h, w) of the fitted mesh, inf outside. pixels: (3, 4) homogeneous pixels of the part's frame. eye: (3,).
    focal: px. diffuse, rest: (n, 3) at the vertices, see `linear_in_albedo`.
    """

    layers: torch.Tensor
    depth: torch.Tensor
    pixels: torch.Tensor
    eye: torch.Tensor
    focal: float
    diffuse: torch.Tensor
    rest: torch.Tensor


def sights_of(capture: Capture, found: Reconstruction) -> list[Sight]:
    """One a training view, at its photograph's own size and the fit's own pose."""
    rasterizer, topology = WarpRasterizer(), Topology.of(found.faces, len(found.vertices))
    return [
        _sight(view, pose, shading, found, rasterizer, topology)
        for view, pose, shading in zip(capture.views, found.camera_from_part, found.shadings, strict=True)
        if not view.held_out
    ]


def _sight(
    view: View, pose: np.ndarray, shading: Shading, found: Reconstruction, rasterizer: Rasterizer, topology: Topology
) -> Sight:
    pixels = torch.tensor(view.intrinsics @ pose[:3], dtype=torch.float32)
    points = torch.tensor(found.vertices, dtype=torch.float32)
    seen = rasterizer.rasterize(points @ pixels[:, :3].T + pixels[:, 3], topology, view.size)
    depth = np.where(seen.covered.numpy(), seen.depth.numpy(), np.inf).astype(np.float32)
    focal = float(view.intrinsics[0, 0])
    encoded = srgb(torch.tensor(view.image)).amax(-1).numpy()
    trust = _inside(depth, focal) * (view.mask > WHOLE) * (encoded < SATURATED)
    inward = cv2.distanceTransform(trust.astype(np.uint8), cv2.DIST_L2, 5)
    edge = max(EDGE_PX, EDGE_SHARE * max(view.size))
    trust = np.clip((inward - edge) / FADE_PX, 0, 1)
    layers = np.concatenate([view.image / np.maximum(shading.exposure, 1e-6), trust[..., None]], 2).astype(np.float32)
    diffuse, rest = linear_in_albedo(found, shading)
    eye = torch.tensor(-pose[:3, :3].T @ pose[:3, 3], dtype=torch.float32)
    return Sight(
        torch.tensor(layers).permute(2, 0, 1)[None], torch.tensor(depth), pixels, eye, focal,
        torch.tensor(diffuse, dtype=torch.float32), torch.tensor(rest, dtype=torch.float32),
    )  # fmt: skip


def _inside(depth: np.ndarray, focal: float) -> np.ndarray:
    """(h, w) bool: pixels of the mesh whose neighbours lie at about the same depth."""
    nine = np.ones((3, 3), np.uint8)
    far = np.where(np.isfinite(depth), depth, np.float32(1e9))
    step = STEP_PX * far / focal
    return np.isfinite(depth) & (cv2.dilate(far, nine) - far < step) & (far - cv2.erode(far, nine) < step)


def linear_in_albedo(found: Reconstruction, shading: Shading) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) factor on the albedo and (n, 3) remainder, equal in sum to the fit at its own albedo: a metal's mirrored
    light is coloured by the albedo too."""
    metallic = np.asarray(found.metallic, float)[:, None]
    share = metallic / np.maximum(PLASTIC * (1 - metallic) + found.albedo * metallic, 1e-3)
    factor = shading.diffuse + shading.specular * share
    rest = shading.specular * (1 - share * found.albedo)
    return factor, rest
