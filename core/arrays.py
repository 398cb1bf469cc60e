"""Arrays that cannot be changed after construction, and one place that checks their shape."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike


def frozen(value: Any, dtype: DTypeLike, shape: tuple[int | None, ...], name: str) -> np.ndarray:
    """A read-only contiguous array of `dtype`; None in `shape` means any length. ValueError names what is off."""
    array = np.ascontiguousarray(value, dtype=dtype)
    fits = array.ndim == len(shape) and all(w is None or w == g for w, g in zip(shape, array.shape, strict=True))
    if not fits:
        raise ValueError(f"{name} has shape {array.shape}, expected {shape}")
    if (array is value or array.base is not None) and array.flags.writeable:
        array = array.copy()
    array.setflags(write=False)
    return array
