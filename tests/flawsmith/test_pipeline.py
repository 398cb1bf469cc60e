"""The whole job at postage-stamp size: same seed same bytes, whatever came before, in between or after."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetError, InputError, PlacementError, RenderError
from flawsmith.check import check
from flawsmith.dataset import read_manifest
from flawsmith.pipeline import run
from flawsmith.recipe import Recipe
from flawsmith.shots import draw_shot, load_stock

pytestmark = pytest.mark.render
ROOT = Path(__file__).resolve().parents[2]


def recipe(**changes) -> Recipe:
    made = Recipe.model_validate(
        {
            "part": "examples/parts/stepped_shaft.step", "material": ["turned_steel", "ground_steel"],
            "blueprints": ["scratch_deep", "dent_impact", "rust_patch", "chip_brittle"], "defects_per_image": 1,
            "station": ["soft_box", "bright_field_ring"], "camera": "area_5mp_25mm", "viewpoint": "look_at_defect",
            "images": 3, "size_px": 96, "samples": 2, "seed": 11, "good_fraction": 0.2, **changes,
        }
    )  # fmt: skip
    return made.within(ROOT)


def bytes_of(dataset: Path) -> dict[str, str]:
    """Hash of every file of every image."""
    found = {}
    for record in read_manifest(dataset):
        for role, entry in record.files.items():
            digest = hashlib.sha256((dataset / entry.path).read_bytes()).hexdigest()
            assert digest == entry.sha256
            found[f"{record.name} {role}"] = digest
    return found


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pipeline") / "first"
    run(recipe(), out)
    return out


def test_a_run_passes_its_own_check(dataset):
    assert check(dataset) == []
    assert len(read_manifest(dataset)) == 3
    for name in ("contact_sheet.png", "report.html", "dataset.json"):
        assert (dataset / name).stat().st_size > 500


def test_same_seed_same_bytes_whatever_the_count_or_an_interruption(dataset, tmp_path):
    class Stop(Exception):
        pass

    def interrupt(done: int, count: int) -> None:
        if done == 2:
            raise Stop

    out = tmp_path / "again"
    with pytest.raises(Stop):
        run(recipe(), out, progress=interrupt)
    assert len(read_manifest(out)) == 2
    torn = (out / "manifest.jsonl").read_bytes()
    (out / "manifest.jsonl").write_bytes(torn[:-40])
    summary = run(recipe(), out)
    assert (summary.kept, summary.made) == (1, 2)
    assert bytes_of(out) == bytes_of(dataset)
    assert (out / "manifest.jsonl").read_bytes() == (dataset / "manifest.jsonl").read_bytes()


def test_an_image_alone_in_a_fresh_process_is_the_same_as_after_others(dataset, tmp_path, monkeypatch):
    """The stale-data canary: image 2 came third from one worker, and comes first from another."""
    from flawsmith import pipeline

    class Only(pipeline.DatasetWriter):
        @property
        def finished(self) -> frozenset[int]:
            return frozenset({0, 1})

    monkeypatch.setattr(pipeline, "DatasetWriter", Only)
    monkeypatch.setattr(pipeline.finishing, "finish", lambda *_: [])
    run(recipe(), tmp_path / "alone")
    alone = bytes_of(tmp_path / "alone")
    whole = {k: v for k, v in bytes_of(dataset).items() if k.startswith("000002")}
    assert alone == whole and len(alone) > 5


def test_another_seed_is_another_dataset(dataset, tmp_path):
    run(recipe(), tmp_path / "other", seed=12, images=1)
    other = bytes_of(tmp_path / "other")
    assert other["000000 image"] != bytes_of(dataset)["000000 image"]
    with pytest.raises(DatasetError, match="seed"):
        run(recipe(), tmp_path / "other", seed=13, images=1)


def test_views_of_one_part_share_its_defects():
    stock = load_stock(recipe(views_per_part=2, good_fraction=0.0, images=4))
    first, second, third = (draw_shot(stock, i, 4, 0) for i in range(3))
    assert first.defected.defects[0].parameters == second.defected.defects[0].parameters
    assert first.defected.defects[0].site == second.defected.defects[0].site
    assert first.material == second.material
    assert first.scene.camera != second.scene.camera
    assert first.defected.defects[0].site != third.defected.defects[0].site


def test_an_invisible_defect_is_an_error_and_never_an_image(tmp_path):
    with pytest.raises(RenderError, match="no usable label in 2 tries"):
        run(recipe(min_visibility=1e9, tries=2, good_fraction=0.0), tmp_path / "out", images=1)
    assert not (tmp_path / "out").exists()


def test_a_good_image_has_no_label_and_no_difference_from_its_twin(tmp_path):
    run(recipe(good_fraction=1.0), tmp_path / "good", images=1)
    (record,) = read_manifest(tmp_path / "good")
    assert record.verdict == "good" and record.defects == ()
    image, clean = ((tmp_path / "good" / record.files[r].path).read_bytes() for r in ("image", "clean"))
    assert image == clean


def test_a_region_that_matches_nothing_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="region 'colour:#123456' matches nothing"):
        run(recipe(part={"path": "examples/parts/stepped_shaft.step", "regions": ["colour:#123456"]}), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_region_without_faces_is_one_sentence(tmp_path):
    part = {"path": "examples/parts/stepped_shaft.step", "regions": ["planar", "!planar"]}
    with pytest.raises(InputError, match=r"'!planar'\] hold no face of part .*surface, such as planar, cylindrical"):
        run(recipe(part=part), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_blueprint_with_a_word_for_a_number_is_refused_before_anything_is_made(tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: wrong\nversion: 1\nkind: scratch\ntext: x\nparameters: {length_mm: long}\n")
    allowed = recipe(blueprints=str(wrong)).within(ROOT, allow_outside=True)
    with pytest.raises(InputError, match="'length_mm' is 'long': expected a number"):
        run(allowed, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_blueprint_that_fits_nowhere_is_refused_before_the_first_image(tmp_path):
    part = "examples/parts/bearing_housing.step"
    impossible = recipe(part=part, blueprints=[{"name": "dent_impact", "weight": 99}, "boss_missing"], tries=3)
    with pytest.raises(PlacementError, match=r"no free boss .* fits blueprint 'boss_missing'"):
        run(impossible, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_peel_without_a_coat_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InputError, match=r"peel.*coat"):
        run(recipe(blueprints="paint_peel"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_same_shot_is_drawn_whatever_was_drawn_before():
    stock = load_stock(recipe())
    late = draw_shot(stock, 1, 3, 0)
    draw_shot(stock, 0, 3, 0)
    again = draw_shot(stock, 1, 99, 0)
    assert late.scene.camera == again.scene.camera
    assert np.array_equal(late.defected.defected.vertices, again.defected.defected.vertices)
