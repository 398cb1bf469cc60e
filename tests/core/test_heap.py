"""Freed images do not stay in the process because of small objects that live on between them."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_MB = """
import sys, numpy as np
from core.heap import steady_heap
if sys.argv[1] == "steady":
    assert steady_heap()

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 1e6

np.ones(2**21).sum()  # freed: glibc now calls nothing below 16 MB large
before, large, small = resident_mb(), [], []
for _ in range(30):
    large.append(np.ones(2**18))
    small.append(np.ones(500))
del large
print(resident_mb() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's heap can be told")
def test_what_was_freed_goes_back_to_the_system() -> None:
    left = {how: _left(how) for how in ("steady", "default")}
    assert left["steady"] < 8 < 40 < left["default"], left


def _left(how: str) -> float:
    done = subprocess.run([sys.executable, "-c", LEFT_MB, how], capture_output=True, text=True, check=True, cwd=ROOT)
    return float(done.stdout)
