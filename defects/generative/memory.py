"""Too little memory, on the device or on the host: noticed once, so that less can be asked for, and at last one
sentence with the setting that helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from core.errors import RenderError

T = TypeVar("T")
HOST = "can't allocate memory"
"""What PyTorch's allocator on the CPU says; it raises a plain RuntimeError."""


def fitted(work: Callable[[], T]) -> T | None:
    """What `work` returns; None where memory was short. What it held is free again before this returns."""
    try:
        return work()
    except (torch.cuda.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:
        if HOST not in str(error):
            raise
    _release()
    return None


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
    _release()
    raise RenderError(f"{what} does not fit into memory", "free memory", do) from error


def _release() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
