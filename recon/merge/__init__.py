"""Sessions of one part, flipped or put back by hand between them, brought into one frame."""

from __future__ import annotations

from recon.merge.load import load_merged
from recon.merge.report import Joined, MergeReport
from recon.merge.sessions import merge_sessions

__all__ = ["Joined", "MergeReport", "load_merged", "merge_sessions"]
