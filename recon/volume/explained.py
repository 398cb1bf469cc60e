"""How well a signed grid explains the photographs and their masks, place by place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from scipy.spatial import KDTree

from recon.capture.model import View
from recon.fit.picture import picture, pixel_errors
from recon.fit.problem import Target, UnitFrame
from recon.raster.protocol import Fragments, Rasterizer
from recon.volume.field import joined
from recon.volume.flexicubes import Dual
from recon.volume.settings import VolumeSettings
from recon.volume.shape import Shadows, Volume, estimate_of
from recon.workers import each

NEAR = 2.0
"""Cells from a candidate's samples within which a surface is the candidate's."""
SLIT = 4
"""Pixels of backdrop that may be a hole; fewer are a mask's noise, and the rays of two such specks cross anywhere."""


@torch.no_grad()
def vertex_errors(
    volume: Volume, views: list[Target], settings: VolumeSettings, rasterizer: Rasterizer
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """points (n, 3) of the surface's vertices, unit frame; the sum of the pixels' errors at each (n,), and how many
    pixels they are (n,), shared among a face's three by where in it the pixel lies."""
    dual, errors, count = volume.surface(), 0.0, 0.0
    n = len(dual.vertices)
    for _, error, fragments in _pictures(volume, dual, views, settings, rasterizer):
        shown = fragments.covered
        corner = dual.faces[fragments.face[shown].long()].cpu().numpy().reshape(-1)
        share = fragments.bary[shown].cpu().numpy().astype(np.float64)
        of_pixel = error[shown].cpu().numpy().astype(np.float64)
        errors = errors + np.bincount(corner, (share * of_pixel[:, None]).reshape(-1), n)
        count = count + np.bincount(corner, share.reshape(-1), n)
    return dual.vertices.cpu().numpy().astype(np.float64), np.asarray(errors), np.asarray(count)


@torch.no_grad()
def seen_through(volume: Volume, frame: UnitFrame, views: Sequence[View], rasterizer: Rasterizer) -> np.ndarray:
    """(samples,) how many photographs show the backdrop where a sample is. Asked are pixels that the surface covers, a
    cell and more inside its outlines, at the photographs' own size: through a hole they may see a slit of a few."""
    dual, grid = volume.surface(), volume.grid
    net = joined(dual.faces, len(dual.vertices))
    vertices = frame.part(dual.vertices.cpu().numpy().astype(np.float64))
    points, cell = frame.part(grid.points().numpy().astype(np.float64)), grid.step * frame.radius
    count = np.zeros(len(points), int)
    for view in views:
        camera = view.intrinsics @ view.camera_from_part[:3]
        placed = torch.as_tensor(_projected(vertices, camera), dtype=torch.float32, device=dual.vertices.device)
        covered = rasterizer.rasterize(placed, net, view.size).covered.cpu().numpy()
        at = _projected(points, camera)
        cell_px = cell * view.intrinsics[0, 0] / at[:, 2]
        wrong = (_away_from(~covered) > float(np.median(cell_px))) & _without_specks(view.mask < 0.5)
        if wrong.any():
            away = _away_from(wrong)
            x, y = np.floor(at[:, :2] / at[:, 2:]).astype(int).T
            within = (x >= 0) & (y >= 0) & (x < view.size[1]) & (y < view.size[0])
            count[within] += away[y[within], x[within]] <= 0.5 * cell_px[within]
    return count


def _without_specks(backdrop: np.ndarray) -> np.ndarray:
    """(h, w) bool: its regions of SLIT pixels and more."""
    found: Any = cv2.connectedComponentsWithStats(backdrop.astype(np.uint8), connectivity=8)
    _, label, facts, _ = found
    return backdrop & (facts[label, cv2.CC_STAT_AREA] >= SLIT)


def _away_from(pixels: np.ndarray) -> np.ndarray:
    """(h, w) distance to the nearest of them, bool."""
    return cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def _projected(points: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """(n, 3) homogeneous pixels of points (n, 3) by a camera (3, 4)."""
    return points @ camera[:, :3].T + camera[:, 3]


@torch.no_grad()
def compared(
    closed: Volume,
    opened: Volume,
    found: list[np.ndarray],
    views: list[Target],
    settings: VolumeSettings,
    rasterizer: Rasterizer,
) -> list[tuple[float, float]]:
    """For every candidate (samples,) the mean error with it and without it, over the pixels that show it in `closed`:
    elsewhere the two differ by the noise of their fits."""
    trees = [KDTree(closed.grid.points().numpy()[one]) for one in found]
    dual = closed.surface()
    with_it, masks = np.zeros(len(found)), []
    for points, error, fragments in _pictures(closed, dual, views, settings, rasterizer):
        at = points.cpu().numpy()
        near = [np.isfinite(tree.query(at, distance_upper_bound=NEAR * closed.grid.step)[0]) for tree in trees]
        masks.append([fragments.covered & torch.as_tensor(one, device=error.device) for one in near])
        with_it += [float(error[mask].sum()) for mask in masks[-1]]
    without_it = np.zeros(len(found))
    drawn = _pictures(opened, opened.surface(), views, settings, rasterizer)
    for (_, error, _), shown in zip(drawn, masks, strict=True):
        without_it += [float(error[mask].sum()) for mask in shown]
    count = np.maximum([sum(int(shown[k].sum()) for shown in masks) for k in range(len(found))], 1)
    return list(zip((with_it / count).tolist(), (without_it / count).tolist(), strict=True))


def _pictures(
    volume: Volume, dual: Dual, views: list[Target], settings: VolumeSettings, rasterizer: Rasterizer
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Fragments]]:
    """Of every view what is seen: points (h, w, 3), the errors of colour and mask (h, w), and the fragments."""
    net = joined(dual.faces, len(dual.vertices))
    shadows = Shadows(dual.vertices, net, views, volume.grid.step)
    estimate = estimate_of(dual.vertices, net, volume.unknowns_at(dual.vertices), shadows, volume.paint)

    def drawn(view: Target) -> tuple[torch.Tensor, torch.Tensor, Fragments]:
        with torch.no_grad():
            seen, fragments = picture(estimate, view, net, rasterizer)
            colour, mask = pixel_errors(seen, view)
            points = rasterizer.interpolate(dual.vertices, net.faces, fragments)
        return points, colour + settings.loss.mask_weight * mask, fragments

    yield from each(drawn, views)
