"""The photo route end to end: photographs and a capture become a dataset that `check` finds no fault with."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from core.blueprint import Blueprint
from core.colour import linear_from_srgb
from core.errors import InputError, PlacementError, RecipeError
from core.models import load, parse
from core.seeds import child
from defects.generative.photo import Photo, read_photo
from defects.generative.rules import Overlay
from flawsmith import images
from flawsmith.check import check
from flawsmith.cli import app
from flawsmith.dataset import read_manifest
from flawsmith.paint_choice import PaintChoice, damage_for
from flawsmith.paint_ground import captured_ground, flat_ground, hull_of
from flawsmith.paint_masks import draw_mark
from flawsmith.paint_run import paint_dataset
from flawsmith.pipeline import run
from flawsmith.recipe import Recipe
from recon import capture as captures
from scenes import library
from tests.flawsmith.test_check import sign_again
from tests.generative.painters import Lazy
from tests.generative.small_sd import examples
from tests.generative.test_photo_paint import grainy

HOUSING = Path(__file__).resolve().parents[2] / "examples" / "captures" / "bearing_housing"


def blueprint(name: str) -> Blueprint:
    return load(Blueprint, library.folder("blueprints") / f"{name}.yaml")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        cv2.imwrite(str(folder / f"plate{k}.png"), grainy(200, 240, 3, k))
    return folder


def recipe(folder: Path, **changed) -> Recipe:
    values = {
        "route": "photo", "part": "photos", "blueprints": ["scratch_deep", "rust_patch"], "images": 3, "seed": 4,
        "paint": {"backend": "overlay", "mm_per_px": 0.1}, "min_label_px": 8, "exports": ["mvtec"],
    }  # fmt: skip
    return Recipe.model_validate(values | changed).within(folder)


def test_every_code_survives_the_way_through_linear_light(tmp_path: Path) -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    data = images.photo_bytes(linear_from_srgb(codes / np.float32(255)))
    assert (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) == codes).all()


def test_photographs_become_a_dataset_without_faults(photos: Path, tmp_path: Path) -> None:
    summary = run(recipe(tmp_path), tmp_path / "out")
    assert summary.images == 3 and not check(tmp_path / "out")
    for record in read_manifest(tmp_path / "out"):
        photo = read_photo(photos / f"{record.sampled['photograph']}.png").pixels
        made = images.read_photo(tmp_path / "out" / record.files["image"].path)
        assert (images.read_photo(tmp_path / "out" / record.files["clean"].path) == photo).all()
        asked = images.read_grey(tmp_path / "out" / record.files["amodal_1"].path) > 0
        assert (made[~asked] == photo[~asked]).all() and (made[asked] != photo[asked]).any()
        told = record.paint["1"]
        assert record.source == "photo" and record.verdict == "defect"
        assert told["backend"] == "overlay" and told["mask"] == "blueprint" and told["label_iou"] > 0.25
        assert {"seed", "damage", "tries"} <= told.keys()
        assert record.mm_per_pixel == pytest.approx(0.1)


def test_the_shipped_recipe_paints_all_its_types(tmp_path: Path) -> None:
    summary = run(Recipe.load(HOUSING.parent / "photo_route.yaml"), tmp_path / "out")
    assert summary.images == 6 and not check(tmp_path / "out") and (tmp_path / "out" / "report.html").is_file()
    records = list(read_manifest(tmp_path / "out"))
    assert {told["damage"] for r in records for told in r.paint.values()} == {"rust", "scratch", "print_fault"}
    assert all(r.source == "photo" and told["label_iou"] >= 0.5 for r in records for told in r.paint.values())


def test_one_pixel_beside_the_mask_is_found_by_check(photos: Path, tmp_path: Path) -> None:
    """Inside the box of the mask, where a rendered picture may differ from its twin."""
    out = tmp_path / "out"
    run(recipe(tmp_path, images=1, exports=[], blueprints=["scratch_deep"]), out)
    (record,) = read_manifest(out)
    path, asked = out / record.files["image"].path, images.read_grey(out / record.files["amodal_1"].path) > 0
    x0, y0, x1, y1 = record.twin_windows[0]
    row, column = np.argwhere(~asked[y0:y1, x0:x1])[0] + (y0, x0)
    pixels = cv2.imread(str(path))
    pixels[row, column] ^= 1
    cv2.imwrite(str(path), pixels)
    sign_again(out, index=0)
    assert [f.what for f in check(out)] == ["1 px outside the requested masks are not the photograph's own"]


def test_the_same_seed_gives_the_same_files_whatever_the_order(photos: Path, tmp_path: Path) -> None:
    run(recipe(tmp_path), tmp_path / "a")
    run(recipe(tmp_path), tmp_path / "b", images=1)
    run(recipe(tmp_path), tmp_path / "b")
    for path in sorted((tmp_path / "a" / "images").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / "images" / path.name).read_bytes()


def test_masks_of_examples_take_the_place_of_drawn_ones(photos: Path, tmp_path: Path) -> None:
    for e in examples():
        if e.damage == "scratch":
            folder = tmp_path / "few" / "scratch"
            folder.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / f"{e.name}.jpg"), e.image)
            cv2.imwrite(str(folder / f"{e.name}.png"), e.mask.astype(np.uint8) * 255)
    asked = {"backend": "overlay", "mm_per_px": 0.1, "masks": "few"}
    run(recipe(tmp_path, paint=asked, images=1), tmp_path / "out")
    (record,) = read_manifest(tmp_path / "out")
    assert record.paint["1"]["mask"] == "example"


def test_large_photographs_are_averaged_down_and_keep_their_scale(photos: Path, tmp_path: Path) -> None:
    """Half as many pixels a side, each twice as large; the part that alpha shows shrinks with them."""
    alpha = np.zeros((200, 240, 1), np.uint8)
    alpha[40:, :200] = 255
    cv2.imwrite(str(photos / "plate0.png"), np.dstack([grainy(200, 240, 3), alpha]))
    small = recipe(tmp_path, images=1, paint={"backend": "overlay", "mm_per_px": 0.1, "max_px": 120})
    run(small, tmp_path / "out")
    (record,) = read_manifest(tmp_path / "out")
    clean = images.read_photo(tmp_path / "out" / record.files["clean"].path)
    part = images.read_grey(tmp_path / "out" / record.files["part"].path) > 0
    assert clean.shape == (100, 120, 3) and record.mm_per_pixel == pytest.approx(0.2)
    assert part[20:, :100].all() and part.sum() == 80 * 100 and not check(tmp_path / "out")
    blocks = linear_from_srgb(read_photo(photos / "plate0.png").pixels / np.float32(255))
    mean = blocks.reshape(100, 2, 120, 2, 3).mean(axis=(1, 3))
    assert np.abs(linear_from_srgb(clean / np.float32(255)) - mean).max() < 5e-3


def test_refinement_of_photographs_is_refused() -> None:
    with pytest.raises(ValueError, match="route: photo renders none"):
        recipe(Path(), refine="diffusion")


def test_good_images_are_the_photographs(photos: Path, tmp_path: Path) -> None:
    run(recipe(tmp_path, good_fraction=1.0, images=1), tmp_path / "out")
    (record,) = read_manifest(tmp_path / "out")
    made = images.read_photo(tmp_path / "out" / record.files["image"].path)
    assert record.verdict == "good" and (made == read_photo(photos / "plate0.png").pixels).all()


def test_a_backend_that_shows_nothing_writes_nothing(photos: Path, tmp_path: Path) -> None:
    lazy = Lazy(64)
    lazy.types = ("good", "scratch", "rust")
    with pytest.raises(Exception, match="tries at"):
        paint_dataset(recipe(tmp_path, tries=1, paint={"mm_per_px": 0.1, "tries": 1}), tmp_path / "out", painter=lazy)
    assert not list((tmp_path / "out").glob("images/*"))


def test_a_solid_cannot_be_painted(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="changes the part's shape"):
        run(recipe(tmp_path, blueprints=["chip_brittle"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["scratch_deep", "rust_patch"])
def test_drawn_masks_have_their_size_in_millimetres(name: str) -> None:
    """On a plane seen squarely, the mask's length times the scale is the defect's."""
    ground = flat_ground(Photo("plate", grainy(500, 500, 3)), 0.05)
    for k in range(4):
        mark = draw_mark(ground, blueprint(name), child(k, "mark"), np.zeros((500, 500), bool))
        rows, columns = np.nonzero(mark.mask)
        _, size, _ = cv2.minAreaRect(np.stack([columns, rows], 1).astype(np.float32))
        expected = next(v for key, v in mark.defect.measured.items() if "length" in key or "diameter" in key)
        assert (max(size) + 1) * 0.05 == pytest.approx(expected, rel=0.2, abs=0.15)


def test_marks_keep_off_each_other_and_on_the_part() -> None:
    part = np.zeros((300, 300), bool)
    part[60:240, 60:240] = True
    ground, taken = flat_ground(Photo("plate", grainy(300, 300, 3)), 0.1, part), np.zeros((300, 300), bool)
    for k in range(4):
        mask = draw_mark(ground, blueprint("scratch_deep"), child(k, "mark"), taken).mask
        assert not (mask & taken).any() and not (mask & ~part).any()
        taken |= mask
    small = flat_ground(Photo("plate", grainy(30, 30, 3)), 0.001)
    with pytest.raises(PlacementError):
        draw_mark(small, blueprint("scratch_deep"), child(1, "mark"), np.zeros((30, 30), bool))


def test_a_capture_is_painted_through_its_hull(tmp_path: Path) -> None:
    capture = captures.load(HOUSING, checked=False)
    view, hull = capture.views[0], hull_of(capture)
    ground = captured_ground(view, hull, 1.0)
    row, column = np.argwhere(ground.part)[len(np.argwhere(ground.part)) // 2]
    point = ground.part_from_camera @ [*ground.point(row, column), 1]
    pixel, _ = view.project(point[None, :3])
    np.testing.assert_allclose(pixel[0], [column + 0.5, row + 0.5], atol=1e-6)
    assert np.abs(point[:3]).max() < 0.2, "a housing, in metres"
    facing = (ground.normal[ground.part] * ground.rays(*np.nonzero(ground.part))[1]).sum(1)
    assert (facing < 0).mean() > 0.9
    mark = draw_mark(ground, blueprint("rust_patch"), child(3, "mark"), np.zeros(view.size, bool))
    assert mark.mask.any() and not (mark.mask & ~ground.part).any()


def test_words_for_damage() -> None:
    painter = Overlay(("good", "scratch", "my_own"))
    assert damage_for("scratch_deep", "scratch", PaintChoice(), painter) == "scratch"
    assert damage_for("scratch_deep", "scratch", PaintChoice(damage={"scratch_deep": "my_own"}), painter) == "my_own"
    with pytest.raises(RecipeError, match="one of scratch, my_own"):
        damage_for("rust_patch", "rust", PaintChoice(), painter)
    for key, word in (("scratch_deep", "foo"), ("scratch", "good"), ("scratch_deep", "")):
        with pytest.raises(RecipeError, match=rf"{key}: {word}}}.*backend overlay: expected one of scratch, my_own"):
            damage_for("scratch_deep", "scratch", PaintChoice(damage={key: word}), painter)
    assert damage_for("scratch_deep", "scratch", PaintChoice(damage={"rust": "foo"}), painter) == "scratch"


@pytest.mark.parametrize(
    ("backend", "given"),
    [("overlay", {"learned": "x"}), ("overlay", {"steps": 4}), ("tiny", {"base": "x"}), ("sd15", {"weights": "x"})],
)
def test_an_option_that_the_backend_does_not_have_is_refused(backend: str, given: dict) -> None:
    with pytest.raises(RecipeError, match=f"backend {backend} has no {next(iter(given))}"):
        parse(PaintChoice, {"backend": backend, **given}, "recipe.yaml")


def test_the_command_paints_a_folder(photos: Path, tmp_path: Path) -> None:
    mask = np.zeros((200, 240), np.uint8)
    mask[90:110, 60:120] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    options = ["inpaint", str(photos), "--backend", "overlay", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*options, "--mask", str(tmp_path / "mask.png"), "--type", "scratch", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["painted"] == 2
    made, label = (cv2.imread(str(tmp_path / "out" / f / "plate0.png")) for f in ("images", "labels"))
    assert (made[mask == 0] == cv2.imread(str(photos / "plate0.png"))[mask == 0]).all() and label.any()
    assert json.loads((tmp_path / "out" / "facts" / "plate0.json").read_text())["mask"] == "user"
    drawn = CliRunner().invoke(app, [*options, "--blueprint", "scratch_deep", "--mm-per-px", "0.1", "-q"])
    assert drawn.exit_code == 0, drawn.output


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "neither --mask nor --blueprint"),
        (["--blueprint", "scratch_deep"], "--mm-per-px"),
        (["--blueprint", "nothing", "--mm-per-px", "1"], "flawsmith list blueprints"),
        (["--blueprint", "scratch_deep", "--mm-per-px", "0.1", "--type", "love"], "one of good"),
        (["--blueprint", "scratch_deep", "--mm-per-px", "0.1", "--type", "rust"], "draws as scratch: expected scratch"),
        (["--blueprint", "scratch_deep", "--mm-per-px", "0.1", "--backend", "sd15"], "train-inpaint"),
    ],
)
def test_wrong_orders_are_one_sentence_and_write_nothing(photos: Path, tmp_path: Path, more: list, said: str) -> None:
    given = ["inpaint", str(photos), "--out", str(tmp_path / "out"), "--backend", "overlay", *more]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2 and said in done.output.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_teaching_without_weights_says_how_to_get_them(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    done = CliRunner().invoke(app, ["train-inpaint", str(tmp_path), "--base", "no/such", "--out", str(tmp_path / "o")])
    assert done.exit_code == 2 and "hf download" in done.output
    with pytest.raises(InputError, match="no photograph"):
        paint_dataset(recipe(tmp_path.parent, part=tmp_path.name), tmp_path / "out", painter=Overlay())
