"""What a long run needs, looked at before it starts: a device that computes."""

from __future__ import annotations

import torch

from core.errors import InputError


def check_device(name: str) -> None:
    """InputError unless PyTorch computes on the device of this name, here and now."""
    try:
        device = torch.device(name)
        if device.type == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("PyTorch finds no CUDA here")
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(
            f"device '{name}' cannot be used ({reason})", "cpu, or cuda where there is a GPU with its driver",
            "choose another --device",
        ) from error  # fmt: skip
