"""A light probe: a picture of the light in the room, or of a chrome ball in it, so that photographs need only tell the
material.

From one elevation, shading is a function of the normal as the camera sees it, and colour, gloss and light trade places
freely. A probe settles the light. Its strength stays open, as exposures of probe and photographs have nothing in
common: radiance is brought to a mean of one over all directions, which is where albedo counts from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.errors import InputError
from recon.capture.model import Capture, View
from recon.capture.pixels import linear_rgba, read_pixels, scaled
from recon.chrome_ball import Ball, clipped_share, unwrapped
from recon.light import FINE

SUFFIXES = (".hdr", ".exr")
READ_PX = 256
"""Height to which a probe is averaged down; the fit's cells of light are coarser still."""

SAME_SHAPE = 0.01
"""By which the sides' ratio of a ball's picture may differ from the photographs'."""


@dataclass(frozen=True)
class LightProbe:
    """path: an equirectangular picture, turned by turn_deg (see `read_probe`); or, with `ball`, the photograph of a
    chrome ball, taken as `view` was: its camera, from the same place. view: a photograph's name; None: the first.
    InputError where they contradict."""

    path: Path
    turn_deg: float = 0.0
    ball: Ball | None = None
    view: str | None = None

    def __post_init__(self) -> None:
        if self.ball is None and self.view is not None:
            raise InputError(
                f"light probe {self.path} with a view and no ball", "both, for a chrome ball", "say where the ball is"
            )
        if self.ball is not None and self.turn_deg:
            raise InputError(
                f"light probe {self.path} with a ball, turned by {self.turn_deg:g} degrees", "one of them",
                "leave the turn out: the ball's camera says how it stands",
            )  # fmt: skip

    def read(self, capture: Capture) -> tuple[np.ndarray, str]:
        """(h, 2 h, 3) float32 radiance, room frame, as `read_probe` gives it; and a word on it, or nothing."""
        if self.ball is None:
            return read_probe(self.path, self.turn_deg), ""
        return read_ball(self.path, self.ball, _named(capture, self.view))


def read_ball(path: Path, ball: Ball, view: View) -> tuple[np.ndarray, str]:
    """A chrome ball's picture, by the view's camera, as `read_probe` gives an equirectangular one; and a word on what
    is clipped, or nothing. InputError where it is no such picture."""
    if not path.is_file():
        raise InputError(f"light probe {path} does not exist", "a photograph of a chrome ball", "check the path")
    picture = linear_rgba(path, "srgb")[0]
    height, width = picture.shape[:2]
    if abs(width / height / (view.size[1] / view.size[0]) - 1) > SAME_SHAPE:
        raise InputError(
            f"light probe {path} is {width} x {height} pixels, {view.name} {view.size[1]} x {view.size[0]}",
            "a photograph by the same camera", "photograph the ball as the part",
        )  # fmt: skip
    room_from_camera = view.room_from_part @ view.camera_from_part[:3, :3].T
    light = unwrapped(picture, ball, scaled(view.intrinsics, view.size, (height, width)), room_from_camera)
    share = 0.0 if read_pixels(path).dtype == np.float32 else clipped_share(picture, ball)
    word = f"{share:.1%} of the chrome ball is clipped: lamps are brighter than it shows" if share > 0 else ""
    return _of_mean_one(light), word


def _named(capture: Capture, name: str | None) -> View:
    """The photograph of that name, with or without its folder and suffix."""
    if name is None:
        return capture.views[0]
    found = [v for v in capture.views if name in (v.name, Path(v.name).name, Path(v.name).stem)]
    if len(found) != 1:
        some = ", ".join(v.name for v in capture.views[:3])
        raise InputError(f"photograph '{name}' of the chrome ball's camera", f"one of {some}, ...", "name one of them")
    return found[0]


