"""Signed grids from meshes and masks, values of a grid at points, and the mesh that is left when a surface is read."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from core.errors import GeometryError
from recon import kernels
from recon.capture.model import View
from recon.fit.problem import UnitFrame
from recon.hull import Cones, hull_field, outlines
from recon.raster.protocol import Topology
from recon.volume.flexicubes import Grid
from recon.warps import as_warp, wp

CRUMB = 0.02
"""A piece of less than this share of the greatest one's volume is left out; so are voids, which no view can show."""


def signed_distance(vertices: np.ndarray, faces: np.ndarray, grid: Grid, device: str = "cpu") -> torch.Tensor:
    """(samples,) distance to a closed mesh, negative inside by its winding number; positive on the grid's border."""
    mesh = wp.Mesh(
        wp.array(vertices.astype(np.float32), dtype=wp.vec3f, device=device),
        wp.array(faces.reshape(-1).astype(np.int32), dtype=wp.int32, device=device),
        support_winding_number=True,
    )
    field = torch.zeros(grid.shape, device=device)
    reach = 2 * grid.step * max(grid.shape)
    inputs = [mesh.id, wp.vec3f(*grid.lower), float(grid.step), float(reach)]
    wp.launch(kernels.signed_distance, grid.shape, inputs, [as_warp(field)], device=device)
    return bordered(field.reshape(-1), grid)


def bordered(values: torch.Tensor, grid: Grid) -> torch.Tensor:
    """The same with at least half a cell on the border, so that the surface closes; with gradients."""
    border = torch.ones(grid.shape, dtype=torch.bool, device=values.device)
    border[1:-1, 1:-1, 1:-1] = False
    return torch.where(border.reshape(-1), values.clamp(min=0.5 * grid.step), values)


def outside_masks(views: tuple[View, ...], frame: UnitFrame, grid: Grid, tolerated: int = 0) -> torch.Tensor:
    """(samples,) how far a sample is outside the masks' hull, unit frame; negative inside it."""
    masks, k = outlines(views)
    points = frame.part(grid.points().numpy()).astype(np.float32)
    depth = hull_field(points, Cones(tuple(views), tuple(masks), k, tolerated), 4 * grid.step * frame.radius)
    limit = 4 * grid.step
    return torch.as_tensor(np.clip(-depth / frame.radius, -limit, limit).astype(np.float32))


def at_points(field: torch.Tensor, points: torch.Tensor, grid: Grid) -> torch.Tensor:
    """field (samples, k), points (n, 3) -> (n, k), trilinear; gradients to the field."""
    lower = torch.as_tensor(grid.lower, dtype=points.dtype, device=points.device)
    extent = torch.as_tensor([s - 1 for s in grid.shape], dtype=points.dtype, device=points.device) * grid.step
    where = ((points - lower) / extent * 2 - 1).flip(1)
    volume = field.T.reshape(1, -1, *grid.shape)
    found = torch.nn.functional.grid_sample(volume, where[None, None, None], align_corners=True, padding_mode="border")
    return found[0, :, 0, 0].T


def joined(faces: torch.Tensor, count: int) -> Topology:
    """The topology of a closed manifold mesh, faces (m, 3) int32, from its directed edges, on their own device."""
    ends = faces.long()
    forth = ends * count + ends.roll(-1, 1)
    back = ends.roll(-1, 1) * count + ends
    order = torch.argsort(forth.reshape(-1))
    place = torch.searchsorted(forth.reshape(-1)[order], back.reshape(-1)).clamp(max=forth.numel() - 1)
    other = order[place] // 3
    found = forth.reshape(-1)[order][place] == back.reshape(-1)
    neighbours = torch.where(found, other, torch.full_like(other, -1)).reshape(-1, 3)
    return Topology(faces.contiguous(), neighbours.to(torch.int32))


def edges_once(faces: torch.Tensor) -> torch.Tensor:
    """(e, 2) int64 edges of a closed manifold mesh: it runs along each once up and once down."""
    ends = torch.stack([faces.long(), faces.long().roll(-1, 1)], -1).reshape(-1, 2)
    return ends[ends[:, 0] < ends[:, 1]]


def unevenness(vertices: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
    """() mean squared distance of a vertex from its neighbours' mean."""
    total = torch.zeros_like(vertices).index_add(0, edges[:, 0], vertices[edges[:, 1]])
    total = total.index_add(0, edges[:, 1], vertices[edges[:, 0]])
    degree = torch.bincount(edges.reshape(-1), minlength=len(vertices)).clamp(min=1)
    return ((total / degree[:, None] - vertices) ** 2).sum(1).mean()


def solid(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh without voids and crumbs, its vertices renumbered."""
    n = len(vertices)
    ends = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(n, n))
    count, label = connected_components(graph, directed=False)
    t = vertices[faces] - vertices.mean(0)
    volumes = np.bincount(label[faces[:, 0]], np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])) / 6, count)
    if volumes.max() <= 0:
        raise GeometryError("a surface without volume", "a closed piece", "check masks and poses")
    kept = faces[(volumes > CRUMB * volumes.max())[label[faces[:, 0]]]]
    used, inverse = np.unique(kept, return_inverse=True)
    return vertices[used], inverse.reshape(-1, 3).astype(np.int32)


def genus(faces: np.ndarray) -> int:
    """Handles of a closed manifold mesh, over all its pieces: pieces - (vertices - edges + faces) / 2."""
    return int(pieces(faces) - (len(np.unique(faces)) - len(faces) // 2) // 2)


def pieces(faces: np.ndarray) -> int:
    """Of a mesh, by its edges."""
    used, inverse = np.unique(faces, return_inverse=True)
    f = inverse.reshape(-1, 3)
    ends = np.concatenate([f[:, [0, 1]], f[:, [1, 2]]])
    graph = coo_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(used),) * 2)
    return int(connected_components(graph, directed=False)[0])
