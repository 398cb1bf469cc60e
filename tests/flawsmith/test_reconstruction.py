"""What `flawsmith reconstruct` asks of its folder and device before any work, and what it keeps afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import InputError, RenderError
from flawsmith import reconstruction
from flawsmith.recipe import Recipe
from flawsmith.reconstruction import TakenFolder, reconstruct_capture, with_reconstruction
from recon.bake import bake
from recon.capture import load
from recon.capture.unfit import UnfitCapture
from recon.chrome_ball import Ball
from recon.probe import LightProbe
from recon.save import REPORT, _exr, save
from recon.verdict import Verdict, judge
from tests.recon.known import fitted, masks, ring

HOUSING = Path(__file__).resolve().parents[2] / "examples" / "captures" / "bearing_housing"


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seeds of the fits that were made: each takes no time and gives the known ball."""
    made: list[int] = []

    def load(*_: Any, **__: Any):
        return ring(), None

    def fit(capture, settings, seed, **_: Any):
        made.append(seed)
        found = fitted(capture)
        return capture, masks(), found, judge(capture, masks(), found, 0.99)

    def deliver(out, outcome, *_: Any):
        bare = ring().with_views([replace(v, mask=np.zeros(v.size)) for v in ring().views])
        capture, found, verdict, provenance = outcome
        save(out, capture, found, verdict, provenance, bake(bare, found, 64))

    monkeypatch.setattr("recon.merge.load_merged", load)
    monkeypatch.setattr(reconstruction, "fitted_and_judged", fit)
    monkeypatch.setattr("flawsmith.deliver.deliver", deliver)
    return made


def test_the_same_again_is_kept_and_other_options_are_not_taken_for_it(fits: list[int], tmp_path: Path) -> None:
    first = reconstruct_capture(tmp_path, tmp_path / "out", preset_name="draft", seed=4)
    again = reconstruct_capture(tmp_path, tmp_path / "out", preset_name="draft", seed=4)
    assert isinstance(first, Verdict) and again == first and fits == [4]
    with pytest.raises(TakenFolder, match="with preset draft, seed 4"):
        reconstruct_capture(tmp_path, tmp_path / "out", preset_name="standard", seed=5)
    assert fits == [4]


def test_a_folder_with_other_files_is_left_alone(fits: list[int], tmp_path: Path) -> None:
    mine = tmp_path / "out" / "part.glb"
    mine.parent.mkdir()
    mine.write_text("mine")
    with pytest.raises(TakenFolder, match="holds other files"):
        reconstruct_capture(tmp_path, tmp_path / "out", preset_name="draft")
    assert mine.read_text() == "mine" and not fits
    (tmp_path / ".out.fit.npz").touch()  # an interrupted fit of its own had begun to write
    assert reconstruct_capture(tmp_path, tmp_path / "out", preset_name="draft").usable and fits == [0]


@pytest.mark.parametrize("out", ["/", "file", "file/below", "/proc/nope/out"])
def test_a_folder_that_cannot_be_is_said_before_anything_is_read(out: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="choose another"):
        reconstruct_capture(tmp_path / "no capture", tmp_path / out)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("device", ["banana", "cuda:99", "cuda:"])
