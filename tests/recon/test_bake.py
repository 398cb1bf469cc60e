"""Maps: a paint finer than the mesh comes back without the lamps' shading; what nobody saw keeps the fit's colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.colour import srgb_from_linear
from core.seeds import child
from recon.bake import Maps, bake, filled
from recon.capture.model import Capture
from recon.result import Reconstruction, Shading
from recon.sights import linear_in_albedo
from recon.strips import chosen_views, panel, strip, texture_measures
from tests.recon.painted import GREY, checker, photographed, unpainted


@pytest.fixture(scope="module")
def capture() -> Capture:
    return photographed()


@pytest.fixture(scope="module")
def fit(capture: Capture) -> Reconstruction:
    return unpainted(capture)


@pytest.fixture(scope="module")
def maps(capture: Capture, fit: Reconstruction) -> Maps:
    torch.set_num_threads(1)
    return bake(capture, fit, 512)


def texels(maps: Maps, fit: Reconstruction) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows, columns) of the covered texels, and where they lie (n, 3)."""
    rows, columns = np.nonzero(maps.atlas.covered)
    corners = fit.vertices[fit.faces[maps.atlas.face[rows, columns]]]
    return rows, columns, np.einsum("nck,nc->nk", corners, maps.atlas.bary[rows, columns])


def decibel(found: np.ndarray, true: np.ndarray) -> float:
    return float(-10 * np.log10(((srgb_from_linear(found) - srgb_from_linear(true)) ** 2).mean()))


def test_a_paint_finer_than_the_mesh_comes_back(maps: Maps, fit: Reconstruction) -> None:
    """24.5 dB where four views or more saw it. The true colours at the vertices would give 19.6 dB: fields are three
    edges wide."""
    rows, columns, points = texels(maps, fit)
    seen = maps.confidence[rows, columns] > 0.5
    true = checker(points)
    corners = checker(fit.vertices)[fit.faces[maps.atlas.face[rows, columns]]]
    vertices = np.einsum("nck,nc->nk", corners, maps.atlas.bary[rows, columns])
    found = maps.albedo[rows, columns]
    assert seen.mean() > 0.35
    assert decibel(found[seen], true[seen]) > 24.5
    assert decibel(found[seen], true[seen]) > decibel(vertices[seen], true[seen]) + 4


def test_no_lamp_is_left_in_the_paint(maps: Maps, fit: Reconstruction) -> None:
    """Inside fields, paint of one colour varies by 2 %, though the light on it varies more than threefold."""
    rows, columns, points = texels(maps, fit)
    inner = (maps.confidence[rows, columns] > 0.7) & (np.abs(points[:, 2]) < 0.8 * 0.02)
    for nudge in np.eye(3) * 6e-4:
        inner &= (checker(points) == checker(points + nudge)).all(1) & (checker(points) == checker(points - nudge)).all(
            1
        )
    ratio = maps.albedo[rows, columns][inner] / checker(points[inner])
    assert inner.sum() > 500
    assert np.median(ratio) == pytest.approx(1, abs=0.02)
    assert np.percentile(np.abs(ratio - 1), 80) < 0.04


def test_views_that_were_kept_apart_are_met_better(capture: Capture, fit: Reconstruction, maps: Maps) -> None:
    measures = texture_measures(capture, fit, maps)
    assert measures["held_out_maps_db"] > 30
    assert measures["held_out_maps_db"] > measures["held_out_vertices_db"] + 10


def test_what_nobody_saw_keeps_the_colour_of_the_fit(maps: Maps, fit: Reconstruction) -> None:
    rows, columns, points = texels(maps, fit)
    below = points[:, 2] < -0.97 * 0.02
    assert maps.confidence[rows, columns][below].max() == 0
    np.testing.assert_allclose(maps.albedo[rows, columns][below], np.tile(GREY, (below.sum(), 1)), atol=1e-5)
    assert 0.5 < maps.facts["photographed_share"] < 0.95


def test_exposures_are_divided_out(capture: Capture, fit: Reconstruction, maps: Maps) -> None:
    gains = np.linspace(0.7, 1.3, len(capture.views))[:, None] * [1.0, 1.05, 0.95]
    brighter = capture.with_views([replace(v, image=v.image * g) for v, g in zip(capture.views, gains, strict=True)])
    known = replace(fit, shadings=[replace(s, exposure=g) for s, g in zip(fit.shadings, gains, strict=True)])
    again = bake(brighter, known, 512)
    np.testing.assert_allclose(again.albedo, maps.albedo, atol=2e-3)


