"""Warp kernels behind `recon.raster.warp_backend`: visibility by packed depth, then everything that has gradients."""

from __future__ import annotations

import warp as wp

DEPTH_STEPS = 8.0e9
FACE_SPAN = 1 << 29
NONE = (1 << 63) - 1

vec3f = wp.vec3f


@wp.func
def edge(a: wp.vec2f, b: wp.vec2f):
    return a[0] * b[1] - a[1] * b[0]


@wp.func
def seen_from(p: wp.vec3f, x: float, y: float):
    """A homogeneous pixel position with the pixel moved to the origin: small numbers, so exact edge functions."""
    return wp.vec2f(p[0] - x * p[2], p[1] - y * p[2])


@wp.kernel(enable_backward=False)
def nearest(
    positions: wp.array(dtype=wp.vec3f),
    faces: wp.array2d(dtype=wp.int32),
    nearest_key: wp.array2d(dtype=wp.int64),
    depth_scale: float,
):
    """Each face writes (depth, face) into every pixel whose centre it covers; the least wins, in any order."""
    f = wp.tid()
    a = positions[faces[f, 0]]
    b = positions[faces[f, 1]]
    c = positions[faces[f, 2]]
    if a[2] <= 0.0 or b[2] <= 0.0 or c[2] <= 0.0:
        return
    height = nearest_key.shape[0]
    width = nearest_key.shape[1]
    ax = a[0] / a[2]
    ay = a[1] / a[2]
    bx = b[0] / b[2]
    by = b[1] / b[2]
    cx = c[0] / c[2]
    cy = c[1] / c[2]
    left = wp.max(wp.int32(wp.floor(wp.max(wp.min(ax, wp.min(bx, cx)) - 0.5, 0.0))), 0)
    right = wp.min(wp.int32(wp.floor(wp.min(wp.max(ax, wp.max(bx, cx)) + 0.5, float(width)))), width - 1)
    top = wp.max(wp.int32(wp.floor(wp.max(wp.min(ay, wp.min(by, cy)) - 0.5, 0.0))), 0)
    bottom = wp.min(wp.int32(wp.floor(wp.min(wp.max(ay, wp.max(by, cy)) + 0.5, float(height)))), height - 1)
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            x = float(column) + 0.5
            y = float(row) + 0.5
            qa = seen_from(a, x, y)
            qb = seen_from(b, x, y)
            qc = seen_from(c, x, y)
            ea = edge(qb, qc)
            eb = edge(qc, qa)
            ec = edge(qa, qb)
            total = ea + eb + ec
            if total != 0.0:
                u = ea / total
                v = eb / total
                w = ec / total
                if u >= 0.0 and v >= 0.0 and w >= 0.0:
                    depth = u * a[2] + v * b[2] + w * c[2]
                    key = wp.int64(depth * depth_scale) * wp.int64(FACE_SPAN) + wp.int64(f)
                    wp.atomic_min(nearest_key, row, column, key)


@wp.kernel(enable_backward=False)
def unpack(nearest_key: wp.array2d(dtype=wp.int64), face: wp.array2d(dtype=wp.int32)):
    row, column = wp.tid()
    key = nearest_key[row, column]
    if key == wp.int64(NONE):
        face[row, column] = -1
    else:
        face[row, column] = wp.int32(key % wp.int64(FACE_SPAN))


@wp.kernel
def barycentric(
    positions: wp.array(dtype=wp.vec3f),
    faces: wp.array2d(dtype=wp.int32),
    face: wp.array2d(dtype=wp.int32),
    bary: wp.array2d(dtype=wp.vec3f),
    depth: wp.array2d(dtype=float),
):
    row, column = wp.tid()
    f = face[row, column]
    if f >= 0:
        x = float(column) + 0.5
        y = float(row) + 0.5
        a = positions[faces[f, 0]]
        b = positions[faces[f, 1]]
        c = positions[faces[f, 2]]
        qa = seen_from(a, x, y)
        qb = seen_from(b, x, y)
        qc = seen_from(c, x, y)
        ea = edge(qb, qc)
        eb = edge(qc, qa)
        ec = edge(qa, qb)
        total = ea + eb + ec
        bary[row, column] = wp.vec3f(ea / total, eb / total, ec / total)
        depth[row, column] = (ea * a[2] + eb * b[2] + ec * c[2]) / total


@wp.kernel
def interpolate(
    values: wp.array2d(dtype=float),
    faces: wp.array2d(dtype=wp.int32),
    face: wp.array2d(dtype=wp.int32),
    bary: wp.array2d(dtype=wp.vec3f),
    out: wp.array3d(dtype=float),
):
    row, column, channel = wp.tid()
    f = face[row, column]
    if f >= 0:
        share = bary[row, column]
        out[row, column, channel] = (
            share[0] * values[faces[f, 0], channel]
            + share[1] * values[faces[f, 1], channel]
            + share[2] * values[faces[f, 2], channel]
        )


@wp.func
def facing(positions: wp.array(dtype=wp.vec3f), faces: wp.array2d(dtype=wp.int32), f: int):
    a = positions[faces[f, 0]]
    b = positions[faces[f, 1]]
    c = positions[faces[f, 2]]
    return wp.dot(a, wp.cross(b, c))


