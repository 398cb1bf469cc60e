"""Finishes: files, physical values, the bookkeeping of slopes, and what Blender draws of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InputError, RecipeError
from core.material import Material, Structure
from core.models import parse
from render.blender import finishes_fold as fold
from scenes.materials import load_materials

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = load_materials()
ASKED_FOR = {
    "sand_cast_iron", "sand_cast_aluminium", "die_cast", "milled_steel", "milled_aluminium", "turned_steel",
    "ground_steel", "brushed_steel", "polished_steel", "galvanised", "black_oxide", "anodised_black", "anodised_red",
    "powder_coat_grey", "gloss_paint_green", "moulded_abs", "rubber", "machined_brass",
}  # fmt: skip
IRON, ALUMINIUM, BRASS = (0.531, 0.512, 0.496), (0.912, 0.914, 0.92), (0.887, 0.789, 0.434)
FINE, COARSE = 1e-7, 1.0
PIXEL = st.floats(-6.5, -1.5).map(lambda e: 10.0**e)


def one(layer: dict, roughness: float = 0.2, **surface) -> dict:
    bulk = {"albedo": IRON, "metallic": 1.0, "roughness": roughness, **surface}
    data = {"name": "t", "version": 1, "text": "", "process": "", "surface": bulk, "structure": [layer]}
    return parse(Material, data, "test").model_dump()


def test_the_library_holds_every_finish() -> None:
    assert set(LIBRARY) >= ASKED_FOR
    assert all(m.text and m.process for m in LIBRARY.values())


@pytest.mark.parametrize("name", LIBRARY)
def test_values_are_physical(name) -> None:
    material = LIBRARY[name]
    for surface in filter(None, (material.surface, material.substrate)):
        assert all(0 < c < 0.95 for c in surface.albedo)
        assert 0.02 <= surface.roughness <= 0.9
    assert (material.coat_um > 0) == (material.substrate is not None)
    directional = {layer.kind for layer in material.structure} & {"feed", "lines"}
    assert (material.lay != "none") == bool(directional)
    for layer in material.model_dump()["structure"]:
        for wave in fold.waves(layer):
            assert wave.across < 0.7, "steeper than 35 degrees rms is no finish"


def test_bare_metals_have_measured_reflectance() -> None:
    for name in ("milled_steel", "turned_steel", "ground_steel"):
        assert LIBRARY[name].surface.albedo == IRON
    assert LIBRARY["machined_brass"].surface.albedo == BRASS
    aluminium = np.array(LIBRARY["milled_aluminium"].surface.albedo)
    assert (aluminium <= ALUMINIUM).all() and (aluminium > 0.9 * np.array(ALUMINIUM)).all()
    for name in ("gloss_paint_green", "powder_coat_grey", "black_oxide", "galvanised"):
        assert LIBRARY[name].substrate is not None and LIBRARY[name].substrate.albedo == IRON


def test_loader_refuses_what_is_wrong(tmp_path) -> None:
    with pytest.raises(InputError, match="no folder"):
        load_materials(tmp_path / "nowhere")
    text = (ROOT / "scenes" / "library" / "materials" / "rubber.yaml").read_text()
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(InputError, match="name 'rubber'"):
        load_materials(tmp_path)
    (tmp_path / "other.yaml").unlink()
    (tmp_path / "rubber.yaml").write_text(text.replace("octaves", "octavs"))
    with pytest.raises(RecipeError, match=r"octavs.*'octaves'"):
        load_materials(tmp_path)
    (tmp_path / "rubber.yaml").write_text(text.replace("kind: grain", "kind: grains"))
    with pytest.raises(RecipeError, match="grain"):
        load_materials(tmp_path)
    assert load_materials()["rubber"].name == "rubber"


def test_the_documentation_names_every_finish_and_layer_and_its_example_loads(tmp_path) -> None:
    text = (ROOT / "docs" / "materials.md").read_text()
    assert all(f"`{name}`" in text for name in LIBRARY)
    example = text.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "my_turned_steel.yaml").write_text(example)
    assert load_materials(tmp_path)["my_turned_steel"].lay == "turned"
    for layer in get_args(get_args(Structure)[0]):
        kind = get_args(layer.model_fields["kind"].annotation)[0]
        row = next(line for line in text.splitlines() if line.startswith(f"| `{kind}`"))
        assert all(f"`{name}`" in row for name in layer.model_fields if name != "kind")


@pytest.mark.parametrize("wrong", [{"size_mm": 0.0}, {"size_mm": -1.0}, {"height_um": -1.0}, {"octaves": 0}])
def test_impossible_layers_are_refused(wrong) -> None:
    with pytest.raises(RecipeError):
        one({"kind": "grain", "size_mm": 1.0, "height_um": 1.0, **wrong})


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(LIBRARY)), first=PIXEL, second=PIXEL)
def test_a_coarser_pixel_never_makes_a_narrower_lobe(name, first, second) -> None:
    material = LIBRARY[name].model_dump()
    near, far = (fold.lobe(material["surface"], material["structure"], p) for p in sorted((first, second)))
    assert far.across >= near.across - 1e-12
    assert far.along >= near.along - 1e-12


@settings(max_examples=200, deadline=None)
@given(name=st.sampled_from(sorted(LIBRARY)), pixel=PIXEL)
def test_slope_is_either_drawn_or_folded(name, pixel) -> None:
    material = LIBRARY[name].model_dump()
    waves = [w for layer in material["structure"] for w in fold.waves(layer)]
    bulk = fold.lobe(material["surface"], material["structure"], FINE)
    lobe = fold.lobe(material["surface"], material["structure"], pixel)
    seen = [fold.drawn(w.length_m, pixel) for w in waves]
    across = lobe.across**2 + sum(2 * (k * w.across) ** 2 for k, w in zip(seen, waves, strict=True))
    along = lobe.along**2 + sum(2 * (k * w.along) ** 2 for k, w in zip(seen, waves, strict=True))
    assert across == pytest.approx(bulk.across**2 + sum(2 * w.across**2 for w in waves), rel=1e-9)
    if lobe.along > fold.LEAST_ASPECT * lobe.across * 1.0001:
        assert along == pytest.approx(bulk.along**2 + sum(2 * w.along**2 for w in waves), rel=1e-9)


def test_what_is_drawn_fades_monotonically_and_ends() -> None:
    shares = [fold.drawn(1e-3, p) for p in np.geomspace(1e-6, 1e-2, 200)]
    assert shares[0] == 1 and shares[-1] == 0
    assert (np.diff(shares) <= 0).all() and max(-np.diff(shares)) < 0.2
    assert fold.drawn(1e-3, 1e-3 / fold.SHARP) == 1 and fold.drawn(1e-3, 1e-3 / fold.GONE) == 0


@pytest.mark.parametrize("anisotropy", [0.0, 0.4, 0.9])
def test_lobe_inverts_the_principled_models_anisotropy(anisotropy) -> None:
    lobe = fold.lobe(one({"kind": "mottle", "size_mm": 1.0}, 0.3, anisotropy=anisotropy)["surface"], [], FINE)
    aspect = np.sqrt(1 - 0.9 * anisotropy)
    assert lobe.across == pytest.approx(0.09 / aspect) and lobe.along == pytest.approx(0.09 * aspect)
    assert lobe.roughness == pytest.approx(0.3) and lobe.anisotropy == pytest.approx(anisotropy, abs=1e-9)


RELIEFS = {
    "noise": ({"kind": "grain", "size_mm": 0.5, "height_um": 4.0}, 10e-3),
    "octaves": ({"kind": "grain", "size_mm": 1.0, "height_um": 5.0, "octaves": 3}, 14e-3),
    "bumps": ({"kind": "grain", "size_mm": 0.5, "height_um": 4.0, "form": "bumps"}, 10e-3),
    "lines": ({"kind": "lines", "width_mm": 0.2, "length_mm": 8.0, "height_um": 1.0}, 5e-3),
    "feed": ({"kind": "feed", "feed_mm": 0.3, "cusp_um": 2.0, "runout": 0.0}, 4.41e-3),
    "scattered": ({"kind": "feed", "feed_mm": 0.2, "cusp_um": 2.0, "runout": 0.4}, 4e-3),
    "pits": ({"kind": "pits", "spacing_mm": 1.0, "size_mm": 0.8, "depth_um": 20.0, "cover": 0.5}, 16e-3),
}


def probe(asks: list[dict]) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.material_probe"], input=json.dumps(asks), capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def measured() -> dict[str, dict]:
    asks: dict[str, dict] = {}
    for name, (layer, span) in RELIEFS.items():
        asks[name] = {"what": "height", "material": one(layer), "metres_per_pixel": FINE, "span_m": span, "pixels": 480}
    disc = {"kind": "feed", "feed_mm": 0.3, "cusp_um": 2.0, "runout": 0.0}
    asks["turned"] = {**asks["feed"], "material": one(disc), "turned": True}
    for name in ("feed", "scattered", "lines"):
        asks[f"slope of {name}"] = {**asks[name], "socket": "slope_across"}
    asks["far"] = {**asks["noise"], "metres_per_pixel": 1e-3}
    asks["half"] = {**asks["noise"], "metres_per_pixel": 0.5e-3 / 4}
    asks["other seed"] = {**asks["noise"], "seed": 5}
    ground = {"kind": "lines", "width_mm": 0.1, "length_mm": 20.0, "height_um": 0.8}
    sight = {"what": "glow", "material": one(ground, 0.3), "span_m": 4e-3, "pixels": 160, "samples": 8}
    for angle in (0.0, 8.0, 16.0):
        for along in (False, True):
            for pixel in (FINE, COARSE):
                asks[f"glow {angle} {along} {pixel}"] = {
                    **sight, "metres_per_pixel": pixel, "tilt_deg": angle, "along": along, "lamp_deg": 16.0,
                }  # fmt: skip
    for name in ("milled_steel", "gloss_paint_green", "rubber", "galvanised"):
        furnace = {"what": "glow", "furnace": True, "span_m": 20e-3, "pixels": 48, "samples": 32}
        asks[f"furnace {name}"] = {**furnace, "material": LIBRARY[name].model_dump(), "metres_per_pixel": 4e-4}
    return dict(zip(asks, probe(list(asks.values())), strict=True))


@pytest.mark.slow
@pytest.mark.render
@pytest.mark.parametrize("name", RELIEFS)
def test_drawn_relief_has_the_booked_height_and_slope(measured, name) -> None:
    waves = fold.waves(one(RELIEFS[name][0])["structure"][0])
    got = measured[name]
    close = 0.25 if name == "pits" else 0.15  # few pits fit on the square
    assert got["rms_m"] == pytest.approx(np.sqrt(sum(w.height_m**2 for w in waves)), rel=close)
    assert got["across"] == pytest.approx(np.sqrt(sum(w.across**2 for w in waves)), rel=close)
    along = np.sqrt(sum(w.along**2 for w in waves))
    assert got["along"] == pytest.approx(along, rel=close) if along else got["along"] < 0.05 * got["across"]


@pytest.mark.render
@pytest.mark.parametrize("name", ["feed", "scattered", "lines"])
def test_marks_shade_by_the_slope_of_their_height(measured, name) -> None:
    height, slope = (np.array(measured[k]["row"]) for k in (name, f"slope of {name}"))
    rise = np.diff(height) / (RELIEFS[name][1] / 480)
    between = (slope[1:] + slope[:-1]) / 2
    smooth = np.abs(np.diff(slope)) < 0.4 * np.ptp(slope)  # not across a crest
    assert smooth.mean() > 0.8
    assert np.abs(between - rise)[smooth].max() < 0.12 * np.ptp(slope)
    assert np.corrcoef(between[smooth], rise[smooth])[0, 1] > 0.995


@pytest.mark.render
def test_cusps_are_as_deep_and_as_many_as_said(measured) -> None:
    row = np.array(measured["feed"]["row"])
    assert measured["feed"]["peak_m"] == pytest.approx(2e-6, rel=0.02)
    valleys = (row[1:-1] < row[:-2]) & (row[1:-1] <= row[2:])
    assert abs(int(valleys.sum()) - 14.7) <= 1
    turned = measured["turned"]
    assert turned["peak_m"] == pytest.approx(2e-6, rel=0.02)
    assert turned["across"] == pytest.approx(turned["along"], rel=0.05)
    assert np.hypot(turned["across"], turned["along"]) == pytest.approx(measured["feed"]["across"], rel=0.1)


@pytest.mark.render
def test_relief_fades_as_booked_and_seeds_differ(measured) -> None:
    assert measured["far"]["peak_m"] == 0
    share = fold.drawn(0.5e-3, 0.5e-3 / 4)
    assert 0 < share < 1
    assert measured["half"]["rms_m"] == pytest.approx(share * measured["noise"]["rms_m"], rel=1e-3)
    rows = [np.array(measured[k]["row"]) for k in ("noise", "other seed")]
    assert abs(np.corrcoef(*rows)[0, 1]) < 0.3


@pytest.mark.render
@pytest.mark.parametrize("angle", [0.0, 8.0, 16.0])
def test_folded_marks_shine_like_drawn_ones(measured, angle) -> None:
    """Under a lamp at and off the mirror direction, across and along the marks, near and far agree."""
    for along in (False, True):
        near, far = (measured[f"glow {angle} {along} {pixel}"]["mean"] for pixel in (FINE, COARSE))
        assert near == pytest.approx(far, rel=0.12 if angle < 10 else 0.2), along
    across, lengthwise = (measured[f"glow {angle} {a} {COARSE}"]["mean"] for a in (False, True))
    assert angle < 10 or across > 1.3 * lengthwise


@pytest.mark.render
@pytest.mark.parametrize("name", ["milled_steel", "gloss_paint_green", "rubber", "galvanised"])
def test_no_finish_makes_light(measured, name) -> None:
    surface = LIBRARY[name].surface
    reflected = measured[f"furnace {name}"]["mean"]
    assert reflected < 1
    if surface.metallic == 1:
        assert reflected == pytest.approx(np.mean(surface.albedo), rel=0.06)
    else:
        assert np.mean(surface.albedo) * 0.8 < reflected < np.mean(surface.albedo) + 0.1
