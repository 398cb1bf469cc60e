"""The last pass of preset `full`: mesh of fixed topology, albedo texel by texel, light drawn pixel by pixel."""

from __future__ import annotations

from recon.finish.fit import finished

__all__ = ["finished"]
