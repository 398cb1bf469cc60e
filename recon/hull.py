"""The visual hull: what all masks leave of space, as a closed mesh.

A point's value in one view is its distance to the mask's outline in pixels, over the focal length and times its depth:
metres, positive inside. The hull is where the least value of all views is positive. Outlines are taken from soft masks
to a fraction of a pixel, so the surface is finer than voxels and pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from scipy.special import ndtri

from core.errors import GeometryError
from recon.capture.model import Capture, View
from recon.capture.pixels import resized, scaled, smaller
from recon.capture.poses import closest_point
from recon.isosurface import isosurface
from recon.standing import Plane, table_under

COARSE = 40
UNSEEN = 1.0e6
BLUR = 0.75
THIN = 0.6
_ROW = 4096


class Outline(NamedTuple):
    """distance: (h, w) float32 pixels to the mask's outline, positive inside. open: the mask reaches the border, so
    what lies outside the photograph is unknown."""

    distance: np.ndarray
    open: bool


@dataclass(frozen=True, eq=False)
class Hull:
    """vertices (n, 3), faces (m, 3): closed, part frame. spacing: of the samples. dropped: volume of each smaller
    piece that was left out, over the kept piece's."""

    vertices: np.ndarray
    faces: np.ndarray
    spacing: float
    dropped: tuple[float, ...]


def outline(mask: np.ndarray) -> Outline:
    """Signed distance to the 0.5 level of a soft mask.

    At pixels that the outline crosses it is read from the slightly blurred mask, which is exact for a straight edge in
    any direction; from there it is measured along the outline's normal to the nearest such pixel. Thin shapes, which a
    blur would eat, move by THIN px at most.
    """
    inside = mask >= 0.5
    border = bool(np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]]).any())
    edge = _crossed(inside)
    if not edge.any():
        return Outline(np.where(inside, UNSEEN, -UNSEEN).astype(np.float32), border)
    blurred = cv2.GaussianBlur(mask, (0, 0), BLUR)
    exact = np.hypot(BLUR, np.sqrt(1 / 12)) * ndtri(np.clip(blurred, 0.01, 0.99))
    exact = np.clip(exact, mask - 0.5 - THIN, mask - 0.5 + THIN).astype(np.float32)
    away, label = cv2.distanceTransformWithLabels(
        (~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(np.asarray(label).max()) + 1, np.int64)
    nearest[np.asarray(label)[edge]] = np.flatnonzero(edge)
    foot = nearest[np.asarray(label)]
    slope = np.stack([cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1)], -1).reshape(-1, 2)
    normal = slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)
    rows, columns = np.divmod(foot, mask.shape[1])
    here = np.indices(mask.shape)
    step = np.abs((here[1] - columns) * normal[foot, 0] + (here[0] - rows) * normal[foot, 1])
    step = np.maximum(step, 0.7 * away)  # round a corner the normal says little
    signed = np.where(inside, step, -step) + exact.ravel()[foot]
    return Outline(signed.astype(np.float32), border)


