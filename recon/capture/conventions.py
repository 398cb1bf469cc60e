"""Other readings of the same pose matrices, judged by how well their hull meets the masks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from core.errors import GeometryError
from recon.capture.model import View
from recon.capture.pixels import resized, smaller
from recon.hull import COARSE, carve_views
from recon.silhouettes import overlap, silhouette

CONTRADICT = 0.6
MOST_VIEWS = 16
SIDE = 96

_FILES = {
    "transforms": np.diag([1.0, -1, -1, 1]),
    "llff": np.array([[0, 1.0, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1]]),
}
"""OpenCV's camera axes in those of files that hold camera-to-world matrices. Others hold OpenCV's world-to-camera."""

_ORDINALS = ("first", "second", "third")
_SIGNS = sorted(product((1.0, -1.0), repeat=3), key=lambda s: s[0] * s[1] * s[2] < 0)


@dataclass(frozen=True)
class Fit:
    """One reading of a pose file. what: its poses seem to be. do: to its matrices, and they are right. iou: mean
    overlap of its hull with the masks. poses: camera_from_part (n, 4, 4) after that."""

    what: str
    do: str
    iou: float
    poses: np.ndarray

    @property
    def advice(self) -> str:
        return f"the poses seem to be {self.what}: {self.do} (the masks then overlap by {self.iou:.2f})"


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


def fitting(views: Sequence[View], kind: str) -> Fit | None:
    """The reading whose hull meets the masks best, other than the poses as they are; None where none gives a hull.
    kind: of the pose file, as in `Source`."""
    best: Fit | None = None
    for what, do, poses in _readings(np.array([v.camera_from_part for v in views]), kind):
        iou = hull_iou([replace(v, camera_from_part=p) for v, p in zip(views, poses, strict=True)])
        if iou > 0 and (best is None or iou > best.iou + 0.02):
            best = Fit(what, do, iou, poses)
    return best


def _readings(poses: np.ndarray, kind: str) -> Iterator[tuple[str, str, np.ndarray]]:
    """What a file's matrices may be instead, what to do to them, and camera_from_part (n, 4, 4) once that is done: each
    right-handed, for a mirrored camera mirrors the world too (silhouettes cannot tell)."""
    axes = _FILES.get(kind)
    written = poses if axes is None else np.linalg.inv(poses) @ axes
    turned = written.copy()
    turned[:, :3, :3] = written[:, :3, :3].transpose(0, 2, 1)
    forward, backward = "camera-to-world", "world-to-camera"
    name = forward if axes is not None else backward
    other = backward if axes is not None else forward
    forms = (
        ("", "", written),
        (f"{other} instead of {name}", "invert every matrix", np.linalg.inv(written)),
        ("with transposed rotations", "transpose the 3x3 rotation of every matrix, its position kept", turned),
    )
    for form, done, matrices in forms:
        for signs in _SIGNS:
            flipped = [i for i in range(3) if signs[i] < 0]
            camera = np.diag([*signs, 1.0])
            found = camera @ matrices if axes is None else np.linalg.inv(matrices @ camera @ axes.T)
            world = _world(found)
            if not form and not flipped and world is None:
                continue
            if world is not None:
                found = found @ np.diag([-1.0 if i == world else 1.0 for i in range(4)])
            names = [_axis(i, axes) for i in flipped]
            what = ", ".join(w for w in (form, _named(names, world is not None)) if w)
            do = ", then ".join(w for w in (done, _negated(flipped, world, axes is None, not form)) if w)
            yield what, do, found


def _world(poses: np.ndarray) -> int | None:
    """The axis of the world that has to be mirrored for right-handed poses: the one that leaves +Z upwards in the
    images; None where they are right-handed."""
    if np.linalg.det(poses[0, :3, :3]) > 0:
        return None
    return 0 if poses[:, 1, 2].mean() <= 0 else 2


def _axis(column: int, axes: np.ndarray | None) -> str:
    return "xyz"[column if axes is None else int(np.abs(axes[:3, column]).argmax())]


def _named(flipped: Sequence[str], mirrored: bool) -> str:
    known = " (OpenGL against OpenCV)" if sorted(flipped) == ["y", "z"] else ""
    camera = f"with {' and '.join(sorted(flipped))} flipped{known}" if flipped else ""
    return " ".join(w for w in (camera, "in a mirrored world" if mirrored else "") if w)


def _negated(flipped: Sequence[int], world: int | None, rows: bool, first: bool) -> str:
    """rows: the camera's axes are rows of the matrices, the world's are columns."""
    camera, room = ("row", "column") if rows else ("column", "row")
    found = []
    if flipped:
        found.append(f"the {' and '.join(_ORDINALS[i] for i in flipped)} {camera}{'s' * (len(flipped) > 1)}")
    if world is not None:
        found.append(f"the {_ORDINALS[world]} {room}")
    return f"negate {' and '.join(found)} of {'every matrix' if first else 'the result'}" if found else ""
