"""Lengths come from the file where it has a unit, from the person where it has none, and never from a guess."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import parts
from core.errors import InputError, UnitError
from parts.iges import global_section
from parts.step import declared_units
from tests.parts import files

DATA = Path(__file__).parent / "data"
EXAMPLES = Path(__file__).parents[2] / "examples" / "parts"


@pytest.mark.parametrize("kind", ["stl", "obj", "ply"])
def test_formats_without_unit_ask_and_show_the_size_under_each(tmp_path: Path, kind: str) -> None:
    triangles = files.box_triangles((5, 2.5, 1.375))
    path = tmp_path / f"part.{kind}"
    if kind == "stl":
        files.write_stl(path, triangles)
    elif kind == "obj":
        path.write_text(files.obj_text(triangles))
    else:
        path.write_bytes(files.ply_bytes(triangles, "ascii"))
    with pytest.raises(UnitError) as caught:
        parts.load(path)
    message = str(caught.value)
    for shown in ("5 x 2.5 x 1.375 mm if mm", "50 x 25 x 13.75 mm if cm", "5000 x 2500 x 1375 mm if m", "if inch"):
        assert shown in message
    assert "127 x 63.5 x 34.92 mm if inch" in message


@pytest.mark.parametrize(("unit", "metres"), [("mm", 1e-3), ("CM", 1e-2), ("m", 1), ("in", 0.0254), (0.5, 0.5)])
def test_a_given_unit_scales(tmp_path: Path, unit: str | float, metres: float) -> None:
    path = files.write_stl(tmp_path / "b.stl", files.box_triangles((4, 3, 2)))
    np.testing.assert_allclose(parts.load(path, unit=unit).size_m, np.array([4, 3, 2]) * metres, rtol=1e-7)


@pytest.mark.parametrize("unit", ["parsec", "", -1.0, float("nan"), 0])
def test_unknown_units_are_refused(tmp_path: Path, unit: str | float) -> None:
    path = files.write_stl(tmp_path / "b.stl", files.box_triangles((4, 3, 2)))
    with pytest.raises(InputError, match="is not known"):
        parts.load(path, unit=unit)


def test_step_override_is_used_and_said() -> None:
    shaft = parts.load(EXAMPLES / "stepped_shaft.step", unit="inch", tolerance_mm=1.0)
    assert shaft.size_m[0] == pytest.approx(0.14 * 25.4, rel=1e-6)
    assert any("the file says mm" in w for w in shaft.report["warnings"])


def test_step_length_units_are_found_in_the_text() -> None:
    plain = "#1=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.));"
    metre = "#1=(LENGTH_UNIT() NAMED_UNIT(*) SI_UNIT($,.METRE.));"
    inch = "#5=(CONVERSION_BASED_UNIT('INCH',#4)LENGTH_UNIT()NAMED_UNIT(#3));" + plain
    angle = "#9=(CONVERSION_BASED_UNIT('DEGREE',#8)NAMED_UNIT(#7)PLANE_ANGLE_UNIT());" + plain
    assert [declared_units(t) for t in (plain, metre, inch, angle, "")] == [("mm",), ("m",), ("inch",), ("mm",), ()]
    assert declared_units(f"/* {inch} */ {metre}") == ("m",)


def test_step_without_unit_asks(tmp_path: Path) -> None:
    text = (EXAMPLES / "stepped_shaft.step").read_text()
    path = tmp_path / "no_unit.step"
    path.write_text(text.replace("LENGTH_UNIT", "MYSTERY_UNIT"))
    with pytest.raises(UnitError, match="names no length unit"):
        parts.load(path)


@pytest.mark.parametrize(
    ("flag", "unit", "metres"),
    [(2, "MM", 1e-3), (1, "INCH", 0.0254), (10, "CM", 1e-2), (6, "M", 1.0), (4, "FT", 0.3048)],
)
def test_iges_unit_flag_decides(tmp_path: Path, flag: int, unit: str, metres: float) -> None:
    path = files.iges_with(DATA / "box.igs", tmp_path / "box.igs", flag, unit, 50)
    assert global_section(path).metres == metres
    part = parts.load(path, tolerance_mm=1.0)
    np.testing.assert_allclose(part.size_m, np.array([50, 20, 10]) * metres, rtol=1e-6)


@pytest.mark.parametrize(("flag", "unit", "largest"), [(1, "INCH", 50 / 25.4), (2, "MM", 50 / 25.4), (2, "MM", 50e-3)])
def test_iges_that_contradicts_itself_is_refused(tmp_path: Path, flag: int, unit: str, largest: float) -> None:
    path = files.iges_with(DATA / "box.igs", tmp_path / "box.igs", flag, unit, largest)
    with pytest.raises(UnitError, match="largest coordinate"):
        parts.load(path, tolerance_mm=1.0)
    assert parts.load(path, unit="mm").size_m[0] == pytest.approx(0.05, rel=1e-6)


def test_iges_flag_and_name_must_agree(tmp_path: Path) -> None:
    path = files.iges_with(DATA / "box.igs", tmp_path / "box.igs", 2, "IN", 50)
    with pytest.raises(UnitError, match="unit flag 2"):
        parts.load(path)


def test_iges_that_cannot_be_checked_says_so(tmp_path: Path) -> None:
    path = files.iges_with(DATA / "box.igs", tmp_path / "box.igs", 2, "MM", 0)
    assert any("could not be checked" in w for w in parts.load(path).report["warnings"])
