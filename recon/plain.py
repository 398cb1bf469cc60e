"""Parts in one colour: what a fit leaves of unevenness in their albedo is shading that it could not explain.

A part whose photographs show no marks (`recon.fit.seen.marked_share`), and whose fit shows no second colour, is taken
to have one. What departs from it
is drawn back to it, the more so the less it departs: a rust spot or a stamp stays, faint clouds about edges and walls,
which would be wrong under any other light, go.
"""

from __future__ import annotations

import numpy as np
import torch

MARKED = 0.07
"""Share of edges with a mark above which a part is not plain (plain parts have 0.00 to 0.05 of them, textured
ones 0.10 to 0.13)."""
FAR, MOST_FAR = 0.35, 0.12
"""Departure of the logarithm of albedo from the median that a fit's own errors seldom reach, and the share of the seen
surface that may pass it (0.00 to 0.08 on plain parts). A second finish, such as machined faces, is more."""
HUE, MOST_HUED = 0.1, 0.03
"""The same of its part that is not grey: shading errors have the lamps' colour, so plain parts have none (0.000 to
0.006)."""
FAINT = 0.6
"""Departure of the logarithm of albedo that is halved."""
MOST_LOST_DB = 2.0
"""By which photographs may be met worse in one colour (0.4 to 1.4 dB on plain parts); more says that there are several,
as on a painted part with machined faces, whose few borders are few marks."""
DARKEST = 1e-3
ENOUGH = 3
"""Views that must see a vertex for its albedo to count."""


def one_coloured(albedo: torch.Tensor, views_seen: np.ndarray) -> bool:
    """Whether a fitted albedo (n, 3) departs from its median as errors of a fit do, and not as a second colour does."""
    apart = torch.log(albedo.clamp(min=DARKEST) / colour_of(albedo, views_seen).clamp(min=DARKEST))
    apart = apart[torch.as_tensor(views_seen >= ENOUGH, device=albedo.device)]
    if not len(apart):
        return False
    hue = apart - apart.mean(1, keepdim=True)
    far, hued = ((x**2).mean(1).sqrt() > limit for x, limit in ((apart, FAR), (hue, HUE)))
    return float(far.float().mean()) <= MOST_FAR and float(hued.float().mean()) <= MOST_HUED


def evened(albedo: torch.Tensor, colour: torch.Tensor) -> torch.Tensor:
    """albedo (n, 3) drawn towards `colour` (3,)."""
    apart = torch.log(albedo.clamp(min=DARKEST) / colour.clamp(min=DARKEST))
    square = (apart**2).mean(1, keepdim=True)
    return colour * torch.exp(apart * square / (square + FAINT**2))


def colour_of(albedo: torch.Tensor, views_seen: np.ndarray) -> torch.Tensor:
    """(3,) median of albedo (n, 3) where enough views see it, of all where none do."""
    seen = torch.as_tensor(views_seen >= ENOUGH, device=albedo.device)
    return (albedo[seen] if seen.any() else albedo).median(0).values
