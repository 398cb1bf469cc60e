"""The C library's heap over a long run."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGE = 2**20
"""Bytes from which a block is the system's own and goes back to it when it is freed."""


def steady_heap(large: int = LARGE) -> bool:
    """Keep large arrays out of the heap, for good; whether this C library can (glibc: mallopt(3)).

    By default glibc raises the size that it calls large, up to 32 MB, whenever such a block is freed. Images then lie
    in the heap among small objects that live on and hold it open: a run of many images grows without holding more.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, large)) and bool(mallopt(M_TRIM_THRESHOLD, 4 * large))
