"""Differentiable rasterization: one protocol, backends behind it."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import InputError
from recon.raster.nvdiffrast_backend import NvdiffrastRasterizer
from recon.raster.protocol import Rasterizer
from recon.raster.torch_twin import TorchRasterizer
from recon.raster.warp_backend import WarpRasterizer

BACKENDS: dict[str, Callable[[], Rasterizer]] = {
    "warp": WarpRasterizer,
    "nvdiffrast": NvdiffrastRasterizer,
    "torch": TorchRasterizer,
}


def rasterizer(name: str) -> Rasterizer:
    """A backend by name. InputError when it is unknown or not installed."""
    if name not in BACKENDS:
        raise InputError(f"rasterizer '{name}'", f"one of {', '.join(BACKENDS)}", "choose one of these")
    return BACKENDS[name]()
