"""Which directions of the session's grid each vertex sees past its own part."""

from __future__ import annotations

import numpy as np
import torch

from recon.warps import as_warp, wp


@wp.kernel(enable_backward=False)
def _unshadowed(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3f),
    normals: wp.array(dtype=wp.vec3f),
    directions: wp.array(dtype=wp.vec3f),
    lift: float,
    far: float,
    out: wp.array2d(dtype=wp.uint8),
):
    vertex, number = wp.tid()
    normal = normals[vertex]
    direction = directions[number]
    if wp.dot(normal, direction) > 0.0:
        start = points[vertex] + normal * lift
        if not wp.mesh_query_ray_anyhit(mesh, start, direction, far):
            out[vertex, number] = wp.uint8(1)


def unshadowed(
    vertices: torch.Tensor, normals: torch.Tensor, faces: torch.Tensor, directions: np.ndarray, lift: float
) -> torch.Tensor:
    """vertices, normals (n, 3), faces (m, 3), directions (d, 3) -> (n, d) uint8: 1 where nothing of the mesh stands in
    the way and the direction lies above the vertex' horizon. lift: start of the rays above the surface."""
    device = wp.device_from_torch(vertices.device)
    points = as_warp(vertices, wp.vec3f)
    mesh = wp.Mesh(points, as_warp(faces.reshape(-1)))
    wanted = torch.as_tensor(np.asarray(directions, np.float32), device=vertices.device)
    out = torch.zeros(len(vertices), len(directions), dtype=torch.uint8, device=vertices.device)
    far = 2.0 * float((vertices.max(0).values - vertices.min(0).values).norm())
    inputs = [points, as_warp(normals, wp.vec3f), as_warp(wanted, wp.vec3f), float(lift), far]
    wp.launch(_unshadowed, tuple(out.shape), [mesh.id, *inputs], [as_warp(out)], device=device)
    return out


@wp.kernel(enable_backward=False)
def _seen(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3f),
    normals: wp.array(dtype=wp.vec3f),
    eye: wp.vec3f,
    lift: float,
    least_cosine: float,
    out: wp.array(dtype=wp.uint8),
):
    vertex = wp.tid()
    start = points[vertex] + normals[vertex] * lift
    towards = eye - start
    distance = wp.length(towards)
    direction = towards / distance
    facing = wp.dot(normals[vertex], direction) > least_cosine
    if facing and not wp.mesh_query_ray_anyhit(mesh, start, direction, distance):
        out[vertex] = wp.uint8(1)


def seen_from(
    vertices: torch.Tensor,
    normals: torch.Tensor,
    faces: torch.Tensor,
    eyes: np.ndarray,
    lift: float,
    least_cosine: float = 0.0,
) -> torch.Tensor:
    """eyes (v, 3) -> (v, n) uint8: 1 where the vertex sees the eye past the mesh, its normal within that cosine."""
    points, upright = as_warp(vertices, wp.vec3f), as_warp(normals, wp.vec3f)
    mesh = wp.Mesh(points, as_warp(faces.reshape(-1)))
    out = torch.zeros(len(eyes), len(vertices), dtype=torch.uint8, device=vertices.device)
    for number, eye in enumerate(eyes):
        inputs = [mesh.id, points, upright, wp.vec3f(*(float(v) for v in eye)), float(lift), float(least_cosine)]
        wp.launch(_seen, len(vertices), inputs, [as_warp(out[number])], device=points.device)
    return out
