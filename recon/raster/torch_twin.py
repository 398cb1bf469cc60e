"""The readable twin: the same four primitives in plain torch, for small meshes, to hold every other backend against."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from recon.raster.blend import blend
from recon.raster.protocol import Fragments, Topology
from recon.raster.texture import lookup


def _cross(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _seen_from(positions: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Homogeneous positions (..., 3) with a pixel (..., 2) moved to the origin."""
    return positions[..., :2] - pixels * positions[..., 2:]


def _centres(size: tuple[int, int], like: torch.Tensor) -> torch.Tensor:
    """(h, w, 2) pixel centres (x, y)."""
    rows, columns = torch.meshgrid(
        *(torch.arange(s, device=like.device, dtype=like.dtype) + 0.5 for s in size), indexing="ij"
    )
    return torch.stack([columns, rows], dim=-1)


class TorchRasterizer:
    name = "torch"

    def rasterize(self, positions: torch.Tensor, topology: Topology, size: tuple[int, int]) -> Fragments:
        corners = positions[topology.faces.long()]
        pixels = _centres(size, positions)
        face = torch.full(size, -1, dtype=torch.int32, device=positions.device)
        nearest = torch.full(size, torch.inf, device=positions.device, dtype=positions.dtype)
        with torch.no_grad():
            for number in range(len(corners)):
                if bool((corners[number, :, 2] <= 0).any()):
                    continue
                share = _shares(corners[number], pixels)
                depth = share @ corners[number, :, 2]
                wins = (share >= 0).all(-1) & (depth < nearest)
                face[wins], nearest[wins] = number, depth[wins]
        inside = face >= 0
        found = corners[face[inside].long()]
        share = _shares(found, pixels[inside][:, None, :])
        bary = torch.zeros(*size, 3, dtype=positions.dtype, device=positions.device).index_put((inside,), share)
        depth = torch.zeros_like(nearest).index_put((inside,), (share * found[..., 2]).sum(-1))
        return Fragments(face, bary, depth)

    def interpolate(self, values: torch.Tensor, faces: torch.Tensor, fragments: Fragments) -> torch.Tensor:
        corners = values[faces.long()[fragments.face.clamp(min=0).long()]]
        blended = (fragments.bary[..., None] * corners).sum(-2)
        return torch.where(fragments.covered[..., None], blended, torch.zeros_like(blended))

    def texture(self, image: torch.Tensor, uv: torch.Tensor, level: torch.Tensor | None = None) -> torch.Tensor:
        return lookup(image, uv, level)

    def antialias(
        self, colour: torch.Tensor, positions: torch.Tensor, topology: Topology, fragments: Fragments
    ) -> torch.Tensor:
        share = positions.new_zeros(*fragments.face.shape, 2)
        for (row, column, direction), (p, q) in self._outlines(positions.detach(), topology, fragments).items():
            ends = positions[[p, q]]
            seen = _seen_from(ends, positions.new_tensor([column + 0.5, row + 0.5]))
            on, across = seen[:, direction], seen[:, 1 - direction]
            met = (across[1] * on[0] - across[0] * on[1]) / (across[1] * ends[0, 2] - across[0] * ends[1, 2])
            where = tuple(torch.tensor(i) for i in (row, column, direction))
            share = share.index_put(where, met - 0.5)
        return blend(colour, share)

    def _outlines(
        self, positions: torch.Tensor, topology: Topology, fragments: Fragments
    ) -> dict[tuple[int, int, int], tuple[int, int]]:
        """The nearest outline edge between each pixel (row, column) and its right (0) or lower (1) neighbour."""
        pixels = positions[:, :2] / positions[:, 2:]
        found: dict[tuple[int, int, int], tuple[float, tuple[int, int]]] = {}
        for face, corners in enumerate(topology.faces.tolist()):
            for k in range(3):
                other = int(topology.neighbours[face, k])
                if other >= 0 and not (_facing(positions, topology, face) < 0 <= _facing(positions, topology, other)):
                    continue
                p, q, o = corners[k], corners[(k + 1) % 3], corners[(k + 2) % 3]
                if bool((positions[[p, q, o], 2] <= 0).any()):
                    continue
                for pair, depth in self._crossed(pixels[[p, q, o]], positions[[p, q], 2], fragments):
                    if pair not in found or depth < found[pair][0]:
                        found[pair] = (depth, (p, q))
        return {pair: ends for pair, (_, ends) in found.items()}

    def _crossed(
        self, pixels: torch.Tensor, depths: torch.Tensor, fragments: Fragments
    ) -> Iterator[tuple[tuple[int, int, int], float]]:
        """Pixel pairs between whose centres an edge (first two of pixels (3, 2)) passes, and its depth there.

        The third pixel position is the face's other corner: it says which side is inside.
        """
        run = pixels[1] - pixels[0]
        direction = 0 if abs(float(run[1])) >= abs(float(run[0])) else 1
        line_axis, on_axis = 1 - direction, direction
        start, end = float(pixels[0, line_axis]), float(pixels[1, line_axis])
        lines = range(max(0, math.ceil(min(start, end) - 0.5)), math.ceil(max(start, end) - 0.5))
        for line in lines:
            t = (line + 0.5 - start) / (end - start)
            met = float(pixels[0, on_axis] + t * run[on_axis])
            height = float((pixels[2, line_axis] - pixels[0, line_axis]) / run[line_axis])
            inside_after = float(pixels[2, on_axis] - pixels[0, on_axis] - height * run[on_axis]) > 0
            cell = math.floor(met - 0.5)
            first = (line, cell) if direction == 0 else (cell, line)
            second = (first[0] + direction, first[1] + 1 - direction)
            size = fragments.face.shape
            if min(first) < 0 or second[0] >= size[0] or second[1] >= size[1]:
                continue
            inner, outer = (second, first) if inside_after else (first, second)
            depth = 1 / ((1 - t) / float(depths[0]) + t / float(depths[1]))
            hidden = fragments.face[outer] >= 0 and float(fragments.depth[outer].detach()) <= depth
            if fragments.face[inner] >= 0 and fragments.face[inner] != fragments.face[outer] and not hidden:
                yield (*first, direction), depth


def _shares(corners: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Barycentric coordinates (..., 3) of pixels (..., 2) [one per face: (n, 1, 2)] in corners ((n,) 3, 3)."""
    a, b, c = (_seen_from(corners[..., k, :], pixels.squeeze(-2) if corners.ndim == 3 else pixels) for k in range(3))
    edges = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=-1)
    return edges / edges.sum(-1, keepdim=True)


def _facing(positions: torch.Tensor, topology: Topology, face: int) -> float:
    a, b, c = positions.detach()[topology.faces[face].long()]
    return float(torch.dot(a, torch.linalg.cross(b, c)))
