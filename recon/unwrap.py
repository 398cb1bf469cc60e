"""A flat atlas of a fitted mesh: texture coordinates by corner, apart from the index of positions, and its texels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from recon.raster import rasterizer
from recon.raster.protocol import Topology

PIECE = 2000
"""Faces that are flattened together: larger ones take xatlas more than linear time, and very large ones its stack."""
PADDING = 4
"""Texels between charts, about."""
FILL = 0.5
"""Share of the map that charts cover, about."""
SMOOTH = 4
"""Rounds of smoothing before faces are grouped and flattened: noise of the fit would break up into specks."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """uv: (m, 3, 2) by corner, origin at the lower left, in [0, 1]; some charts lie mirrored. size: of the square map,
    texels.

    face: (size, size) int32, the face under each texel's centre, -1 for none, row 0 at v = 1. bary: (size, size, 3).
    """

    uv: np.ndarray
    size: int
    face: np.ndarray
    bary: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(size, size) bool."""
        return self.face >= 0


def unwrap(vertices: np.ndarray, faces: np.ndarray, size: int) -> Atlas:
    """Charts of a mesh packed into a square map. The same mesh gives the same atlas. Angles are kept (xatlas)."""
    uv = _charts(np.asarray(vertices, np.float32), np.asarray(faces), size)
    face, bary = _texels(uv, size)
    return Atlas(uv, size, face, bary)


def size_for(vertices: np.ndarray, faces: np.ndarray, pixel_m: float, least: int = 256, most: int = 2048) -> int:
    """The power of two at which a texel is no larger than a pixel on the surface, pixel_m wide."""
    t = vertices[faces]
    area = np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum() / 2
    side = np.sqrt(area / FILL) / max(pixel_m, 1e-12)
    return int(np.clip(2 ** np.ceil(np.log2(max(side, 1.0))), least, most))


def pieces(vertices: np.ndarray, faces: np.ndarray, most: int = PIECE) -> list[np.ndarray]:
    """Faces grouped by the axis that the surface about them looks along, each group halved along its longest side
    until it is small."""
    key, centre = _facing(vertices, faces), vertices[faces].astype(np.float64).mean(1)
    waiting, done = [np.flatnonzero(key == k) for k in range(5, -1, -1)], []
    while waiting:
        piece = waiting.pop()
        if len(piece) > most:
            along = centre[piece, int(np.ptp(centre[piece], axis=0).argmax())]
            order = piece[np.argsort(along, kind="stable")]
            waiting += [np.sort(order[len(order) // 2 :]), np.sort(order[: len(order) // 2])]
        elif len(piece):
            done.append(piece)
    return done


def _facing(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(m,) 0 to 5: the signed axis nearest to the normal, after both have been smoothed over their neighbours: every
    ragged border is a seam."""
    t = vertices[faces].astype(np.float64)
    normal = np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0])
    normal /= max(float(np.linalg.norm(normal, axis=1).max()), 1e-30)
    corner, count = faces.ravel(), len(vertices)
    for _ in range(SMOOTH):
        total = np.stack([np.bincount(corner, np.repeat(normal[:, k], 3), count) for k in range(3)], axis=1)
        normal = total[faces].sum(1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-30)
    axis = np.abs(normal).argmax(1)
    key = 2 * axis + (np.take_along_axis(normal, axis[:, None], 1)[:, 0] > 0)
    for _ in range(SMOOTH):
        votes = np.stack([np.bincount(corner, np.repeat(key == k, 3).astype(float), count) for k in range(6)], axis=1)
        key = votes[faces].sum(1).argmax(1)
    return key


def _relaxed(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(n, 3) float32: vertices drawn to the middle of the faces about them."""
    corner, count = faces.ravel(), len(vertices)
    share = 1 / np.maximum(np.bincount(corner, minlength=count), 1)[:, None]
    for _ in range(SMOOTH):
        middle = np.repeat(vertices[faces].mean(1), 3, axis=0)
        vertices = share * np.stack([np.bincount(corner, middle[:, k], count) for k in range(3)], axis=1)
    return vertices.astype(np.float32)


def _charts(vertices: np.ndarray, faces: np.ndarray, size: int) -> np.ndarray:
    import xatlas

    t = vertices[faces].astype(np.float64)
    area = float(np.linalg.norm(np.cross(t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]), axis=1).sum() / 2)
    unit = _relaxed(vertices, faces) / np.float32(max(np.sqrt(area), 1e-30))  # xatlas takes lengths for what they are
    atlas, groups = xatlas.Atlas(), pieces(vertices, faces)
    for group in groups:
        used, index = np.unique(faces[group], return_inverse=True)
        atlas.add_mesh(unit[used], index.reshape(-1, 3).astype(np.uint32))
    charts, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charts.max_iterations = 1
    packing.padding, packing.bilinear, packing.texels_per_unit = PADDING, True, size * FILL**0.5
    atlas.generate(charts, packing, False)
    extent = np.array([atlas.width, atlas.height], float)
    uv = np.empty((len(faces), 3, 2))
    for number, group in enumerate(groups):
        _, index, local = atlas.get_mesh(number)
        uv[group] = local[index] * extent
    return uv / extent.max()


def _texels(uv: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The face and barycentric coordinates at every texel's centre: the atlas seen square on by a far camera."""
    corners = np.c_[uv[..., 0].ravel() * size, (1 - uv[..., 1].ravel()) * size, np.ones(3 * len(uv))]
    flat = np.arange(3 * len(uv), dtype=np.int32).reshape(-1, 3)
    alone = Topology(torch.as_tensor(flat), torch.full((len(uv), 3), -1, dtype=torch.int32))
    found = rasterizer("warp").rasterize(torch.tensor(corners, dtype=torch.float32), alone, (size, size))
    bary = found.bary.numpy().astype(np.float64)
    return found.face.numpy().astype(np.int32), bary / np.maximum(bary.sum(-1, keepdims=True), 1e-12)
