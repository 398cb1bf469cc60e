"""The error of a capture that no fit is worth its time for."""

from __future__ import annotations

from core.errors import InputError


class UnfitCapture(InputError):
    """Photographs, masks and poses contradict each other."""