def test_one_bad_photograph_leaves_little(
    capture: Capture, fit: Reconstruction, maps: Maps, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A view that shows another paint: the plain mean moves five times as far, though only three or four views see a
    texel."""
    views = list(capture.views)
    views[4] = replace(views[4], image=np.full_like(views[4].image, 0.8))
    spoiled = capture.with_views(views)
    rows, columns, _ = texels(maps, fit)
    seen = maps.confidence[rows, columns] > 0.7

    def moved(before: Maps) -> float:
        off = np.abs(bake(spoiled, fit, 512).albedo - before.albedo)[rows, columns][seen].max(1)
        return float(np.percentile(off, 90))

    robust = moved(maps)
    monkeypatch.setattr("recon.bake.ROUNDS", 0)
    assert 0.001 < robust < 0.2 * moved(bake(capture, fit, 512))


def test_saturated_pixels_count_for_nothing(capture: Capture, fit: Reconstruction) -> None:
    white = capture.with_views([replace(v, image=np.ones_like(v.image)) for v in capture.views])
    blind = bake(white, fit, 256)
    assert blind.facts["photographed_share"] == 0
    assert blind.confidence.max() == 0
    np.testing.assert_allclose(blind.albedo, np.broadcast_to(GREY, blind.albedo.shape), atol=1e-5)


@pytest.mark.parametrize("metal", [0.0, 0.4, 1.0])
def test_the_light_is_split_without_loss(fit: Reconstruction, metal: float) -> None:
    n = len(fit.vertices)
    rng = child(2, "light")
    light = Shading((1 - metal) * rng.random((n, 3)), rng.random((n, 3)), np.ones(3))
    made = replace(fit, metallic=np.full(n, metal), albedo=0.1 + 0.8 * rng.random((n, 3)))
    factor, rest = linear_in_albedo(made, light)
    np.testing.assert_allclose(made.albedo * factor + rest, made.albedo * light.diffuse + light.specular, atol=1e-9)
    if metal == 0:
        np.testing.assert_array_equal(factor, light.diffuse)
    if metal == 1:
        np.testing.assert_allclose(rest, 0, atol=1e-9)


def test_gutters_are_filled_from_beside_them() -> None:
    covered = np.zeros((32, 32), bool)
    covered[8:12, 8:12] = True
    image = np.where(covered[..., None], [[[0.2, 0.4, 0.6]]], 0.0)
    out = filled(image, covered, 3)
    np.testing.assert_allclose(out[5:15, 8:12], np.broadcast_to([0.2, 0.4, 0.6], (10, 4, 3)))


def test_strips_show_what_they_say(capture: Capture, fit: Reconstruction, maps: Maps) -> None:
    numbers = chosen_views(capture, 6)
    assert len(numbers) == 6
    assert {capture.views[i].held_out for i in numbers} == {True, False}
    one = strip(capture, fit, maps, numbers[0])
    assert one.psnr_db > 28
    middle = one.normals[54:58, 54:58].mean((0, 1))
    np.testing.assert_allclose(middle, [0.5, 0.5, 1.0], atol=0.03)  # the ball's nearest point faces the camera
    assert one.normals[30, 56, 1] > 0.6 and one.normals[56, 80, 0] > 0.6
    shown = dict(panel(one, 64))
    assert set(shown) == {"photograph", "re-render", "difference x 4", "normals", "albedo", "confidence"}
    assert {p.shape for p in shown.values()} == {(64, 64, 3)}


def test_the_maps_of_a_plain_part_are_evened(capture: Capture, fit: Reconstruction, maps: Maps) -> None:
    """The same photographs of a part that is said to have one colour: no texel departs further from it, most less."""
    facts = {**fit.facts, "one_colour": True}
    even = bake(capture, replace(fit, facts=facts), atlas=maps.atlas)
    covered = maps.atlas.covered
    colour = np.median(fit.albedo[fit.views_seen >= 3], axis=0)
    before, after = (np.abs(np.log(np.maximum(m.albedo[covered], 1e-3) / colour)) for m in (maps, even))
    assert (after <= before + 1e-5).all()
    assert after.mean() < 0.8 * before.mean()
