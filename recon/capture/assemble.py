"""A folder or pose file in any known format -> a Capture."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from core.errors import InputError
from core.files import sha256_file, sha256_json
from recon.capture import colmap, folder, llff, middlebury, nerf
from recon.capture.automatic import dino_mask, plate_mask, seeded
from recon.capture.model import Capture, Session, View, hold_out
from recon.capture.pixels import Encoding, linear_rgba, mask_like, resized, scaled, smaller, undistorted
from recon.capture.poses import found_sessions, held_still, turn_of
from recon.capture.source import Shot, Source

STEADY = 0.5
"""Of `held_still`: photographs upright and on their side by turns leave 0.7."""
FORMATS = (nerf, colmap, middlebury, llff)


def read_source(path: Path, session: str | None = None) -> Source:
    """The pose file at or in `path`, recognised by what is there. A capture.yaml goes before any other."""
    if not path.exists():
        raise InputError(f"{path} does not exist", "a folder of photographs or a pose file", "check the path")
    own = folder.recognise(path)
    if own is not None:
        return folder.read(own, session)
    for reader in FORMATS:
        found = reader.recognise(path)
        if found is not None:
            return reader.read(found)
    raise InputError(
        f"{path} holds no capture that is known",
        "transforms*.json, a COLMAP model, *_par.txt, poses_bounds.npy or photographs with a capture.yaml",
        "see docs/captures.md",
    )


def assemble(
    source: Source,
    *,
    session: str | None = None,
    max_side: int | None = None,
    linear_from: Encoding = "srgb",
    light: Literal["room", "part"] | None = None,
) -> Capture:
    shots = source.shots
    names = list(dict.fromkeys(s.session for s in shots))
    if session is not None:
        if session not in names:
            raise InputError(f"session {session!r} is not in {source.path}", f"one of {', '.join(names)}", "choose one")
        shots, names = tuple(s for s in shots if s.session == session), [session]
    notes = list(source.notes)
    light = light or source.light
    told = light is not None
    if light is None:
        light = "part"
        notes.append("the pose file does not say whether part or camera moved: taken as a part that lay still")
    poses = np.array([s.camera_from_part for s in shots])
    sessions = {n: source.sessions.get(n, Session(n)) for n in names}
    if light == "room" and any(s.room_from_part is None for s in shots):
        sessions, more = found_sessions(names, poses, [s.session for s in shots], sessions)
        notes += more
    views = [_view(source, s, sessions[s.session], names, max_side, linear_from, light) for s in shots]
    if light == "room":
        for number, name in enumerate(names):
            made = any(s.room_from_part is None for s in shots)
            _refuse_axis(source, sessions[name], [v for v in views if v.session == number], made)
    views, more = _with_masks(views, shots, source.plates, linear_from)
    notes += more
    digest = sha256_json({
        "poses": _digest(source.path), "images": [sha256_file(s.image) for s in shots],
        "masks": [s.mask and sha256_file(s.mask) for s in shots],
        "plates": {n: sha256_file(p) for n, p in source.plates.items()},
    })  # fmt: skip
    folder = source.path if source.path.is_dir() else source.path.parent
    name = (folder.resolve() if folder.name in ("", "..") else folder).name
    return Capture(
        name, hold_out(views), tuple(sessions.values()), light, source.metric, source.scale_from, tuple(notes), digest,
        source.kind, told,
    )  # fmt: skip


def _refuse_axis(source: Source, session: Session, views: Sequence[View], made: bool) -> None:
    """InputError where a file tells an axis that the part cannot have turned about: a swapped one, not a crooked one.
    made: the turns were made with that axis, and it is the camera that has to stand still with them."""
    told = source.sessions.get(session.name)
    if told is None or told.axis is None or len(views) < 4:
        return
    rooms = np.array([v.room_from_part for v in views])
    rows = np.array([v.camera_from_part[0, :3] for v in views])
    if held_still(rows if made else np.tile(told.axis / np.linalg.norm(told.axis), (len(views), 1)), rooms) < STEADY:
        shown = ", ".join(f"{a:.3g}" for a in told.axis)
        raise InputError(
            f"{source.path}: session {session.name} turned about the axis ({shown}), but its cameras tell another",
            "the turntable's axis in the part's frame",
            "correct the axis, or leave it out: it is found in the poses",
        )


def _digest(path: Path) -> str:
    if path.is_file():
        return sha256_file(path)
    files = {os.fsencode(p.name).decode(errors="backslashreplace"): p for p in sorted(path.iterdir()) if p.is_file()}
    return sha256_json({name: sha256_file(p) for name, p in files.items()})


def _view(
    source: Source,
    shot: Shot,
    session: Session,
    names: list[str],
    max_side: int | None,
    linear_from: Encoding,
    light: str,
) -> View:
    colour, alpha = linear_rgba(shot.image, linear_from)
    mask = _mask(source, shot, colour, alpha)
    colour = undistorted(colour, shot.intrinsics, shot.distortion, shot.fisheye)
    mask = undistorted(mask, shot.intrinsics, shot.distortion, shot.fisheye)
    size = smaller(shot.size, max_side)
    if light == "part":
        room = np.eye(3) if shot.room_from_part is None else shot.room_from_part
    else:
        room = turn_of(shot.camera_from_part, session) if shot.room_from_part is None else shot.room_from_part
    return View(
        shot.name,
        resized(colour, size),
        resized(mask, size),
        scaled(shot.intrinsics, shot.size, size),
        shot.camera_from_part,
        room,
        names.index(shot.session),
    )


def _mask(source: Source, shot: Shot, colour: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """The shot's own mask at its own size, or NaN where one has to be made."""
    if shot.mask is not None:
        return resized(mask_like(shot.mask, shot.size), shot.size)
    if alpha is not None:
        return alpha
    if source.mask_recipe == "dino":
        return dino_mask(colour)
    return np.full(shot.size, np.nan, np.float32)


def _with_masks(
    views: list[View], shots: Sequence[Shot], plates: Mapping[str, Path], linear_from: Encoding
) -> tuple[list[View], list[str]]:
    """Masks made for the views that have none: against their session's empty plate, seen through the same lens, else by
    GrabCut from the hull."""
    bare = [i for i, v in enumerate(views) if np.isnan(v.mask).any()]
    if not bare:
        return views, []
    notes, left = [], []
    empty: dict[Path, np.ndarray] = {}
    for i in bare:
        shot, plate = shots[i], plates.get(shots[i].session)
        if plate is None:
            left.append(i)
            continue
        if plate not in empty:
            empty[plate] = linear_rgba(plate, linear_from)[0]
        (h, w), (height, width) = empty[plate].shape[:2], shot.size
        if abs(w * height - h * width) > 1.5 * max(h, w, height, width):
            raise InputError(
                f"{plate} has {w}x{h} pixels, and its photograph {shot.image.name} {width}x{height}",
                "an empty plate of the photographs' proportions", "photograph it with the same camera, uncropped",
            )  # fmt: skip
        table = undistorted(resized(empty[plate], shot.size), shot.intrinsics, shot.distortion, shot.fisheye)
        views[i] = replace(views[i], mask=plate_mask(views[i].image, resized(table, views[i].size)))
    if len(left) < len(bare):
        notes.append(f"{len(bare) - len(left)} masks made against the empty plate")
    if left:
        for i, mask in zip(left, seeded([views[i] for i in left]), strict=True):
            views[i] = replace(views[i], mask=mask)
        notes.append(f"{len(left)} masks made by GrabCut: look at them, or give masks or an empty plate")
    return views, notes
