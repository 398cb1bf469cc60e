"""A depth for each pixel of each view, within the hull, kept where other views agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from core.colour import srgb_from_linear
from recon.capture.model import View
from recon.capture.pixels import resized, scaled, smaller
from recon.stereo.semiglobal import semiglobal
from recon.stereo.sweep import Photo, likeness
from recon.visibility import Occluder
from recon.workers import each

APART = (np.deg2rad(4.0), np.deg2rad(45.0))
NEIGHBOURS = 5
AGREEING = 3
"""Other views that must hold the same depth, within 1.5 planes."""
OUTSIDE = 2.0
"""Price of a depth that the hull rules out."""
SHALLOW = 2
"""Planes behind the hull that are taken for the hull: shading knows better."""
HULL = 0.15
"""How much more alike photographs must be somewhere behind the hull than on it, to be believed."""


@dataclass(frozen=True, eq=False)
class DepthMap:
    """depth: (h, w) along the camera's axis, NaN where nothing is known. deep: (h, w) bool, clearly behind the hull.
    spacing: between planes."""

    photo: Photo
    depth: np.ndarray
    deep: np.ndarray
    spacing: float


def photo_of(number: int, view: View, max_side: int) -> Photo:
    size = smaller(view.size, max_side)
    image, mask = resized(view.image, size), resized(view.mask, size)
    grey = srgb_from_linear((image * mask[..., None]).mean(-1).clip(0, None))
    k = scaled(view.intrinsics, view.size, size)
    return Photo(
        number,
        torch.from_numpy(grey.astype(np.float32)),
        torch.from_numpy(mask.astype(np.float32)),
        k @ view.camera_from_part[:3],
        view.centre,
    )


def depth_maps(
    views: Sequence[View], vertices: np.ndarray, faces: np.ndarray, max_side: int = 160, planes: int = 100
) -> list[DepthMap]:
    """vertices (n, 3), faces (m, 3): the hull, part frame."""
    photos = [photo_of(i, v, max_side) for i, v in enumerate(views)]
    middle = (vertices.max(0) + vertices.min(0)) / 2
    hull = Occluder.of(vertices, faces)
    spacing = float(np.linalg.norm(vertices.max(0) - vertices.min(0))) / planes
    pairs = [(photo, neighbours(photo, photos, middle)) for photo in photos]
    found = each(lambda pair: _matched(pair[0], pair[1], hull, spacing), [pair for pair in pairs if pair[1]])
    return agreed(found)


def neighbours(photo: Photo, photos: Sequence[Photo], middle: np.ndarray) -> list[Photo]:
    """The nearest by direction from the part's middle, neither too near nor too far for a window to be recognised."""

    def way(p: Photo) -> np.ndarray:
        return (p.eye - middle) / np.linalg.norm(p.eye - middle)

    angles = [(float(np.arccos(np.clip(way(photo) @ way(p), -1, 1))), p) for p in photos if p is not photo]
    near = sorted(((a, p.number, p) for a, p in angles if APART[0] <= a <= APART[1]), key=lambda e: e[:2])
    return [p for _, _, p in near[:NEIGHBOURS]]


def _matched(photo: Photo, others: list[Photo], hull: Occluder, spacing: float) -> DepthMap:
    near, far = hull_range(photo, hull)
    inside = np.isfinite(near)
    deepest = int(np.ceil(np.nanmax(far - near) / spacing)) + 1
    behind = np.arange(deepest)[:, None, None] * spacing
    depths = np.where(inside, near, np.nanmean(near)) + behind
    cost = 1 - likeness(photo, others, depths).numpy()
    cost[1:] += HULL
    with np.errstate(invalid="ignore"):
        allowed = behind <= np.maximum(far - near, 0) + spacing
    cost = np.where(allowed | ~inside, cost, OUTSIDE).astype(np.float32)
    grey = photo.grey.numpy()
    slope = np.hypot(*np.gradient(grey))
    summed = semiglobal(cost, np.clip(slope / 0.1, 0, 1))
    best = summed.argmin(0)
    depth = near + np.where(best > SHALLOW, spacing * (best + _between(summed, best)), 0)
    return DepthMap(photo, np.where(inside, depth, np.nan), inside & (best > SHALLOW), spacing)


def _between(cost: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Where a parabola through the best plane and its two neighbours is least, in planes."""
    middle = np.clip(best, 1, len(cost) - 2)[None]
    a, b, c = (np.take_along_axis(cost, middle + k, 0)[0] for k in (-1, 0, 1))
    bend = a - 2 * b + c
    shift = np.where(bend > 1e-9, 0.5 * (a - c) / np.maximum(bend, 1e-9), 0.0)
    return np.where(middle[0] == best, np.clip(shift, -0.5, 0.5), 0.0)


def hull_range(photo: Photo, mesh: Occluder) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) least and greatest depth of a closed mesh along each pixel's ray, NaN where it meets none."""
    rays = photo.rays().reshape(-1, 3)
    beyond = 2 * mesh.farthest(photo.eye)
    length = np.linalg.norm(rays, axis=1)
    eyes = np.broadcast_to(photo.eye, rays.shape)
    ways = rays / length[:, None]
    near = mesh.distances(eyes, ways)
    far = beyond - mesh.distances(eyes + ways * beyond, -ways)
    return (near / length).reshape(photo.size), (far / length).reshape(photo.size)


def agreed(maps: list[DepthMap]) -> list[DepthMap]:
    """The same, only where at least AGREEING other views hold the same depth."""
    result = []
    for one in maps:
        rays = one.photo.rays()
        points = one.photo.eye + rays * one.depth[..., None]
        count = np.zeros(one.depth.shape, int)
        for other in maps:
            if other is one:
                continue
            at = points @ other.photo.pixels[:, :3].T + other.photo.pixels[:, 3]
            with np.errstate(invalid="ignore", divide="ignore"):
                x, y = np.floor(at[..., 0] / at[..., 2]), np.floor(at[..., 1] / at[..., 2])
            h, w = other.depth.shape
            good = np.isfinite(x) & (x >= 0) & (y >= 0) & (x < w) & (y < h) & (at[..., 2] > 0)
            there = np.full(one.depth.shape, np.nan)
            there[good] = other.depth[y[good].astype(int), x[good].astype(int)]
            with np.errstate(invalid="ignore"):
                count += np.abs(there - at[..., 2]) < 1.5 * one.spacing
        kept = count >= AGREEING
        result.append(replace(one, depth=np.where(kept, one.depth, np.nan), deep=one.deep & kept))
    return result
