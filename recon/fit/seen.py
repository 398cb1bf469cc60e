"""What photographs show at each vertex before any light is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recon.fit.problem import Target
from recon.shading import vertex_normals
from recon.visibility import Occluder

MARK = 0.25
"""Change of the logarithm of colour between neighbouring vertices, beyond what light explains, that is paint."""
VARIED = 2.0
"""Median deviations between photographs that are put down to light."""
LEAST_VIEWS = 4
FLAT = 0.9
"""Cosine between the normals of neighbours, above which shading hardly changes."""


def colours_seen(points: torch.Tensor, faces: torch.Tensor, views: Sequence[Target]) -> torch.Tensor:
    """(v, n, 3) linear colour of each photograph at each vertex, NaN where it does not see it."""
    normals = vertex_normals(points, faces.long())
    eyes = np.stack([t.standing.eye.cpu().numpy() for t in views])
    seen = Occluder(points, faces).seen_from(points, normals, eyes, 0.005, 0.2)
    found = []
    for number, target in enumerate(views):
        position = target.project(points)
        grid = position[:, :2] / position[:, 2:] / torch.tensor(target.size[::-1], device=points.device) * 2 - 1
        linear = torch.where(
            target.photograph <= 0.04045, target.photograph / 12.92, ((target.photograph + 0.055) / 1.055) ** 2.4
        )
        sampled = torch.nn.functional.grid_sample(linear.permute(2, 0, 1)[None], grid[None, None], align_corners=False)
        colour = sampled[0, :, 0].T
        found.append(torch.where(seen[number].bool()[:, None], colour, torch.full_like(colour, torch.nan)))
    return torch.stack(found)


def mean_colour(colours: torch.Tensor) -> torch.Tensor:
    """(v, n, 3) of `colours_seen` -> (n, 3) mean over the views that see a vertex, the part's mean where none does."""
    count = torch.isfinite(colours[..., 0]).sum(0)[:, None]
    total = torch.nan_to_num(colours).sum(0)
    grey = total.sum(0) / count.sum().clamp(min=1)
    return torch.where(count > 0, total / count.clamp(min=1), grey)


def evenness(colours: torch.Tensor, normals: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """(e,) in (0, 1]: how far albedo should be even along each edge. colours (v, n, 3) of `colours_seen`, normals
    (n, 3), edges (e, 2).

    A mark keeps its contrast while the part turns under the lamps; a shadow's edge and a highlight do not. On surface
    that bends even a lasting contrast may be light, so evenness holds there.
    """
    logs = torch.log(colours.clamp(min=1e-3))
    a, b = edges[:, 0], edges[:, 1]
    steps = logs[:, a] - logs[:, b]
    lasting = torch.nanmedian(steps, 0).values
    varied = torch.nanmedian((steps - lasting).abs(), 0).values
    beyond = (lasting.abs() - VARIED * varied).clamp(min=0).max(1).values
    enough = torch.isfinite(steps[..., 0]).sum(0) >= LEAST_VIEWS
    flat = (normals[a] * normals[b]).sum(1) > FLAT
    return torch.where(flat & enough, torch.exp(-((torch.nan_to_num(beyond) / MARK) ** 2)), torch.ones_like(beyond))
