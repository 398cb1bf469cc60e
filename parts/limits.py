"""How large a part may be, said before memory is spent on it."""

from __future__ import annotations

from core.errors import InputError

MAX_FACES = 3_000_000
"""Triangles of a part unless asked otherwise: about 1.5 GB of memory through import and defects."""


def refuse_many_faces(count: int, name: str, max_faces: int) -> None:
    """InputError when `count` triangles exceed `max_faces`."""
    if count > max_faces:
        raise InputError(
            f"{name} has {count:,} triangles or more",
            f"at most {max_faces:,}",
            "decimate it (from Python, parts.load(max_faces=...) takes more, at about 500 bytes a triangle)",
        )
