"""Capture -> Reconstruction: visual hull, then shape, material and light together, coarse to fine."""

from __future__ import annotations

from recon.fit.reconstruct import reconstruct
from recon.fit.settings import PRESETS, Settings, Stage, preset

__all__ = ["PRESETS", "Settings", "Stage", "preset", "reconstruct"]
