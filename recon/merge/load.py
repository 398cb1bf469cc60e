"""A capture read with all its sessions, and these brought into one frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from core.errors import InputError
from core.files import sha256_json
from core.models import load as load_file
from recon import capture as captures
from recon.capture import folder, nerf
from recon.capture.model import Capture, hold_out
from recon.merge.report import MergeReport
from recon.merge.sessions import merge_sessions


def load_merged(
    path: Path | str,
    *,
    max_side: int | None = None,
    linear_from: Literal["srgb", "linear"] = "srgb",
    light: Literal["room", "part"] | None = None,
) -> tuple[Capture, MergeReport | None]:
    """The capture at `path`, unchecked, in one frame whatever its sessions; None where nothing had to be joined.

    InputError as for `recon.capture.load` and `merge_sessions`.
    """
    path = Path(path)
    names = yaml_sessions(path)
    if len(names) < 2:
        capture = captures.load(path, max_side=max_side, linear_from=linear_from, light=light, checked=False)
        return merge_sessions(capture, registered=told_registered(path))
    each = [
        captures.load(path, session=n, max_side=max_side, linear_from=linear_from, light=light, checked=False)
        for n in names
    ]
    return merge_sessions(together(each), registered=False)


def yaml_sessions(path: Path) -> tuple[str, ...]:
    """Names of the sessions in a capture.yaml; none for any other format."""
    own = folder.recognise(path)
    return () if own is None else tuple(s.name for s in load_file(folder.CaptureFile, own).sessions)


def told_registered(path: Path) -> bool | None:
    """What transforms.json says of its sessions' poses, None where it does not."""
    own = nerf.recognise(path)
    return None if own is None else nerf.read_own(own).registered


def together(each: list[Capture]) -> Capture:
    """One capture of several, each still in its own frame. InputError where light or unit differ in kind."""
    first = each[0]
    if any(c.light != first.light or c.metric != first.metric for c in each):
        raise InputError(
            "sessions that differ in kind: one has a scale or a turning part and another has not",
            "all with a board, or none",
            "take all sessions in the same way",
        )
    names = [v.name for c in each for v in c.views]
    if twice := next((n for n in names if names.count(n) > 1), None):
        raise InputError(
            f"photograph {twice} in two sessions", "each photograph in one session",
            "give each session an 'images' of its own in capture.yaml",
        )  # fmt: skip
    views = [replace(v, session=n) for n, c in enumerate(each) for v in c.views]
    notes = tuple(f"session {c.sessions[0].name}: {n}" for c in each for n in c.notes)
    return Capture(
        first.name, hold_out(views), tuple(c.sessions[0] for c in each), first.light, first.metric, first.scale_from,
        notes, sha256_json([c.sha256 for c in each]), first.pose_file,
        all(c.light_told for c in each),
    )  # fmt: skip