@wp.kernel(enable_backward=False)
def find_silhouettes(
    positions: wp.array(dtype=wp.vec3f),
    faces: wp.array2d(dtype=wp.int32),
    neighbours: wp.array2d(dtype=wp.int32),
    face: wp.array2d(dtype=wp.int32),
    depth: wp.array2d(dtype=float),
    depth_scale: float,
    nearest_key: wp.array3d(dtype=wp.int64),
):
    """Each outline edge writes (depth, edge) into every pair of pixels between whose centres it passes.

    Edges are walked, not pixels: near an outline the faces are seen so obliquely that the edge often belongs to a face
    that covers no pixel's centre. Channel 0 pairs a pixel with its right neighbour, 1 with the lower one; an edge goes
    to the one that it crosses steeply, so that a slanted one is not blended twice.
    """
    f, k = wp.tid()
    other = neighbours[f, k]
    own = facing(positions, faces, f)
    if other >= 0:
        if own >= 0.0 or facing(positions, faces, other) < 0.0:
            return
    p = positions[faces[f, k]]
    q = positions[faces[f, (k + 1) % 3]]
    o = positions[faces[f, (k + 2) % 3]]
    if p[2] <= 0.0 or q[2] <= 0.0 or o[2] <= 0.0:
        return
    px = p[0] / p[2]
    py = p[1] / p[2]
    qx = q[0] / q[2]
    qy = q[1] / q[2]
    ox = o[0] / o[2]
    oy = o[1] / o[2]
    height = face.shape[0]
    width = face.shape[1]
    direction = int(0)
    start = py
    end = qy
    count = height
    if wp.abs(qy - py) < wp.abs(qx - px):
        direction = 1
        start = px
        end = qx
        count = width
    first = wp.max(wp.int32(wp.ceil(wp.max(wp.min(start, end), 0.0) - 0.5)), 0)
    last = wp.min(wp.int32(wp.ceil(wp.min(wp.max(start, end), float(count)) - 0.5)), count)
    for line in range(first, last):
        t = (float(line) + 0.5 - start) / (end - start)
        met = float(0.0)
        side = float(0.0)
        if direction == 0:
            met = px + t * (qx - px)
            side = ox - (px + (oy - py) / (qy - py) * (qx - px))
        else:
            met = py + t * (qy - py)
            side = oy - (py + (ox - px) / (qx - px) * (qy - py))
        cell = wp.int32(wp.floor(met - 0.5))
        row = line
        column = cell
        if direction == 1:
            row = cell
            column = line
        other_row = row + direction
        other_column = column + 1 - direction
        if row >= 0 and column >= 0 and other_row < height and other_column < width:
            inner = face[row, column]
            outer = face[other_row, other_column]
            beyond = depth[other_row, other_column]
            if side > 0.0:
                inner = face[other_row, other_column]
                outer = face[row, column]
                beyond = depth[row, column]
            z = 1.0 / ((1.0 - t) / p[2] + t / q[2])
            if inner >= 0 and inner != outer and (outer < 0 or beyond > z):
                key = wp.int64(z * depth_scale) * wp.int64(FACE_SPAN) + wp.int64(3 * f + k)
                wp.atomic_min(nearest_key, row, column, direction, key)


@wp.kernel(enable_backward=False)
def unpack_edges(
    nearest_key: wp.array3d(dtype=wp.int64), faces: wp.array2d(dtype=wp.int32), ends: wp.array3d(dtype=wp.vec2i)
):
    """ends: both vertices of the outline edge between the pair, or -1."""
    row, column, direction = wp.tid()
    key = nearest_key[row, column, direction]
    if key == wp.int64(NONE):
        ends[row, column, direction] = wp.vec2i(-1, -1)
    else:
        number = wp.int32(key % wp.int64(FACE_SPAN))
        f = number / 3
        k = number % 3
        ends[row, column, direction] = wp.vec2i(faces[f, k], faces[f, (k + 1) % 3])


@wp.kernel
def silhouette_shares(
    positions: wp.array(dtype=wp.vec3f), ends: wp.array3d(dtype=wp.vec2i), share: wp.array3d(dtype=float)
):
    """Where the outline passes between the pair's centres, from -0.5 at this pixel's to 0.5 at the neighbour's:
    positive, that much of the neighbour has this pixel's colour; negative, that much of this pixel the neighbour's."""
    row, column, direction = wp.tid()
    vertices = ends[row, column, direction]
    if vertices[0] >= 0:
        p = positions[vertices[0]]
        q = positions[vertices[1]]
        a = seen_from(p, float(column) + 0.5, float(row) + 0.5)
        b = seen_from(q, float(column) + 0.5, float(row) + 0.5)
        if direction == 0:
            share[row, column, direction] = (b[1] * a[0] - a[1] * b[0]) / (b[1] * p[2] - a[1] * q[2]) - 0.5
        else:
            share[row, column, direction] = (b[0] * a[1] - a[0] * b[1]) / (b[0] * p[2] - a[0] * q[2]) - 0.5
