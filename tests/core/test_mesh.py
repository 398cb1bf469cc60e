"""Meshes: measures against closed forms, attributes that survive refinement, arrays that cannot change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.arrays import frozen
from core.layers import Layers, plain
from core.mesh import NORMAL, Mesh, barycentric, concatenate
from core.seeds import child

CUBE = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float) * 0.02
FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def cube() -> Mesh:
    bare = Mesh(CUBE, FACES)
    normals = np.repeat(bare.face_normals[:, None], 3, axis=1)
    return Mesh(CUBE, FACES, {NORMAL: normals, "chart_1": bare.triangles[..., :2] * 2}, {"patch": np.arange(12) // 2})


def split(mesh: Mesh) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every face cut into three at its centroid."""
    n, m = len(mesh.vertices), len(mesh.faces)
    centre = np.arange(n, n + m)
    a, b, c = mesh.faces.T
    faces = np.stack([np.c_[a, b, centre], np.c_[b, c, centre], np.c_[c, a, centre]], 1).reshape(-1, 3)
    return np.r_[mesh.vertices, mesh.triangles.mean(1)], faces, np.repeat(np.arange(m), 3)


def test_measures_of_a_cube() -> None:
    mesh = cube()
    assert mesh.volume == pytest.approx(8e-6) and mesh.areas.sum() == pytest.approx(6 * 4e-4)
    assert np.allclose(mesh.bounds, [[0, 0, 0], [0.02, 0.02, 0.02]])
    outward = mesh.triangles.mean(1) - CUBE.mean(0)
    assert ((mesh.face_normals * outward).sum(1) > 0).all()


def test_neighbours_share_an_edge_and_are_mutual() -> None:
    mesh = cube()
    assert (mesh.neighbours >= 0).all()
    for face in range(12):
        for j, other in enumerate(mesh.neighbours[face]):
            edge = {mesh.faces[face, j], mesh.faces[face, (j + 1) % 3]}
            assert edge <= set(mesh.faces[other]) and face in mesh.neighbours[other]
    assert (mesh.subset(np.arange(11)).neighbours == -1).sum() == 3


def test_refinement_carries_every_attribute() -> None:
    mesh = cube()
    fine = mesh.rebuilt(*split(mesh))
    assert fine.volume == pytest.approx(mesh.volume) and fine.areas.sum() == pytest.approx(mesh.areas.sum())
    assert np.allclose(fine.corner["chart_1"], fine.triangles[..., :2] * 2, atol=1e-12)
    assert np.allclose(fine.corner[NORMAL], np.repeat(fine.face_normals[:, None], 3, axis=1))
    assert np.array_equal(fine.face["patch"], np.repeat(mesh.face["patch"], 3))


@given(st.integers(0, 2000), st.floats(-7, 0))
def test_barycentric_places_points_whatever_the_scale(seed: int, power: float) -> None:
    rng = child(seed, "triangle")
    triangle = rng.normal(size=(1, 3, 3)) * 10**power
    weights = rng.dirichlet([1, 1, 1], size=(1, 4))
    points = np.einsum("mck,mkx->mcx", weights, triangle)
    area = np.linalg.norm(np.cross(triangle[0, 1] - triangle[0, 0], triangle[0, 2] - triangle[0, 0]))
    if area < 1e-3 * 10 ** (2 * power):
        return
    assert np.allclose(barycentric(triangle, points), weights, atol=1e-6)


def test_a_degenerate_parent_gives_its_nearest_corner() -> None:
    triangle = np.array([[[0, 0, 0], [1, 0, 0], [2, 0, 0]]], float)
    assert barycentric(triangle, np.array([[[1.9, 0, 0]]])).tolist() == [[[0, 0, 1]]]


def test_subset_and_concatenation() -> None:
    mesh = cube()
    first, second = mesh.subset(mesh.face["patch"] < 2), mesh.subset(mesh.face["patch"] >= 2)
    both = concatenate(first, second)
    assert both.volume == pytest.approx(mesh.volume) and set(both.corner) == {NORMAL, "chart_1"}
    assert len(first.vertices) == 8 and len(first.faces) == 4


def test_arrays_cannot_be_changed_and_the_givers_stay_writable() -> None:
    given_array = CUBE.copy()
    mesh = Mesh(given_array, FACES)
    with pytest.raises(ValueError):
        mesh.vertices[0, 0] = 1
    given_array[0, 0] = 9
    assert mesh.vertices[0, 0] == 0
    with pytest.raises(ValueError, match=r"faces has shape \(12, 2\), expected \(None, 3\)"):
        Mesh(CUBE, FACES[:, :2])
    view = frozen(given_array[:, :2], float, (None, 2), "view")
    given_array[1, 1] = 5
    assert view[1, 1] == 0 and not view.flags.writeable


def layers(**changes: np.ndarray) -> Layers:
    v, u = np.indices((12, 16)) - np.array([5.5, 7.5])[:, None, None]
    sdf = np.hypot(u, v) - 3.0
    both = {"sdf_m": sdf * 1e-4, "affected_m": (sdf - 1) * 1e-4}
    return Layers(pitch_m=1e-4, origin_m=(-8e-4, -6e-4), **(both | plain((12, 16)) | changes))


def test_layers_are_sampled_bilinearly_between_texel_centres() -> None:
    v, u = np.indices((12, 16))
    ramp = (3.0 * u - 2.0 * v).astype(np.float32)
    made = layers(height_m=ramp)
    rng = child(1, "uv")
    uv = rng.uniform((-7.5e-4, -5.5e-4), (7.5e-4, 5.5e-4), (50, 2))
    expected = 3.0 * ((uv[:, 0] + 8e-4) / 1e-4 - 0.5) - 2.0 * ((uv[:, 1] + 6e-4) / 1e-4 - 0.5)
    assert np.allclose(made.sample("height_m", uv), expected, atol=1e-4)
    assert made.sample("height_m", np.array([[1.0, 1.0]]))[0] == ramp[-1, -1], "clamped outside"


def test_a_zone_that_reaches_the_border_is_refused() -> None:
    with pytest.raises(ValueError, match="affected_m reaches the border"):
        layers(affected_m=np.full((12, 16), -1.0))
    textures = layers().textures()
    assert textures.shape == (3, 12, 16, 4) and np.array_equal(textures[2, ..., 1], layers().sdf_m)
