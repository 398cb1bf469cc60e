"""transforms*.json: NeRF's synthetic sets, instant-ngp, nerfstudio, and our own simulator's keys beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from recon.capture.model import Session
from recon.capture.poses import from_opengl
from recon.capture.source import Shot, Source, find_image, find_mask, image_size, pinhole


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
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error})", "a transforms.json", "export it again") from error
    frames = data.get("frames") if isinstance(data, dict) else None
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{path} has no frames", "a transforms.json with a list 'frames'", "export it again")
    ours = data.get("flawsmith") or {}
    shots = tuple(_shot(path, data, frame, i) for i, frame in enumerate(frames))
    _one_size(path, data, frames, shots)
    given = {str(s["name"]): _session(path, s) for s in ours.get("sessions", [])}
    metric = bool(ours.get("metric", False))
    return Source(
        "transforms",
        path,
        shots,
        metric,
        str(ours.get("scale_from", "stated in the file" if metric else "unknown: transforms.json has no unit")),
        _light(path, ours.get("light")),
        given,
    )


def _shot(path: Path, data: dict[str, Any], frame: dict[str, Any], number: int) -> Shot:
    where = f"{path.name}, frame {number}"
    for key in ("file_path", "transform_matrix"):
        if frame.get(key) is None:
            raise InputError(f"{where} has no {key}", "an image and a pose for every frame", "export the poses again")
    image = find_image(path.parent, frame["file_path"])
    size = image_size(image)
    matrix = _matrix(where, frame["transform_matrix"])
    stated = frame.get("mask_path")
    mask = path.parent / stated if stated else find_mask(image, path.parent)
    if stated and mask is not None and not mask.is_file():
        raise InputError(f"{where} names the mask {stated}", "a file", "restore it or remove the key mask_path")
    model = str(frame.get("camera_model", data.get("camera_model", ""))).upper()
    room = frame.get("room_from_part")
    return Shot(
        str(Path(frame["file_path"]).with_suffix("")).removeprefix("./"),
        image,
        mask,
        _intrinsics(where, data, frame, size),
        size,
        from_opengl(matrix),
        _distortion(data, frame, "FISHEYE" in model),
        "FISHEYE" in model,
        str(frame.get("session", "1")),
        None if room is None else np.array(room, float),
    )


def _one_size(path: Path, data: dict[str, Any], frames: list[dict[str, Any]], shots: tuple[Shot, ...]) -> None:
    """Images of several sizes need their own intrinsics each: shared ones would be scaled by a guess."""
    shared = [s for s, f in zip(shots, frames, strict=True) if "fl_x" not in f and "camera_angle_x" not in f]
    sizes = sorted({s.size for s in shared})
    if len(sizes) > 1:
        listed = " and ".join(f"{w}x{h}" for h, w in sizes[:2])
        raise InputError(
            f"{path} shares one focal length between images of {listed}",
            "images of one size, or fl_x, fl_y, cx, cy in every frame",
            "leave out or resize the odd ones",
        )


def _matrix(where: str, value: Any) -> np.ndarray:
    try:
        matrix = np.array(value, float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: transform_matrix holds no numbers", "a 4x4 matrix", "export it again") from error
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0, 0, 0, 1.0]])
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        raise InputError(
            f"{where}: transform_matrix has shape {matrix.shape} or values that are no pose",
            "a finite, invertible 4x4 camera-to-world matrix",
            "export the poses again",
        )
    return matrix


def _intrinsics(where: str, data: dict[str, Any], frame: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """K of the stored image; the file's own w and h, where they differ, only scale it."""
    both = {**data, **frame}
    height, width = float(both.get("h", size[0])), float(both.get("w", size[1]))
    fx, fy = both.get("fl_x"), both.get("fl_y")
    if fx is None and both.get("camera_angle_x") is not None:
        fx = 0.5 * width / np.tan(0.5 * float(both["camera_angle_x"]))
    if fy is None and both.get("camera_angle_y") is not None and both.get("fl_x") is None:
        fy = 0.5 * height / np.tan(0.5 * float(both["camera_angle_y"]))
    if fx is None and fy is None:
        raise InputError(
            f"{where} has neither fl_x nor camera_angle_x", "a focal length", "add fl_x in pixels to the file"
        )
    fx = fy if fx is None else fx
    fy = fx if fy is None else fy
    k = pinhole(float(fx), float(fy), float(both.get("cx", width / 2)), float(both.get("cy", height / 2)))  # type: ignore[arg-type]
    return np.diag([size[1] / width, size[0] / height, 1.0]) @ k


def _distortion(data: dict[str, Any], frame: dict[str, Any], fisheye: bool) -> tuple[float, ...]:
    both = {**data, **frame}
    keys = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    values = tuple(float(both.get(k) or 0.0) for k in keys)
    return values if any(values) else ()


def _session(path: Path, value: dict[str, Any]) -> Session:
    point, axis = value.get("axis_point"), value.get("axis")
    if axis is None:
        return Session(str(value["name"]))
    axis = np.array(axis, float)
    if axis.shape != (3,) or not np.linalg.norm(axis) > 0:
        raise InputError(f"{path}: session {value['name']} has the axis {axis}", "three numbers, not all 0", "mend it")
    return Session(str(value["name"]), np.array(point or (0, 0, 0), float), axis / np.linalg.norm(axis))


def _light(path: Path, value: Any) -> Any:
    if value not in (None, "room", "part"):
        raise InputError(f"{path}: light is {value!r}", "'room' (the part turned) or 'part' (it lay still)", "mend it")
    return value
