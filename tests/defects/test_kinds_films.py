"""Heat tint, rust and stains: colours and optics against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from surface_cases import (
    BARE,
    MM,
    PAINTED,
    STEEL,
    UM,
    area_m2,
    paint,
    places,
)

from core.errors import InputError
from core.material import Surface
from core.seeds import child
from defects.procedural.kinds import (
    canvas,
    interference,
    rust,
    stain,
)
from defects.procedural.kinds.ridges import fingerprint


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
