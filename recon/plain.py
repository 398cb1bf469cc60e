"""Parts in one colour: what a fit leaves of unevenness in their albedo is shading that it could not explain.

A part whose photographs show no marks (`recon.fit.seen.marked_share`) is taken to have one colour. What departs from it
is drawn back to it, the more so the less it departs: a rust spot or a stamp stays, faint clouds about edges and walls,
which would be wrong under any other light, go.
"""

from __future__ import annotations

import numpy as np
import torch

MARKED = 0.07
"""Share of edges with a mark above which a part is not plain (plain parts have 0.00 to 0.05 of them, textured
ones 0.10 to 0.13)."""
FAINT = 0.6
"""Departure of the logarithm of albedo that is halved."""
DARKEST = 1e-3
ENOUGH = 3
"""Views that must see a vertex for its albedo to count."""


def evened(albedo: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """albedo (n, 3) drawn towards `colour` (3,)."""
    apart = torch.log(albedo.clamp(min=DARKEST) / colour.clamp(min=DARKEST))
    square = (apart**2).mean(1, keepdim=True)
    return colour * torch.exp(apart * square / (square + FAINT**2))


def colour_of(albedo: torch.Tensor, views_seen: np.ndarray) -> torch.Tensor:
    """(3,) median of albedo (n, 3) where enough views see it, of all where none do."""
    seen = torch.as_tensor(views_seen >= ENOUGH, device=albedo.device)
    return (albedo[seen] if seen.any() else albedo).median(0).values
