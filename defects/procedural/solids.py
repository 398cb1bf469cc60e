"""Material removed or added for real: one exact boolean that clean and defected mesh both conform to.

The clean mesh is cut along the same curve as the defected one, so that faces which both keep are the same rows,
bit for bit, and "what changed" is a tag on faces, never a comparison of depths. A `Pair` holds the three
kinds of faces over one pool of vertices: kept (in both), gone (clean only), new (defected only).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import manifold3d
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from core.errors import PlacementError
from core.mesh import NORMAL, Mesh

SNAP_M = 1e-9
"""Two copies of one cut vertex are never further apart than this (metres)."""

SLIVER = 1e-3
"""Of the tool's volume: smaller pockets are filled."""

_NUDGES_M = ((0.0, 0.0, 0.0), (3.7e-8, -2.3e-8, 1.9e-8), (-5.3e-8, 4.1e-8, 6.7e-8))
"""Shifts of the tool after a cut that ran through a vertex or along an edge; below a tenth of a micrometre."""


@dataclass(frozen=True, eq=False)
class Body:
    """A closed tool body, outward oriented, part frame, metres, and how the surface that it leaves behind looks.

    crease_rad: edges sharper than this split the new surface's shading normals. bare: the new surface is raw metal
    (a fracture), not the part's finish.
    """

    vertices: np.ndarray
    faces: np.ndarray
    crease_rad: float = np.deg2rad(30.0)
    bare: bool = True


@dataclass(frozen=True, eq=False)
class Pair:
    """Clean and defected surface over one pool of vertices (all three meshes hold the same `vertices`)."""

    kept: Mesh
    gone: Mesh
    new: Mesh

    @classmethod
    def of(cls, mesh: Mesh) -> Pair:
        """The state before any change: everything kept. Adds face["defect_tag"] and face["bare"], both 0."""
        zero = np.zeros(len(mesh.faces), np.int32)
        kept = mesh.with_face(defect_tag=zero, bare=zero)
        nothing = rows(kept, np.zeros(0, int))
        return cls(kept, nothing, nothing)

    @property
    def changed(self) -> bool:
        return bool(len(self.gone.faces) or len(self.new.faces))

    def clean(self) -> Mesh:
        return stack(self.kept, self.gone)

    def defected(self) -> Mesh:
        return stack(self.kept, self.new)


@dataclass(frozen=True)
class Change:
    """What one edit did. volume_m3: signed, positive when material was added. *_m2: vanished and new surface."""

    volume_m3: float
    gone_m2: float
    new_m2: float
    points_m: np.ndarray  # (n, 3) vertices of everything that changed


def rows(mesh: Mesh, index: np.ndarray) -> Mesh:
    """Some faces of a mesh over the same vertices."""
    corner = {n: a[index] for n, a in mesh.corner.items()}
    return Mesh(mesh.vertices, mesh.faces[index], corner, {n: a[index] for n, a in mesh.face.items()})


def stack(first: Mesh, second: Mesh) -> Mesh:
    """Two meshes over the same pool of vertices as one; both must carry the same attributes."""
    corner = {n: np.concatenate([a, second.corner[n]]) for n, a in first.corner.items()}
    face = {n: np.concatenate([a, second.face[n]]) for n, a in first.face.items()}
    pool = second.vertices if len(second.vertices) > len(first.vertices) else first.vertices
    return Mesh(pool, np.concatenate([first.faces, second.faces]), corner, face)


def compact(mesh: Mesh) -> Mesh:
    """Without the vertices of the pool that no face uses."""
    return mesh.subset(np.arange(len(mesh.faces)))


def retagged(mesh: Mesh, tag: int) -> Mesh:
    return mesh.with_face(defect_tag=np.full(len(mesh.faces), tag, np.int32))


def edit(pair: Pair, seed_row: int, body: Body, tag: int, operation: Literal["remove", "add"]) -> tuple[Pair, Change]:
    """Remove `body` from, or add it to, the solid that row `seed_row` of `pair.defected()` belongs to.

    PlacementError when that solid is not closed, when the body misses it, splits it or reaches an earlier change.
    """
    whole = pair.defected()
    solid = solid_rows(whole, seed_row)
    for nudge in _NUDGES_M:
        cut = _cut(whole, solid, replace(body, vertices=body.vertices + np.array(nudge)), operation)
        if cut is not None:
            return _assemble(pair, whole, solid, cut, body, tag)
    raise PlacementError(
        "the cut for this defect runs through vertices of the part", "a cut in general position", "try another seed"
    )


