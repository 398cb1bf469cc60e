"""The default rasterizer: NVIDIA Warp kernels, on the CPU and on CUDA."""

from __future__ import annotations

from typing import Any

import torch

from recon.raster import kernels
from recon.raster.blend import blend
from recon.raster.protocol import Fragments, Topology
from recon.raster.texture import lookup
from recon.warps import as_warp, launch, wp


class WarpRasterizer:
    name = "warp"

    def rasterize(self, positions: torch.Tensor, topology: Topology, size: tuple[int, int]) -> Fragments:
        face = _nearest(positions.detach(), topology.faces, size)
        bary, depth = _Barycentric.apply(positions, topology.faces, face)
        return Fragments(face, bary, depth)

    def interpolate(self, values: torch.Tensor, faces: torch.Tensor, fragments: Fragments) -> torch.Tensor:
        return _Interpolate.apply(values, fragments.bary, faces, fragments.face)

    def texture(self, image: torch.Tensor, uv: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        return lookup(image, uv, level)

    def antialias(
        self, colour: torch.Tensor, positions: torch.Tensor, topology: Topology, fragments: Fragments
    ) -> torch.Tensor:
        ends = _outlines(positions.detach(), topology, fragments)
        share = _Shares.apply(positions, ends)
        return blend(colour, share)


def _depth_scale(positions: torch.Tensor) -> float:
    deepest = float(positions[:, 2].max()) if len(positions) else 1.0
    return kernels.DEPTH_STEPS / max(deepest, 1e-30)


def _nearest(positions: torch.Tensor, faces: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(h, w) int32: the nearest face at each pixel's centre, or -1."""
    key = wp.full(size, kernels.NONE, dtype=wp.int64, device=wp.device_from_torch(positions.device))
    face = torch.empty(size, dtype=torch.int32, device=positions.device)
    inputs = [as_warp(positions, wp.vec3f), as_warp(faces)]
    launch(kernels.nearest, len(faces), [*inputs, key, _depth_scale(positions)], [])
    launch(kernels.unpack, size, [key], [as_warp(face)])
    return face


def _outlines(positions: torch.Tensor, topology: Topology, fragments: Fragments) -> torch.Tensor:
    """(h, w, 2, 2) int32: the outline edge between each pixel and its right and lower neighbour, or -1."""
    size = (*fragments.face.shape, 2)
    key = wp.full(size, kernels.NONE, dtype=wp.int64, device=wp.device_from_torch(positions.device))
    ends = torch.empty(*size, 2, dtype=torch.int32, device=positions.device)
    mesh = [as_warp(positions, wp.vec3f), as_warp(topology.faces), as_warp(topology.neighbours)]
    pixels = [as_warp(fragments.face), as_warp(fragments.depth)]
    dim = (len(topology.faces), 3)
    launch(kernels.find_silhouettes, dim, [*mesh, *pixels, _depth_scale(positions), key], [])
    launch(kernels.unpack_edges, size, [key, as_warp(topology.faces)], [as_warp(ends, wp.vec2i)])
    return ends


class _Barycentric(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, positions: torch.Tensor, faces: torch.Tensor, face: torch.Tensor) -> tuple:
        bary = torch.zeros(*face.shape, 3, device=positions.device)
        depth = torch.zeros(face.shape, device=positions.device)
        ctx.save_for_backward(positions, faces, face, bary, depth)
        inputs = [as_warp(positions, wp.vec3f), as_warp(faces), as_warp(face)]
        launch(kernels.barycentric, tuple(face.shape), inputs, [as_warp(bary, wp.vec3f), as_warp(depth)])
        return bary, depth

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple:
        positions, faces, face, bary, depth = ctx.saved_tensors
        result = torch.zeros_like(positions)
        inputs = [as_warp(positions, wp.vec3f), as_warp(faces), as_warp(face)]
        outputs = [as_warp(bary, wp.vec3f), as_warp(depth)]
        adjoint = [as_warp(gradients[0], wp.vec3f), as_warp(gradients[1])]
        launch(
            kernels.barycentric, tuple(face.shape), inputs, outputs, ([as_warp(result, wp.vec3f), None, None], adjoint)
        )
        return result, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: torch.Tensor, bary: torch.Tensor, faces: torch.Tensor, face: torch.Tensor
    ) -> torch.Tensor:
        out = torch.zeros(*face.shape, values.shape[1], device=values.device)
        ctx.save_for_backward(values, bary, faces, face, out)
        launch(kernels.interpolate, tuple(out.shape), _of(values, faces, face, bary), [as_warp(out)])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple:
        values, bary, faces, face, out = ctx.saved_tensors
        to_values, to_bary = torch.zeros_like(values), torch.zeros_like(bary)
        adjoint = ([as_warp(to_values), None, None, as_warp(to_bary, wp.vec3f)], [as_warp(gradients[0])])
        launch(kernels.interpolate, tuple(out.shape), _of(values, faces, face, bary), [as_warp(out)], adjoint)
        return to_values, to_bary, None, None


def _of(values: torch.Tensor, faces: torch.Tensor, face: torch.Tensor, bary: torch.Tensor) -> list:
    return [as_warp(values), as_warp(faces), as_warp(face), as_warp(bary, wp.vec3f)]


class _Shares(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, positions: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        share = torch.zeros(ends.shape[:3], device=positions.device)
        ctx.save_for_backward(positions, ends, share)
        inputs = [as_warp(positions, wp.vec3f), as_warp(ends, wp.vec2i)]
        launch(kernels.silhouette_shares, tuple(share.shape), inputs, [as_warp(share)])
        return share

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple:
        positions, ends, share = ctx.saved_tensors
        result = torch.zeros_like(positions)
        inputs = [as_warp(positions, wp.vec3f), as_warp(ends, wp.vec2i)]
        adjoint = ([as_warp(result, wp.vec3f), None], [as_warp(gradients[0])])
        launch(kernels.silhouette_shares, tuple(share.shape), inputs, [as_warp(share)], adjoint)
        return result, None
