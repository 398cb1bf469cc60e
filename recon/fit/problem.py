"""The capture as the optimiser sees it: unit-sized part, photographs at one size, cameras and light on the device."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from core.colour import srgb_from_linear
from recon.capture.model import Capture, Session, View
from recon.light import COARSE, FINE, directions, frames
from recon.shading import Standing


@dataclass(frozen=True, eq=False)
class UnitFrame:
    """part = centre + radius * unit."""

    centre: np.ndarray
    radius: float

    @staticmethod
    def of(vertices: np.ndarray) -> UnitFrame:
        centre = (vertices.min(0) + vertices.max(0)) / 2
        return UnitFrame(centre, float(np.linalg.norm(vertices - centre, axis=1).max()))

    def unit(self, points: np.ndarray) -> np.ndarray:
        return (points - self.centre) / self.radius

    def part(self, points: np.ndarray) -> np.ndarray:
        return points * self.radius + self.centre


@dataclass(frozen=True, eq=False)
class Target:
    """One view at the stage's size, unit frame. photograph: (h, w, 3) sRGB of the part over black. mask: (h, w, 1).

    pixels_from_unit: (3, 4) homogeneous pixels. session: whose shadow table holds. number: in the capture's order.
    """

    number: int
    session: int
    photograph: torch.Tensor
    mask: torch.Tensor
    pixels_from_unit: torch.Tensor
    standing: Standing

    @property
    def size(self) -> tuple[int, int]:
        return self.mask.shape[0], self.mask.shape[1]

    def project(self, vertices: torch.Tensor) -> torch.Tensor:
        """Unit-frame vertices (n, 3) -> homogeneous pixels (n, 3)."""
        return vertices @ self.pixels_from_unit[:, :3].T + self.pixels_from_unit[:, 3]


def targets(capture: Capture, frame: UnitFrame, side_px: int, turning: bool, device: str = "cpu") -> list[Target]:
    """Every view of the capture, its photograph averaged down so that the longer side is at most `side_px`.

    turning: False pretends that the light turns with the part.
    """
    firsts: dict[int, View] = {}
    for view in capture.views:
        firsts.setdefault(view.session, view)
    result = []
    for number, view in enumerate(capture.views):
        image, mask, intrinsics = reduced(view, side_px)
        session = capture.sessions[view.session]
        start = firsts[view.session].room_from_part
        light = frames(view.room_from_part if turning else start, start, session.axis)
        pixels = np.empty((3, 4))
        rotation, shift = view.camera_from_part[:3, :3], view.camera_from_part[:3, 3]
        pixels[:, :3] = intrinsics @ rotation
        pixels[:, 3] = intrinsics @ ((rotation @ frame.centre + shift) / frame.radius)
        standing = Standing(
            _tensor(frame.unit(view.centre), device),
            _tensor(light.gather, device),
            _tensor(light.room_grid_from_part, device),
            _tensor(light.part_from_grid.T, device),
            _tensor(directions(COARSE) @ light.part_from_grid.T, device),
            torch.as_tensor(np.array(light.cells), device=device),
            _tensor(light.weights, device),
            _tensor(directions(FINE) @ light.part_from_grid.T, device),
            _tensor(pivot(session, frame), device),
        )
        masked = srgb_from_linear(image * mask[..., None])
        result.append(
            Target(
                number,
                view.session,
                _tensor(masked, device),
                _tensor(mask[..., None], device),
                _tensor(pixels, device),
                standing,
            )
        )
    return result


def pivot(session: Session, frame: UnitFrame) -> np.ndarray:
    """(3,) unit frame: the point of the table's axis that is nearest to the part's middle; the middle without axis."""
    if session.axis is None or session.axis_point is None:
        return np.zeros(3)
    point, axis = frame.unit(np.asarray(session.axis_point, float)), np.asarray(session.axis, float)
    return point - axis * (point @ axis)


def reduced(view: View, side_px: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, mask and intrinsics of a view, averaged down so that its longer side is at most `side_px`."""
    h, w = view.size
    scale = min(1.0, side_px / max(h, w))
    if scale == 1.0:
        return view.image, view.mask, view.intrinsics
    size = (max(1, round(w * scale)), max(1, round(h * scale)))
    image = cv2.resize(view.image, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(view.mask, size, interpolation=cv2.INTER_AREA)
    return image, mask, np.diag([size[0] / w, size[1] / h, 1.0]) @ view.intrinsics


def _tensor(array: np.ndarray, device: str) -> torch.Tensor:
    return torch.tensor(np.asarray(array, np.float32), device=device)
