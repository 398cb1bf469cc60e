"""What people really have: photographs of a part, read into one Capture."""

from __future__ import annotations

from recon.capture.assemble import load
from recon.capture.model import Capture, Session, View, hold_out

__all__ = ["Capture", "Session", "View", "hold_out", "load"]
