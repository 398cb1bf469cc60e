"""Which pixels a defect can reach: projected bounds of its surface, padded, merged."""

from __future__ import annotations

import numpy as np

from core.camera import Camera
from core.defect import Defect, DefectedPart
from core.job import Window
from core.mesh import Mesh, barycentric

LABEL_PAD = 3
TWIN_PAD = 8
HALO = 0.15
"""Share of the defect's projected size by which the twin window is wider: contact shadow and close reflection."""


def label_window(camera: Camera, world_from_part: np.ndarray, part: DefectedPart, defect: Defect) -> Window | None:
    """Pixels in which the label of one defect, visible or amodal, can lie; None when wholly outside the frame."""
    points = np.concatenate(
        [_points(mesh, defect) for mesh in {id(m): m for m in (part.clean, part.defected)}.values()]
    )
    return _bounds(camera, points @ world_from_part[:3, :3].T + world_from_part[:3, 3], LABEL_PAD)


def twin_window(camera: Camera, window: Window) -> Window:
    """The label window with room for halo, blur and the light that the defect throws about it."""
    x0, y0, x1, y1 = window
    pad = TWIN_PAD + int(np.ceil(HALO * max(x1 - x0, y1 - y0)))
    return max(0, x0 - pad), max(0, y0 - pad), min(camera.width, x1 + pad), min(camera.height, y1 + pad)


def merged(windows: list[Window], gap: int) -> tuple[Window, ...]:
    """Disjoint boxes that cover `windows`; boxes whose rims (wider by `gap`) touch become one."""
    boxes = sorted(windows)
    again = True
    while again:
        again = False
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                if a[0] < b[2] + gap and b[0] < a[2] + gap and a[1] < b[3] + gap and b[1] < a[3] + gap:
                    both = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
                    boxes = sorted([c for c in boxes if c not in (a, b)] + [both])
                    again = True
                    break
            if again:
                break
    return tuple(boxes)


def _points(mesh: Mesh, defect: Defect) -> np.ndarray:
    """(n, 3) points whose convex pieces cover the label: corners of tagged faces, and the chart's affected box."""
    found = [np.zeros((0, 3))]
    if "defect_tag" in mesh.face:
        found.append(mesh.triangles[mesh.face["defect_tag"] == defect.id].reshape(-1, 3))
    if defect.layers is not None and defect.chart in mesh.corner:
        uv = mesh.corner[defect.chart]
        inside = np.isfinite(uv).all(axis=(1, 2))
        found.append(_clipped(uv[inside], mesh.triangles[inside], *_affected_box(defect)))
    return np.concatenate(found)


def _clipped(uv: np.ndarray, triangles: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(n, 3) corners of the pieces of `triangles` (k, 3, 3) whose chart coordinates (k, 3, 2) lie in a box: corners
    inside, where edges cross the box's lines, and the box's own corners."""
    near = (uv.max(1) >= low).all(1) & (uv.min(1) <= high).all(1)
    uv, triangles = uv[near], triangles[near]
    found = [triangles[((uv >= low) & (uv <= high)).all(2)]]
    for j in range(3):
        a, b = uv[:, j], uv[:, (j + 1) % 3]
        for axis in (0, 1):
            for line in (low[axis], high[axis]):
                with np.errstate(divide="ignore", invalid="ignore"):
                    t = (line - a[:, axis]) / (b[:, axis] - a[:, axis])
                    across = a[:, 1 - axis] + t * (b[:, 1 - axis] - a[:, 1 - axis])
                    hit = (t >= 0) & (t <= 1) & (across >= low[1 - axis]) & (across <= high[1 - axis])
                step = triangles[hit, (j + 1) % 3] - triangles[hit, j]
                found.append(triangles[hit, j] + t[hit, None] * step)
    flat = np.concatenate([uv, np.zeros((len(uv), 3, 1))], axis=2)
    for corner in ((low[0], low[1]), (low[0], high[1]), (high[0], low[1]), (high[0], high[1])):
        weights = barycentric(flat, np.broadcast_to([*corner, 0.0], (len(flat), 1, 3)))[:, 0]
        holds = (weights >= -1e-9).all(1)
        found.append(np.einsum("kc,kcx->kx", weights[holds], triangles[holds]))
    return np.concatenate(found)


def _affected_box(defect: Defect) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the affected zone in the chart, metres."""
    layers = defect.layers
    assert layers is not None
    rows, columns = np.nonzero(np.minimum(layers.affected_m, layers.sdf_m) < 0)
    origin, pitch = np.array(layers.origin_m), layers.pitch_m
    low = origin + (np.array([columns.min(), rows.min()]) - 0.5) * pitch
    return low, origin + (np.array([columns.max(), rows.max()]) + 1.5) * pitch


def _bounds(camera: Camera, points: np.ndarray, pad: int) -> Window | None:
    if not len(points):
        return None
    pixels, depth = camera.project(points)
    if not (depth > 0).any():
        return None
    if not (depth > 0).all():
        return 0, 0, camera.width, camera.height
    x0, y0 = np.floor(pixels.min(0)).astype(int) - pad
    x1, y1 = np.ceil(pixels.max(0)).astype(int) + pad
    box = max(0, int(x0)), max(0, int(y0)), min(camera.width, int(x1)), min(camera.height, int(y1))
    return box if box[0] < box[2] and box[1] < box[3] else None