def _crossed(inside: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels with a neighbour, across or below, on the other side of the outline."""
    edge = np.zeros(inside.shape, bool)
    down, right = inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= right
    edge[:, :-1] |= right
    return edge


def outlines(views: Sequence[View], max_side: int = 512) -> tuple[list[Outline], np.ndarray]:
    """Outlines of the masks made smaller to `max_side`, and their intrinsics (v, 3, 3)."""
    sizes = [smaller(v.size, max_side) for v in views]
    found = [outline(resized(v.mask, s)) for v, s in zip(views, sizes, strict=True)]
    return found, np.array([scaled(v.intrinsics, v.size, s) for v, s in zip(views, sizes, strict=True)])


def depth_inside(points: np.ndarray, view: View, mask: Outline, intrinsics: np.ndarray) -> np.ndarray:
    """(n,) float32: how far points (n, 3) are inside the cone of one mask, in the capture's unit; UNSEEN where the
    photograph cannot tell. Behind the camera counts as outside."""
    to_pixels = (intrinsics @ view.camera_from_part[:3]).astype(np.float32)
    image = points @ to_pixels[:, :3].T + to_pixels[:, 3]
    z = image[:, 2]
    ahead = z > 0
    safe = np.where(ahead, z, 1)
    height, width = mask.distance.shape
    x, y = image[:, 0] / safe - 0.5, image[:, 1] / safe - 0.5
    focal = np.sqrt(intrinsics[0, 0] * intrinsics[1, 1])
    value = _sample(mask.distance, x, y) * (z / np.float32(focal))
    outside = (x < -0.5) | (y < -0.5) | (x > width - 0.5) | (y > height - 0.5)
    if mask.open:
        value[outside] = UNSEEN
    else:
        beyond = np.hypot(x - np.clip(x, 0, width - 1), y - np.clip(y, 0, height - 1)) * z / focal
        value[outside] = np.minimum(value, -beyond)[outside]
    value[~ahead] = -UNSEEN
    return value


def _sample(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear, the border repeated; OpenCV wants two-dimensional maps of bounded size."""
    n = len(x)
    padded = np.zeros((2, -(-n // _ROW) * _ROW), np.float32)
    padded[0, :n], padded[1, :n] = np.clip(x, -2, image.shape[1] + 1), np.clip(y, -2, image.shape[0] + 1)
    found = np.empty(padded.shape[1], np.float32)
    step = 8192 * _ROW
    for start in range(0, padded.shape[1], step):
        px, py = (row[start : start + step].reshape(-1, _ROW) for row in padded)
        found[start : start + step] = cv2.remap(
            image, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ).ravel()
    return found[:n]


class Cones(NamedTuple):
    """The masks' cones, how many of them may cut a point away before it is lost, and the table, below which nothing
    is."""

    views: tuple[View, ...]
    masks: tuple[Outline, ...]
    intrinsics: np.ndarray
    tolerated: int = 0
    table: Plane | None = None


def hull_field(points: np.ndarray, cones: Cones, floor: float) -> np.ndarray:
    """(n,) the least depth inside any mask, the `tolerated` lowest left aside. Points that fall below -`floor` are not
    followed further."""
    lowest = np.full((cones.tolerated + 1, len(points)), UNSEEN, np.float32)
    followed = np.arange(len(points))
    for view, mask, k in zip(cones.views, cones.masks, cones.intrinsics, strict=True):
        value = depth_inside(points[followed], view, mask, k)
        for rank in range(cones.tolerated + 1):
            kept = lowest[rank, followed]
            lowest[rank, followed] = np.minimum(kept, value)
            value = np.maximum(kept, value)
        followed = followed[lowest[-1, followed] > -floor]
    if cones.table is None:
        return lowest[-1]
    return np.minimum(lowest[-1], (points @ cones.table.normal - cones.table.height).astype(np.float32))


def region(views: Sequence[View]) -> np.ndarray:
    """(2, 3) a cube that holds the part: round the point nearest to all masks' central rays, as wide as the masks
    reach there."""
    rays, eyes = [], []
    for view in views:
        rows, columns = np.nonzero(view.mask >= 0.5)
        if not len(rows):
            continue
        pixel = np.array([columns.mean() + 0.5, rows.mean() + 0.5, 1.0])
        way = view.camera_from_part[:3, :3].T @ np.linalg.solve(view.intrinsics, pixel)
        rays.append(way / np.linalg.norm(way))
        eyes.append(view.centre)
    if len(rays) < 2:
        raise GeometryError("fewer than two masks hold a part", "masks of the part", "check the masks")
    centre = closest_point(np.array(eyes), np.array(rays))
    reach = [_reach(view, centre) for view in views]
    half = 1.3 * float(np.max(reach))
    if not np.isfinite(half) or half <= 0:
        raise GeometryError(
            "no point lies before the cameras and inside the masks",
            "cameras that look at the part",
            "check the poses' convention",
        )
    return np.stack([centre - half, centre + half])


def _reach(view: View, centre: np.ndarray) -> float:
    """How far the mask extends from a point, at the point's depth; 0 where the point is behind the camera."""
    pixel, z = view.project(centre[None])
    rows, columns = np.nonzero(view.mask >= 0.5)
    if z[0] <= 0 or not len(rows):
        return 0.0
    away = np.hypot(columns + 0.5 - pixel[0, 0], rows + 0.5 - pixel[0, 1]).max()
    return float(away * z[0] / min(view.intrinsics[0, 0], view.intrinsics[1, 1]))


def carve(
    capture: Capture, resolution: int = 128, *, views: Sequence[View] | None = None, mask_side: int = 512
) -> Hull:
    """Hull of the training views (or of `views`), `resolution` samples along the longest side of its bounds.

    Coarse first: the bounds are found on a grid of 40, grown while the hull touches them; then only samples near the
    coarse surface are computed. GeometryError where the masks leave nothing.
    """
    return carve_views(capture.training if views is None else views, resolution, mask_side=mask_side)


def standing_hull(capture: Capture, resolution: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """The visual hull without the cone that masks leave below the table, where there is a table to be found."""
    hull = carve(capture, resolution)
    table = table_under(capture, hull.vertices, hull.faces, hull.spacing)
    if table is not None:
        hull = carve_views(capture.training, resolution, table=table)
    return hull.vertices, hull.faces


def carve_views(
    views: Sequence[View],
    resolution: int = 128,
    *,
    mask_side: int = 512,
    tolerated: int = 0,
    table: Plane | None = None,
) -> Hull:
    """`carve` of any views; a point stays while at most `tolerated` masks cut it away, and above the table."""
    masks, k = outlines(views, mask_side)
    cones = Cones(tuple(views), tuple(masks), k, tolerated, table)
    bounds = _bounds(cones)
    lower, spacing, shape = _grid(bounds, resolution)
    field = _fine(lower, spacing, shape, cones)
    vertices, faces = isosurface(-field, lower, lower + spacing * (np.array(shape) - 1))
    vertices, faces, dropped = _pieces(vertices, faces)
    return Hull(vertices, faces, spacing, dropped)


def visual_hull(
    capture: Capture, resolution: int = 128, *, views: Sequence[View] | None = None, mask_side: int = 512
) -> tuple[np.ndarray, np.ndarray]:
    """`carve`, only its vertices (n, 3) float64 and faces (m, 3) int32."""
    hull = carve(capture, resolution, views=views, mask_side=mask_side)
    return hull.vertices, hull.faces


def _points(lower: np.ndarray, spacing: float, shape: Sequence[int]) -> np.ndarray:
    axes = [lower[i] + spacing * np.arange(shape[i]) for i in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)


def _bounds(cones: Cones) -> np.ndarray:
    """(2, 3) of the hull, from a coarse grid, with a margin of one of its cells."""
    cube = region(cones.views)
    for _ in range(4):
        spacing = float(cube[1, 0] - cube[0, 0]) / (COARSE - 1)
        field = hull_field(_points(cube[0], spacing, (COARSE,) * 3), cones, 2 * spacing)
        filled = np.argwhere(field.reshape((COARSE,) * 3) > -0.5 * spacing)
        if not len(filled):
            raise GeometryError(
                "the masks leave nothing of the part when all views are carved",
                "masks and poses of one still part",
                "check the masks, and the poses' convention",
            )
        first, last = filled.min(0), filled.max(0)
        if (first > 0).all() and (last < COARSE - 1).all():
            break
        half = 0.5 * (cube[1] - cube[0])
        cube = np.stack([cube[0] - 0.5 * half, cube[1] + 0.5 * half])
    return np.stack([cube[0] + spacing * (first - 1), cube[0] + spacing * (last + 1)])


def _grid(bounds: np.ndarray, resolution: int) -> tuple[np.ndarray, float, tuple[int, int, int]]:
    """Lower corner, spacing and sample counts of an even grid over the bounds, with two samples of margin."""
    extent = bounds[1] - bounds[0]
    spacing = float(extent.max()) / max(resolution - 1, 1)
    count = np.ceil(extent / spacing).astype(int) + 5
    lower = bounds.mean(0) - spacing * (count - 1) / 2
    return lower, spacing, (int(count[0]), int(count[1]), int(count[2]))


def _fine(
    lower: np.ndarray,
    spacing: float,
    shape: tuple[int, int, int],
    cones: Cones,
    stride: int = 4,
) -> np.ndarray:
    """The field on the whole grid: exact near its zero, elsewhere spread from every `stride`th sample."""
    coarse_shape = tuple(-(-s // stride) + 1 for s in shape)
    reach = 1.2 * spacing * stride * np.sqrt(3)
    coarse = hull_field(_points(lower, spacing * stride, coarse_shape), cones, 2 * reach)
    blocks = coarse.reshape(coarse_shape)
    for axis in range(3):
        blocks = np.repeat(blocks, stride, axis=axis)
    shift = stride // 2
    field = np.ascontiguousarray(blocks[shift:, shift:, shift:][: shape[0], : shape[1], : shape[2]])
    near = np.flatnonzero(np.abs(field.ravel()) < reach)
    index = np.stack(np.unravel_index(near, shape), -1)
    points = (lower + spacing * index).astype(np.float32)
    field.ravel()[near] = hull_field(points, cones, 2 * spacing)
    for axis in range(3):
        edge = np.moveaxis(field, axis, 0)
        edge[0], edge[-1] = np.minimum(edge[0], -spacing), np.minimum(edge[-1], -spacing)
    # a sample exactly on the surface would give triangles without area
    small = 1e-4 * spacing
    field[np.abs(field) < small] = -small
    return np.clip(field, -4 * spacing, 4 * spacing)


def _pieces(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """The piece of the greatest volume, and the other outer pieces' volumes over it. Inner voids are filled: no mask
    can show one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not len(faces):
        raise GeometryError(
            "the masks leave nothing of the part", "masks and poses of one still part", "check masks and poses"
        )
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(vertices),) * 2)
    count, label = connected_components(graph, directed=False)
    of_face = label[faces[:, 0]]
    t = vertices[faces] - vertices.mean(0)
    volumes = np.bincount(of_face, np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])) / 6, minlength=count)
    best = int(np.argmax(volumes))
    if volumes[best] <= 0:
        raise GeometryError("the hull has no volume", "masks and poses of one still part", "check masks and poses")
    used, inverse = np.unique(faces[of_face == best], return_inverse=True)
    others = sorted((float(v / volumes[best]) for i, v in enumerate(volumes) if i != best and v > 0), reverse=True)
    return vertices[used], inverse.reshape(-1, 3).astype(np.int32), tuple(others)
