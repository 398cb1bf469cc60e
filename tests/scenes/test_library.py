"""The files that ship are right, and wrong ones are refused in one sentence."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from core import seeds
from core.colour import LUMINANCE
from core.errors import InputError, RecipeError
from core.files import read_yaml
from core.models import parse
from scenes import BackdropSpec, Station, lamps, library
from scenes.draw import Draw

EXPECTED = {
    "bright_field_ring", "low_angle_dark_field", "dome", "coaxial", "bar_line", "backlight", "soft_box",
    "factory_ambience",
}  # fmt: skip


def test_the_library_ships_what_an_engineer_expects() -> None:
    assert set(library.load_stations()) >= EXPECTED
    assert {c.lens.kind for c in library.load_cameras().values()} == {"perspective", "telecentric"}
    assert {b.kind for b in library.load_backdrops().values()} == {"fixture", "tray", "conveyor", "paper", "void"}


def test_environment_images_are_in_the_bpy_wheel() -> None:
    found = importlib.util.find_spec("bpy")
    assert found is not None and found.origin is not None
    shipped = {p.name for p in Path(found.origin).parent.glob("*/datafiles/studiolights/world/*.exr")}
    for station in library.load_stations().values():
        for lamp in station.lamps:
            assert set(lamp.images) <= shipped


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"lamp": []}, "did you mean 'lamps'"),
        ({"lamps": []}, "at least one lamp"),
        ({"field_mm": "wide"}, "field_mm"),
        ({"ambient_radiance": {"uniform": [2, 1]}}, "low <= high"),
        ({"ambient_radiance": {"normal": [0.1, 0.1]}}, "ambient_radiance of at least 0"),
        ({"balance_k": 0}, "greater than 0"),
    ],
)
def test_wrong_stations_are_refused(change: dict, match: str) -> None:
    data = read_yaml(library.folder("stations") / "dome.yaml") | change
    with pytest.raises(RecipeError, match=match):
        parse(Station, data, "dome.yaml")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"segments": 4}, "only ring and rect"),
        ({"images": ["city.exr"]}, "images belong to"),
        ({"temperature_k": 5000, "colour": [1, 0, 0]}, "exclude each other"),
        ({"height_mm": 400}, "less than width_mm"),
        ({"radius_mm": 4}, "unknown key"),
        ({"radiance": -5}, "radiance of at least 0, got -5"),
        ({"temperature_k": {"uniform": [0, 6000]}}, "temperature_k above 0, got 0"),
    ],
)
def test_wrong_lamps_are_refused(change: dict, match: str) -> None:
    data = read_yaml(library.folder("stations") / "dome.yaml")
    data["lamps"][0] |= change
    with pytest.raises(RecipeError, match=match):
        parse(Station, data, "dome.yaml")


def test_backdrops_know_their_values() -> None:
    data = read_yaml(library.folder("backdrops") / "tray.yaml")
    with pytest.raises(RecipeError, match="has no value 'depth_mm'"):
        parse(BackdropSpec, data | {"values": {**data["values"], "depth_mm": 3}}, "tray.yaml")
    with pytest.raises(RecipeError, match="needs the value"):
        parse(BackdropSpec, data | {"values": {}}, "tray.yaml")
    with pytest.raises(RecipeError, match="rim_mm of at least 0, got -1"):
        parse(BackdropSpec, data | {"values": {**data["values"], "rim_mm": -1}}, "tray.yaml")
    with pytest.raises(RecipeError, match="margin above 0"):
        parse(BackdropSpec, data | {"margin": -1}, "tray.yaml")


def test_a_file_is_named_as_what_it_holds(tmp_path: Path) -> None:
    text = (library.folder("stations") / "dome.yaml").read_text()
    (tmp_path / "cupola.yaml").write_text(text)
    with pytest.raises(InputError, match="rename"):
        library.load_stations(tmp_path)
    with pytest.raises(InputError, match=r"no \.yaml file"):
        library.load_stations(tmp_path / "none")


def test_white_balance_and_tint() -> None:
    assert lamps.tint(5600, 5600) == pytest.approx((1, 1, 1))
    warm, cold = np.array(lamps.tint(3000, 5600)), np.array(lamps.tint(9000, 5600))
    assert warm[0] > warm[1] > warm[2] and cold[0] < cold[1] < cold[2]
    assert LUMINANCE @ warm == pytest.approx(1, rel=1e-4) and LUMINANCE @ cold == pytest.approx(1, rel=1e-4)


def test_black_body_agrees_with_tabulated_chromaticity() -> None:
    """Planckian locus at 2856 K (CIE illuminant A): x 0.4476, y 0.4074; at 6504 K about x 0.3135, y 0.3237."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    for kelvin, expected in ((2856, (0.4476, 0.4074)), (6504, (0.3135, 0.3237))):
        xyz = to_xyz @ lamps.blackbody_rgb(kelvin)
        assert xyz[:2] / xyz.sum() == pytest.approx(expected, abs=3e-3)


def test_segments_scatter_and_fail() -> None:
    data = read_yaml(library.folder("stations") / "low_angle_dark_field.yaml")
    data["lamps"][0] |= {"failed_segments": 3, "segment_sigma": 0.05}
    station = parse(Station, data, "x")
    mounts = {k: lamps.Mount(np.eye(4), {"surface": 0, "top": 0, "base": 0}) for k in ("camera", "cell")}
    (light,) = lamps.build(station, mounts, 1.0, 0, Draw(seeds.child(4)))
    gains = np.array(light.segments)
    assert len(gains) == 32 and (gains == 0).sum() == 3
    assert gains[gains > 0].std() == pytest.approx(0.05, rel=0.4)