def solid_rows(mesh: Mesh, seed_row: int) -> np.ndarray:
    """Rows of the closed solid at `seed_row`: those with its face["solid"], or else its connected component."""
    label = mesh.face.get("solid", np.zeros(len(mesh.faces), np.int32))
    same = np.flatnonzero(label == label[seed_row])
    if is_closed(mesh.faces[same]):
        return same
    component = components(mesh)
    mine = np.flatnonzero(component == component[seed_row])
    if is_closed(mesh.faces[mine]):
        return mine
    raise PlacementError(
        "the solid at the chosen site is open or non-manifold",
        "a closed solid, because this kind adds or removes material",
        "repair the part or use a kind that only marks the surface",
    )


def is_closed(faces: np.ndarray) -> bool:
    """Whether every directed edge has exactly one partner the other way round (closed, oriented, 2-manifold)."""
    n = int(faces.max(initial=0)) + 1
    start, end = faces.ravel().astype(np.int64), np.roll(faces, -1, axis=1).ravel().astype(np.int64)
    ahead, back = np.sort(start * n + end), np.sort(end * n + start)
    return len(faces) > 0 and bool((np.diff(ahead) > 0).all()) and np.array_equal(ahead, back)


def components(mesh: Mesh) -> np.ndarray:
    """(m,) int: number of the edge-connected piece of every face."""
    neighbours = mesh.neighbours
    i, j = np.nonzero(neighbours >= 0)
    m = len(mesh.faces)
    graph = coo_matrix((np.ones(len(i), bool), (i, neighbours[i, j])), shape=(m, m))
    return connected_components(graph, directed=False)[1]


@dataclass(frozen=True)
class _Cut:
    """vertices: pool with the new ones appended. kept, gone: pieces of cut faces with their parent (row of the whole);
    intact: rows that stay as they are; swallowed: rows that vanish uncut; new: faces of the tool."""

    vertices: np.ndarray
    intact: np.ndarray
    swallowed: np.ndarray
    kept: tuple[np.ndarray, np.ndarray]
    gone: tuple[np.ndarray, np.ndarray]
    new: np.ndarray
    volume_m3: float


def _manifold(vertices: np.ndarray, faces: np.ndarray, original: int) -> manifold3d.Manifold:
    """Every face is an original of its own, so that nothing coplanar is merged and provenance survives."""
    mesh = manifold3d.Mesh64(
        vert_properties=np.ascontiguousarray(vertices, np.float64),
        tri_verts=np.ascontiguousarray(faces, np.uint64),
        run_index=np.array([0, 3 * len(faces)], np.uint64),
        run_original_id=np.array([original], np.uint32),
        face_id=np.arange(len(faces), dtype=np.uint64),
    )
    return manifold3d.Manifold(mesh)


