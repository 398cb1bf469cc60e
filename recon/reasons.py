"""Why a capture or a reconstruction is refused, or used with something in mind; each with what to do next."""

from __future__ import annotations

from typing import Literal

from core.models import FileModel

Weight = Literal["refuse", "note"]


class Reason(FileModel):
    """measured against limit. weight: "refuse", or "note" where the part can be used with that in mind."""

    subject: str
    weight: Weight
    said: str
    measured: float
    limit: float
    next_step: str


def least(subject: str, value: float, limit: float, said: str, step: str, weight: Weight = "refuse") -> Reason | None:
    """A reason when the value is below the limit or is not a number. said: with a place for the value."""
    return None if value >= limit else _reason(subject, value, limit, said, step, weight)


def most(subject: str, value: float, limit: float, said: str, step: str, weight: Weight = "refuse") -> Reason | None:
    """A reason when the value is above the limit or is not a number."""
    return None if value <= limit else _reason(subject, value, limit, said, step, weight)


def _reason(subject: str, value: float, limit: float, said: str, step: str, weight: Weight) -> Reason:
    return Reason(
        subject=subject, weight=weight, said=said.format(value), measured=float(value), limit=float(limit),
        next_step=step,
    )  # fmt: skip


def listed(names: list[str], shown: int = 4) -> str:
    """The first few names, and how many more."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
