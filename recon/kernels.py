"""Warp kernels of distance and visibility queries."""

from __future__ import annotations

import warp as wp


@wp.kernel(enable_backward=False)
def signed_distance(
    mesh: wp.uint64,
    lower: wp.vec3f,
    step: float,
    reach: float,
    field: wp.array3d(dtype=float),
):
    i, j, k = wp.tid()
    point = lower + wp.vec3f(float(i), float(j), float(k)) * step
    query = wp.mesh_query_point_sign_winding_number(mesh, point, 2.0 * reach, 2.0, 0.5)
    if query.result:
        nearest = wp.mesh_eval_position(mesh, query.face, query.u, query.v)
        field[i, j, k] = query.sign * wp.length(nearest - point)
    else:
        field[i, j, k] = 2.0 * reach


@wp.kernel(enable_backward=False)
def unshadowed(
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


@wp.kernel(enable_backward=False)
def walls(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3f),
    normals: wp.array(dtype=wp.vec3f),
    directions: wp.array(dtype=wp.vec3f),
    lift: float,
    far: float,
    out: wp.array2d(dtype=wp.int32),
):
    vertex, number = wp.tid()
    normal = normals[vertex]
    direction = directions[number]
    out[vertex, number] = -1
    if wp.dot(normal, direction) > 0.0:
        query = wp.mesh_query_ray(mesh, points[vertex] + normal * lift, direction, far)
        if query.result:
            if wp.dot(query.normal, direction) < 0.0:
                out[vertex, number] = query.face


@wp.kernel(enable_backward=False)
def distances(
    mesh: wp.uint64,
    starts: wp.array(dtype=wp.vec3f),
    ways: wp.array(dtype=wp.vec3f),
    far: float,
    out: wp.array(dtype=float),
):
    i = wp.tid()
    query = wp.mesh_query_ray(mesh, starts[i], ways[i], far)
    out[i] = -1.0
    if query.result:
        out[i] = query.t


@wp.kernel(enable_backward=False)
def sees_lamps(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3f),
    normals: wp.array(dtype=wp.vec3f),
    lamps: wp.array(dtype=wp.vec3f),
    lift: float,
    far: float,
    out: wp.array2d(dtype=wp.uint8),
):
    vertex, number = wp.tid()
    start = points[vertex] + normals[vertex] * lift
    towards = lamps[number] - start
    distance = wp.length(towards)
    direction = towards / distance
    if wp.dot(normals[vertex], direction) > 0.0:
        if not wp.mesh_query_ray_anyhit(mesh, start, direction, wp.min(distance, far)):
            out[vertex, number] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def seen(
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
    if wp.dot(normals[vertex], direction) > least_cosine:
        if not wp.mesh_query_ray_anyhit(mesh, start, direction, distance):
            out[vertex] = wp.uint8(1)


@wp.kernel(enable_backward=False)
def nearest_face(mesh: wp.uint64, points: wp.array(dtype=wp.vec3f), face: wp.array(dtype=wp.int32)):
    i = wp.tid()
    query = wp.mesh_query_point_no_sign(mesh, points[i], 1.0e6)
    face[i] = -1
    if query.result:
        face[i] = query.face


@wp.kernel(enable_backward=False)
def free(
    mesh: wp.uint64, start: wp.array(dtype=wp.vec3f), end: wp.array(dtype=wp.vec3f), out: wp.array(dtype=wp.uint8)
):
    i = wp.tid()
    way = end[i] - start[i]
    length = wp.length(way)
    if not wp.mesh_query_ray_anyhit(mesh, start[i], way / length, length):
        out[i] = wp.uint8(1)
