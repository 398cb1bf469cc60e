"""One view's light geometry on a table that turns about +Z."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from recon.light import COARSE, FINE, directions, frames
from recon.shading import Standing

UP = np.array([0.0, 0.0, 1.0])


def standing(
    turn: float = 0.0, eye: tuple[float, float, float] = (0.0, 0.0, 5.0), dtype: torch.dtype = torch.float32
) -> Standing:
    """The part turned by `turn` radians against its first view; the table's axis runs through the origin."""
    light = frames(trimesh.transformations.rotation_matrix(turn, UP)[:3, :3], np.eye(3), UP)

    def tensor(values: np.ndarray | tuple[float, ...]) -> torch.Tensor:
        return torch.tensor(np.asarray(values, float), dtype=dtype)

    grid = light.part_from_grid.T
    return Standing(
        tensor(eye), tensor(light.gather), tensor(light.room_grid_from_part), tensor(grid),
        tensor(directions(COARSE) @ grid), torch.tensor(np.array(light.cells)), tensor(light.weights),
        tensor(directions(FINE) @ grid), tensor((0, 0, 0)),
    )  # fmt: skip
