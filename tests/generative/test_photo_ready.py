"""What a training or a painter cannot work with is said before any work: devices, folders, rates, options."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from core.errors import InputError
from core.files import usable_folder
from defects.generative.ready import check_device
from defects.generative.sd15.settings import TrainSettings
from defects.generative.tiny import teach as teaching
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.teach import Teaching, teach
from flawsmith.cli import app

WITHOUT = ("cuda", "cuda:1", "foo", "", "meta", "cuda:-1")
"""Devices that no machine has, once CUDA is away."""


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("name", WITHOUT)
def test_a_device_that_is_not_there_is_one_sentence(tmp_path: Path, name: str) -> None:
    check_device("cpu")
    for made in (check_device, lambda d: TrainSettings(device=d), lambda d: Teaching(device=d),
                 lambda d: TinyPainter(device=d)):  # fmt: skip
        with pytest.raises(InputError, match=f"device '{name}'"):
            made(name)
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    from defects.generative.sd15.backend import Sd15Painter

    with pytest.raises(InputError, match=f"device '{name}'"):
        Sd15Painter(tmp_path / "nowhere", "nothing", device=name)


@pytest.mark.parametrize("rate", [-1.0, 0.0, float("nan"), float("inf")])
def test_a_learning_rate_is_finite_and_above_zero(rate: float) -> None:
    for made in (lambda: TrainSettings(learning_rate=rate), lambda: TrainSettings(table_rate=rate),
                 lambda: Teaching(learning_rate=rate)):  # fmt: skip
        with pytest.raises(InputError, match="learning rate"):
            made()


def test_a_folder_that_can_be_made_is_not_made_yet(tmp_path: Path) -> None:
    assert usable_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b" and not any(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"kept")
    for out in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/flawsmith")):
        with pytest.raises(InputError, match=f"{out} cannot be written"):
            usable_folder(out)
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_tiny_is_not_taught_into_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching, "pairs_of", lambda *_: pytest.fail("worked"))
    (tmp_path / "file").write_bytes(b"")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="--out"):
            teach([], out, Teaching(steps=1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--backend", "tiny", "--device", "foo"], "device 'foo'"),
        (["--backend", "tiny", "--learning-rate", "nan"], "learning rate nan"),
        (["--base", "x", "--device", "cuda"], "device 'cuda'"),
        (["--base", "x", "--learning-rate", "-1"], "learning rate -1"),
        (["--base", "x", "--controlnet", "nowhere"], "backend sd15 with --controlnet"),
        (["--base", "x", "--weights", "w"], "backend sd15 with --weights"),
        (["--backend", "tiny", "--controlnet", "nowhere"], "backend tiny with --controlnet"),
    ],
)
def test_the_command_says_it_before_it_reads_anything(tmp_path: Path, given: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["train-inpaint", str(tmp_path / "no"), "--out", str(tmp_path / "out"), *given])
    assert done.exit_code == 2 and said in done.output.replace("\n", " ")
    assert not (tmp_path / "out").exists()