def _unpack(solid: manifold3d.Manifold, original: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """vertices, faces, whether a face comes from `original`, and the index of its parent face there."""
    mesh = solid.to_mesh64()
    faces = np.asarray(mesh.tri_verts).astype(np.int64)
    mine = np.zeros(len(faces), bool)
    for a, b, name in zip(mesh.run_index[:-1], mesh.run_index[1:], mesh.run_original_id, strict=True):
        mine[int(a) // 3 : int(b) // 3] = name == original
    return np.asarray(mesh.vert_properties)[:, :3], faces, mine, np.asarray(mesh.face_id).astype(np.int64)


def _cut(whole: Mesh, solid: np.ndarray, body: Body, operation: str) -> _Cut | None:
    """One boolean with provenance; None when the cut is degenerate (to be tried again with the tool nudged)."""
    used, local = np.unique(whole.faces[solid], return_inverse=True)
    local = local.reshape(-1, 3)
    first = manifold3d.Manifold.reserve_ids(2)
    part, tool = _manifold(whole.vertices[used], local, first), _manifold(body.vertices, body.faces, first + 1)
    assert tool.status() == manifold3d.Error.NoError and tool.volume() > 0, "tool bodies are closed and outward"
    if part.status() != manifold3d.Error.NoError:
        raise PlacementError(
            f"the solid at the site is refused ({part.status().name})", "a closed oriented solid", "repair the part"
        )
    inside, outside = part.split(tool)
    result = outside if operation == "remove" else part + tool
    a_xyz, a_faces, a_mine, a_parent = _unpack(result, first)
    b_xyz, b_faces, b_mine, b_parent = _unpack(inside, first)
    pocket, pieces = _pockets(a_xyz, a_faces, SLIVER * tool.volume())
    if inside.is_empty() or pieces != len(part.decompose()):
        raise PlacementError("the defect misses or splits the part", "it to bite into one edge", "make it smaller")

    tree = KDTree(whole.vertices[used])
    gap, near = tree.query(a_xyz)
    fresh = np.flatnonzero(gap > 0)
    a_pool = np.where(gap > 0, 0, used[near])
    a_pool[fresh] = len(whole.vertices) + np.arange(len(fresh))
    pool = np.concatenate([whole.vertices, a_xyz[fresh]])

    b_used = np.unique(b_faces[b_mine])
    gap, near = tree.query(b_xyz[b_used])
    b_pool = np.full(len(b_xyz), -1, np.int64)
    b_pool[b_used] = np.where(gap > 0, -1, used[near])
    loose = b_used[gap > 0]
    if len(loose):
        gap, near = KDTree(a_xyz[fresh]).query(b_xyz[loose]) if len(fresh) else (np.array([np.inf]), np.array([0]))
        if (gap > SNAP_M).any():
            return None
        b_pool[loose] = a_pool[fresh[near]]

    stays, shut, new = a_mine & ~pocket, a_mine & pocket, a_pool[a_faces[~a_mine & ~pocket]]
    kept, kept_parent = a_pool[a_faces[stays]], solid[a_parent[stays]]
    gone = np.concatenate([b_pool[b_faces[b_mine]], a_pool[a_faces[shut]]])
    gone_parent = np.concatenate([solid[b_parent[b_mine]], solid[a_parent[shut]]])
    intact, swallowed = _same(kept, whole.faces[kept_parent]), _same(gone, whole.faces[gone_parent])
    cut = _Cut(
        pool,
        np.sort(kept_parent[intact]),
        np.sort(gone_parent[swallowed]),
        _ordered(kept[~intact], kept_parent[~intact]),
        _ordered(gone[~swallowed], gone_parent[~swallowed]),
        _ordered(new, np.zeros(len(new), np.int64))[0],
        result.volume() - part.volume(),
    )
    return cut if _sound(cut, whole, solid, part.volume()) else None


def _pockets(vertices: np.ndarray, faces: np.ndarray, least: float) -> tuple[np.ndarray, int]:
    """(m,) bool: faces round pockets of less volume than `least`, shut in where a ragged fin leans on a face; and the
    number of the other pieces."""
    n = len(vertices)
    ends = faces[:, [0, 1, 1, 2]].reshape(-1, 2)
    count, label = connected_components(coo_matrix((np.ones(len(ends)), ends.T), shape=(n, n)), directed=False)
    t, mine = vertices[faces] - vertices[0], label[faces[:, 0]]
    volume = np.bincount(mine, np.einsum("ij,ij->i", t[:, 0], np.cross(t[:, 1], t[:, 2])) / 6, count)
    held = np.bincount(mine, minlength=count) > 0
    return (abs(volume) < least)[mine], int((held & (abs(volume) >= least)).sum())


def _same(pieces: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Whether each piece is its whole parent (the same three vertices in the same cyclic order)."""
    turned = [np.roll(pieces, k, axis=1) for k in range(3)]
    return np.any([(t == parents).all(axis=1) for t in turned], axis=0)


def _ordered(faces: np.ndarray, parent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least vertex first, then by parent and vertices: an order that does not depend on threads."""
    if len(faces) == 0:
        return faces.reshape(0, 3), parent
    first = faces.argmin(axis=1)[:, None]
    faces = np.take_along_axis(faces, (first + np.arange(3)) % 3, axis=1)
    order = np.lexsort((faces[:, 2], faces[:, 1], faces[:, 0], parent))
    return faces[order], parent[order]


def _sound(cut: _Cut, whole: Mesh, solid: np.ndarray, volume: float) -> bool:
    """Both surfaces closed, and the clean one encloses what the part did."""
    shared = [whole.faces[cut.intact], cut.kept[0]]
    clean = np.concatenate([*shared, whole.faces[cut.swallowed], cut.gone[0]])
    if not (is_closed(clean) and is_closed(np.concatenate([*shared, cut.new]))):
        return False
    return abs(Mesh(cut.vertices, clean).volume - volume) <= 1e-9 * abs(volume)


def _assemble(pair: Pair, whole: Mesh, solid: np.ndarray, cut: _Cut, body: Body, tag: int) -> tuple[Pair, Change]:
    n_kept = len(pair.kept.faces)
    untouched = np.ones(len(whole.faces), bool)
    untouched[solid] = False
    untouched[cut.intact] = True
    if not untouched[n_kept:].all():
        raise PlacementError("the defect reaches into an earlier one", "room between them", "ask for fewer or smaller")
    pool = Mesh(cut.vertices, whole.faces, whole.corner, whole.face)
    kept = stack(rows(pool, np.flatnonzero(untouched[:n_kept])), whole.rebuilt(cut.vertices, *cut.kept))
    gone = stack(rows(pool, cut.swallowed), whole.rebuilt(cut.vertices, *cut.gone))
    gone = retagged(gone, tag)
    solid_id = int(whole.face["solid"][solid[0]]) if "solid" in whole.face else -1
    new = dressed(Mesh(cut.vertices, cut.new), whole, body, tag, solid_id)
    change = Change(cut.volume_m3, gone.areas.sum(), new.areas.sum(), cut.vertices[np.unique(_both(gone, new))])
    old_gone, old_new = (Mesh(cut.vertices, m.faces, m.corner, m.face) for m in (pair.gone, pair.new))
    return Pair(kept, stack(old_gone, gone), stack(old_new, new)), change


def _both(first: Mesh, second: Mesh) -> np.ndarray:
    return np.concatenate([first.faces, second.faces])


def dressed(surface: Mesh, like: Mesh, body: Body, tag: int, solid_id: int) -> Mesh:
    """New surface with every attribute of `like`: normals of its own, no chart, no lay, no patch, no colour."""
    m = len(surface.faces)
    normals = creased_normals(surface, body.crease_rad)
    corner = {n: np.zeros((m, 3, a.shape[2])) for n, a in like.corner.items()}
    for name in corner:
        if name.startswith("chart_"):
            corner[name] = np.full((m, 3, 2), np.nan)
    if "lay_tangent" in corner:
        corner["lay_tangent"] = any_tangent(normals)
    corner[NORMAL] = normals
    face = {n: np.full(m, -1, np.int32) for n in like.face}
    face.update(defect_tag=np.full(m, tag, np.int32), bare=np.full(m, int(body.bare), np.int32))
    if "solid" in face:
        face["solid"] = np.full(m, solid_id, np.int32)
    return Mesh(surface.vertices, surface.faces, corner, face)


def any_tangent(normals: np.ndarray) -> np.ndarray:
    """(..., 3) unit vectors at right angles to `normals`."""
    helper = np.where(np.abs(normals[..., :1]) < 0.9, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    tangent = np.cross(normals, helper)
    return tangent / np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-12)


def creased_normals(mesh: Mesh, crease_rad: float) -> np.ndarray:
    """(m, 3, 3) corner normals: area-weighted over the faces at the vertex that lie within `crease_rad` of this one."""
    m = len(mesh.faces)
    corners = mesh.faces.ravel()
    order = np.argsort(corners, kind="stable")
    start = np.searchsorted(corners[order], np.arange(len(mesh.vertices) + 1))
    weighted, limit = mesh.face_normals * mesh.areas[:, None], np.cos(crease_rad)
    total = np.zeros((3 * m, 3))
    for step in range(int(np.diff(start).max(initial=0))):
        at = start[corners] + step
        there = at < start[corners + 1]
        other = order[np.minimum(at, 3 * m - 1)] // 3
        own = np.repeat(np.arange(m), 3)
        close = there & (np.einsum("ij,ij->i", mesh.face_normals[other], mesh.face_normals[own]) >= limit)
        total[close] += weighted[other[close]]
    length = np.linalg.norm(total, axis=1, keepdims=True)
    flat = np.repeat(mesh.face_normals, 3, axis=0)
    return np.where(length > 0, total / np.maximum(length, 1e-30), flat).reshape(m, 3, 3)
