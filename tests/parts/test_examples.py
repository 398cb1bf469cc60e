"""The two shipped parts are what their descriptions say, and the code that made them still makes them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import parts
from core.part import Part

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MACHINED, CAST, GROUND = "colour:#b4b8bc", "colour:#585b5e", "colour:#d6dade"


def test_housing(housing: Part) -> None:
    assert housing.solid_names == ("bearing_housing",)
    np.testing.assert_allclose(housing.size_m * 1e3, [120, 120, 53], atol=1e-4)
    assert 250 < housing.report["volume_cm3"] < 350
    assert housing.report["repairs"]["closed"] and housing.report["repairs"]["components"] == 1
    machined, cast = housing.select(MACHINED), housing.select(CAST)
    assert (machined ^ cast).all()
    assert machined[housing.select("bore")].all()
    height = housing.mesh.triangles.mean(1)[:, 2]
    assert machined[height < 1e-6].all() and machined[height > 0.0499999].all()
    fillet = housing.select("curved", f"!{MACHINED}")
    assert cast[fillet].all() and fillet.sum() > 1000


def test_shaft(shaft: Part) -> None:
    assert shaft.solid_names == ("stepped_shaft",)
    assert shaft.size_m[0] * 1e3 == pytest.approx(140, abs=1e-3)
    assert shaft.report["repairs"]["closed"]
    seats = shaft.select(GROUND)
    area = np.pi * 25 * (16.3 + 15.3)
    assert shaft.mesh.areas[seats].sum() * 1e6 == pytest.approx(area, rel=2e-3)
    assert shaft.select("cylindrical")[seats].all()
    assert shaft.mesh.bounds[0, 2] == pytest.approx(0, abs=1e-4)


def test_finer_tolerance_comes_closer_to_the_true_volume() -> None:
    """Turned volume: tessellation from inside makes it smaller, by less the finer it is."""
    path = EXAMPLES / "parts" / "stepped_shaft.step"
    coarse, fine = (parts.load(path, tolerance_mm=t).report["volume_cm3"] for t in (1.0, 0.01))
    assert coarse < fine
    assert fine == pytest.approx(64.295, rel=2e-3)


@pytest.mark.slow
def test_the_code_makes_the_shipped_files(tmp_path: Path, housing: Part, shaft: Part) -> None:
    pytest.importorskip("cadquery", reason="needs the extra 'model'")
    sys.path.insert(0, str(EXAMPLES))
    try:
        import model_parts
    finally:
        sys.path.remove(str(EXAMPLES))
    model_parts.main(tmp_path)
    for part in (housing, shaft):
        again = parts.load(tmp_path / f"{part.name}.step")
        for key in ("size_mm", "cad_faces", "colours", "solids", "faces"):
            assert again.report[key] == part.report[key], key
        assert again.report["volume_cm3"] == pytest.approx(part.report["volume_cm3"], rel=1e-6)


def test_the_documented_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "parts.md").read_text()
    code = text.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "docs/parts.md", "exec"), names)
    assert (tmp_path / "part.json").is_file()
    assert 0 < names["holes"].sum() < names["machined"].sum()  # type: ignore[attr-defined]
