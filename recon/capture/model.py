"""A Capture: photographs of one part with undistorted cameras, masks, and how the room's light stood to the part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from core.arrays import frozen

HOLD_OUT_EVERY = 8


@dataclass(frozen=True, eq=False)
class View:
    """One photograph. Pixel (column c, row r) covers [c, c+1) x [r, r+1); its centre is at (c + 0.5, r + 0.5).

    image: (h, w, 3) float32 linear Rec.709, undistorted. mask: (h, w) float32, share of the pixel that is part.
    intrinsics: (3, 3) pinhole K in that pixel convention (an OpenCV calibration counts from pixel centres: add 0.5).
    camera_from_part: (4, 4) rigid, OpenCV camera (x right, y down, z forward).
    room_from_part: (3, 3) rotation: a direction in the part's frame, seen in the room in which the light stands.
    session: index into `Capture.sessions`.
    """

    name: str
    image: np.ndarray
    mask: np.ndarray
    intrinsics: np.ndarray
    camera_from_part: np.ndarray
    room_from_part: np.ndarray
    session: int = 0
    held_out: bool = False

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "image", frozen(self.image, np.float32, (None, None, 3), f"image of {self.name}"))
        put(self, "mask", frozen(self.mask, np.float32, self.image.shape[:2], f"mask of {self.name}"))
        put(self, "intrinsics", frozen(self.intrinsics, np.float64, (3, 3), f"intrinsics of {self.name}"))
        put(self, "camera_from_part", frozen(self.camera_from_part, np.float64, (4, 4), f"pose of {self.name}"))
        put(self, "room_from_part", frozen(self.room_from_part, np.float64, (3, 3), f"turn of {self.name}"))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]

    @cached_property
    def centre(self) -> np.ndarray:
        """(3,) the camera's position, part frame."""
        rotation, shift = self.camera_from_part[:3, :3], self.camera_from_part[:3, 3]
        return -rotation.T @ shift

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, 3), part frame -> pixel positions (n, 2) and depth z (n,). Behind the camera: NaN pixels."""
        local = points @ self.camera_from_part[:3, :3].T + self.camera_from_part[:3, 3]
        z = local[:, 2]
        image = local @ self.intrinsics.T
        with np.errstate(divide="ignore", invalid="ignore"):
            pixels = image[:, :2] / image[:, 2:]
        pixels[z <= 0] = np.nan
        return pixels, z


@dataclass(frozen=True, eq=False)
class Session:
    """Photographs taken without touching the part on its table.

    axis_point, axis: (3,) of the turntable in the part's frame, None where nothing turned (the camera moved round a
    still part, so the light stands still in the part's frame).
    """

    name: str
    axis_point: np.ndarray | None = None
    axis: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Capture:
    """views: in the order taken. metric: lengths are metres; otherwise the unit is unknown (`scale_from` says why).

    light: "room" where the part turned under lamps that stood still, "part" where the part lay still.
    scale_from: in words, "marker board, 8 mm squares". notes: what was mended, estimated or left out, in words.
    pose_file: which kind of file the poses were read from, as in `Source`: for words on its matrices.
    light_told: whether somebody said what `light` is; otherwise it was assumed.
    """

    name: str
    views: tuple[View, ...]
    sessions: tuple[Session, ...]
    light: Literal["room", "part"]
    metric: bool
    scale_from: str
    notes: tuple[str, ...] = ()
    sha256: str = ""
    pose_file: str = "transforms"
    light_told: bool = True

    @property
    def training(self) -> tuple[View, ...]:
        return tuple(v for v in self.views if not v.held_out)

    @property
    def held_out(self) -> tuple[View, ...]:
        return tuple(v for v in self.views if v.held_out)

    @property
    def room_up(self) -> np.ndarray:
        """(3,) the first session's axis in the room, about which its grid of light stands."""
        axis = self.sessions[0].axis
        return self.views[0].room_from_part @ (np.array([0.0, 0.0, 1.0]) if axis is None else axis)

    def with_views(self, views: Sequence[View], *notes: str) -> Capture:
        return replace(self, views=tuple(views), notes=(*self.notes, *notes))


def hold_out(views: Sequence[View]) -> tuple[View, ...]:
    """Every eighth view is kept from the fit, to judge it; the last one where there are fewer than eight."""
    every = min(HOLD_OUT_EVERY, len(views))
    return tuple(replace(v, held_out=i % every == every - 1) for i, v in enumerate(views))
