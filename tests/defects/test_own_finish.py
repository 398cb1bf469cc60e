"""The ground of a captured part is what its own images show at the site."""

from __future__ import annotations

import numpy as np
import pytest

from core.colour import linear_from_srgb
from core.material import Material, Surface
from core.texture import PbrMaps
from defects.procedural.own_finish import finish_at, looks
from tests import shapes

OWN = Material(
    name="own", version=1, text="", process="", captured=True,
    surface=Surface(albedo=(0.4, 0.4, 0.4), metallic=0, roughness=0.5),
)  # fmt: skip


def painted_box(albedo: np.ndarray):
    """A 50 x 40 mm box seen from above by one image."""
    mesh = shapes.box((0.05, 0.04, 0.03))
    uv = mesh.triangles[:, :, :2] / [0.05, 0.04]
    count = len(mesh.faces)
    mesh = mesh.with_corner(
        uv=uv, captured_albedo=np.full((count, 3, 3), 0.5), captured_gloss=np.full((count, 3, 3), [0.8, 0.5, 1.0])
    ).with_face(texture=np.zeros(count))
    shine = np.full((2, 2, 2), 51, np.uint8)
    return mesh, (PbrMaps(albedo, shine),)


def test_the_ground_has_the_colour_of_the_image_at_the_site():
    image = np.full((400, 500, 3), 30, np.uint8)
    image[:, 250:] = (200, 100, 50)
    mesh, maps = painted_box(image)
    top = np.flatnonzero(mesh.face_normals[:, 2] > 0.9)
    for x, colour in ((0.01, (30, 30, 30)), (0.04, (200, 100, 50))):
        point = np.array([x, 0.02, 0.03])
        face = next(int(f) for f in top if (looks_inside(mesh, f, point) > -1e-9).all())
        made = finish_at(OWN, mesh, maps, face, point)
        assert made.surface.albedo == pytest.approx(0.5 * linear_from_srgb(np.array(colour) / 255), rel=1e-5)
        assert made.surface.roughness == pytest.approx(0.16) and made.surface.metallic == pytest.approx(0.1)
    half = finish_at(OWN, mesh, maps, face, np.array([0.025, 0.01, 0.03]))
    low, high = (0.5 * float(linear_from_srgb(np.array(c / 255))) for c in (30, 200))
    assert half.surface.albedo[0] == pytest.approx((low + high) / 2, rel=0.1)


def looks_inside(mesh, face: int, point: np.ndarray) -> np.ndarray:
    from core.mesh import barycentric

    return barycentric(mesh.triangles[face][None], point[None, None])[0, 0]


def test_other_materials_and_plain_meshes_stay_as_they_are():
    mesh, maps = painted_box(np.full((4, 4, 3), 9, np.uint8))
    steel = OWN.model_copy(update={"captured": False})
    assert finish_at(steel, mesh, maps, 0, mesh.triangles[0].mean(0)) is steel
    plain = shapes.box()
    assert finish_at(OWN, plain, (), 0, plain.triangles[0].mean(0)) is OWN


def test_faces_without_an_image_show_their_corner_colours():
    mesh, maps = painted_box(np.full((4, 4, 3), 255, np.uint8))
    mesh = mesh.with_face(texture=np.full(len(mesh.faces), -1))
    albedo, gloss = looks(mesh, maps, np.array([3]), np.full((1, 3), 1 / 3))
    assert np.allclose(albedo, 0.5) and np.allclose(gloss, [0.8, 0.5])
