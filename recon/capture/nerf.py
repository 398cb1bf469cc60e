"""transforms*.json: NeRF's synthetic sets, instant-ngp, nerfstudio, and our own simulator's keys beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, StrictBool, field_validator

from core.errors import InputError
from core.models import FileModel, parse
from recon.capture import given
from recon.capture.given import Keys
from recon.capture.model import Session
from recon.capture.poses import from_opengl
from recon.capture.source import FARTHEST, Shot, Source, find_image, find_mask, image_size, inside, of_stored, pinhole

PINHOLES = ("PERSPECTIVE", "SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV")
FISHEYES = ("FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "OPENCV_FISHEYE")
FOCAL = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")
TURN = ("transform_matrix", "a finite, invertible 4x4 camera-to-world matrix")

Number = Annotated[float, Field(gt=-FARTHEST, lt=FARTHEST)]
Vector = tuple[Number, Number, Number]


class SessionKeys(FileModel):
    """One session's table in the part's frame; without an axis it is found in the poses."""

    name: str = Field(coerce_numbers_to_str=True)
    axis_point: Vector | None = None
    axis: Vector | None = None

    @field_validator("axis")
    @classmethod
    def _leads_somewhere(cls, value: Vector | None) -> Vector | None:
        if value is not None and not 1e-9 < sum(v * v for v in value) < FARTHEST**2:
            raise ValueError("three finite numbers, not all 0")
        return value


class OwnKeys(FileModel):
    """`flawsmith` in a transforms.json. registered: all sessions' poses are in one frame. light: 'room' where the part
    turned, 'part' where it lay still."""

    metric: StrictBool = False
    scale_from: str | None = None
    light: Literal["room", "part"] | None = None
    registered: StrictBool | None = None
    sessions: tuple[SessionKeys, ...] | None = None

    @field_validator("sessions")
    @classmethod
    def _told_apart(cls, value: tuple[SessionKeys, ...] | None) -> tuple[SessionKeys, ...] | None:
        names = [s.name for s in value or ()]
        if twice := next((n for n in names if names.count(n) > 1), None):
            raise ValueError(f"sessions with names of their own, not '{twice}' more than once")
        return value


def recognise(path: Path) -> Path | None:
    """The transforms file that `path` is or holds."""
    if path.is_file() and path.suffix == ".json":
        return path
    for name in ("transforms.json", "transforms_train.json"):
        if (path / name).is_file():
            return path / name
    return next(iter(sorted(path.glob("transforms*.json"))), None) if path.is_dir() else None


def read(path: Path) -> Source:
    """One transforms file. Other splits beside it are not read. InputError where a key is missing or of no use."""
    data = _data(path)
    frames = data.get("frames")
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{path} has no frames", "a transforms.json with a list 'frames'", "export it again")
    ours = _own(path, data)
    keys = tuple(_keys(path, data, frame, i) for i, frame in enumerate(frames))
    shots = tuple(_shot(path, k) for k in keys)
    _one_size(path, keys, shots)
    unsaid = "stated in the file" if ours.metric else "unknown: transforms.json has no unit"
    sessions = {s.name: _session(s) for s in ours.sessions or ()}
    return Source("transforms", path, shots, ours.metric, ours.scale_from or unsaid, ours.light, sessions)


def read_own(path: Path) -> OwnKeys:
    """Only the keys of our own."""
    return _own(path, _data(path))


def _data(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error})", "a transforms.json", "export it again") from error
    return data if isinstance(data, dict) else {}


def _own(path: Path, data: dict[str, Any]) -> OwnKeys:
    told = data.get("flawsmith")
    told = {} if told is None else given.mapping(str(path), "flawsmith", told)
    return parse(OwnKeys, told, f"{path}, flawsmith")


def _keys(path: Path, data: dict[str, Any], frame: Any, number: int) -> Keys:
    own = given.mapping(str(path), f"frame {number}", frame)
    where = f"{path.name}, frame {number}"
    for key in ("file_path", "transform_matrix"):
        if own.get(key) is None:
            raise InputError(f"{where} has no {key}", "an image and a pose for every frame", "export the poses again")
    return Keys(str(path), where, data, own)


def _shot(path: Path, keys: Keys) -> Shot:
    named = given.text(keys.frame, "file_path", keys.own["file_path"])
    image = find_image(path.parent, named, keys.frame)
    size = image_size(image)
    matrix = _matrix(keys.frame, keys.own["transform_matrix"])
    fisheye = _fisheye(keys)
    room, session = keys.own.get("room_from_part"), keys.own.get("session")
    return Shot(
        str(Path(named).with_suffix("")).removeprefix("./"),
        image,
        _mask(path, keys, image),
        _intrinsics(keys, size),
        size,
        from_opengl(matrix),
        _distortion(keys, fisheye),
        fisheye,
        "1" if session is None else given.name(keys.frame, "session", session),
        None if room is None else given.rotation(keys.frame, "room_from_part", room),
    )


def _mask(path: Path, keys: Keys, image: Path) -> Path | None:
    if keys.own.get("mask_path") in (None, ""):
        return find_mask(image, path.parent)
    stated = given.text(keys.frame, "mask_path", keys.own["mask_path"])
    mask = inside(path.parent, stated, keys.frame)
    if not mask.is_file():
        raise InputError(f"{keys.frame} names the mask {stated}", "a file", "restore it or remove the key mask_path")
    return mask


def _fisheye(keys: Keys) -> bool:
    model = (keys.text("camera_model") or "PINHOLE").upper()
    if model not in PINHOLES + FISHEYES:
        raise InputError(
            f"{keys.where('camera_model')}: camera_model is {model}",
            f"one of {', '.join(PINHOLES + FISHEYES)}",
            "undistort the photographs to a pinhole camera and export again",
        )
    told = keys.get("is_fisheye")
    if told is not None and not isinstance(told, bool):
        raise InputError(f"{keys.where('is_fisheye')}: is_fisheye is {told!r}", "true or false", "correct is_fisheye")
    if told is not None and keys.text("camera_model") and told != (model in FISHEYES):
        raise InputError(
            f"{keys.where('camera_model')}: camera_model is {model}, and is_fisheye {str(told).lower()}",
            "both to say the same", "remove the wrong one",
        )  # fmt: skip
    return model in FISHEYES or bool(told)


def _one_size(path: Path, keys: tuple[Keys, ...], shots: tuple[Shot, ...]) -> None:
    """Images of several sizes need their own intrinsics each: shared ones would be scaled by a guess."""
    shared = [s for s, k in zip(shots, keys, strict=True) if not any(key in k.own for key in FOCAL)]
    sizes = sorted({s.size for s in shared})
    if len(sizes) > 1:
        listed = " and ".join(f"{w}x{h}" for h, w in sizes[:2])
        raise InputError(
            f"{path} shares one focal length between images of {listed}",
            "images of one size, or fl_x, fl_y, cx, cy in every frame",
            "leave out or resize the odd ones",
        )


def _matrix(where: str, value: Any) -> np.ndarray:
    key, expected = TURN
    matrix = given.numbers(where, key, value, expected)
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1.0]])
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        given_shape = f"{where}: {key} has shape {matrix.shape} or values that are no pose"
        raise InputError(given_shape, expected, "export the poses again")
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        turned = np.abs(matrix[:, 3] - [0, 0, 0, 1]).max() <= 1e-6
        raise InputError(
            f"{where}: {key} has the bottom row {', '.join(f'{v:.4g}' for v in matrix[3])}"
            + (": it seems to be transposed, stored by columns" if turned else ""),
            "0, 0, 0, 1, with the position in the last column",
            "transpose every matrix" if turned else "export the poses again",
        )
    return matrix


def _intrinsics(keys: Keys, size: tuple[int, int]) -> np.ndarray:
    """K of the stored image; the file's own w and h, where they differ, only scale it. A focal length of the frame's
    own goes before every shared one."""
    if any(key in keys.own for key in FOCAL):
        keys = replace(keys, shared={k: v for k, v in keys.shared.items() if k not in FOCAL})
    height, width = keys.number("h", 0) or float(size[0]), keys.number("w", 0) or float(size[1])
    fx, fy = keys.number("fl_x"), keys.number("fl_y")
    x, y = keys.number("camera_angle_x", 0, np.pi), keys.number("camera_angle_y", 0, np.pi)
    if fy is None and y is not None and fx is None:
        fy = 0.5 * height / np.tan(0.5 * y)
    if fx is None and x is not None:
        fx = 0.5 * width / np.tan(0.5 * x)
    fx = fy if fx is None else fx
    if fx is None:
        raise InputError(
            f"{keys.frame} has neither fl_x nor camera_angle_x", "a focal length", "add fl_x in pixels to the file"
        )
    cx, cy = keys.number("cx"), keys.number("cy")
    k = pinhole(fx, fx if fy is None else fy, width / 2 if cx is None else cx, height / 2 if cy is None else cy)
    return of_stored(k, (height, width), size, keys.frame)


def _distortion(keys: Keys, fisheye: bool) -> tuple[float, ...]:
    names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    values = tuple(0.0 if keys.get(k) is None else keys.number(k) or 0.0 for k in names)
    more = () if fisheye else ("k4", "k5", "k6")
    if used := [k for k in more if keys.get(k) is not None and keys.number(k)]:
        raise InputError(
            f"{keys.where(used[0])}: {used[0]} without a fisheye is one thing to OpenCV and another to nerfstudio",
            "k1, k2, p1, p2 and k3", "undistort the photographs to a pinhole camera and export again",
        )  # fmt: skip
    return values if any(values) else ()


def _session(told: SessionKeys) -> Session:
    if told.axis is None:
        return Session(told.name)
    axis = np.array(told.axis)
    return Session(told.name, np.array(told.axis_point or (0, 0, 0), float), axis / np.linalg.norm(axis))
