"""Square windows round a mask at a backend's sizes, such that a defect spans enough cells of it; there and back."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from defects.generative.painter import Crop

CONTEXT = 1.5
"""Side of a window over the mask's longer side, until the surroundings are SURROUNDINGS_PX wide on both sides."""
SURROUNDINGS_PX = 32
CELLS = 2.0
"""Cells of the backend across the thinnest part of a mask, where a window can give them."""
MAGNIFY = 8.0
"""Greatest magnification; beyond it a photograph has nothing to say."""
TILES = 12
"""Longest row of tiles along a thin mask; past it the mask is painted coarser instead."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a photograph's mask, kept in its own box: a photograph may have thousands. y, x: of the box's first
    pixel. mask: (box height, box width) bool, with something in its first and last row and column."""

    y: int
    x: int
    mask: np.ndarray

    @property
    def rows(self) -> slice:
        return slice(self.y, self.y + self.mask.shape[0])

    @property
    def columns(self) -> slice:
        return slice(self.x, self.x + self.mask.shape[1])


@dataclass(frozen=True, eq=False)
class Window:
    """A square of the photograph. x, y: of its first pixel, may lie outside. side: photograph pixels. size: of the
    crop, pixels. piece: what this window paints."""

    x: int
    y: int
    side: int
    size: int
    piece: Piece

    @property
    def scale(self) -> float:
        """Crop pixels a photograph pixel."""
        return self.size / self.side

    def whole_mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """What this window paints, as (h, w) bool of a photograph of that shape."""
        out = np.zeros(shape[:2], bool)
        out[self.piece.rows, self.piece.columns] = self.piece.mask
        return out

    def own_mask(self) -> np.ndarray:
        """What this window paints, (side, side) bool."""
        piece, out = self.piece, np.zeros((self.side, self.side), bool)
        h, w = piece.mask.shape
        out[piece.y - self.y : piece.y - self.y + h, piece.x - self.x : piece.x - self.x + w] = piece.mask
        return out


def windows(mask: np.ndarray, sizes: Sequence[int], cell: int = 1) -> list[Window]:
    """Windows that paint every pixel of `mask` (h, w) exactly once, in the order in which they are to be painted.

    sizes: sides of crops that a backend paints, ascending, see `Painter`. Pieces near each other share a window. It is
    as many photograph pixels wide as the first of them that holds the mask and its surroundings, so that nothing is
    resampled, unless the mask is larger than any, which shrinks it, or too thin for `cell`, which magnifies it; a long
    thin mask is tiled.
    """
    return [w for piece in _pieces(mask, sizes[0]) for w in _windows_of(piece, mask.shape, sizes, cell)]


