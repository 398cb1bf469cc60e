"""Surface kinds: sizes, zones, colours and optics against formulas, and every blueprint by sampling."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.blueprint import Blueprint
from core.errors import InputError, RecipeError
from core.files import read_yaml
from core.layers import Layers
from core.material import Material, Surface
from core.models import load
from core.seeds import child
from defects.procedural.kind import Ground
from defects.procedural.kinds import (
    KINDS,
    canvas,
    foreign,
    glyphs,
    heat_tint,
    interference,
    paint_run,
    peel,
    perlin_overlay,
    print_fault,
    rust,
    stain,
)
from defects.procedural.kinds.ridges import fingerprint
from defects.procedural.raster import Grid

MODULES = {
    "foreign": foreign, "heat_tint": heat_tint, "paint_run": paint_run, "peel": peel, "perlin_overlay": perlin_overlay,
    "print_fault": print_fault, "rust": rust, "stain": stain,
}  # fmt: skip
LIBRARY = Path(__file__).parents[2] / "scenes" / "library" / "blueprints"
FILES = [f for f in sorted(LIBRARY.glob("*.yaml")) if read_yaml(f)["kind"] in MODULES]
BLUEPRINTS = {f.stem: load(Blueprint, f) for f in FILES}

BARE = Surface(albedo=(0.5, 0.49, 0.47), metallic=1.0, roughness=0.4)
STEEL = Ground(Material(name="steel", version=1, text="", process="", surface=BARE))
PAINTED = Ground(
    Material(
        name="painted", version=1, text="", process="", coat_um=80.0, substrate=BARE,
        surface=Surface(albedo=(0.2, 0.24, 0.28), metallic=0.0, roughness=0.35),
    )
)  # fmt: skip
WEIGHTS = ("albedo", "albedo_weight", "roughness", "metallic", "surface_weight", "lay_keep", "film")
MM, UM = 1e-3, 1e-6


def ground_for(kind: str) -> Ground:
    return STEEL if kind == "heat_tint" else PAINTED


def paint(kind: str, seed: int = 1, ground: Ground | None = None, **values: object) -> Layers:
    made = KINDS[kind].parameters(values, "test")
    assert KINDS[kind].paint is not None
    return KINDS[kind].paint(made, ground or ground_for(kind), child(seed, "paint"))


def places(layers: Layers) -> tuple[np.ndarray, np.ndarray]:
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w) + 0.5) * layers.pitch_m
    v = layers.origin_m[1] + (np.arange(h) + 0.5) * layers.pitch_m
    return np.meshgrid(u, v)


def area_m2(layers: Layers, name: str = "sdf_m", fine: int = 4) -> float:
    """Area of the zone as the renderer cuts it: the bilinear signed distance at sub-texel points."""
    h, w = layers.shape
    u = layers.origin_m[0] + (np.arange(w * fine) + 0.5) * layers.pitch_m / fine
    v = layers.origin_m[1] + (np.arange(h * fine) + 0.5) * layers.pitch_m / fine
    values = layers.sample(name, np.stack(np.meshgrid(u, v), axis=-1))
    return float((values < 0).sum()) * (layers.pitch_m / fine) ** 2


def assert_sound(layers: Layers, reach_m: float) -> None:
    """What holds for every decal of these kinds."""
    for name in (*WEIGHTS, "sdf_m", "affected_m", "height_m"):
        assert np.isfinite(getattr(layers, name)).all(), name
    for name in WEIGHTS:
        values = getattr(layers, name)
        assert values.min() >= 0 and values.max() <= 1, name
    assert (layers.sdf_m < 0).any()
    assert (layers.affected_m <= layers.sdf_m).all()
    assert np.abs(layers.height_m).max() < 2.5 * MM
    away = layers.affected_m > 1.01 * layers.pitch_m
    assert not layers.albedo_weight[away].any() and not layers.surface_weight[away].any()
    assert not layers.film[away].any() and not layers.height_m[away].any() and (layers.lay_keep[away] == 1).all()
    assert np.hypot(*places(layers))[layers.affected_m <= 0].max() <= reach_m


def test_every_kind_is_in_the_table_and_has_blueprints() -> None:
    for name, module in MODULES.items():
        assert KINDS[name] is module.KIND and module.KIND.name == name
        assert any(b.kind == name for b in BLUEPRINTS.values())
    assert all(b.name == stem for stem, b in BLUEPRINTS.items())
    assert list(KINDS) == sorted(KINDS)
    used = {str(b.parameters["form"]) for b in BLUEPRINTS.values() if "form" in b.parameters}
    assert used >= {f for m in MODULES.values() for f in getattr(m, "FORMS", ())}


@pytest.mark.parametrize("name", sorted(BLUEPRINTS))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_blueprint_gives_sound_layers(name: str, seed: int) -> None:
    blueprint = BLUEPRINTS[name]
    kind = KINDS[blueprint.kind]
    params = kind.parameters(blueprint.sample(child(seed, "parameters")), name)
    assert kind.paint is not None
    layers = kind.paint(params, ground_for(blueprint.kind), child(seed, "paint"))
    assert_sound(layers, kind.reach_mm(params) * MM)
    assert layers.sdf_m.size < 1_000_000


@pytest.mark.parametrize("name", sorted(BLUEPRINTS))
def test_same_seed_same_arrays(name: str) -> None:
    blueprint = BLUEPRINTS[name]
    kind = KINDS[blueprint.kind]
    params = kind.parameters(blueprint.sample(child(3, "parameters")), name)
    assert kind.paint is not None
    first, again, other = (kind.paint(params, ground_for(kind.name), child(s, "paint")) for s in (5, 5, 6))
    assert np.array_equal(first.textures(), again.textures()) and first.origin_m == again.origin_m
    assert first.shape != other.shape or not np.array_equal(first.textures(), other.textures())


def test_accept_limits_name_parameters() -> None:
    for blueprint in BLUEPRINTS.values():
        assert set(blueprint.limits.accept) <= set(blueprint.parameters), blueprint.name


# --- distances ---------------------------------------------------------------------------------------------------


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


# --- foreign matter ----------------------------------------------------------------------------------------------


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


# --- heat tint ---------------------------------------------------------------------------------------------------


def test_bare_metal_reflects_as_fresnel_says() -> None:
    n = interference.METAL_INDEX
    assert interference.reflectance(np.zeros(1))[0] == pytest.approx(abs((1 - n) / (1 + n)) ** 2, rel=1e-9)
    every = interference.reflectance(np.linspace(0, 240, 97))
    assert (every >= 0).all() and (every < 1).all()


def test_thick_oxide_hides_the_metal() -> None:
    """An absorbing film much deeper than its skin depth reflects like bulk oxide."""
    oxide = interference.OXIDE_INDEX + 0.2j
    deep = interference.reflectance(np.array([4000.0]), np.array([400.0]))[0, 0]
    assert deep == pytest.approx(abs((1 - oxide) / (1 + oxide)) ** 2, rel=1e-2)


def test_matching_functions_integrate_alike() -> None:
    """CIE 1931: each of the three integrates to 106.9 over wavelength in nm; the fit and the band end cost a little."""
    assert np.allclose(interference.matching_functions().sum(axis=0) * 5.0, 106.9, rtol=0.03)


def test_temper_colours_come_in_the_known_order() -> None:
    """Straw, brown, purple, blue, pale blue as the film grows: the reflectance minimum walks from blue to red."""
    thickness = np.linspace(interference.NATIVE_NM, 80, 400)
    rgb = interference.tint(thickness)
    darkest = [thickness[rgb[:, k].argmin()] for k in range(3)]
    assert darkest[2] < darkest[1] < darkest[0]
    stops = {"straw": 18, "brown": 27, "purple": 40, "blue": 48, "pale": 65}
    at = {name: interference.tint(np.array([d]))[0] for name, d in stops.items()}
    for name in ("straw", "brown"):
        assert at[name][0] > at[name][1] > at[name][2], name
    assert at["purple"][1] < min(at["purple"][0], at["purple"][2])
    for name in ("blue", "pale"):
        assert at[name][2] > at[name][1] > at[name][0], name
    light = [float(at[n] @ [0.2126, 0.7152, 0.0722]) for n in ("straw", "brown", "blue", "pale")]
    assert light[0] > light[1] > light[2] < light[3]


def test_hue_walks_one_way_from_straw_to_blue() -> None:
    """Hue in the opponent plane (red-green, yellow-blue) turns monotonically through the first order."""
    rgb = interference.tint(np.linspace(12, 60, 60))
    share = rgb / rgb.sum(axis=1, keepdims=True)
    hue = np.unwrap(np.arctan2(share[:, 2] - (share[:, 0] + share[:, 1]) / 2, share[:, 0] - share[:, 1]))
    assert (np.diff(hue) < 1e-3).all() or (np.diff(hue) > -1e-3).all()
    assert abs(hue[-1] - hue[0]) > np.pi / 2


def test_native_oxide_changes_nothing() -> None:
    assert interference.tint(np.array([interference.NATIVE_NM]))[0] == pytest.approx(np.ones(3), abs=1e-9)


def test_weld_band_has_the_stated_width() -> None:
    layers = paint("heat_tint", form="weld", length_mm=12.0, width_mm=6.0, wobble=0.0, ripple_mm=0.0)
    v = np.linspace(-5e-3, 5e-3, 20_001)
    inside = layers.sample("sdf_m", np.c_[np.zeros_like(v), v]) < 0
    assert np.ptp(v[inside]) == pytest.approx(6e-3, rel=0.01)


def test_heat_tint_needs_bare_metal() -> None:
    with pytest.raises(InputError, match="bare metal"):
        paint("heat_tint", ground=PAINTED)


# --- rust --------------------------------------------------------------------------------------------------------


def test_rust_label_is_where_product_hides_fifteen_percent() -> None:
    layers = paint("rust", diameter_mm=8.0)
    rim = np.abs(layers.sdf_m) < 0.15 * layers.pitch_m
    assert layers.albedo_weight[rim].mean() == pytest.approx(rust.VISIBLE, abs=0.02)
    outside = layers.sdf_m > layers.pitch_m
    assert layers.albedo_weight[outside].max() <= rust.VISIBLE
    halo = outside & (layers.affected_m < 0)
    assert halo.sum() * layers.pitch_m**2 > 1e-6


def test_rust_is_brown_rough_and_no_metal() -> None:
    layers = paint("rust", diameter_mm=8.0, maturity=0.5)
    heart = (layers.sdf_m < 0) & (layers.surface_weight > 0.9)
    red, green, blue = layers.albedo[heart].T
    assert (red > green).all() and (green > blue * 0.9).all() and red.mean() > 2 * green.mean()
    assert (layers.metallic[heart] == 0).all() and layers.roughness[heart].min() > 0.6


def test_colour_comes_before_roughness() -> None:
    """One shared mask would give a pale half-metal fringe: where the surface has turned, the colour is there."""
    layers = paint("rust", diameter_mm=8.0, ground=STEEL)
    turned = layers.surface_weight > 0.02
    assert (layers.albedo_weight[turned] > 0.98).all()


def test_thin_rust_dulls_a_gloss_that_it_covers() -> None:
    layers = paint("rust", diameter_mm=8.0, halo_mm=0.0, ground=PAINTED)
    covered = (layers.albedo_weight > 0.3) & (layers.sdf_m < 0)
    assert np.allclose(layers.surface_weight[covered], layers.albedo_weight[covered])


def test_old_rust_is_darker_than_fresh() -> None:
    fresh, old = (paint("rust", diameter_mm=8.0, maturity=m) for m in (0.1, 0.95))
    assert old.albedo[old.sdf_m < 0].mean() < 0.6 * fresh.albedo[fresh.sdf_m < 0].mean()


def test_pitting_goes_down_and_run_off_goes_down_the_part() -> None:
    assert paint("rust", form="pitting", pit_depth_um=80.0).height_m.min() < -60 * UM
    dry, wet = paint("rust"), paint("rust", runoff_mm=5.0)
    lowest = [places(x)[1][x.sdf_m < 0].min() for x in (dry, wet)]
    highest = [places(x)[1][x.sdf_m < 0].max() for x in (dry, wet)]
    assert lowest[1] < lowest[0] - 2e-3 and highest[1] < highest[0] + 1e-3


def test_filiform_needs_a_coat_and_lifts_it() -> None:
    with pytest.raises(InputError, match="coat"):
        paint("rust", form="filiform", ground=STEEL)
    layers = paint("rust", form="filiform", spots=8, spot_mm=0.3, crust_um=30.0)
    assert layers.height_m.min() >= 0 and 20 * UM < layers.height_m.max() < 60 * UM
    assert layers.sdf_m.min() > -0.16e-3


# --- stains ------------------------------------------------------------------------------------------------------


def test_wet_ground_is_darker_and_more_saturated_and_metal_is_not() -> None:
    clear = np.zeros((1, 1, 3))
    dry = np.array(PAINTED.material.surface.albedo)
    wet = stain.wet_albedo(PAINTED.material.surface, clear)[0, 0]
    assert (wet < dry).all() and wet[2] / wet[0] > dry[2] / dry[0]
    assert stain.wet_albedo(BARE, clear)[0, 0] == pytest.approx(np.array(BARE.albedo))
    white = Surface(albedo=(1.0, 1.0, 1.0), metallic=0.0, roughness=0.5)
    assert stain.wet_albedo(white, clear)[0, 0] == pytest.approx(np.ones(3)), "energy: nothing absorbed, nothing lost"


def test_oil_covers_its_label_with_film_and_drips_run_down() -> None:
    flat = paint("stain", form="oil", diameter_mm=8.0)
    inside, outside = flat.sdf_m < -1.5 * flat.pitch_m, flat.sdf_m > 1.5 * flat.pitch_m
    assert (flat.film[inside] == 1).all() and not flat.film[outside].any()
    assert area_m2(flat) == pytest.approx(np.pi / 4 * 64e-6 * 0.75, rel=0.35)
    running = paint("stain", form="oil", diameter_mm=8.0, drips=3, drip_mm=5.0)
    assert places(running)[1][running.sdf_m < 0].min() < places(flat)[1][flat.sdf_m < 0].min() - 1e-3


def test_drying_ring_is_densest_at_its_edge() -> None:
    layers = paint("stain", form="ring", diameter_mm=10.0, rim_mm=0.4, tides=0)
    depth = -layers.sdf_m / MM
    edge, middle = (layers.albedo_weight[(depth > a) & (depth < b)].mean() for a, b in ((0.08, 0.25), (1.5, 3.0)))
    assert edge > 2 * middle > 0


def test_fingerprint_has_the_pitch_of_its_ridges() -> None:
    grid = canvas.square(10e-3, 0.25e-3)
    field = fingerprint(grid, 0.45e-3, 20e-3, child(4, "finger"))
    assert -1 <= field.min() < -0.9 and 0.9 < field.max() <= 1
    power = np.abs(np.fft.fft2(field - field.mean())) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n, grid.pitch) for n in field.shape[::-1])))
    low = frequency < 1.5 / 0.45e-3
    mean = (power * frequency)[low].sum() / power[low].sum()
    assert 1 / mean == pytest.approx(0.45e-3, rel=0.08)


# --- coatings ----------------------------------------------------------------------------------------------------


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


# --- prints and overlays -----------------------------------------------------------------------------------------


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


# --- documentation and ranges ------------------------------------------------------------------------------------


def documented(kind: str) -> dict[str, tuple[str, str]]:
    """parameter -> (default, range) as the table of one kind says."""
    text = (Path(__file__).parents[2] / "docs" / "kinds-surface.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {name.strip(" `"): (default.strip(), span.strip()) for name, default, span, *_ in rows}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_documentation_names_every_parameter_default_and_range(name: str) -> None:
    params, table = KINDS[name].params, documented(name)
    assert {k: d for k, (d, _) in table.items()} == {f.name: str(f.default) for f in fields(params)}
    for key, (_, span) in table.items():
        if " to " not in span:
            with pytest.raises(RecipeError, match="did you mean"):
                params(**{key: "nonsense"})
            continue
        low, high = map(float, span.split(" to "))
        for outside in (low - 1, high + 1):
            with pytest.raises(RecipeError, match=key):
                params(**{key: outside})


@pytest.mark.parametrize("name", sorted(MODULES))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_parameters_may_be_combined_freely(name: str, data: st.DataObject) -> None:
    """Anything inside the ranges, in any combination, gives sound layers or is refused with a reason."""
    kind, values = KINDS[name], {}
    named = {"form": "FORMS", "process": "PROCESSES", "content": "CONTENTS"}
    for key, (_, span) in documented(name).items():
        if " to " not in span:
            values[key] = data.draw(st.sampled_from(getattr(MODULES[name], named[key])))
        elif data.draw(st.booleans()):
            low, high = map(float, span.split(" to "))
            values[key] = low + (high - low) * data.draw(st.floats(0, 1)) ** 2
    seed = data.draw(st.integers(0, 99))
    assert kind.paint is not None
    try:
        params = kind.parameters(values, name)
        layers = kind.paint(params, ground_for(name), child(seed, "paint"))
    except RecipeError:
        return
    assert_sound(layers, kind.reach_mm(params) * MM)
