"""Trainings of Stable Diffusion that were killed, cut or are others: gone on with bit for bit, or refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")
pytest.importorskip("peft")

import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError, RenderError
from defects.generative.painter import GOOD
from defects.generative.sd15 import train as training
from defects.generative.sd15.files import find_base
from defects.generative.sd15.learned import ABOUT, LORA, TABLE, read_about
from defects.generative.sd15.settings import TrainSettings
from defects.generative.sd15.train import STATE, TOLD, told_in, train
from tests.generative.small_sd import examples, save_base

SMALL = TrainSettings(steps=2, size=64, tokens=2, rank=2, batch=1, accumulate=1, save_every=1, strips_every=0,
                      learning_rate=1e-2, seed=3)  # fmt: skip
FILES = (STATE, TABLE, LORA, ABOUT)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("inpainting"))


@pytest.fixture(scope="module")
def through(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return taught(base, tmp_path_factory.mktemp("run") / "out")


def taught(base: Path, out: Path, few=None, **changed) -> Path:
    return train(few or examples(), find_base(str(base), "sd15"), "sd15", out, replace(SMALL, **changed))


@pytest.mark.parametrize("done", range(2 * len(FILES)))
def test_a_run_killed_after_any_file_goes_on_to_the_same_bits(
    base: Path, through: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    out, left = tmp_path / "out", [done]
    rename = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            taught(base, out)
    (out / f".{STATE}.1.part").write_bytes(b"what a killed run leaves")
    taught(base, out)
    for name in FILES:
        assert (out / name).read_bytes() == (through / name).read_bytes(), name


def test_the_same_names_with_other_pixels_are_other_examples(base: Path, through: Path, tmp_path: Path) -> None:
    out, (first, *rest) = Path(shutil.copytree(through, tmp_path / "out")), examples()
    others = (replace(first, image=255 - first.image), replace(first, mask=np.roll(first.mask, 3, 0)),
              replace(first, part=first.mask))  # fmt: skip
    for other in others:
        with pytest.raises(InputError, match="other examples"):
            taught(base, out, [other, *rest], steps=3)
    assert told_in(out / STATE)["step"] == 2


def test_a_cut_state_is_one_sentence(base: Path, through: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(through, tmp_path / "out"))
    whole = (out / STATE).read_bytes()
    for length in (len(whole) - 9, len(whole) // 2, 20, 0):
        (out / STATE).write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"state\.safetensors cannot be read"):
            taught(base, out, steps=3)


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"step": null, "identity": "", "losses": [], "scaler": {}}',
                                  '{"step": 1, "identity": "", "losses": [], "scaler": 1}'])  # fmt: skip
def test_a_state_that_does_not_say_how_far_it_is(base: Path, through: Path, tmp_path: Path, text: str | None) -> None:
    out = Path(shutil.copytree(through, tmp_path / "out"))
    save_file(load_file(str(out / STATE)), str(out / STATE), None if text is None else {TOLD: text})
    with pytest.raises(InputError, match="how far"):
        taught(base, out, steps=3)


def test_what_would_fail_at_the_first_strips_is_refused_before_the_first_step(base: Path, tmp_path: Path) -> None:
    for wrong in ({"sample_steps": 1001}, {"guidance": 0.5}, {"size": 32}):
        with pytest.raises(InputError):
            taught(base, tmp_path / "out", strips_every=1, **wrong)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_takes_no_files_is_refused_before_anything_is_loaded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "networks", lambda *_, **__: pytest.fail("loaded"))
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="--out"):
            taught(base, out)


def test_examples_without_good_photographs_teach_nothing_to_measure_against(base: Path, tmp_path: Path) -> None:
    few = [e for e in examples() if e.damage != GOOD]
    with pytest.raises(InputError, match=r"none of them without damage.*'good'"):
        taught(base, tmp_path / "out", few)
    assert not (tmp_path / "out").exists()


def test_another_controlnet_to_start_from_is_another_training(tmp_path: Path) -> None:
    from diffusers import ControlNetModel, UNet2DConditionModel

    base = find_base(str(save_base(tmp_path / "base", channels=4)), "sd15-controlnet")
    unet = UNet2DConditionModel.from_pretrained(base.folder / "unet")
    for name, factor in (("one", 1.0), ("other", 1.1)):
        made = ControlNetModel.from_unet(unet, conditioning_channels=3)
        made.conv_in.weight.data *= factor
        made.save_pretrained(tmp_path / name)

    def start(name: str | None) -> None:
        how = replace(SMALL, rank=0, steps=1)
        train(examples(), base, "sd15-controlnet", tmp_path / "out", how, controlnet=name and tmp_path / name)

    start("one")
    start("one")
    for name in ("other", None):
        with pytest.raises(InputError, match="other examples, settings or another base"):
            start(name)


def test_gradients_that_are_no_numbers_end_the_run(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the loss is one."""
    real = training.loss_of

    def steep(*given: Any) -> torch.Tensor:
        loss = real(*given)
        loss.register_hook(lambda gradient: gradient * float("nan"))
        return loss

    monkeypatch.setattr(training, "loss_of", steep)
    with pytest.raises(RenderError, match=r"step 0 had a loss of .* gradients of nan"):
        taught(base, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_a_scaler_goes_on_where_it_stopped(
    base: Path, through: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scale, and the steps since it last changed. Half precision needs a GPU: here a scaler of the CPU's."""
    scalers: list[torch.amp.GradScaler] = []

    def scaler(settings: TrainSettings) -> torch.amp.GradScaler:
        scalers.append(torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2))
        return scalers[-1]

    monkeypatch.setattr(training, "scaler_of", scaler)
    taught(base, tmp_path / "through", steps=3)
    for steps in (1, 3):
        taught(base, tmp_path / "out", steps=steps)
    (whole, first, second) = (s.state_dict() for s in scalers)
    assert whole == second != first and whole["scale"] == 16.0 and whole["_growth_tracker"] == 1
    assert (tmp_path / "through" / TABLE).read_bytes() == (tmp_path / "out" / TABLE).read_bytes()


def test_inpainting_starts_from_no_controlnet(base: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sd15-controlnet"):
        train(examples(), find_base(str(base), "sd15"), "sd15", tmp_path / "out", SMALL, controlnet=tmp_path / "no")


@pytest.mark.parametrize(
    "changed",
    [
        {"use": "sdxl"},
        {"use": None},
        {"types": []},
        {"types": ["good", 5]},
        {"types": ["good", None]},
        {"types": ["good", "good"]},
        {"tokens": "two"},
        {"rank": None},
    ],
)
def test_what_was_learned_by_no_known_training_is_one_sentence(through: Path, tmp_path: Path, changed: dict) -> None:
    out = Path(shutil.copytree(through, tmp_path / "out"))
    (out / ABOUT).write_text(json.dumps(json.loads((out / ABOUT).read_text()) | changed))
    with pytest.raises(InputError, match=r"learned\.json"):
        read_about(out)
