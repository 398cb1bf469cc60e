"""Differentiable rasterization: one protocol, backends behind it."""

from __future__ import annotations

from collections.abc import Callable

from core.errors import InputError
from recon.raster.nvdiffrast_backend import NvdiffrastRasterizer
from recon.raster.protocol import Rasterizer
from recon.raster.timing import seconds
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


def fastest(device: str = "cpu") -> Rasterizer:
    """Warp; on a GPU, nvdiffrast where it is installed and takes less time for a view, there and back."""
    warp = WarpRasterizer()
    if not device.startswith("cuda"):
        return warp
    try:
        other = NvdiffrastRasterizer()
    except InputError:
        return warp
    return min((warp, other), key=lambda backend: seconds(backend, device))
