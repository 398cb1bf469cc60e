"""Why a capture or a reconstruction is refused, or used with something in mind; each with what to do next."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from core.models import FileModel

Weight = Literal["refuse", "note"]
Measure = Annotated[float, Field(allow_inf_nan=True), AfterValidator(lambda v: v if math.isfinite(v) else None)] | None
"""A number that was looked at; None, which NaN and infinity become, where it could not be measured."""
PLACE = re.compile(r"{:(\.\d[f%])}")
"""Of the value in what is said. Braces in a user's file names are none."""


class Reason(FileModel):
    """measured against limit; None where it could not be. weight: "refuse", or "note" where the part can be used with
    that in mind."""

    subject: str
    weight: Weight
    said: str
    measured: Measure
    limit: float
    next_step: str


def least(subject: str, value: float, limit: float, said: str, step: str, weight: Weight = "refuse") -> Reason | None:
    """A reason when the value is below the limit or no finite number. said: with a place for the value."""
    return None if math.isfinite(value) and value >= limit else _reason(subject, value, limit, said, step, weight)


def most(subject: str, value: float, limit: float, said: str, step: str, weight: Weight = "refuse") -> Reason | None:
    """A reason when the value is above the limit or no finite number."""
    return None if math.isfinite(value) and value <= limit else _reason(subject, value, limit, said, step, weight)


def _reason(subject: str, value: float, limit: float, said: str, step: str, weight: Weight) -> Reason:
    known = math.isfinite(value)
    said = PLACE.sub(lambda place: format(value, place[1]) if known else "?", said)
    said = said if known else f"{subject} could not be measured: {said}"
    return Reason(subject=subject, weight=weight, said=said, measured=float(value), limit=float(limit), next_step=step)


def listed(names: list[str], shown: int = 4) -> str:
    """The first few names, and how many more."""
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more} more" if more > 0 else "")
