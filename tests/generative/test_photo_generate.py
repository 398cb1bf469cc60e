"""`flawsmith generate`: whole pictures with a ControlNet, on random weights in miniature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("diffusers")
pytest.importorskip("peft")

from core.files import sha256_bytes
from defects.generative.photo import read_marks, read_photo
from defects.generative.sd15 import backend
from defects.generative.sd15.files import find_base
from defects.generative.sd15.settings import TrainSettings
from defects.generative.sd15.train import train
from flawsmith.cli import app
from tests.generative.small_sd import examples, save_base

ONE = TrainSettings(steps=1, size=64, tokens=2, rank=0, batch=1, accumulate=1, strips_every=0, seed=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("text-to-image"), channels=4)


@pytest.fixture(scope="module")
def learned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "out"
    return train(examples(), find_base(str(base), "sd15-controlnet"), "sd15-controlnet", out, ONE)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    pixels = cv2.circle(np.zeros((64, 64), np.uint8), (30, 34), 12, 255, -1)
    cv2.imwrite(str(tmp_path / "mask.png"), pixels)
    return tmp_path / "mask.png"


@pytest.fixture
def showing(monkeypatch) -> None:
    """Random weights show no defect: darken the mask, and a little of what lies beyond it, as a model might."""
    real = backend.sampled

    def shows(pipe: Any, nets: Any, image: np.ndarray, mask: np.ndarray, damage: str, seed: int, **named: Any) -> Any:
        made = real(pipe, nets, image, np.zeros_like(mask), "good", seed, **named)
        beyond = np.zeros_like(mask)
        beyond[:4, :8] = damage != "good"
        return np.where(mask[..., None] | beyond[..., None], made * 0.3, made).astype(np.float32)

    monkeypatch.setattr(backend, "sampled", shows)


def ask(learned: Path, base: Path, out: Path, *more: str) -> list[str]:
    return [
        "generate",
        "--learned",
        str(learned),
        "--base",
        str(base),
        "--out",
        str(out),
        "--steps",
        "2",
        "--json",
        *more,
    ]


def run(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(arguments: list[str]) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2, done.output
    said = " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in said
    return said


@pytest.mark.usefixtures("showing")
@pytest.mark.parametrize("paste", [False, True])
def test_pictures_labels_and_lineage(learned: Path, base: Path, mask: Path, tmp_path: Path, paste: bool) -> None:
    out = tmp_path / "out"
    told = run(*ask(learned, base, out, "--mask", str(mask), "--type", "stain", "--images", "2",
                    *(["--paste"] if paste else [])))  # fmt: skip
    assert told["made"] == told["pictures"] == 2 and told["pasted"] is paste
    assert 0 < told["outside"] < 0.05, "32 pixels beyond the mask changed, and it is said"
    asked = read_marks(mask)
    for k in range(2):
        name = f"{k:06d}"
        image, clean = (read_photo(out / f / f"{name}.png").pixels for f in ("images", "clean"))
        label = read_marks(out / "labels" / f"{name}.png")
        facts = json.loads((out / "facts" / f"{name}.json").read_text())
        changed = (image != clean).any(axis=2)
        assert not (label & ~asked).any() and label.sum() > 0.8 * asked.sum()
        assert (read_marks(out / "requested" / f"{name}.png") == asked).all()
        assert bool((changed & ~asked).any()) is not paste
        assert facts["source"] == "generated" and facts["backend"] == "sd15-controlnet" and facts["damage"] == "stain"
        assert facts["mask"] == "mask.png" and facts["pasted"] is paste and facts["outside"] > 0
        assert facts["image_sha256"] == sha256_bytes(image.tobytes()) and {"weights_sha256", "seed"} <= facts.keys()
    assert (read_photo(out / "clean" / "000000.png").pixels != read_photo(out / "clean" / "000001.png").pixels).any()


@pytest.mark.usefixtures("showing")
def test_blueprints_are_placed_freely_and_a_seed_repeats(learned: Path, base: Path, tmp_path: Path) -> None:
    more = ("--blueprint", "rust_patch", "--mm-per-px", "0.4", "--type", "stain", "--images", "2", "--seed", "5")
    for out in ("a", "b"):
        run(*ask(learned, base, tmp_path / out, *more))
    names = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(names) == 10
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    one, two = (read_marks(tmp_path / "a" / "requested" / f"{k:06d}.png") for k in range(2))
    assert (one != two).any()


def test_what_shows_nothing_is_left_out(learned: Path, base: Path, mask: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(backend, "sampled", lambda pipe, nets, image, *_, **__: image)
    said = refused(ask(learned, base, tmp_path / "out", "--mask", str(mask), "--type", "stain", "--tries", "2"))
    assert "0 of 1 pictures made (2 tries at each showed no stain)" in said and not (tmp_path / "out").exists()


@pytest.mark.usefixtures("showing")
def test_the_same_command_goes_on(learned: Path, base: Path, mask: Path, tmp_path: Path, monkeypatch) -> None:
    asked = (*ask(learned, base, tmp_path / "out", "--mask", str(mask), "--type", "stain"), "--images")
    first = run(*asked, "1")
    monkeypatch.setattr("flawsmith.paint_generate._visible", lambda *_: None)
    told = run(*asked, "2")
    assert told["made"] == 0 and told["kept"] == 1 and told["nothing_visible"] == ["000001"]
    assert told["outside"] == pytest.approx(first["outside"], abs=1e-6)
    (tmp_path / "out" / "clean" / "000000.png").unlink()
    assert "0 of 1 pictures made" in refused([*asked, "1"])
    assert not [p for p in (tmp_path / "out").rglob("*") if p.is_file()], "what was left would pass for this order's"


def test_bad_input_is_one_sentence(learned: Path, base: Path, mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert "neither --mask nor --blueprint" in refused(ask(learned, base, out))
    with_mask = ("--mask", str(mask))
    assert "both --mask and --blueprint" in refused(ask(learned, base, out, *with_mask, "--blueprint", "rust_patch"))
    assert "--mm-per-px" in refused(ask(learned, base, out, "--blueprint", "rust_patch"))
    assert "--mask without --type" in refused(ask(learned, base, out, *with_mask))
    assert "one of scratch, stain" in refused(ask(learned, base, out, *with_mask, "--type", "good"))
    assert "128 x 128 pixels, white where" in refused(
        ask(learned, base, out, *with_mask, "--type", "stain", "--size", "128")
    )
    assert "learned.json" in refused(ask(tmp_path, base, out, *with_mask, "--type", "stain"))
    cv2.imwrite(str(mask), np.zeros((64, 64), np.uint8))
    assert "is empty" in refused(ask(learned, base, out, *with_mask, "--type", "stain"))
    assert not out.exists(), "nothing half-written"


def test_what_was_learned_for_inpainting_is_refused(base: Path, learned: Path, mask: Path, tmp_path: Path) -> None:
    about = json.loads((learned / "learned.json").read_text())
    other = tmp_path / "other"
    other.mkdir()
    for file in learned.glob("*.safetensors"):
        (other / file.name).write_bytes(file.read_bytes())
    (other / "learned.json").write_text(json.dumps(about | {"use": "sd15"}))
    said = refused(ask(other, base, tmp_path / "out", "--mask", str(mask), "--type", "stain"))
    assert "trained for sd15" in said and "flawsmith inpaint" in said
