"""The device that a solver or a network works on, asked for by name, before any work is spent."""

from __future__ import annotations

import re

from core.errors import InputError


def usable_device(name: str) -> str:
    """`name` where it is cpu or an NVIDIA GPU that is here (cuda, cuda:1). InputError otherwise."""
    if name == "cpu":
        return name
    if not re.fullmatch(r"cuda(:\d{1,3})?", name):
        raise InputError(f"device '{name}'", "cpu, cuda or cuda:N", "choose one of these")
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(name.partition(":")[2] or 0) >= count:
        raise InputError(
            f"device {name}", f"one of the {count} GPUs that PyTorch {torch.__version__} sees here" if count else "cpu",
            "use --device cpu, or install a driver and a PyTorch with CUDA",
        )  # fmt: skip
    return name
