"""Peel, paint runs, prints, foreign bodies and overlays: sizes and zones against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from surface_cases import (
    BARE,
    PAINTED,
    STEEL,
    UM,
    area_m2,
    paint,
    places,
)

from core.errors import InputError
from core.seeds import child
from defects.procedural.kinds import (
    canvas,
    glyphs,
    paint_run,
    peel,
    perlin_overlay,
)
from defects.procedural.raster import Grid


def test_stroke_distance_is_that_of_a_capsule() -> None:
    grid = Grid.around((-3e-3, -1e-3), (3e-3, 1e-3), 40e-6)
    sdf = canvas.stroke_sdf(grid, np.array([[-2e-3, 0], [0.5e-3, 0], [2e-3, 0]]), 0.2e-3)
    u, v = grid.uv
    exact = np.hypot(u - np.clip(u, -2e-3, 2e-3), v) - 0.2e-3
    near = np.abs(exact) < 3 * grid.pitch
    assert np.abs(sdf - exact)[near].max() < 1e-12
    assert ((sdf < 0) == (exact < 0)).all()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_polygon_distance_against_brute_force(seed: int) -> None:
    rng = child(seed, "polygon")
    points = canvas.jagged_polygon(2e-3, rng, 8, 0.4, 3, 0.16)
    grid = Grid.around((-2.6e-3, -2.6e-3), (2.6e-3, 2.6e-3), 25e-6)
    sdf = canvas.polygon_sdf(grid, points)
    u, v = grid.uv
    pick = rng.integers(0, u.size, 500)
    x = np.c_[u.ravel()[pick], v.ravel()[pick]]
    a, d = points, np.roll(points, -1, axis=0) - points
    t = np.clip(((x[:, None] - a) * d).sum(2) / (d * d).sum(1), 0, 1)
    distance = np.linalg.norm(x[:, None] - a - t[..., None] * d, axis=2).min(1)
    found = sdf.ravel()[pick]
    near = distance < 1.9 * grid.pitch
    assert np.abs(np.abs(found) - distance)[near].max(initial=0) < 0.02 * grid.pitch
    assert np.abs(np.abs(found) - distance)[~near].max() < 1.2 * grid.pitch


def test_polygon_area_is_the_shoelace_area() -> None:
    """A jagged outline that crosses itself nowhere: area from the cut distance within 0.5 %."""
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    points = np.c_[np.cos(turn), np.sin(turn)] * (2e-3 * (1 + 0.2 * np.cos(7 * turn)))[:, None]
    grid = Grid.around((-2.6e-3, -2.6e-3), (2.6e-3, 2.6e-3), 25e-6)
    sdf = canvas.polygon_sdf(grid, points)
    layers = canvas.compose(grid, sdf)
    x, y = points.T
    exact = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    assert area_m2(layers) == pytest.approx(exact, rel=5e-3)


def test_rim_keeps_the_zero_set_of_a_curved_level() -> None:
    grid = Grid.around((-2e-3, -2e-3), (2e-3, 2e-3), 40e-6)
    u, v = grid.uv
    r = np.hypot(u, v)
    sdf = canvas.rim((r / 1e-3) ** 3 - 1, grid.pitch)
    near = np.abs(r - 1e-3) < 0.6 * grid.pitch
    assert np.abs(sdf - (r - 1e-3))[near].max() < 0.06 * grid.pitch
    assert area_m2(canvas.compose(grid, sdf)) == pytest.approx(np.pi * 1e-6, rel=3e-3)
    assert sdf[0, 0] == pytest.approx(r[0, 0] - 1e-3, abs=grid.pitch)


@pytest.mark.parametrize("width_um", [12.0, 25.0, 200.0])
def test_fibre_width_is_true(width_um: float) -> None:
    layers = paint("foreign", form="fibre", length_mm=5.0, width_um=width_um, bend_deg=40.0)
    radius = width_um * UM / 2
    exact = 5e-3 * 2 * radius + np.pi * radius**2
    assert area_m2(layers, fine=2) == pytest.approx(exact, rel=0.01)


def test_fibre_is_a_thread_that_lies_on_top() -> None:
    layers = paint("foreign", form="fibre", width_um=200.0, bend_deg=0.0)
    core = layers.sdf_m < -85 * UM
    assert core.any() and np.allclose(layers.height_m[core], 200 * UM, rtol=0.02)
    assert layers.height_m.max() <= 200.01 * UM
    assert (layers.height_m[layers.sdf_m < -layers.pitch_m] > 99 * UM).all()


def test_swarf_is_bare_metal_of_the_stated_length() -> None:
    layers = paint("foreign", form="swarf", length_mm=4.0, width_mm=0.5, bend_deg=90.0)
    inside = layers.sdf_m < -layers.pitch_m
    assert (layers.metallic[inside] == 1).all() and (layers.surface_weight[inside] == 1).all()
    assert 0.35 < area_m2(layers) / (4e-3 * 0.5e-3) < 1.0
    assert layers.height_m.max() > 50 * UM


def test_more_dust_covers_more() -> None:
    few, many = (area_m2(paint("foreign", form="dust", grains=n, grain_um=100.0)) for n in (10, 100))
    assert 4 < many / few < 20


def test_peel_shows_the_substrate_one_coat_lower() -> None:
    layers = paint("peel", rust=0.0, primer_mm=0.0, cracks=0, islands=0, curl_mm=0.3)
    heart = layers.sdf_m < -4 * layers.pitch_m
    assert np.median(layers.height_m[heart]) == pytest.approx(-80 * UM, abs=2 * UM)
    assert (layers.metallic[heart] == 1).all() and (layers.albedo_weight[heart] > 0.999).all()
    assert layers.albedo[heart].mean(axis=0) == pytest.approx(np.array(BARE.albedo), rel=0.08)
    curled = (layers.sdf_m > layers.pitch_m) & (layers.affected_m < 0)
    assert layers.height_m[curled].max() > 30 * UM and not layers.surface_weight[curled].any()


def test_what_lost_its_coat_is_labelled() -> None:
    layers = paint("peel", cracks=8, islands=2)
    assert (layers.sdf_m[layers.surface_weight > 0.75] < 0).all()
    assert (layers.surface_weight[layers.sdf_m < -layers.pitch_m] > 0.9).all()


def test_peel_and_blister_need_a_coat() -> None:
    for form in peel.FORMS:
        with pytest.raises(InputError, match="a coat over a substrate"):
            paint("peel", form=form, ground=STEEL)
    assert peel.KIND.lacks is not None and peel.KIND.lacks(peel.Params(), PAINTED.material) is None


def test_blister_dome_has_its_height() -> None:
    layers = paint("peel", form="blister", blisters=1, blister_mm=2.0, blister_height=0.1, burst=0.0)
    diameter = 2 * np.sqrt(area_m2(layers) / np.pi)
    assert layers.height_m.max() / diameter == pytest.approx(0.1, rel=0.15)
    assert not layers.albedo_weight.any()


def test_paint_run_hangs_down_with_its_bead_at_the_tip() -> None:
    layers = paint("paint_run", length_mm=9.0, curtain_mm=0.0, runs=1)
    u, v = places(layers)
    inside = layers.sdf_m < 0
    assert np.ptp(v[inside]) == pytest.approx(9e-3, rel=0.2)
    crest = v.ravel()[layers.height_m.argmax()]
    assert crest < v[inside].min() + 0.3 * np.ptp(v[inside])
    tip, tail = (np.ptp(u[inside & (np.abs(v - at) < 0.1e-3)]) for at in (crest, 0.5e-3))
    assert tip > 1.25 * tail
    rim = np.abs(layers.sdf_m) < 0.2 * layers.pitch_m
    assert np.abs(layers.height_m[rim] / UM - paint_run.VISIBLE_UM).mean() < 2.0


def test_glyph_strokes_stay_in_their_cell_and_are_distinct() -> None:
    seen = set()
    for character in glyphs.CHARACTERS:
        lines = glyphs.strokes(character, 3e-3)
        points = np.concatenate(lines)
        assert np.abs(points[:, 0]).max() <= 1e-3 + 1e-12 and np.abs(points[:, 1]).max() <= 1.5e-3 + 1e-12
        seen.add(tuple(map(tuple, np.round(points * 1e6))))
    assert len(seen) == len(glyphs.CHARACTERS) >= 25


@pytest.mark.parametrize("cells", [10, 11, 16])
def test_code_has_a_finder(cells: int) -> None:
    code = glyphs.code(cells, child(1, "code"))
    assert code[0].all() and code[:, 0].all()
    assert (code[-1, :-1] != np.roll(code[-1], -1)[:-1])[: cells - 2].all()
    assert (code[1:-1, -1] != code[2:, -1])[: cells - 3].all()


def test_stroke_width_of_a_print_is_true() -> None:
    """A sound code: the area of its dark cells within 2 %."""
    layers = paint("print_fault", content="code", height_mm=6.0, cells=10, missing=0.0, opacity=1.0)
    rng = child(1, "paint")
    cells = int(glyphs.code(10, rng).sum())
    assert area_m2(layers) == pytest.approx(cells * 0.6e-3**2, rel=0.02)


def test_missing_ink_shrinks_the_label_and_a_ghost_or_smear_widens_it() -> None:
    sound = paint("print_fault", missing=0.0, opacity=1.0)
    assert area_m2(paint("print_fault", missing=0.5, opacity=1.0)) < 0.8 * area_m2(sound)
    assert area_m2(paint("print_fault", form="ghost", missing=0.0, shift_mm=0.6)) > 1.3 * area_m2(sound)
    smeared = paint("print_fault", form="smear", missing=0.0, smear_mm=3.0)
    right = [places(x)[0][x.sdf_m < 0].max() for x in (sound, smeared)]
    left = [places(x)[0][x.sdf_m < 0].min() for x in (sound, smeared)]
    assert right[1] > right[0] + 1e-3 and abs(left[1] - left[0]) < 0.3e-3


def test_overlay_blends_by_its_opacity_inside_its_mask_only() -> None:
    layers = paint("perlin_overlay", opacity=0.4)
    assert layers.albedo_weight[layers.sdf_m < -layers.pitch_m] == pytest.approx(0.4, abs=1e-6)
    assert not layers.albedo_weight[layers.sdf_m > 1.01 * layers.pitch_m].any()
    assert not layers.height_m.any() and not layers.surface_weight.any()
    assert area_m2(paint("perlin_overlay", threshold=2.0)) > 0, "lowered until something passes"


@pytest.mark.parametrize("name", perlin_overlay.TEXTURES)
def test_texture_has_contrast_and_stays_in_range(name: str) -> None:
    grid = canvas.square(5e-3, 0.1e-3)
    values = perlin_overlay.texture(name, grid, 1e-3, child(2, name))
    assert values.min() >= 0 and values.max() <= 1 and values.std() > 0.12
