"""The frame in which a normal map is meant: MikkTSpace, which glTF names and which Blender and its Cycles build.

A face's tangent runs along u of its texture coordinates. At a corner it is laid into the plane of the smooth normal and
averaged, by the corner's angle, over the fan of faces that hang together there in the map and lie the same side up
(Mikkelsen, Simulation of Wrinkled Surfaces Revisited, 2008). Inside a face tangent and normal are interpolated as they
are, without being made unit again, and the bitangent is their cross product: that is part of the definition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

LEAST = 1e-20


@dataclass(frozen=True, eq=False)
class Fans:
    """Of a mesh and its texture coordinates. faces: (m, 3) int64 vertices. fan: (m, 3) int32 number of each corner's
    fan; vertex: (k,) int64 of each fan, u, v: (k, 2) of its texture coordinate. side: (m,) 1, or -1 where the face lies
    mirrored in the map. along: (m, 2) factors of a face's first two edges from its first corner, whose sum is the
    direction of u.
    """

    faces: torch.Tensor
    fan: torch.Tensor
    vertex: torch.Tensor
    uv: torch.Tensor
    side: torch.Tensor
    along: torch.Tensor

    @staticmethod
    def of(faces: np.ndarray, uv: np.ndarray, device: str | torch.device = "cpu") -> Fans:
        """faces: (m, 3). uv: (m, 3, 2) by corner; those within float32 of each other are one."""
        uv = np.asarray(uv, np.float32)
        edges = (uv[:, 1:] - uv[:, :1]).astype(np.float64)
        area = edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]
        side = np.where(area > 0, 1, -1)
        fan = _fans(np.asarray(faces), uv, side)
        first = np.unique(fan, return_index=True)[1]

        def tensor(array: np.ndarray, kind: torch.dtype) -> torch.Tensor:
            return torch.tensor(np.ascontiguousarray(array), dtype=kind, device=device)

        return Fans(
            faces=tensor(faces, torch.int64),
            fan=tensor(fan, torch.int32),
            vertex=tensor(np.asarray(faces).ravel()[first], torch.int64),
            uv=tensor(uv.reshape(-1, 2)[first], torch.float32),
            side=tensor(side, torch.float32),
            along=tensor(np.stack([edges[:, 1, 1], -edges[:, 0, 1]], 1) * side[:, None], torch.float32),
        )


def _fans(faces: np.ndarray, uv: np.ndarray, side: np.ndarray) -> np.ndarray:
    """(m, 3) number of each corner's fan: corners that are joined by edges on both of whose ends vertex and texture
    coordinate agree."""
    pairs = np.column_stack([faces.ravel(), uv.reshape(-1, 2).astype(np.float64)])
    place = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1, 3)
    count = len(faces)
    corner = np.arange(3 * count).reshape(-1, 3)
    ends = np.stack([place, np.roll(place, -1, 1)], 2).reshape(-1, 2)
    own = np.stack([corner, np.roll(corner, -1, 1)], 2).reshape(-1, 2)
    turned = ends[:, 0] > ends[:, 1]
    ends[turned], own[turned] = ends[turned][:, ::-1], own[turned][:, ::-1]
    order = np.lexsort((np.repeat(side, 3), ends[:, 1], ends[:, 0]))
    ends, own, up = ends[order], own[order], np.repeat(side, 3)[order]
    same = (ends[1:] == ends[:-1]).all(1) & (up[1:] == up[:-1])
    one, two = own[:-1][same].ravel(), own[1:][same].ravel()
    joined = coo_matrix((np.ones(len(one)), (one, two)), shape=(3 * count, 3 * count))
    labels: Any = connected_components(joined, directed=False)[1]
    return labels.reshape(-1, 3)


def smooth_normals(vertices: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """vertices (n, 3), faces (m, 3) int64 -> (n, 3) unit, by the corners' angles, as the part's files have them.
    Gradients flow through the faces' normals, not through the angles."""
    a, b, c = (vertices.index_select(0, faces[:, k]) for k in range(3))
    cross = torch.linalg.cross(b - a, c - a)
    unit = cross / cross.norm(dim=1, keepdim=True).clamp(min=LEAST)
    total = torch.zeros_like(vertices)
    with torch.no_grad():
        angles = [_angle(q - p, r - p) for p, q, r in ((a, b, c), (b, c, a), (c, a, b))]
    for k in range(3):
        total = total.index_add(0, faces[:, k], unit * angles[k])
    return total / total.norm(dim=1, keepdim=True).clamp(min=LEAST)


@torch.no_grad()
def tangents(fans: Fans, vertices: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    """(k, 3) unit, one a fan, square to its vertex' normal (n, 3). Without gradient."""
    corners = [vertices[fans.faces[:, k]] for k in range(3)]
    along = fans.along[:, :1] * (corners[1] - corners[0]) + fans.along[:, 1:] * (corners[2] - corners[0])
    total = torch.zeros(len(fans.vertex), 3, dtype=vertices.dtype, device=vertices.device)
    for k in range(3):
        normal = normals[fans.faces[:, k]]
        before, after = (_laid(corners[(k + j) % 3] - corners[k], normal) for j in (2, 1))
        total.index_add_(0, fans.fan[:, k].long(), _laid(along, normal) * _angle(before, after))
    length = total.norm(dim=1, keepdim=True)
    anyway = torch.tensor([1.0, 0.0, 0.0], dtype=total.dtype, device=total.device)
    return torch.where(length > LEAST, total / length.clamp(min=LEAST), anyway)


def bent(normals: torch.Tensor, tangents: torch.Tensor, side: torch.Tensor, relief: torch.Tensor) -> torch.Tensor:
    """(n, 3) unit normals: interpolated normals and tangents (n, 3) as they are, side (n, 1), relief (n, 2) the two
    components of the map's normal over its third."""
    across = side * torch.linalg.cross(normals, tangents)
    return torch.nn.functional.normalize(normals + relief[:, :1] * tangents + relief[:, 1:] * across, dim=1)


def normal_map(relief: np.ndarray) -> np.ndarray:
    """(..., 2) -> (..., 3) float32 unit: along u, along v (up in the map), outwards."""
    normal = np.concatenate([relief, np.ones_like(relief[..., :1])], -1)
    return (normal / np.linalg.norm(normal, axis=-1, keepdims=True)).astype(np.float32)


def _laid(vectors: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
    flat = vectors - normals * (normals * vectors).sum(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp(min=LEAST)


def _angle(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """(n, 1) between vectors."""
    size = torch.linalg.cross(first, second).norm(dim=1, keepdim=True)
    return torch.atan2(size, (first * second).sum(1, keepdim=True))
