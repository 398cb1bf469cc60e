"""Mechanical kinds: true sizes, physical relief, zones that hold what changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mechanical_cases import (
    BARE,
    STEEL,
    STILL,
    area,
    crossings,
    painted,
    rng,
)

from core.errors import RecipeError
from core.material import Surface
from defects.procedural.kind import MM, Ground
from defects.procedural.kinds import chatter, crack, dent, gouge, pit, porosity, scratch, scuff


@pytest.mark.parametrize(("length", "width"), [(5.0, 0.2), (12.0, 0.06), (1.0, 0.1)])
def test_scratch_measures_what_was_asked(length: float, width: float) -> None:
    layers = scratch.paint(scratch.Params(length_mm=length, width_mm=width, **STILL), BARE, rng())
    along = crossings(layers, (-length * MM, 0.0), (length * MM, 0.0))
    across = crossings(layers, (0.0, -3 * width * MM), (0.0, 3 * width * MM))
    assert len(along) == len(across) == 2
    assert np.ptp(along) == pytest.approx(length * MM, rel=0.005)
    assert np.ptp(across) == pytest.approx(width * MM, rel=0.005)


@settings(max_examples=12, deadline=None)
@given(st.floats(1, 15), st.floats(0.03, 0.3), st.floats(-0.1, 0.1))
def test_a_bowed_scratch_is_as_wide_and_long_as_asked(length: float, width: float, bow: float) -> None:
    width = min(width, length / 8)
    params = scratch.Params(length_mm=length, width_mm=width, **{**STILL, "bow": bow})
    layers = scratch.paint(params, BARE, rng())
    middle, half = bow * length * MM, width * MM
    across = crossings(layers, (0.0, middle - 2 * half), (0.0, middle + 2 * half))
    assert np.ptp(across) == pytest.approx(width * MM, rel=0.01)
    u = layers.origin_m[0] + (np.arange(layers.shape[1]) + 0.5) * layers.pitch_m
    columns = u[(layers.sdf_m < 0).any(axis=0)]
    assert np.ptp(columns) == pytest.approx(length * MM, abs=3 * layers.pitch_m + 0.005 * length * MM)


def test_the_scratch_sdf_is_a_distance_at_the_rim() -> None:
    layers = scratch.paint(scratch.Params(length_mm=5, width_mm=0.2, **STILL), BARE, rng())
    for offset in (0.08, 0.09, 0.11, 0.13):
        got = layers.sample("sdf_m", np.array([[0.0, offset * MM], [0.5 * MM, -offset * MM]]))
        assert got[0] == pytest.approx((offset - 0.1) * MM, abs=1e-6)


def test_scratch_depth_ridges_and_tapers() -> None:
    params = scratch.Params(length_mm=6, width_mm=0.2, depth_to_width=0.17, rim_asymmetry=0.0, **STILL)
    layers = scratch.paint(params, BARE, rng())
    depth = 0.17 * 0.2 * MM
    v = np.linspace(-0.4, 0.4, 2001) * MM
    middle = layers.sample("height_m", np.stack([np.zeros_like(v), v], axis=1))
    assert middle.min() == pytest.approx(-depth, rel=0.01)
    assert middle.max() == pytest.approx(0.35 * depth, rel=0.1)
    assert np.abs(np.gradient(middle, v)).max() < 1.2
    widths = []
    for u in (0.0, 1.5, 2.5, 2.9):
        cut = crossings(layers, (u * MM, -0.3 * MM), (u * MM, 0.3 * MM), 20_001)
        widths.append(np.ptp(cut))
        assert -layers.sample("height_m", np.array([[u * MM, 0.0]]))[0] <= depth * 1.001
    assert (np.diff(widths) < 0).all()
    assert widths[-1] < 0.5 * widths[0]


def test_ridge_asymmetry_moves_metal_to_one_side() -> None:
    layers = scratch.paint(scratch.Params(rim_asymmetry=0.8, **STILL), BARE, rng())
    v = np.linspace(0.08, 0.3, 400) * MM
    left, right = (layers.sample("height_m", np.stack([np.zeros_like(v), s * v], axis=1)).sum() for s in (1, -1))
    assert left > 4 * right > 0


def test_a_defect_too_large_for_its_details_is_refused() -> None:
    with pytest.raises(RecipeError, match="details"):
        scratch.paint(scratch.Params(length_mm=150, width_mm=0.01, bow=0.3), BARE, rng())


def test_companions_spread_over_the_cluster() -> None:
    one = scratch.paint(replace(scratch.Params(), satellites=0), BARE, rng())
    many = scratch.paint(replace(scratch.Params(), satellites=0, companions=6), BARE, rng())
    assert (many.sdf_m < 0).sum() * many.pitch_m**2 > 1.8 * (one.sdf_m < 0).sum() * one.pitch_m**2
    assert many.size_m[1] > 3 * one.size_m[1]


def test_a_cut_bares_the_substrate_only_where_it_is_deeper_than_the_coat() -> None:
    params = scratch.Params(width_mm=0.2, depth_to_width=0.17, **STILL)
    layers = scratch.paint(params, painted(coat_um=20), rng())
    bared = (layers.metallic > 0.9) & (layers.albedo_weight > 0.9)
    assert bared.any()
    assert (layers.height_m[bared] < -20e-6).all()
    assert bared[layers.height_m < -23e-6].all()
    assert np.allclose(layers.albedo[bared], STEEL.albedo, atol=0.05)
    thick = scratch.paint(params, painted(coat_um=80), rng())
    assert thick.metallic.max() == 0
    assert thick.albedo_weight.max() > 0.5, "crazed paint is paler"


def test_uncoated_metal_keeps_its_colour_in_a_scratch() -> None:
    layers = scratch.paint(scratch.Params(), BARE, rng())
    assert layers.albedo_weight.max() == 0
    assert layers.metallic.min() == 1
    assert layers.surface_weight.max() > 0.95


@pytest.mark.parametrize(("flatness", "softness"), [(0.0, 0.0), (0.0, 1.0), (0.5, 0.3)])
def test_dent_depth_volume_and_diameter(flatness: float, softness: float) -> None:
    params = dent.Params(
        diameter_mm=4, aspect=0.75, depth_to_radius=0.06, flatness=flatness, softness=softness, irregularity=0, scuff=0
    )
    layers = dent.paint(params, BARE, rng())
    relief, depth = layers.displacement_m, 0.06 * 2 * MM
    assert relief is not None
    assert relief.min() == pytest.approx(-depth, rel=0.005)
    assert relief.max() == pytest.approx(params.lip_to_depth * depth, rel=0.05)
    x = (np.arange(200_000) + 0.5) / 200_000
    unit_volume = ((1 - x ** (1 + 2 * flatness)) ** (1 + softness)).mean() * np.pi * 2 * 1.5 * MM**2
    hollow = -relief[layers.sdf_m < 0].sum() * layers.pitch_m**2
    assert hollow == pytest.approx(unit_volume * depth, rel=0.005)
    assert np.ptp(crossings(layers, (-4 * MM, 0), (4 * MM, 0))) == pytest.approx(4 * MM, rel=0.002)
    assert np.ptp(crossings(layers, (0, -4 * MM), (0, 4 * MM))) == pytest.approx(3 * MM, rel=0.002)
    assert area(layers, 3) == pytest.approx(np.pi * 2 * 1.5 * MM**2, rel=0.003)
    assert not layers.height_m.any()
    steep = np.hypot(*np.gradient(relief.astype(float), layers.pitch_m)).max()
    assert steep < 0.06 / 0.75 * (2 + 4 * flatness) * 1.1


def test_dent_contact_wears_the_floor_only() -> None:
    layers = dent.paint(dent.Params(scuff=0.8, irregularity=0), BARE, rng())
    worn = layers.surface_weight > 0.1
    assert worn.any()
    assert (layers.sdf_m[worn] < 0).all()


def test_crack_tips_width_and_depth() -> None:
    params = crack.Params(length_mm=6, width_mm=0.06, branches=0, width_noise=0, wander_deg=0, grain_mm=0.1)
    layers = crack.paint(params, BARE, rng())
    label = layers.sdf_m < 0
    u = layers.origin_m[0] + (np.arange(layers.shape[1]) + 0.5) * layers.pitch_m
    assert np.ptp(u[label.any(axis=0)]) == pytest.approx(6 * MM, rel=0.005)
    assert -layers.sdf_m.min() == pytest.approx(0.03 * MM, rel=0.05)
    assert layers.height_m.min() == pytest.approx(-0.06 * MM, rel=0.06)
    assert layers.albedo[label & (layers.albedo_weight > 0.5)].max() < 0.1, "oxidised faces are dark"


def test_branches_add_length() -> None:
    bare, forked = (crack.paint(crack.Params(branches=n, width_noise=0), BARE, rng("branches")) for n in (0, 6))
    assert (forked.sdf_m < 0).sum() * forked.pitch_m**2 > 1.15 * (bare.sdf_m < 0).sum() * bare.pitch_m**2


def test_a_network_has_more_openings_with_smaller_cells() -> None:
    coarse, fine = (
        crack.paint(crack.Params(pattern="network", cell_mm=c, width_noise=0), BARE, rng()) for c in (2.0, 0.8)
    )
    assert (fine.sdf_m < 0).sum() * fine.pitch_m**2 > 1.5 * (coarse.sdf_m < 0).sum() * coarse.pitch_m**2


def test_an_unknown_crack_pattern_is_refused() -> None:
    with pytest.raises(RecipeError, match="branching or network"):
        crack.Params(pattern="spiral")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("params", "values"),
    [(scratch.Params, {"length_mm": -1}), (dent.Params, {"aspect": 2}), (porosity.Params, {"pores": 0}),
     (pit.Params, {"diameter_mm": float("nan")})],
)  # fmt: skip
def test_impossible_parameters_are_refused(params: type, values: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match=next(iter(values))):
        params(**values)


@pytest.mark.parametrize("steepness", [0.0, 0.8])
def test_pit_opening_depth_and_volume(steepness: float) -> None:
    params = pit.Params(
        diameter_mm=0.8, aspect=0.75, depth_to_diameter=0.25, steepness=steepness, rim_to_depth=0.1,
        irregularity=0, floor_noise=0, satellites=0,
    )  # fmt: skip
    layers = pit.paint(params, BARE, rng())
    depth = 0.25 * 0.6 * MM
    assert np.ptp(crossings(layers, (-MM, 0), (MM, 0))) == pytest.approx(0.8 * MM, rel=0.003)
    assert np.ptp(crossings(layers, (0, -MM), (0, MM))) == pytest.approx(0.6 * MM, rel=0.003)
    assert layers.height_m.min() == pytest.approx(-depth, rel=0.01)
    assert layers.height_m.max() == pytest.approx(0.1 * depth, rel=0.1)
    x = (np.arange(100_000) + 0.5) / 100_000
    volume = (1 - x ** (1 + 2.5 * steepness)).mean() * np.pi * 0.4 * 0.3 * MM**2 * depth
    assert -layers.height_m[layers.sdf_m < 0].sum() * layers.pitch_m**2 == pytest.approx(volume, rel=0.01)


def test_pores_follow_their_size_distribution_and_do_not_overlap() -> None:
    params = porosity.Params(cluster_mm=30, pores=400, diameter_mm=0.2, size_sigma=0.4, clumps=6, clump_mm=3)
    pores = porosity.scatter(params, rng())
    assert len(pores) > 380
    logs = np.log([2 * p.radius / MM for p in pores])
    assert np.median(logs) == pytest.approx(np.log(0.2), abs=0.08)
    assert logs.std() == pytest.approx(0.4 * 0.88, rel=0.15)  # cut at two sigma
    centres, radii = np.array([p.centre for p in pores]), np.array([p.radius for p in pores])
    gap = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1)) - radii[:, None] - radii[None]
    assert gap[~np.eye(len(pores), dtype=bool)].min() > 0
    assert (np.hypot(*centres.T) + radii).max() <= 15 * MM


def test_a_thomas_process_is_more_clustered_than_chance() -> None:
    params = porosity.Params(cluster_mm=30, pores=200, diameter_mm=0.05, size_sigma=0, clumps=5, clump_mm=0.8)
    centres = np.array([p.centre for p in porosity.scatter(params, rng())])
    gaps = np.hypot(*(centres[:, None] - centres[None]).transpose(2, 0, 1))
    np.fill_diagonal(gaps, np.inf)
    by_chance = 0.5 / np.sqrt(len(centres) / (np.pi * 15**2)) * MM  # Clark and Evans 1954
    assert gaps.min(axis=1).mean() < 0.5 * by_chance


def test_gouge_size_depth_and_pile_at_the_exit() -> None:
    params = gouge.Params(length_mm=5, width_mm=0.8, depth_to_width=0.15, bow=0, width_noise=0, torn=0)
    layers = gouge.paint(params, BARE, rng())
    assert np.ptp(crossings(layers, (-4 * MM, 0), (4 * MM, 0))) == pytest.approx(5 * MM, rel=0.005)
    widest = [np.ptp(crossings(layers, (u * MM, -MM), (u * MM, MM), 20_001)) for u in np.linspace(-2, 2.4, 23)]
    assert max(widest) == pytest.approx(0.8 * MM, rel=0.005)
    assert layers.height_m.min() == pytest.approx(-0.12 * MM, rel=0.02)
    r, c = np.unravel_index(np.argmax(layers.height_m), layers.shape)
    assert layers.origin_m[0] + (c + 0.5) * layers.pitch_m > 2.4 * MM
    assert layers.height_m.max() == pytest.approx(0.9 * 0.12 * MM, rel=0.1)
    assert abs(layers.origin_m[1] + (r + 0.5) * layers.pitch_m) < 0.4 * MM


def test_scuff_patch_and_directions() -> None:
    params = scuff.Params(length_mm=5, width_mm=2.5, edge_noise=0, spread_deg=1, bow=0)
    layers = scuff.paint(params, BARE, rng())
    assert area(layers, 1) == pytest.approx(np.pi * 2.5 * 1.25 * MM**2, rel=0.005)
    gv, gu = np.gradient(layers.height_m.astype(float), layers.pitch_m)
    assert (gv**2).mean() > 20 * (gu**2).mean(), "scratches run along u"
    assert layers.height_m.min() < -0.5e-6


def test_a_scuff_brightens_dull_metal_and_smears_dark_metal_on_paint() -> None:
    dull = Surface(albedo=(0.2, 0.19, 0.18), metallic=0.75, roughness=0.6)
    pale = Surface(albedo=(0.6, 0.63, 0.6), metallic=0.0, roughness=0.34)
    for surface, brighter in ((dull, True), (pale, False)):
        ground = Ground(BARE.material.model_copy(update={"surface": surface}))
        layers = scuff.paint(scuff.Params(coverage=0.6), ground, rng())
        was = np.asarray(ground.material.surface.albedo)
        shown = was + (layers.albedo - was) * layers.albedo_weight[..., None]
        inside, marked = layers.sdf_m < 0, layers.surface_weight > 0.7
        assert (np.mean(shown[marked]) > 1.3 * was.mean()) == brighter
        assert np.allclose(shown[layers.sdf_m > 0], was, atol=1e-3), "nothing leaves the patch"
        assert brighter or (shown[inside].min() < 0.6 * was.mean() and layers.metallic[marked].max() <= 0.01)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(-np.pi, np.pi))
def test_chatter_has_its_wavelength_along_the_lay(wavelength: float, lay: float) -> None:
    params = chatter.Params(
        length_mm=14, width_mm=14, edge_noise=0, wavelength_mm=wavelength, skew_deg=0, phase_noise=0, sharpness=0
    )
    layers = chatter.paint(params, Ground(BARE.material, lay_angle_rad=lay), rng())
    power = np.abs(np.fft.rfft2(layers.height_m - layers.height_m.mean(), (1024, 1024)))
    r, c = np.unravel_index(np.argmax(power), power.shape)
    fv, fu = np.fft.fftfreq(1024, layers.pitch_m)[r], np.fft.rfftfreq(1024, layers.pitch_m)[c]
    assert 1 / np.hypot(fu, fv) == pytest.approx(wavelength * MM, rel=0.1)
    assert abs(np.cos(np.arctan2(fv, fu) - lay)) > 0.98
    assert layers.height_m.max() == pytest.approx(params.amplitude_um * 1e-6, rel=0.02)
