"""What was found when sessions were brought together, as a record that can be written beside a reconstruction."""

from __future__ import annotations

from typing import Literal

from core.models import FileModel

Matrix4 = tuple[tuple[float, ...], ...]


class Joined(FileModel):
    """One session in the part's frame, which is the first session's.

    session_from_part: (4, 4), the session's own frame from the part's, scale included. outlines_px: rms by which
    outlines of this session and of those before it miss each other. p95_px: 95th percentile. next_px: rms of the next
    different pose, none where there was none near. turns: how many poses fit the outlines alike, this one included;
    chosen_by says what decided. likeness: correlation of hues, none where the part has one hue. markers: how many
    printed ones on the part the pose rests on.
    """

    session: str
    session_from_part: Matrix4
    scale: float
    outlines_px: float
    p95_px: float
    next_px: float | None
    turns: int
    chosen_by: Literal["outlines", "colour", "markers", "nothing"]
    likeness: float | None
    markers: int = 0
    notes: tuple[str, ...] = ()


class MergeReport(FileModel):
    """reference: the session whose frame is the part's. joined: the others, in the order in which they were joined."""

    reference: str
    joined: tuple[Joined, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(n for j in self.joined for n in j.notes)