def _windows_of(piece: Piece, shape: tuple[int, ...], sizes: Sequence[int], cell: int) -> Iterator[Window]:
    h, w = piece.mask.shape
    long = max(h, w)
    thin, size, most = thickness(piece.mask), sizes[0], sizes[-1]
    whole = int(np.ceil(min(CONTEXT * long, long + 2 * SURROUNDINGS_PX))) + 4
    wanted = int(np.clip(size * thin / (CELLS * cell), size / MAGNIFY, size))
    holding = [s for s in sizes if s * wanted >= whole * size]
    if holding:
        yield _window(piece, shape, round(holding[0] * wanted / size), holding[0])
        return
    core = max(1, int(wanted / CONTEXT) - 4)
    tiles = list(_tiles(piece, -(-h // core), -(-w // core)))
    # a window keeps a defect whole, and may be up to two times coarser for it than wished for
    if 2 * thin * most >= CELLS * cell * whole or len(tiles) > TILES:
        yield _window(piece, shape, whole, most)
        return
    for tile in tiles:
        yield _window(tile, shape, wanted, size)


def _tiles(piece: Piece, rows: int, columns: int) -> Iterator[Piece]:
    """Those of a grid of so many rows and columns that hold something."""
    h, w = piece.mask.shape
    ys = np.linspace(piece.y, piece.y + h, rows + 1).round().astype(int) - piece.y
    xs = np.linspace(piece.x, piece.x + w, columns + 1).round().astype(int) - piece.x
    for top, bottom in itertools.pairwise(ys):
        for left, right in itertools.pairwise(xs):
            if piece.mask[top:bottom, left:right].any():
                yield _tight(piece.mask[top:bottom, left:right], piece.y + int(top), piece.x + int(left))


def _tight(mask: np.ndarray, y: int, x: int) -> Piece:
    y0, y1, x0, x1 = bounds(mask)
    return Piece(y + y0, x + x0, mask[y0:y1, x0:x1].copy())


def _window(piece: Piece, shape: tuple[int, ...], side: int, size: int) -> Window:
    """Centred on the piece, moved into the photograph where that is large enough."""
    (tall, wide), (h, w) = piece.mask.shape, shape[:2]
    x, y = (2 * piece.x + wide - side) // 2, (2 * piece.y + tall - side) // 2
    x = min(max(x, 0), w - side) if side <= w else (w - side) // 2
    y = min(max(y, 0), h - side) if side <= h else (h - side) // 2
    return Window(x, y, side, size, piece)


def _pieces(mask: np.ndarray, size: int) -> Iterator[Piece]:
    """Connected pieces; those whose windows would show each other anyway stay together."""
    reach = max(2, size // 16)
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1,) * 2, np.uint8))
    _, label = cv2.connectedComponents(near, connectivity=8)
    for k, (rows, columns) in enumerate(ndimage.find_objects(label), 1):
        yield _tight(mask[rows, columns] & (label[rows, columns] == k), rows.start, columns.start)


def bounds(mask: np.ndarray) -> tuple[int, int, int, int]:
    """y0, y1, x0, x1, half open, of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def thickness(mask: np.ndarray) -> float:
    """Pixels across, where a mask is typically thick: the upper quartile of its ridge's width."""
    y0, y1, x0, x1 = bounds(mask)
    inside = np.pad(mask[y0:y1, x0:x1], 1)
    depth = np.asarray(ndimage.distance_transform_edt(inside))
    ridge = (depth == ndimage.maximum_filter(depth, 3)) & inside
    return float(max(1.0, 2 * np.quantile(depth[ridge], 0.75) - 1))


def cut(image: np.ndarray, window: Window, mode: str = "symmetric") -> np.ndarray:
    """The window of (h, w, ...) at the photograph's scale; beyond the photograph mirrored, or False for "constant"."""
    h, w = image.shape[:2]
    y, x, s = window.y, window.x, window.side
    inner = image[max(y, 0) : min(y + s, h), max(x, 0) : min(x + s, w)]
    around = [(max(-y, 0), max(y + s - h, 0)), (max(-x, 0), max(x + s - w, 0))]
    pads = around + [(0, 0)] * (image.ndim - 2)
    return np.pad(inner, pads, mode=mode) if any(p for pair in around for p in pair) else inner  # type: ignore[call-overload]


def crop_of(image: np.ndarray, part: np.ndarray, window: Window, mm_per_px: float) -> Crop:
    """What a backend sees. image: (h, w, 3) uint8. A shrunk mask keeps every pixel that it touches (max pooling)."""
    pixels = cut(image, window).astype(np.float32) / 255
    mask, on = window.own_mask(), cut(part, window, "edge")
    return Crop(
        image=np.clip(resized(pixels, window.size), 0, 1),
        mask=pooled(mask, window.size),
        part=pooled(on, window.size),
        mm_per_px=mm_per_px / window.scale,
    )


def put_back(change: np.ndarray, canvas: np.ndarray, window: Window) -> np.ndarray:
    """A change (size, size, 3) of the crop, at the photograph's scale, in a (h, w, 3) float32 array that is 0 beyond
    the window. canvas: only its shape is used."""
    h, w = canvas.shape[:2]
    here = resized(change, window.side)
    out = np.zeros((h, w, 3), np.float32)
    y, x, s = window.y, window.x, window.side
    y0, y1, x0, x1 = max(y, 0), min(y + s, h), max(x, 0), min(x + s, w)
    out[y0:y1, x0:x1] = here[y0 - y : y1 - y, x0 - x : x1 - x]
    return out


def resized(image: np.ndarray, size: int) -> np.ndarray:
    """Square (n, n, ...) -> (size, size, ...) float32: cubic where it grows, mean over the area where it shrinks."""
    if image.shape[0] == size:
        return np.ascontiguousarray(image, np.float32)
    how = cv2.INTER_CUBIC if size > image.shape[0] else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(image, np.float32), (size, size), interpolation=how)


def pooled(mask: np.ndarray, size: int) -> np.ndarray:
    """Square bool (n, n) -> (size, size): true where a pixel touches anything true. Never loses a thin mask."""
    n = mask.shape[0]
    if n == size:
        return mask.copy()
    if n > size:
        return cv2.resize(mask.astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) > 1e-6
    at = np.minimum(((np.arange(size) + 0.5) * n / size).astype(int), n - 1)
    return mask[at][:, at]
