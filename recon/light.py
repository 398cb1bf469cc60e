"""The room's light on a grid of directions that a turntable maps onto itself.

Bands of equal solid angle about the table's axis, each cut into equal steps of azimuth: a turn of the table shifts
every band in a circle, and a turn between two steps shares each cell between its two neighbours, so no light is lost or
made however the part stands. Radiance is kept on the fine grid; shadows and diffuse light use cells of 2 x 2 of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from core.arrays import frozen

FINE = (16, 48)
COARSE = (FINE[0] // 2, FINE[1] // 2)


def directions(grid: tuple[int, int]) -> np.ndarray:
    """(bands * steps, 3) unit centres, band by band from the pole +Z down."""
    bands, steps = grid
    z = 1 - (2 * np.arange(bands) + 1) / bands
    azimuth = (np.arange(steps) + 0.5) / steps * 2 * np.pi - np.pi
    radius = np.sqrt(1 - z**2)
    x = radius[:, None] * np.cos(azimuth)[None]
    y = radius[:, None] * np.sin(azimuth)[None]
    return np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], -1).reshape(-1, 3)


def taps(wanted: np.ndarray, grid: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (n, 3) -> cells (n, 4) of the grid and their bilinear weights (n, 4), which sum to 1."""
    bands, steps = grid
    row = np.clip((1 - wanted[:, 2]) / 2 * bands - 0.5, 0, bands - 1)
    column = (np.arctan2(wanted[:, 1], wanted[:, 0]) + np.pi) / (2 * np.pi) * steps - 0.5
    top, left = np.minimum(row.astype(int), bands - 2), np.floor(column).astype(int)
    v, u = row - top, column - left
    cells = [(top + i) * steps + (left + j) % steps for i in (0, 1) for j in (0, 1)]
    weights = [(v if i else 1 - v) * (u if j else 1 - u) for i in (0, 1) for j in (0, 1)]
    return np.stack(cells, 1), np.stack(weights, 1)


@dataclass(frozen=True, eq=False)
class Frames:
    """How one view's part stands in the room's grid.

    part_from_grid: (3, 3) the session's own grid of directions, in the part's frame (shadows are kept on it).
    room_grid_from_part: (3, 3) the part's directions in the grid of the room's light.
    gather: (coarse cells, fine cells) radiance on the part's coarse grid from the room's fine one; rows sum to 1.
    cells, weights: (fine cells, 4) the same on the part's fine grid, as taps.
    """

    part_from_grid: np.ndarray
    room_grid_from_part: np.ndarray
    gather: np.ndarray
    cells: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        shapes = {"part_from_grid": (3, 3), "room_grid_from_part": (3, 3), "gather": (None, None)}
        for name, shape in {**shapes, "cells": (None, 4), "weights": (None, 4)}.items():
            dtype = {"gather": np.float32, "cells": np.int64}.get(name, np.float64)
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, shape, name))


def frames(room_from_part: np.ndarray, session_room_from_part: np.ndarray, axis: np.ndarray | None) -> Frames:
    """room_from_part: (3, 3) of the view, session_room_from_part: of its session's first view. axis: the table's, in
    the part's frame (None: the part lay still, any axis serves)."""
    up = session_room_from_part @ (np.array([0.0, 0.0, 1.0]) if axis is None else axis)
    grid_from_room = upright(up)
    part_from_grid = (grid_from_room @ session_room_from_part).T
    room_grid_from_part = grid_from_room @ room_from_part
    turned = directions(FINE) @ (room_grid_from_part @ part_from_grid).T
    cells, weights = taps(turned, FINE)
    fine = np.zeros((len(turned), len(turned)))
    np.add.at(fine, (np.arange(len(turned))[:, None], cells), weights)
    pooled = fine.reshape(COARSE[0], 2, COARSE[1], 2, -1).mean((1, 3)).reshape(-1, len(turned))
    return Frames(part_from_grid, room_grid_from_part, pooled, cells, weights)


def upright(up: np.ndarray) -> np.ndarray:
    """(3, 3) rotation that takes the unit vector `up` to +Z, by the shortest way."""
    up = np.asarray(up, float) / np.linalg.norm(up)
    axis = np.cross(up, [0.0, 0.0, 1.0])
    if up[2] < -1 + 1e-12:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + cross + cross @ cross / (1 + up[2])


def lobes(sharpness: torch.Tensor, grid: tuple[int, int] = FINE) -> torch.Tensor:
    """(cells, cells) rows that sum to 1: a von Mises-Fisher lobe of that sharpness about each cell's direction."""
    centres = torch.as_tensor(directions(grid), dtype=torch.float32, device=sharpness.device)
    weights = torch.exp(sharpness * (centres @ centres.T - 1))
    return weights / weights.sum(1, keepdim=True)


def equirectangular(radiance: np.ndarray, grid_from_room: np.ndarray, height: int = 64) -> np.ndarray:
    """Values of the fine cells (cells, k), radiance for one -> (height, 2 height, k), room frame: row 0 looks along +Z,
    columns from azimuth -pi to pi. grid_from_room: (3, 3), `upright` of the table's axis in the room."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    azimuth = (np.arange(2 * height) + 0.5) / (2 * height) * 2 * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    wanted = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1).reshape(-1, 3)
    cells, weights = taps(wanted @ grid_from_room.T, FINE)
    return np.einsum("nk,nkc->nc", weights, radiance[cells]).reshape(height, 2 * height, -1)
