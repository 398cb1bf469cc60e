"""Depths from pairs of photographs, and what they take from the visual hull: no outline shows a pocket."""

from __future__ import annotations

from recon.stereo.digging import dug

__all__ = ["dug"]
