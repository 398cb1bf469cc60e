"""What people really have: photographs of a part, read into one Capture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from recon.capture.model import Capture, Session, View, hold_out

__all__ = ["Capture", "Session", "View", "hold_out", "load"]


def load(
    path: Path | str,
    *,
    session: str | None = None,
    max_side: int | None = None,
    linear_from: Literal["srgb", "linear"] = "srgb",
    light: Literal["room", "part"] | None = None,
    checked: bool = True,
) -> Capture:
    """Read the capture at `path`, whatever its format (docs/captures.md).

    session: only the photographs of this one. max_side: images are made smaller by area to this longer side.
    linear_from: how 8 and 16 bit images are encoded. light: overrides what the file says ("room": the part turned
    before a camera and lamps that stood still). checked: masks and poses are cross-checked by the visual hull, and
    masks that contradict the others are mended or left out, with a note. InputError says in a sentence what is wrong.
    """
    # the hull, which masks are checked by, itself needs this package's nouns
    from recon.capture.assemble import assemble, read_source
    from recon.capture.check import check_poses, check_source
    from recon.capture.masks import cross_check, mended

    source = check_source(read_source(Path(path), session))
    capture = assemble(source, session=session, max_side=max_side, linear_from=linear_from, light=light)
    if not checked:
        return capture
    check_poses(capture)
    return mended(capture, cross_check(capture))
