"""Does one light on one surface explain the photographs? How much of what differs in them a fit explains, and whether
the light changed on the way."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from core.colour import srgb_from_linear
from recon.capture.model import Capture, View
from recon.capture.pixels import resized, scaled, smaller
from recon.raster.protocol import Topology
from recon.raster.warp_backend import WarpRasterizer
from recon.result import Reconstruction, Shading
from recon.shading import vertex_normals

SIDE = 128
LEAST_CONTRAST = 0.06
"""sRGB rms below which a part is as good as evenly bright: what a fit leaves there is measured against this."""
FEWEST = 3
"""Photographs on either side of a change."""
CHANGED = 0.10
"""Share of the error that a change of the light explains. A lamp that was moved gives 0.16 and more, one that stood
0.00 to 0.06."""
RING_RAD = np.deg2rad(4)


@dataclass(frozen=True)
class Lighting:
    """explained: 1 - the fit's squared error over the photographs' variance on the part, sRGB, all views. change: share
    of the remaining squared error that goes when the light may differ before and after one photograph. change_srgb: rms
    of that difference. after: name of the first photograph under the other light, none where there are too few."""

    explained: float
    change: float
    change_srgb: float
    after: str | None


def lighting(capture: Capture, found: Reconstruction) -> Lighting:
    """A lamp's light on a surface depends smoothly on its normal in the room (Ramamoorthi, Hanrahan: An Efficient
    Representation for Irradiance Environment Maps, 2001; nine spherical harmonics), and on a mirror too as long as the
    camera stands still. So the fit's error is regressed on these, once for each height of the camera, and once more
    with a change at every photograph. A fit has one light: where there were two, its error looks like light."""
    rasterizer, topology = WarpRasterizer(), Topology.of(found.faces, len(found.vertices))
    points = torch.tensor(found.vertices, dtype=torch.float32)
    normals = vertex_normals(points, topology.faces.long()).numpy()
    error = variance = 0.0
    sums = []
    for view, pose, shading in zip(capture.views, found.camera_from_part, found.shadings, strict=True):
        model, turned, inside = _rendered(view, pose, shading, found, normals, rasterizer, topology)
        photograph = srgb_from_linear(resized(view.image, (inside.shape[0], inside.shape[1]))[inside])
        left = photograph - srgb_from_linear(np.clip(model, 0, 1))
        error += float((left**2).mean(1).sum())
        variance += float(((photograph - photograph.mean(0)) ** 2).mean(1).sum()) if len(left) else 0.0
        sums.append(_Sums.of(harmonics(turned), left.mean(1)))
    count = max(sum(s.count for s in sums), 1)
    explained = 1 - (error / count) / max(variance / count, LEAST_CONTRAST**2)
    change, difference, first = _changed(sums, _rings(capture))
    return Lighting(explained, change, difference, None if first is None else capture.views[first].name)


def harmonics(normals: np.ndarray) -> np.ndarray:
    """(n, 9) the real spherical harmonics to the second order, without their factors, of unit vectors (n, 3)."""
    x, y, z = normals.T
    return np.stack([np.ones_like(x), x, y, z, x * y, y * z, x * z, x * x - y * y, 3 * z * z - 1], axis=1)


def _rendered(
    view: View,
    pose: np.ndarray,
    shading: Shading,
    found: Reconstruction,
    normals: np.ndarray,
    rasterizer: WarpRasterizer,
    topology: Topology,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fit's radiance (k, 3) and normals in the room (k, 3) at the pixels well inside the part, which (h, w) bool
    marks."""
    size = smaller(view.size, SIDE)
    pixels = scaled(view.intrinsics, view.size, size) @ pose[:3]
    position = torch.tensor((found.vertices @ pixels[:, :3].T + pixels[:, 3]).astype(np.float32))
    fragments = rasterizer.rasterize(position, topology, size)
    colour = (found.albedo * shading.diffuse + shading.specular) * shading.exposure
    values = torch.tensor(np.c_[colour, normals @ view.room_from_part.T].astype(np.float32))
    seen = rasterizer.interpolate(values, topology.faces, fragments).numpy()
    whole = fragments.covered.numpy() & (resized(view.mask, size) > 0.99)
    inside = cv2.erode(whole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    turned = seen[inside][:, 3:6]
    turned = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-9)
    return seen[inside][:, :3], turned, inside


def _rings(capture: Capture) -> np.ndarray:
    """(v,) number of the camera's place in the room: its height over the table, and its session."""
    rise = []
    for view in capture.views:
        away = view.room_from_part @ view.camera_from_part[2, :3]
        rise.append(np.arcsin(np.clip(away[2], -1, 1)))
    order = np.argsort(rise)
    number = np.empty(len(rise), int)
    number[order] = np.r_[0, np.cumsum(np.diff(np.array(rise)[order]) > RING_RAD)]
    return number * len(capture.sessions) + np.array([v.session for v in capture.views])


@dataclass(frozen=True, eq=False)
class _Sums:
    """Normal equations of some views: count, Y^T Y, Y^T e, e^T e."""

    count: int
    matrix: np.ndarray
    right: np.ndarray
    squares: float

    @staticmethod
    def of(basis: np.ndarray, error: np.ndarray) -> _Sums:
        return _Sums(len(error), basis.T @ basis, basis.T @ error, float(error @ error))

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.count + other.count, self.matrix + other.matrix, self.right + other.right, self.squares + other.squares
        )

    def left(self) -> tuple[float, np.ndarray]:
        """Squared error that no light explains, and the light (9,)."""
        ridge = 1e-6 * max(float(np.trace(self.matrix)), 1e-12) * np.eye(9)
        light = np.linalg.solve(self.matrix + ridge, self.right)
        return max(self.squares - float(light @ self.right), 0.0), light


def _changed(sums: list[_Sums], rings: np.ndarray) -> tuple[float, float, int | None]:
    """(share of the error that the best change explains, its rms in sRGB, the first view after it).

    Between two rings a change can only be told from gloss by a light that is common to all rings, which never explains
    as much; so one within a ring is believed first.
    """
    within: tuple[float, float, int | None] = (0.0, 0.0, None)
    between = within
    number = np.arange(len(sums))
    for first in range(FEWEST, len(sums) - FEWEST + 1):
        late = number >= first
        if set(rings[late]) & set(rings[~late]):
            within = max(within, _change(sums, rings, late, first), key=lambda c: c[0])
        else:
            between = max(between, _change(sums, np.zeros_like(rings), late, first), key=lambda c: c[0])
    return within if within[0] > CHANGED else max(within, between, key=lambda c: c[0])


def _change(sums: list[_Sums], groups: np.ndarray, late: np.ndarray, first: int) -> tuple[float, float, int | None]:
    """Of one cut, where each group of views has a light of its own."""
    before = after = gap = 0.0
    for group in np.unique(groups):
        here = groups == group
        left, _ = _total(sums, here).left()
        before += left
        sides = [here & ~late, here & late]
        if not all(s.any() for s in sides):
            after += left
            continue
        (one, early_light), (two, late_light) = (_total(sums, s).left() for s in sides)
        whole, step = _total(sums, here), late_light - early_light
        gap = max(gap, float(np.sqrt(max(step @ whole.matrix @ step, 0) / max(whole.count, 1))))
        after += one + two
    return (1 - after / before if before > 0 else 0.0), gap, first


def _total(sums: list[_Sums], chosen: np.ndarray) -> _Sums:
    picked = [s for s, c in zip(sums, chosen, strict=True) if c]
    total = picked[0]
    for one in picked[1:]:
        total = total + one
    return total
