"""How far each vertex may be trusted, from what the photographs say of it."""

from __future__ import annotations

import numpy as np

from recon.result import Reconstruction

ENOUGH_VIEWS = 4
"""Views at less than 75 degrees above which another adds little: a vertex of a ring of 36 is seen by about a dozen."""
POOR_RESIDUAL = 0.10
"""Mean absolute sRGB error at which the model does not explain the photographs."""


def confidence(found: Reconstruction) -> np.ndarray:
    """(n,) float32 in [0, 1] per vertex: 0 where no view saw it, 1 where several did and agree with the model."""
    views = np.clip(found.views_seen / ENOUGH_VIEWS, 0, 1)
    residual = np.nan_to_num(np.asarray(found.residual, float), nan=POOR_RESIDUAL)
    return (views * np.clip(1 - residual / POOR_RESIDUAL, 0, 1)).astype(np.float32)


def vertex_areas(found: Reconstruction) -> np.ndarray:
    """(n,) a third of the area of the faces about each vertex."""
    t = found.vertices[found.faces]
    areas = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1) / 2
    return np.bincount(found.faces.ravel(), np.repeat(areas / 3, 3), len(found.vertices))


def seen_share(found: Reconstruction, views: int = 2) -> float:
    """Share of the surface that at least so many training views saw."""
    areas = vertex_areas(found)
    return float(areas[found.views_seen >= views].sum() / areas.sum())
