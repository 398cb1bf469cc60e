"""What photographs show at each vertex before any light is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from recon.capture.model import Capture
from recon.fit.problem import Target, UnitFrame, targets
from recon.isosurface import remesh
from recon.shading import vertex_normals
from recon.visibility import Occluder

MARK = 0.25
"""Change of the logarithm of colour between neighbouring vertices, beyond what light explains, that is paint."""
VARIED = 2.0
"""Median deviations between photographs that are put down to light."""
LEAST_VIEWS = 4
FLAT = 0.9
"""Cosine between the normals of neighbours, above which shading hardly changes."""
EVERY, SIDE_PX = 0.04, 96
"""Edges across which marks are looked for, bounding radii, in photographs averaged down to this longer side."""


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


def mesh_edges(faces: np.ndarray, device: torch.device) -> torch.Tensor:
    """(e, 2) int64, each edge once."""
    ends = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return torch.as_tensor(np.unique(ends, axis=0).astype(np.int64), device=device)


def marked_share(
    capture: Capture, vertices: np.ndarray, faces: np.ndarray, turning: bool = True, device: str = "cpu"
) -> float:
    """Share of the edges of a mesh (vertices (n, 3) in the capture's frame, evenly remeshed) across which photographs
    show a mark: a contrast that lasts while the light turns."""
    frame = UnitFrame.of(vertices)
    views = targets(capture, frame, SIDE_PX, turning, device)
    views = [t for t in views if not capture.views[t.number].held_out]
    even, triangles = remesh(frame.unit(vertices), faces, EVERY)
    points = torch.as_tensor(even.astype(np.float32), device=device)
    corners = torch.as_tensor(triangles, device=device)
    normals, edges = vertex_normals(points, corners.long()), mesh_edges(triangles, points.device)
    return float((evenness(colours_seen(points, corners, views), normals, edges) < 0.5).float().mean())
