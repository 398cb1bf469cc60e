"""Named child seeds: one root, a child per thing by name, so nothing depends on order, count or sharding."""

from __future__ import annotations

import hashlib

import numpy as np


def child_seed(root: int, *names: str | int) -> int:
    """A 64-bit seed for the thing called `names` under `root`; stable across machines and versions."""
    key = "\x1f".join([str(int(root)), *(f"{type(n).__name__}:{n}" for n in names)])
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")


def child(root: int, *names: str | int) -> np.random.Generator:
    """The generator of the thing called `names` under `root`, e.g. `child(7, "image", 17)`."""
    return np.random.Generator(np.random.PCG64(child_seed(root, *names)))
