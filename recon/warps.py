"""NVIDIA Warp, started quietly, and the two calls that every kernel's caller needs."""

from __future__ import annotations

from typing import Any

import torch
import warp as wp

wp.config.log_level = wp.LOG_ERROR
wp.init()


def as_warp(tensor: torch.Tensor, dtype: Any = None) -> wp.array:
    """A Warp array over a detached tensor's own memory."""
    return wp.from_torch(tensor.detach().contiguous(), dtype=dtype, requires_grad=False)


def launch(kernel: Any, dim: Any, inputs: list, outputs: list, adjoints: tuple[list, list] | None = None) -> None:
    """Run a kernel on its first input's device; with `adjoints` (of inputs, of outputs) run its adjoint instead."""
    options = {"adj_inputs": adjoints[0], "adj_outputs": adjoints[1], "adjoint": True} if adjoints else {}
    wp.launch(kernel, dim, inputs, outputs, device=inputs[0].device, **options)
