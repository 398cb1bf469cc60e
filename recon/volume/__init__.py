"""The volumetric solver: a surface that a signed distance grid carries, so that it may change its genus."""

from __future__ import annotations

from recon.volume.fit import topology
from recon.volume.opening import opened
from recon.volume.settings import VolumeSettings

__all__ = ["VolumeSettings", "opened", "topology"]
