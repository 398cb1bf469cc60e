"""`refine: diffusion`: rendered defects painted over, labels anew, everything else as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import InputError, RecipeError, RenderError
from core.seeds import child
from defects.generative.painter import GOOD, Crop, Painter
from flawsmith import images
from flawsmith.check import check
from flawsmith.dataset import DatasetWriter, read_header, read_manifest
from flawsmith.pipeline import run
from flawsmith.recipe import Recipe
from flawsmith.refine import Refiner, refiner_of
from tests.flawsmith import synthetic
from tests.generative.painters import Lazy, Regrow, Wild
from tests.generative.small_sd import examples, save_base

ROOT = Path(__file__).resolve().parents[2]


def frame(count: int = 2):
    """A plate with grain and dark bars, and what they are."""
    marks = tuple(replace(synthetic.defect(k), blueprint="scratch_deep") for k in range(1, count + 1))
    made = synthetic.frame(0, marks)
    clean = (0.3 + child(1, "grain").normal(0, 0.004, made.rgb.shape)).astype(np.float32)
    shown = np.where((made.ids > 0)[..., None], 0.4 * clean, clean)
    return replace(made, rgb=shown, clean=clean), marks


def refiner(painter: Painter, **changed) -> Refiner:
    return Refiner(
        **{"painter": painter, "damage": {"scratch_deep": "scratch"}, "tries": 2, "min_label_px": 8} | changed
    )


def codes(linear: np.ndarray) -> np.ndarray:
    data = images.photo_bytes(linear)
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def test_only_the_labels_change_and_never_the_twin() -> None:
    before, marks = frame()
    after, told = refiner(Regrow(64, 0.4, 0.01))(before, marks, 5)
    inside = before.ids > 0
    assert (codes(after.rgb)[~inside] == codes(before.rgb)[~inside]).all()
    assert (after.rgb[~inside] == before.rgb[~inside]).all() and after.clean is before.clean
    assert (codes(after.rgb)[inside] != codes(before.rgb)[inside]).any()
    assert not (after.ids[~inside]).any() and set(np.unique(after.ids)) == {0, 1, 2}
    assert set(told) == {"1", "2"} and told["1"]["mask"] == "render" and told["1"]["label_iou"] > 0.8
    again, _ = refiner(Regrow(64, 0.4, 0.01))(before, marks, 5)
    assert (again.rgb == after.rgb).all() and (again.ids == after.ids).all()


def test_what_was_rendered_under_a_label_is_gone() -> None:
    """The backend is shown the clean surface: bars rendered white or black come out the same."""
    before, marks = frame(1)
    white = replace(before, rgb=np.where((before.ids > 0)[..., None], 0.9, before.rgb).astype(np.float32))
    one, _ = refiner(Regrow(64, 0.4, 0.01))(before, marks, 5)
    two, _ = refiner(Regrow(64, 0.4, 0.01))(white, marks, 5)
    assert (codes(one.rgb) == codes(two.rgb)).all()


def test_the_label_is_where_the_change_shows() -> None:
    """A backend that paints half of the mask leaves half of the label, in ids and coverage alike."""
    before, marks = frame(1)
    after, told = refiner(Regrow(64, 0.4, 0.002, share=0.5, shift=0))(before, marks, 5)
    x, _, w, _ = synthetic.box_of(1)
    assert after.ids[before.ids > 0].reshape(4, w)[:, : w // 2].all()
    assert not after.ids[:, x + w // 2 + 4 :].any(), "smoothing reaches two sigmas further"
    assert after.coverage[1].sum() == (after.ids > 0).sum()
    assert after.visibility[1] == told["1"]["strength"] and (after.amodal[1] == before.amodal[1]).all()


def test_a_refined_frame_makes_a_dataset_without_faults(tmp_path: Path) -> None:
    before, marks = frame()
    after, told = refiner(Regrow(64, 0.4, 0.01, share=0.7))(before, marks, 5)
    writer = DatasetWriter(tmp_path / "out", synthetic.header())
    writer.add(after, synthetic.facts(0).model_copy(update={"source": "refined", "paint": told}), marks)
    writer.finish()
    (record,) = read_manifest(tmp_path / "out")
    assert check(tmp_path / "out") == []
    assert record.source == "refined" and record.paint["2"]["backend"] == "regrow"
    assert record.measured["pixels_changed_outside"] == 0


def test_small_and_solid_defects_stay_as_rendered() -> None:
    before, marks = frame()
    for kept in (refiner(Wild(64), min_label_px=1000), refiner(Wild(64), damage={})):
        after, told = kept(before, marks, 5)
        assert told == {} and after is before


def test_a_label_that_fills_the_frame_stays_as_rendered() -> None:
    before, marks = frame(1)
    filled = replace(before, ids=np.ones_like(before.ids), part=np.ones_like(before.part))
    after, told = refiner(Wild(64))(filled, marks, 5)
    assert told == {} and after is filled


def test_nothing_visible_is_said_and_a_frame_without_twin_refused() -> None:
    before, marks = frame(1)
    with pytest.raises(RenderError, match="tries at 'scratch'"):
        refiner(Lazy(64))(before, marks, 5)
    with pytest.raises(RenderError, match="twin: windowed or full"):
        refiner(Wild(64))(replace(before, clean=None), marks, 5)


def recipe(**changes) -> Recipe:
    values = {
        "part": "examples/parts/stepped_shaft.step", "material": "powder_coat_grey",
        "blueprints": ["rust_patch"], "station": "soft_box", "camera": "area_5mp_25mm",
        "viewpoint": "look_at_defect", "images": 1, "size_px": 96, "samples": 2, "seed": 3,
        "refine": "diffusion", "min_label_px": 40, "exports": ["mvtec"],
    }  # fmt: skip
    return Recipe.model_validate(values | changes).within(ROOT, allow_outside=True)


def test_what_cannot_be_refined_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.safetensors does not exist"):
        run(recipe(paint={"backend": "tiny", "weights": str(tmp_path / "none.safetensors")}), tmp_path / "out")
    with pytest.raises(InputError, match="train-inpaint"):
        run(recipe(paint={"backend": "sd15"}), tmp_path / "out")
    with pytest.raises(RecipeError, match="draws by rule"):
        run(recipe(paint={"backend": "overlay"}), tmp_path / "out")
    with pytest.raises(RecipeError, match="change the part's shape"):
        run(recipe(blueprints=["chip_brittle"], paint={"backend": "tiny"}), tmp_path / "out")
    with pytest.raises(ValueError, match="refine: diffusion needs twin"):
        recipe(twin="none")
    assert not (tmp_path / "out").exists()


def test_off_by_default_and_no_part_of_a_hash() -> None:
    plain = recipe(refine="none")
    assert Recipe.model_validate({k: v for k, v in plain.model_dump().items() if k != "refine"}).refine == "none"
    assert refiner_of(plain) is None


@pytest.mark.render
@pytest.mark.slow
def test_a_recipe_is_rendered_and_refined_by_the_embedded_model(tmp_path: Path) -> None:
    """End to end on a small model taught for a moment, found by its path in the recipe."""
    from defects.generative.tiny.train import Training, train
    from tests.generative.tiny_models import SMALL, pairs

    shown = pairs(8, depth=-0.35)
    good = np.arange(8) % 2 == 1
    taught = replace(shown, change=shown.change * ~good[:, None, None, None], kind=np.where(good, GOOD, "dent"))
    how = Training(steps=100, batch=8, rate=3e-3, warm=10, decay=0.9, half=False, save_every=100)
    train(tmp_path / "weights", taught, None, SMALL, how, say=lambda _: None)
    weights = str(tmp_path / "weights" / "tiny.safetensors")
    asked = recipe(paint={"backend": "tiny", "weights": weights, "damage": {"rust": "dent"}})
    run(asked, tmp_path / "refined")
    assert check(tmp_path / "refined") == []
    (record,) = read_manifest(tmp_path / "refined")
    assert record.source == "refined" and len(record.paint["1"]["weights_sha256"]) == 64
    run(recipe(refine="none"), tmp_path / "plain")
    (plain,) = read_manifest(tmp_path / "plain")
    assert plain.source == "render" and plain.recipe_sha256 != record.recipe_sha256
    assert read_header(tmp_path / "refined").recipe["paint"]["painter"] == "tiny"
    new, old = (images.read_photo(tmp_path / f / "images" / "000000.png") for f in ("refined", "plain"))
    label = images.read_grey(tmp_path / "plain" / "masks" / "000000.png") > 0
    assert (new[~label] == old[~label]).all() and (new[label] != old[label]).any()
    for role in ("clean", "part", "depth", "normal"):
        assert plain.files[role].sha256 == record.files[role].sha256, role


def test_stable_diffusion_in_miniature_refines(tmp_path: Path) -> None:
    """The real pipeline on random weights. Untaught, it paints noise for `good` too; that pass is taken as given."""
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    from defects.generative.sd15.backend import Sd15Painter
    from defects.generative.sd15.files import find_base
    from defects.generative.sd15.settings import TrainSettings
    from defects.generative.sd15.train import train

    class Taught(Sd15Painter):
        def _one(self, crop: Crop, damage: str, seed: int, blended: bool = True) -> np.ndarray:
            return crop.image if damage == GOOD else super()._one(crop, damage, seed, blended)

    base = save_base(tmp_path / "base")
    settings = TrainSettings(steps=1, size=64, tokens=2, rank=2, batch=1, accumulate=1, strips_every=0, sample_steps=2)
    learned = train(examples(), find_base(str(base), "sd15"), "sd15", tmp_path / "learned", settings)
    before, marks = frame()
    after, told = refiner(Taught(learned, str(base), steps=2))(before, marks, 5)
    inside = before.ids > 0
    assert (codes(after.rgb)[~inside] == codes(before.rgb)[~inside]).all() and (after.ids > 0).any()
    assert told["1"]["backend"] == "sd15" and told["1"]["steps"] == 2
    asked = recipe(paint={"backend": "sd15", "learned": str(learned), "base": str(base), "damage": {"rust": "stain"}})
    made = refiner_of(asked)
    assert made is not None and made.painter.name == "sd15" and made.damage == {"rust_patch": "stain"}
