"""`route: auto`: a capture whose reconstruction is refused goes to the recipe's CAD part, or into the photographs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import parts
from core.errors import RecipeError
from flawsmith.check import check
from flawsmith.dataset import read_header, read_manifest
from flawsmith.pipeline import run
from flawsmith.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
HOUSING = ROOT / "examples" / "captures" / "bearing_housing"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example capture spoiled: every other photograph, too few to be believed. And a CAD file beside it."""
    place = tmp_path_factory.mktemp("auto")
    shutil.copytree(HOUSING, place / "spoiled")
    poses = json.loads((place / "spoiled" / "transforms.json").read_text())
    poses["frames"] = poses["frames"][::2]
    (place / "spoiled" / "transforms.json").write_text(json.dumps(poses))
    shutil.copy(ROOT / "examples" / "parts" / "stepped_shaft.step", place / "shaft.step")
    return place


def recipe(folder: Path, fallback: str | None = None, **changed) -> Recipe:
    values = {
        "part": {"path": "spoiled", "preset": "draft", "minutes": 0.02, "fallback": fallback},
        "material": "milled_steel", "blueprints": ["rust_patch"], "station": "dome", "camera": "area_5mp_25mm",
        "viewpoint": "look_at_defect", "images": 1, "size_px": 64, "samples": 2, "min_label_px": 8, "seed": 2,
        "paint": {"backend": "overlay"}, "exports": ["mvtec"],
    }  # fmt: skip
    return Recipe.model_validate(values | changed).within(folder)


@pytest.mark.slow
def test_a_refused_capture_is_painted_in_its_photographs(folder: Path) -> None:
    out = folder / "painted"
    made = run(recipe(folder), out)
    (record,) = read_manifest(out)
    assert any("refused" in n and "training views" in n for n in made.notes), made.notes
    assert read_header(out).notes == made.notes[:1] and "training views" in (out / "report.html").read_text()
    assert not (folder / "painted-reconstruction").exists(), "no fit was begun"
    assert check(out) == [] and record.source == "photo" and record.paint["1"]["backend"] == "overlay"
    assert read_header(out).recipe["route"] == "photo"
    assert (folder / "spoiled" / f"{record.sampled['photograph']}.png").is_file()
    assert run(recipe(folder), out).kept == 1, "the same call finds the same verdict and goes on"
    plain = run(recipe(folder, refine="diffusion", paint={}), folder / "unrefined")
    assert any("refine was left out" in n for n in plain.notes) and not any("refine" in n for n in made.notes)
    with pytest.raises(RecipeError, match=r"training views.*route: photo"):
        run(recipe(folder, route="render"), out)


@pytest.mark.slow
@pytest.mark.render
def test_a_refused_capture_gives_way_to_cad_where_the_recipe_has_it(folder: Path) -> None:
    made = run(recipe(folder, fallback="shaft.step"), folder / "cad")
    assert any("part.fallback was taken" in n and "training views" in n for n in made.notes)
    (record,) = read_manifest(folder / "cad")
    assert check(folder / "cad") == [] and record.source == "render" and record.paint == {}
    size = parts.load(folder / "shaft.step").size_m * 1e3
    assert record.part.size_mm == pytest.approx(tuple(size), rel=1e-6)
