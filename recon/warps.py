"""NVIDIA Warp, started quietly, and the calls that every kernel's caller needs."""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
import warp as wp

wp.config.log_level = wp.LOG_ERROR
wp.init()

_loading, _loaded = Lock(), set()


def as_warp(tensor: torch.Tensor, dtype: Any = None) -> wp.array:
    """A Warp array over a detached tensor's own memory."""
    return wp.from_torch(tensor.detach().contiguous(), dtype=dtype, requires_grad=False)


def launch(kernel: Any, dim: Any, inputs: list, outputs: list, adjoints: tuple[list, list] | None = None) -> None:
    """Run a kernel on its first input's device; with `adjoints` (of inputs, of outputs) run its adjoint instead."""
    options = {"adj_inputs": adjoints[0], "adj_outputs": adjoints[1], "adjoint": True} if adjoints else {}
    _launch(kernel, dim, inputs, outputs, inputs[0].device, **options)


def launch_on(device: Any, kernel: Any, dim: Any, inputs: list, outputs: list) -> None:
    """The same on a device that is named, for kernels whose first input is a mesh's number."""
    _launch(kernel, dim, inputs, outputs, device)


def _launch(kernel: Any, dim: Any, inputs: list, outputs: list, device: Any, **options: Any) -> None:
    """Loading a module is not safe in threads, launching its kernels is: the first launch goes alone."""
    known = (kernel.module.name, str(device))
    if known in _loaded:
        wp.launch(kernel, dim, inputs, outputs, device=device, **options)
        return
    with _loading:
        wp.launch(kernel, dim, inputs, outputs, device=device, **options)
        _loaded.add(known)
