"""A bare folder of turntable photographs with a capture.yaml that says how they were taken."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image
from pydantic import Field, field_validator

from core.errors import InputError
from core.models import FileModel, load
from recon.capture import boards, turntable
from recon.capture.automatic import central, plate_mask
from recon.capture.boards import Board
from recon.capture.follow import follow
from recon.capture.model import Session
from recon.capture.pixels import linear_rgba, mask_like, read_pixels, resized, scaled, smaller, undistorted
from recon.capture.poses import Table, table_from_poses
from recon.capture.source import FOCAL_OVER_SIDE, IMAGE_SUFFIXES, Shot, Source, find_mask, image_size, inside, pinhole

FOLLOW_SIDE = 1600
COEFFICIENTS = (0, 4, 5, 8, 12, 14)
Z = np.array([0.0, 0.0, 1.0])


class Lens(FileModel):
    """The camera, as far as it is known: focal_px of the stored image, or focal_mm with sensor_width_mm (of the
    image's longer side). principal_px: (x, y) from the upper left corner, default the middle. distortion: OpenCV's."""

    focal_px: float | None = Field(default=None, gt=0)
    focal_mm: float | None = Field(default=None, gt=0)
    sensor_width_mm: float | None = Field(default=None, gt=0)
    principal_px: tuple[float, float] | None = None
    distortion: tuple[float, ...] = ()

    @field_validator("distortion")
    @classmethod
    def _as_opencv_has_it(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) not in COEFFICIENTS:
            raise ValueError(f"k1, k2, p1, p2, k3, ...: {', '.join(map(str, COEFFICIENTS))} numbers, not {len(value)}")
        return value


class SessionFile(FileModel):
    """Photographs of one seating of the part. images: a glob below the folder, in sorted order. step_deg or
    angles_deg: of the table (default: equal steps of one whole turn). elevation_deg: of the camera, a start.
    empty_plate: a photograph of the table without the part, taken by the same still camera."""

    name: str = "1"
    images: str = "*"
    step_deg: float | None = None
    angles_deg: tuple[float, ...] | None = None
    exact_steps: bool = False
    elevation_deg: float | None = Field(default=None, gt=-90, lt=90)
    empty_plate: str | None = None


class CaptureFile(FileModel):
    """capture.yaml. light: "room" where the part turned before a still camera and still lamps."""

    light: Literal["room", "part"] = "room"
    camera: Lens = Lens()
    board: Board | None = None
    sessions: tuple[SessionFile, ...] = Field(default=(SessionFile(),), min_length=1)

    @field_validator("sessions", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        """Sessions without a name are called by their number."""
        if not isinstance(value, list | tuple):
            return value
        return [{"name": str(n), **s} if isinstance(s, dict) else s for n, s in enumerate(value, 1)]

    @field_validator("sessions")
    @classmethod
    def _told_apart(cls, value: tuple[SessionFile, ...]) -> tuple[SessionFile, ...]:
        names = [s.name for s in value]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"sessions with names of their own, not '{twice}' more than once")
        return value


def recognise(path: Path) -> Path | None:
    path = path / "capture.yaml" if path.is_dir() else path
    return path if path.name == "capture.yaml" and path.is_file() else None


def read(path: Path, session: str | None = None) -> Source:
    """One session's photographs with poses: from the board if there is one (metric), else from the part's own
    texture. InputError where there are several sessions and none is chosen: each has its own frame."""
    told = load(CaptureFile, path)
    names = [s.name for s in told.sessions]
    if session is None and len(names) > 1:
        raise InputError(
            f"{path} has the sessions {', '.join(names)}, and the part was moved between them",
            "one session at a time",
            "load each with session=NAME and register them",
        )
    chosen = next((s for s in told.sessions if session in (None, s.name)), None)
    if chosen is None:
        raise InputError(f"session {session!r} is not in {path}", f"one of {', '.join(names)}", "choose one")
    if chosen.empty_plate is not None and not inside(path.parent, chosen.empty_plate, f"{path}: empty_plate").is_file():
        given = f"empty_plate {chosen.empty_plate} does not exist"
        raise InputError(given, "a photograph of the empty table", "correct capture.yaml")
    plates = [path.parent / s.empty_plate for s in told.sessions if s.empty_plate is not None]
    images = _images(path.parent, chosen, plates)
    size = _one_size(images)
    k, origin = _intrinsics(told.camera, images[0], size)
    make = _from_board if told.board is not None else _from_texture
    return make(path, told, chosen, images, size, k, origin)


def _images(folder: Path, session: SessionFile, plates: Sequence[Path]) -> list[Path]:
    """plates: photographs without the part, of every session."""
    skipped = {p.resolve() for p in plates}
    found = [
        p
        for p in _matching(folder, session.images)
        if p.suffix.lower() in IMAGE_SUFFIXES and p.resolve() not in skipped and not p.stem.endswith("_mask")
    ]
    found.sort(key=by_number)
    if len(found) < 6:
        raise InputError(
            f"{folder / session.images} matches {len(found)} photographs",
            "at least 6",
            "correct 'images' in capture.yaml",
        )
    if session.angles_deg is not None and len(session.angles_deg) != len(found):
        raise InputError(
            f"session {session.name} has {len(session.angles_deg)} angles_deg and {len(found)} photographs",
            "one angle a photograph, in the order of their names and numbers",
            "correct capture.yaml",
        )
    return found


def by_number(path: Path) -> tuple[list[str | int], str]:
    """Sorts names as people number them: `2.jpg` before `10.jpg`, wherever the digits are."""
    pieces = re.split("([0-9]+)", path.as_posix())
    return [int(p) if n % 2 else p for n, p in enumerate(pieces)], path.as_posix()


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        found = list(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            f"{folder / 'capture.yaml'}: images is {pattern!r} ({error})",
            "a pattern of files below the folder, as 'upright/*.jpg'",
            "correct 'images' in capture.yaml",
        ) from error
    if any(".." in p.relative_to(folder).parts for p in found):
        given = f"{folder / 'capture.yaml'}: images {pattern!r} leads out of the folder"
        raise InputError(given, "photographs below the folder of capture.yaml", "copy them there")
    return found


def _one_size(images: list[Path]) -> tuple[int, int]:
    sizes = {image_size(p): p for p in images}
    if len(sizes) > 1:
        (a, first), (b, second), *_ = sizes.items()
        raise InputError(
            f"{first.name} has {a[1]}x{a[0]} pixels and {second.name} {b[1]}x{b[0]}",
            "photographs of one still camera",
            "remove or rotate the odd ones",
        )
    return next(iter(sizes))


def _intrinsics(lens: Lens, image: Path, size: tuple[int, int]) -> tuple[np.ndarray | None, str]:
    """K and where its focal length comes from; None where nothing says."""
    focal, origin = lens.focal_px, "capture.yaml"
    if focal is None and lens.focal_mm is not None:
        if lens.sensor_width_mm is None:
            raise InputError("focal_mm without sensor_width_mm", "both", "add the sensor's longer side in mm")
        focal = lens.focal_mm / lens.sensor_width_mm * max(size)
    low, high = (f * max(size) for f in FOCAL_OVER_SIDE)
    if focal is not None and not low < focal < high:
        raise InputError(
            f"camera in {image.parent.name}/capture.yaml: a focal length of {focal:.4g} px for {size[1]}x{size[0]}",
            f"between {low:.0f} and {high:.0f} px", "correct focal_px, or focal_mm and sensor_width_mm",
        )  # fmt: skip
    if focal is None:
        focal, origin = _exif_focal(image, size), "EXIF"
    if focal is None:
        return None, "not identified"
    x, y = lens.principal_px or (size[1] / 2, size[0] / 2)
    return pinhole(focal, focal, x, y), origin


def _exif_focal(path: Path, size: tuple[int, int]) -> float | None:
    """Pixels, from the 35 mm equivalent: the same angle over the diagonal of 36 mm x 24 mm (EXIF 2.3, tag 0xA405)."""
    if path.suffix.lower() == ".exr":
        return None
    try:
        with Image.open(path) as image:
            value = float(image.getexif().get_ifd(0x8769).get(0xA405) or 0)
    except (OSError, ValueError, TypeError, SyntaxError, ZeroDivisionError, struct.error):
        return None  # as if nothing were said: the focal length is then found, or asked for
    return value / np.hypot(36, 24) * float(np.hypot(*size)) if 0 < value < np.inf else None


def _from_board(
    path: Path, told: CaptureFile, session: SessionFile, images: list[Path], size: tuple[int, int],
    k: np.ndarray | None, origin: str,
) -> Source:  # fmt: skip
    board = told.board
    assert board is not None
    # EXIF is rounded to a millimetre: the board knows better
    given = k if origin == "capture.yaml" else None
    found = boards.solve([boards.sight(board, _grey(p)) for p in images], size, given, told.camera.distortion)
    lost = [p.name for p, pose in zip(images, found.poses, strict=True) if pose is None]
    kept = [(p, pose) for p, pose in zip(images, found.poses, strict=True) if pose is not None]
    table = table_from_poses(np.array([pose for _, pose in kept]))
    notes = [f"poses from the marker board, reprojection error {found.rms_px:.2f} px"]
    if given is None:
        notes.append(f"focal length calibrated with the board: {found.intrinsics[0, 0]:.1f} px")
    if lost:
        notes.append(f"board not seen, left out: {', '.join(lost)}")
    shots = tuple(_shot(p, path, size, found.intrinsics, found.distortion, pose, session.name) for p, pose in kept)
    scale = f"marker board, {board.square_mm:g} mm squares"
    return _source(path, told, session, shots, True, scale, Table(table.point, Z, table.residual), notes)


def _from_texture(
    path: Path, told: CaptureFile, session: SessionFile, images: list[Path], size: tuple[int, int],
    k: np.ndarray | None, origin: str,
) -> Source:  # fmt: skip
    distortion = told.camera.distortion if k is not None else ()
    small = smaller(size, FOLLOW_SIDE)
    masks = [_own_mask(p, path, session, size) for p in images]
    pictures = [_grey(p) for p in images]
    if k is not None and any(distortion):
        pictures = [undistorted(p, k, distortion, False) for p in pictures]
        masks = [undistorted(m, k, distortion, False) for m in masks]
    angles = _angles(session, len(images))
    closed = bool(np.ptp(angles) > np.deg2rad(300))
    tracks = follow([resized(p, small) for p in pictures], [resized(m, small) for m in masks], closed)
    elevation = None if session.elevation_deg is None else float(np.deg2rad(session.elevation_deg))
    ring = turntable.solve(
        tracks,
        angles,
        small,
        None if k is None else scaled(k, size, small),
        free_angles=not session.exact_steps,
        elevation=elevation,
    )
    focal = ring.focal * size[1] / small[1]
    notes = [
        f"poses from {tracks.points} points on the part: {ring.rms_px:.2f} px, {100 * ring.inliers:.0f} % of them",
        f"focal length {focal:.0f} px from {origin}"
        if k is not None
        else f"focal length not identified by one ring: {focal:.0f} px estimated with the poses; give camera.focal_px",
    ]
    intrinsics = pinhole(focal, focal, size[1] / 2, size[0] / 2) if k is None else k
    shots = tuple(
        _shot(p, path, size, intrinsics, distortion, pose, session.name)
        for p, pose in zip(images, ring.poses, strict=True)
    )
    scale = "unknown: no marker board; the unit is the camera's distance from the table's axis"
    return _source(path, told, session, shots, False, scale, Table(np.zeros(3), Z, 0.0), notes)


def _angles(session: SessionFile, count: int) -> np.ndarray:
    if session.angles_deg is not None:
        return np.deg2rad(session.angles_deg)
    return turntable.equal_steps(count, None if session.step_deg is None else float(np.deg2rad(session.step_deg)))


def _own_mask(image: Path, path: Path, session: SessionFile, size: tuple[int, int]) -> np.ndarray:
    """The mask for following points, before there are poses: a file, alpha, the plate, or GrabCut from the middle."""
    file = find_mask(image, path.parent)
    if file is not None:
        return resized(mask_like(file, size), size)
    colour, alpha = linear_rgba(image, "srgb")
    if alpha is not None:
        return alpha
    small = smaller(size, 400)
    if session.empty_plate is not None:
        plate = linear_rgba(path.parent / session.empty_plate, "srgb")[0]
        return resized(plate_mask(resized(colour, small), resized(plate, small)), size)
    return resized(central(resized(colour, small)), size)


def _grey(path: Path) -> np.ndarray:
    stored = read_pixels(path)
    if stored.dtype == np.uint16:
        stored = (stored >> 8).astype(np.uint8)
    if stored.dtype != np.uint8:
        raise InputError(f"{path} has floating-point pixels", "8 or 16 bit photographs", "convert them")
    return stored[:, :, 0] if stored.shape[2] == 1 else cv2.cvtColor(stored[:, :, :3], cv2.COLOR_RGB2GRAY)


def _shot(
    image: Path, path: Path, size: tuple[int, int], k: np.ndarray, distortion: tuple[float, ...], pose: np.ndarray,
    session: str,
) -> Shot:  # fmt: skip
    name = str(image.relative_to(path.parent).with_suffix(""))
    return Shot(name, image, find_mask(image, path.parent), k, size, pose, distortion, False, session)


def _source(
    path: Path, told: CaptureFile, session: SessionFile, shots: tuple[Shot, ...], metric: bool, scale: str,
    table: Table, notes: list[str],
) -> Source:  # fmt: skip
    plates = {session.name: path.parent / session.empty_plate} if session.empty_plate else {}
    sessions = {session.name: Session(session.name, table.point, table.axis)} if told.light == "room" else {}
    return Source("folder", path, shots, metric, scale, told.light, sessions, plates, "", tuple(notes))
