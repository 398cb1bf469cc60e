"""The most memory that this process has held."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> float:
    """Resident, in MB. Linux only. Not `ru_maxrss`: there a new process begins with the peak of the one that started
    it."""
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    assert told is not None, "the kernel tells every process its peak"
    return int(told[1]) / 1024