def read_probe(path: Path, turn_deg: float = 0.0) -> np.ndarray:
    """(h, 2 h, 3) float32 radiance, room frame: row 0 looks along +Z, columns from azimuth -pi to pi; mean one.

    path: an equirectangular .hdr or .exr as Blender shows it: up at the top, +X of the room in the middle, +Y a quarter
    to its left. turn_deg: by which the picture has to be turned about +Z, counter-clockwise seen from above, to be so.
    InputError where it is no such picture.
    """
    if not np.isfinite(turn_deg):
        raise InputError(f"a light probe turned by {turn_deg} degrees", "a finite angle", "correct --probe-turn")
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"light probe {path}", f"a file with {' or '.join(SUFFIXES)}", "save it as one of them")
    if not path.is_file():
        raise InputError(f"light probe {path} does not exist", "a picture of the room's light", "check the path")
    pixels = _pixels(path)
    height, width = pixels.shape[:2]
    if width != 2 * height:
        raise InputError(
            f"light probe {path} is {width} x {height} pixels", "twice as wide as high: equirectangular", "convert it"
        )
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() <= 0:
        raise InputError(f"light probe {path} holds no radiance", "finite values from 0 on, some above", "export again")
    rows = min(height, READ_PX)
    small = cv2.resize(pixels, (2 * rows, rows), interpolation=cv2.INTER_AREA)[:, ::-1]
    turned = _turned(small, turn_deg / 360 * 2 * rows)
    return _of_mean_one(turned)


def _of_mean_one(light: np.ndarray) -> np.ndarray:
    sines = _sines(len(light))
    return (light / float((light.mean((1, 2)) * sines).sum() / sines.sum())).astype(np.float32)


def on_grid(probe: np.ndarray, grid_from_room: np.ndarray) -> np.ndarray:
    """(fine cells, 3): the mean over each cell of `recon.light`. probe: as `read_probe` gives it. grid_from_room:
    (3, 3)."""
    rows, columns = probe.shape[:2]
    polar, azimuth = (np.arange(rows) + 0.5) / rows * np.pi, (np.arange(columns) + 0.5) / columns * 2 * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1).reshape(-1, 3) @ grid_from_room.T
    band = np.clip(((1 - ways[:, 2]) / 2 * FINE[0]).astype(int), 0, FINE[0] - 1)
    step = ((np.arctan2(ways[:, 1], ways[:, 0]) + np.pi) / (2 * np.pi) * FINE[1]).astype(int) % FINE[1]
    cell, area = band * FINE[1] + step, np.sin(p).reshape(-1)
    total = np.zeros((FINE[0] * FINE[1], 3))
    np.add.at(total, cell, probe.reshape(-1, 3) * area[:, None])
    share = np.bincount(cell, area, len(total))
    if not share.all():
        raise InputError(f"a light probe of {columns} x {rows} pixels", "at least 128 x 64", "give a finer one")
    return (total / share[:, None]).astype(np.float32)


def _turned(image: np.ndarray, columns: float) -> np.ndarray:
    """Shifted towards greater azimuth by so many columns, between which it is linear."""
    whole = int(np.floor(columns))
    part = np.float32(columns - whole)
    return (1 - part) * np.roll(image, whole, 1) + part * np.roll(image, whole + 1, 1)


def _sines(rows: int) -> np.ndarray:
    return np.sin((np.arange(rows) + 0.5) / rows * np.pi)


def _pixels(path: Path) -> np.ndarray:
    """(h, w, 3) float32 of an .hdr or .exr."""
    import OpenImageIO

    oiio: Any = OpenImageIO
    opened = oiio.ImageInput.open(str(path))
    if opened is None:
        raise InputError(f"light probe {path} cannot be read ({oiio.geterror()})", "an .hdr or .exr", "export it again")
    try:
        spec = opened.spec()
        if spec.nchannels < 3 or spec.width * spec.height > 2**28:
            raise InputError(
                f"light probe {path} has {spec.nchannels} channels, {spec.width} x {spec.height} pixels",
                "three channels, at most 16384 x 8192 pixels", "export it again",
            )  # fmt: skip
        pixels = opened.read_image("float")
        if pixels is None:
            raise InputError(f"light probe {path} is cut off ({opened.geterror()})", "a whole file", "copy it again")
        return np.ascontiguousarray(pixels[..., :3], np.float32)
    finally:
        opened.close()
