"""Other readings of the same pose matrices, judged by how well their hull meets the masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.errors import GeometryError
from recon.capture.model import View
from recon.capture.pixels import resized, smaller
from recon.hull import COARSE, carve_views
from recon.silhouettes import overlap, silhouette

CONTRADICT = 0.6
MOST_VIEWS = 16
SIDE = 96

_FLIPS = {
    "": np.ones(3),
    "with y and z flipped (OpenGL against OpenCV)": np.array([1.0, -1, -1]),
    "with z flipped": np.array([1.0, 1, -1]),
    "with y flipped": np.array([1.0, -1, 1]),
    "with x flipped": np.array([-1.0, 1, 1]),
}


@dataclass(frozen=True)
class Fit:
    """One reading of the poses. words: what they would have to be. iou: mean overlap of its hull with the masks."""

    words: str
    iou: float


def hull_iou(views: Sequence[View]) -> float:
    """Mean overlap of a coarse hull with the masks that it was carved from, up to 16 views spread over all; 0 where
    nothing is left. A tenth of the views may disagree."""
    usable = [v for v in views if 1e-4 < float(v.mask.mean()) < 0.98]
    if len(usable) < 2:
        return 0.0
    chosen = [usable[i] for i in np.unique(np.linspace(0, len(usable) - 1, MOST_VIEWS).astype(int))]
    try:
        hull = carve_views(chosen, COARSE, mask_side=128, tolerated=len(chosen) // 10)
    except GeometryError:
        return 0.0
    result = []
    for view in chosen:
        size = smaller(view.size, SIDE)
        covered = silhouette(hull.vertices, hull.faces, view, size)
        result.append(overlap(covered, resized(view.mask, size) >= 0.5))
    return float(np.nanmean(result))


def fitting(views: Sequence[View]) -> Fit | None:
    """The reading whose hull meets the masks best, other than the poses as they are; None where none gives a hull."""
    best: Fit | None = None
    for words, poses in _readings(np.array([v.camera_from_part for v in views])):
        turned = [replace(v, camera_from_part=p) for v, p in zip(views, poses, strict=True)]
        iou = hull_iou(turned)
        if iou > 0 and (best is None or iou > best.iou + 0.02):
            best = Fit(words, iou)
    return best


def _readings(poses: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """camera_from_part (n, 4, 4) in other conventions; each is right-handed (a mirrored camera mirrors the world too:
    silhouettes cannot tell)."""
    backwards = np.linalg.inv(poses)
    opengl = np.diag([1.0, -1, -1, 1])
    turned = poses.copy()
    turned[:, :3, :3] = poses[:, :3, :3].transpose(0, 2, 1)
    turned[:, :3, 3] = -np.einsum("nij,nj->ni", turned[:, :3, :3], backwards[:, :3, 3])
    forms = (
        ("", poses),
        ("world-to-camera instead of camera-to-world (or the reverse)", backwards),
        ("world-to-camera in OpenGL axes, read as camera-to-world", opengl @ backwards @ opengl),
        ("camera positions with transposed rotations", turned),
    )
    for form, matrices in forms:
        for flip, signs in _FLIPS.items():
            if not form and not flip:
                continue
            camera = np.diag([*signs, 1.0])
            world = np.diag([1.0, 1, np.linalg.det(camera), 1])
            yield ", ".join(w for w in (form, f"axes {flip}" if flip else "") if w), camera @ matrices @ world
