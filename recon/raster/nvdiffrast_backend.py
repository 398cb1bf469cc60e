"""Adapter to NVIDIA's nvdiffrast (CUDA; its licence is non-commercial), for those who installed it themselves."""

from __future__ import annotations

from typing import Any

import torch

from core.errors import InputError
from recon.raster.protocol import Fragments, Topology

NEAR, FAR = 1e-3, 1e3


class NvdiffrastRasterizer:
    name = "nvdiffrast"

    def __init__(self) -> None:
        try:
            import nvdiffrast.torch as dr  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise InputError(
                "nvdiffrast is not installed", "NVIDIA's package nvdiffrast, and CUDA", "use the rasterizer 'warp'"
            ) from error
        self.dr: Any = dr
        self.context = dr.RasterizeCudaContext()

    def rasterize(self, positions: torch.Tensor, topology: Topology, size: tuple[int, int]) -> Fragments:
        clip = _clip(positions, size)
        found, _ = self.dr.rasterize(self.context, clip, topology.faces, size)
        face = found[0, ..., 3].to(torch.int32) - 1
        u, v = found[0, ..., 0], found[0, ..., 1]
        covered = face >= 0
        bary = torch.stack([u, v, 1 - u - v], dim=-1) * covered[..., None]
        depth, _ = self.dr.interpolate(positions[:, 2:].contiguous(), found, topology.faces)
        return Fragments(face, bary, depth[0, ..., 0] * covered)

    def interpolate(self, values: torch.Tensor, faces: torch.Tensor, fragments: Fragments) -> torch.Tensor:
        return self.dr.interpolate(values.contiguous(), _raster(fragments), faces)[0][0]

    def texture(self, image: torch.Tensor, uv: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        upwards = torch.stack([uv[..., 0], 1 - uv[..., 1]], dim=-1)[None].contiguous()
        bias = None if level is None else level[None].contiguous()
        mode = "linear" if level is None else "linear-mipmap-linear"
        return self.dr.texture(
            image[None].contiguous(), upwards, mip_level_bias=bias, filter_mode=mode, boundary_mode="clamp"
        )[0]

    def antialias(
        self, colour: torch.Tensor, positions: torch.Tensor, topology: Topology, fragments: Fragments
    ) -> torch.Tensor:
        clip = _clip(positions, (colour.shape[0], colour.shape[1]))
        return self.dr.antialias(colour[None].contiguous(), _raster(fragments), clip, topology.faces)[0]


def _clip(positions: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Homogeneous pixels (n, 3) -> clip space (1, n, 4). Rows run down in both, so no flip is needed."""
    x, y, w = positions.unbind(1)
    depth = ((FAR + NEAR) * w - 2 * FAR * NEAR) / (FAR - NEAR)
    return torch.stack([2 * x / size[1] - w, 2 * y / size[0] - w, depth, w], dim=1)[None].contiguous()


def _raster(fragments: Fragments) -> torch.Tensor:
    """(1, h, w, 4) as nvdiffrast has it: u, v, z, face + 1."""
    number = (fragments.face + 1).to(fragments.bary.dtype)
    return torch.stack([fragments.bary[..., 0], fragments.bary[..., 1], fragments.depth, number], dim=-1)[None]