def test_a_device_that_is_not_here_is_said_before_anything_is_read(device: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="device"):
        reconstruct_capture(tmp_path / "no capture", tmp_path / "out", device=device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_cuda_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CUDA"):
        reconstruct_capture(tmp_path / "no capture", tmp_path / "out", device="cuda")


def test_too_little_memory_names_the_smaller_preset(
    fits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any):
        raise MemoryError

    monkeypatch.setattr(reconstruction, "fitted_and_judged", full)
    with pytest.raises(RenderError, match="preset draft"):
        reconstruct_capture(tmp_path, tmp_path / "out", preset_name="standard")
    assert not (tmp_path / "out").exists()


def test_a_probe_is_of_a_room_that_the_part_turned_in(
    fits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _exr(tmp_path / "room.exr", np.ones((64, 128, 3), np.float32))
    assert reconstruct_capture(tmp_path, tmp_path / "out", light_probe=LightProbe(tmp_path / "room.exr")).usable
    with pytest.raises(TakenFolder, match="light-probe"):
        reconstruct_capture(tmp_path, tmp_path / "out")
    with pytest.raises(TakenFolder, match=r"probe-turn-deg 0\.0"):
        reconstruct_capture(tmp_path, tmp_path / "out", light_probe=LightProbe(tmp_path / "room.exr", 5.0))
    monkeypatch.setattr("recon.merge.load_merged", lambda *_, **__: (replace(ring(), light="part"), None))
    with pytest.raises(InputError, match="lay still"):
        reconstruct_capture(tmp_path, tmp_path / "new", light_probe=LightProbe(tmp_path / "room.exr"))
    assert len(fits) == 1


def test_another_ball_on_the_same_photograph_is_another_probe(fits: list[int], tmp_path: Path) -> None:
    view = ring().views[0]
    Image.new("RGB", (4 * view.size[1], 4 * view.size[0]), (99, 99, 99)).save(tmp_path / "ball.png")

    def asked(radius: float) -> Verdict:
        probe = LightProbe(tmp_path / "ball.png", ball=Ball(2 * view.size[1], 2 * view.size[0], radius))
        return reconstruct_capture(tmp_path, tmp_path / "out", light_probe=probe)

    assert asked(20.0) == asked(20.0)
    with pytest.raises(TakenFolder, match=r"probe-ball .*20\.0"):
        asked(21.0)
    assert len(fits) == 1


def test_a_folder_made_before_probes_could_be_balls_is_still_the_same(fits: list[int], tmp_path: Path) -> None:
    """Its record says probe_turn_deg, where no probe was given, and no ball."""
    reconstruct_capture(tmp_path, tmp_path / "out")
    report = tmp_path / "out" / REPORT
    facts = json.loads(report.read_text())
    for key in ("probe_ball", "probe_view"):
        del facts["provenance"]["asked"][key]
    report.write_text(json.dumps(facts))
    reconstruct_capture(tmp_path, tmp_path / "out")
    assert len(fits) == 1


@pytest.mark.parametrize("error", [UnfitCapture, InputError])
def test_a_capture_that_cannot_be_used_gives_way_to_cad_and_says_so(
    error: type[InputError], fits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any):
        raise error("view 3 is no image", "a photograph", "take it again")

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "capture.yaml").touch()
    monkeypatch.setattr(reconstruction, "fitted_and_judged", broken)
    recipe = Recipe.model_validate(
        {"part": {"path": "photos", "fallback": "part.step"}, "material": "primer_grey", "blueprints": ["scratch_deep"],
         "station": "dome", "camera": "area_5mp_25mm", "viewpoint": "look_at_defect", "images": 1}
    ).within(tmp_path)  # fmt: skip
    told: list[str] = []
    assert with_reconstruction(recipe, tmp_path / "out", None, told.append).part.path == "part.step"
    assert len(told) == 1 and "view 3 is no image" in told[0] and "fallback" in told[0]
    alone = recipe.with_part(recipe.part.model_copy(update={"fallback": None}))
    with pytest.raises(InputError, match="view 3 is no image"):
        with_reconstruction(alone, tmp_path / "out")


def test_a_capture_with_another_mask_is_another_capture(tmp_path: Path) -> None:
    shutil.copytree(HOUSING, tmp_path / "copy")
    before = load(HOUSING, max_side=32, checked=False).sha256
    assert load(tmp_path / "copy", max_side=32, checked=False).sha256 == before
    mask = sorted((tmp_path / "copy" / "masks").iterdir())[0]
    Image.new("L", Image.open(mask).size, 0).save(mask)
    assert load(tmp_path / "copy", max_side=32, checked=False).sha256 != before


def test_a_recipe_names_a_probe_inside_its_folder(
    fits: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[LightProbe | None] = []

    def remembered(*_: Any, light_probe: LightProbe | None, **__: Any) -> Verdict:
        asked.append(light_probe)
        return judge(ring(), masks(), fitted(ring()), 0.99)

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "capture.yaml").touch()
    (tmp_path / "room.exr").touch()
    monkeypatch.setattr(reconstruction, "reconstruct_capture", remembered)
    given = {
        "part": {"path": "photos", "light_probe": "room.exr"}, "material": "as_captured",
        "blueprints": ["scratch_deep"], "station": "dome", "camera": "area_5mp_25mm",
        "viewpoint": "look_at_defect", "images": 1,
    }  # fmt: skip
    with_reconstruction(Recipe.model_validate(given).within(tmp_path), tmp_path / "out")
    ball = {"path": "room.exr", "ball": [40, 50, 30], "view": "000"}
    given["part"] = {"path": "photos", "light_probe": ball}
    with_reconstruction(Recipe.model_validate(given).within(tmp_path), tmp_path / "out")
    room = tmp_path / "room.exr"
    assert asked == [LightProbe(room), LightProbe(room, ball=Ball(40, 50, 30), view="000")]
    for wrong in ({"turn_deg": 3.0, **ball}, {"path": "room.exr", "view": "000"}):
        given["part"] = {"path": "photos", "light_probe": wrong, "fallback": "part.step"}
        with pytest.raises(InputError, match=r"room\.exr with"):
            with_reconstruction(Recipe.model_validate(given).within(tmp_path), tmp_path / "out")
    given["part"] = {"path": "photos", "light_probe": {**ball, "path": "../room.exr"}}
    with pytest.raises(InputError, match="outside"):
        with_reconstruction(Recipe.model_validate(given).within(tmp_path), tmp_path / "out")
