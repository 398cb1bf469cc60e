"""Too little memory, on the device or on the host, as one sentence with the setting that helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from core.errors import RenderError

HOST = "can't allocate memory"
"""What PyTorch's allocator on the CPU says; it raises a plain RuntimeError."""


@contextmanager
def enough_memory(what: str, do: str) -> Iterator[None]:
    """RenderError instead of what PyTorch raises when `what` does not fit. do: what to change."""
    try:
        yield
    except (torch.cuda.OutOfMemoryError, MemoryError) as error:
        _refuse(what, do, error)
    except RuntimeError as error:
        if HOST not in str(error):
            raise
        _refuse(what, do, error)


def _refuse(what: str, do: str, error: BaseException) -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    raise RenderError(f"{what} does not fit into memory", "free memory", do) from error
