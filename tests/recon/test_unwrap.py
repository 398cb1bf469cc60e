"""The atlas: every face has a place of its own, in the right shape, and every texel knows where it lies."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from core.seeds import child
from recon.unwrap import PIECE, pieces, size_for, unwrap

MESHES = {
    "ball": trimesh.creation.icosphere(subdivisions=4, radius=0.02),
    "ring": trimesh.creation.torus(0.02, 0.006, major_sections=64, minor_sections=24),
    "block": trimesh.creation.box((0.03, 0.02, 0.01)).subdivide().subdivide().subdivide(),
}


def parts(name: str) -> tuple[np.ndarray, np.ndarray]:
    return np.array(MESHES[name].vertices), np.array(MESHES[name].faces, np.int32)


def uv_areas(uv: np.ndarray) -> np.ndarray:
    """(m,), whichever way round a face lies."""
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2


@pytest.mark.parametrize("name", sorted(MESHES))
def test_faces_lie_apart(name: str) -> None:
    vertices, faces = parts(name)
    atlas = unwrap(vertices, faces, 512)
    area = uv_areas(atlas.uv)
    assert atlas.uv.min() >= 0 and atlas.uv.max() <= 1
    assert (area > 0).all()
    assert atlas.covered.mean() == pytest.approx(area.sum(), rel=0.01)  # an overlap would cover less
    assert atlas.covered.mean() > 0.35
    rows, columns = np.nonzero(atlas.covered)
    counted = np.bincount(atlas.face[rows, columns], minlength=len(faces)) / 512**2
    assert (np.abs(counted - area) < 0.06 * area + 12 / 512**2).all()


@pytest.mark.parametrize("name", sorted(MESHES))
def test_lengths_are_alike_all_over(name: str) -> None:
    vertices, faces = parts(name)
    share = uv_areas(unwrap(vertices, faces, 512).uv) / MESHES[name].area_faces
    assert np.percentile(share, 99) < 2.5 * np.median(share)
    assert np.percentile(share, 1) > 0.33 * np.median(share)


def test_a_texel_knows_its_place() -> None:
    atlas = unwrap(*parts("ball"), 256)
    rows, columns = np.nonzero(atlas.covered)
    found = np.einsum("nck,nc->nk", atlas.uv[atlas.face[rows, columns]], atlas.bary[rows, columns])
    centres = np.stack([(columns + 0.5) / 256, 1 - (rows + 0.5) / 256], axis=1)
    assert np.abs(found - centres).max() < 0.02 / 256


def test_the_same_mesh_gives_the_same_atlas() -> None:
    first, second = (unwrap(*parts("ring"), 256) for _ in range(2))
    np.testing.assert_array_equal(first.uv, second.uv)
    np.testing.assert_array_equal(first.face, second.face)


def test_the_unit_does_not_matter() -> None:
    vertices, faces = parts("block")
    small, large = unwrap(vertices, faces, 256), unwrap(1000 * vertices, faces, 256)
    assert np.abs(uv_areas(small.uv) - uv_areas(large.uv)).max() < 0.02 * uv_areas(small.uv).max()


def test_noise_does_not_break_the_atlas_up() -> None:
    vertices, faces = parts("ball")
    rng = child(3, "noise")
    rough = vertices + 2e-4 * rng.standard_normal(vertices.shape)
    assert charts(unwrap(rough, faces, 512).uv) <= 2 * charts(unwrap(vertices, faces, 512).uv)


def charts(uv: np.ndarray) -> int:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, corner = np.unique(uv.reshape(-1, 2).round(9), axis=0, return_inverse=True)
    corner = corner.reshape(-1, 3)
    pairs = np.concatenate([corner[:, :2], corner[:, 1:]])
    count = int(corner.max()) + 1
    return int(connected_components(coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count)))[0])


def test_pieces_are_small_and_share_no_face() -> None:
    vertices, faces = parts("ball")
    found = pieces(vertices, faces, 300)
    assert max(map(len, found)) <= 300 < PIECE
    np.testing.assert_array_equal(np.sort(np.concatenate(found)), np.arange(len(faces)))


def test_maps_are_as_fine_as_the_photographs() -> None:
    vertices, faces = parts("ball")
    assert size_for(vertices, faces, 1e-4) == 1024
    assert size_for(vertices, faces, 2e-4) == 512
    assert size_for(vertices, faces, 1e-9) == 2048
    assert size_for(vertices, faces, 1.0) == 256
