"""What photographs show at each vertex before any light is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recon.fit.problem import Target
from recon.shading import vertex_normals
from recon.visibility import Occluder

MARK = 0.15
"""Change of the logarithm of colour between neighbouring vertices that is more likely paint than shading."""
FLAT = 0.9
"""Cosine between the normals of neighbours, above which shading hardly changes."""


def seen_colour(points: torch.Tensor, faces: torch.Tensor, views: Sequence[Target]) -> torch.Tensor:
    """(n, 3) mean linear colour of the photographs at each vertex, over the views that see it (grey where none)."""
    normals = vertex_normals(points, faces.long())
    eyes = np.stack([t.standing.eye.cpu().numpy() for t in views])
    seen = Occluder(points, faces).seen_from(points, normals, eyes, 0.005, 0.2)
    total = torch.zeros_like(points)
    weight = torch.zeros(len(points), 1, device=points.device)
    for number, target in enumerate(views):
        position = target.project(points)
        grid = position[:, :2] / position[:, 2:] / torch.tensor(target.size[::-1], device=points.device) * 2 - 1
        linear = torch.where(
            target.photograph <= 0.04045, target.photograph / 12.92, ((target.photograph + 0.055) / 1.055) ** 2.4
        )
        colour = torch.nn.functional.grid_sample(linear.permute(2, 0, 1)[None], grid[None, None], align_corners=False)[
            0, :, 0
        ].T
        visible = seen[number].float()[:, None]
        total, weight = total + colour * visible, weight + visible
    grey = total.sum(0) / weight.sum().clamp(min=1)
    return torch.where(weight > 0, total / weight.clamp(min=1), grey)


def evenness(seen: torch.Tensor, normals: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """(e,) in (0, 1]: how far albedo should be even along each edge. seen, normals (n, 3); edges (e, 2).

    A step in the colours seen on a surface that does not bend is a mark on the part; at an edge of the part it may be
    light, so evenness holds there.
    """
    logs = torch.log(seen.clamp(min=1e-3))
    a, b = edges[:, 0], edges[:, 1]
    step = (logs[a] - logs[b]).abs().max(1).values
    flat = (normals[a] * normals[b]).sum(1) > FLAT
    return torch.where(flat, torch.exp(-((step / MARK) ** 2)), torch.ones_like(step))
