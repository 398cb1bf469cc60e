"""The embedded model's weights, its backend, and training that can be stopped anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.errors import InputError, RenderError
from defects.generative.painter import GOOD, Painter
from defects.generative.tiny import train as training
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.pairs import read_pairs
from defects.generative.tiny.train import CHECKPOINT, LOG, WEIGHTS, Training, train
from defects.generative.tiny.weights import CONFIG, load_weights, save_weights
from tests.generative.tiny_models import SMALL, crop, pairs

HOW = Training(steps=6, batch=4, warm=2, save_every=2, half=False)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in which every input counts."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    draws = torch.Generator().manual_seed(0)
    tensors = {k: 0.15 * torch.randn(v.shape, generator=draws) for k, v in TinyNet(SMALL).state_dict().items()}
    save_weights(path, tensors, SMALL, {"made": "test"})
    return path


@pytest.fixture(scope="module")
def painter(weights: Path) -> TinyPainter:
    return TinyPainter(weights)


def test_saved_and_loaded_weights_are_equal_in_half_precision(weights: Path, tmp_path: Path) -> None:
    net, config, about = load_weights(weights)
    assert config == SMALL and about["made"] == "test"
    save_weights(tmp_path / "again.safetensors", net.state_dict(), config, {"made": "test"})
    before, after = load_file(weights), load_file(tmp_path / "again.safetensors")
    assert before.keys() == after.keys() == net.state_dict().keys()
    assert all(torch.equal(before[k], after[k]) and after[k].dtype == torch.float16 for k in before)


@pytest.mark.parametrize("fault", ["missing", "unknown", "shape"])
def test_a_tensor_that_is_not_the_networks_is_refused(weights: Path, tmp_path: Path, fault: str) -> None:
    tensors = load_file(weights)
    if fault == "missing":
        del tensors["first.weight"]
    elif fault == "unknown":
        tensors["second.weight"] = torch.zeros(3)
    else:
        tensors["first.bias"] = torch.zeros(3)
    save_file(tensors, tmp_path / "w.safetensors", {CONFIG: SMALL.model_dump_json()})
    with pytest.raises(InputError, match={"missing": "missing", "unknown": "unknown", "shape": "another shape"}[fault]):
        load_weights(tmp_path / "w.safetensors")


def test_files_that_are_no_weights_are_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load_weights(tmp_path / "none.safetensors")
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(InputError, match="pickled"):
        load_weights(tmp_path / "w.pt")
    (tmp_path / "w.safetensors").write_bytes(b"not a file of tensors")
    with pytest.raises(InputError, match="no embedded model"):
        load_weights(tmp_path / "w.safetensors")
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no embedded model"):
        load_weights(tmp_path / "other.safetensors")


def test_the_backend_is_a_painter_that_touches_the_mask_only(painter: TinyPainter) -> None:
    as_painter: Painter = painter
    here = crop()
    (image,) = as_painter.paint([here], ["scratch"], [5])
    assert image.shape == here.image.shape and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert np.array_equal(image[~here.mask], here.image[~here.mask])
    assert np.abs(image - here.image)[here.mask].max() > 1e-3
    assert painter.facts["steps"] == SMALL.steps and len(painter.facts["weights_sha256"]) == 64


def test_an_image_hangs_on_crop_damage_and_seed_alone(painter: TinyPainter) -> None:
    alone = painter.paint([crop(1)], ["dent"], [9])[0]
    among = painter.paint([crop(2), crop(1), crop(0)], ["rust", "dent", GOOD], [1, 9, 2])[1]
    assert np.array_equal(alone, among)
    assert not np.array_equal(alone, painter.paint([crop(1)], ["dent"], [10])[0])
    assert not np.array_equal(alone, painter.paint([crop(1)], ["rust"], [9])[0])
    assert not np.array_equal(alone, painter.paint([crop(1, mm_per_px=0.4)], ["dent"], [9])[0])


def test_guidance_moves_the_sample_away_from_the_null_type(weights: Path) -> None:
    plain, guided = (TinyPainter(weights, guidance=g).paint([crop()], ["dent"], [3])[0] for g in (1.0, 3.0))
    assert not np.array_equal(plain, guided)
    forgetful = TinyPainter(weights, guidance=0.0)
    assert np.array_equal(*(forgetful.paint([crop()], [kind], [3])[0] for kind in ("dent", "rust")))


def test_an_unknown_damage_is_refused(painter: TinyPainter) -> None:
    with pytest.raises(InputError, match="damage 'melted'"):
        painter.paint([crop()], ["melted"], [0])


def same(a: Path, b: Path, name: str) -> bool:
    """Equal but for the rounding of convolutions, whose sums run as memory happens to be aligned."""
    one, two = load_file(a / name), load_file(b / name)
    return one.keys() == two.keys() and all(torch.allclose(one[k], two[k], rtol=1e-3, atol=2e-6) for k in one)


def test_training_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data = pairs(4)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(whole, data, data, SMALL, HOW, lambda line: None)
    stopped = train(parts, data, data, SMALL, replace(HOW, minutes=0.0), lambda line: None)
    assert stopped.step == 1
    said: list[str] = []
    train(parts, data, data, SMALL, HOW, said.append)
    assert said[0] == "going on from step 1"
    assert same(whole, parts, CHECKPOINT) and same(whole, parts, WEIGHTS)
    assert (parts / LOG).read_text().count('"held_out"') == 4
    assert load_weights(whole / WEIGHTS)[1] == SMALL.model_copy(update={"trained": 6})


def test_another_run_is_not_gone_on_with(tmp_path: Path) -> None:
    data, how = pairs(2), replace(HOW, steps=1)
    train(tmp_path, data, None, SMALL, how, lambda line: None)
    for config, other in ((SMALL, replace(how, seed=1)), (SMALL.model_copy(update={"change_scale": 0.5}), how)):
        with pytest.raises(InputError, match="another network, batch size, seed, schedule or examples"):
            train(tmp_path, data, None, config, other, lambda line: None)


def test_a_run_killed_between_checkpoint_and_weights_is_mended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, whole, killed = pairs(4), tmp_path / "whole", tmp_path / "killed"
    train(whole, data, data, SMALL, HOW, lambda line: None)
    kept = training.save_weights

    def dies_last(path: Path, tensors: object, config: TinyConfig, *more: object) -> None:
        if config.trained == HOW.steps:
            raise KeyboardInterrupt
        kept(path, tensors, config, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "save_weights", dies_last)
    with pytest.raises(KeyboardInterrupt):
        train(killed, data, data, SMALL, HOW, lambda line: None)
    assert load_weights(killed / WEIGHTS)[1].trained == 4
    monkeypatch.setattr(training, "save_weights", kept)
    train(killed, data, data, SMALL, HOW, lambda line: None)
    assert (killed / WEIGHTS).read_bytes() == (whole / WEIGHTS).read_bytes(), "equal weights are equal files"
    steps = [[json.loads(x)["step"] for x in (f / LOG).read_text().splitlines()] for f in (whole, killed)]
    assert steps[0] == steps[1] == [2, 4, 6]


def test_a_rate_at_which_the_loss_is_no_number_any_more_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="lower the learning rate"):
        train(tmp_path, pairs(4), None, SMALL, replace(HOW, rate=1e12, warm=1, save_every=6), lambda line: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [CHECKPOINT, LOG])
def test_strange_files_are_said_before_the_first_step(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"a": 1}\n')
    with pytest.raises(InputError, match="no checkpoint" if name == CHECKPOINT else "no log of a training"):
        train(tmp_path, pairs(2), None, SMALL, HOW, lambda line: None)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "told",
    [{"widths": [12, 20]}, {"widths": []}, {"widths": [1600000, 24]}, {"embedding": -1}, {"size": 0}, {"size": -8},
     {"blocks": [1, 10**9]}, {"change_scale": float("inf")}, {"steps": 10**12}],
)  # fmt: skip
def test_a_header_that_tells_of_no_network_is_refused(weights: Path, tmp_path: Path, told: dict) -> None:
    config = json.loads(SMALL.model_dump_json()) | told
    save_file(load_file(weights), tmp_path / "w.safetensors", {CONFIG: json.dumps(config)})
    with pytest.raises(InputError, match="no embedded model"):
        load_weights(tmp_path / "w.safetensors")


def test_weights_that_are_no_numbers_are_refused(weights: Path, tmp_path: Path) -> None:
    tensors = load_file(weights)
    tensors["first.bias"][0] = float("nan")
    save_file(tensors, tmp_path / "w.safetensors", {CONFIG: SMALL.model_dump_json()})
    with pytest.raises(InputError, match=r"no numbers in 1 tensors \(first.bias\)"):
        load_weights(tmp_path / "w.safetensors")


def test_training_does_not_hang_on_the_number_of_workers(tmp_path: Path) -> None:
    data, how = pairs(4), replace(HOW, steps=2)
    for workers in (0, 2):
        train(tmp_path / str(workers), data, None, SMALL, replace(how, workers=workers), lambda line: None)
    assert same(tmp_path / "0", tmp_path / "2", WEIGHTS)


def test_shards_are_parted_into_training_and_held_out(tmp_path: Path) -> None:
    made = pairs(3)
    about = {"station": np.array(["dome"] * 3), "material": np.array(["iron"] * 3)}
    names = np.array(["dent_soft", "white_rust", "scratch_deep"])
    kinds = np.array(["dent", "rust", "scratch"])
    for number in (0, 1, 2):
        np.savez_compressed(
            tmp_path / f"pairs-{number:05d}.npz", clean=made.clean, change=made.change, mask=made.mask, part=made.part,
            mm_per_px=made.mm_per_px, kind=kinds, blueprint=names, **about,
        )  # fmt: skip
    assert len(read_pairs(tmp_path, held_out=True)) == 3 and len(read_pairs(tmp_path, held_out=False)) == 6
    assert read_pairs(tmp_path, held_out=True).kind.tolist() == ["dent", "white_rust", "scratch"]
    with pytest.raises(InputError, match="no shards"):
        read_pairs(tmp_path / "none", held_out=False)


@pytest.mark.parametrize("fault", ["broken", "cut", "lacking", "pickled", "flat", "other type", "other size", "name"])
def test_shards_of_something_else_are_one_sentence(tmp_path: Path, fault: str) -> None:
    made, n = pairs(2), 2
    whole = {
        "clean": made.clean,
        "change": made.change,
        "mask": made.mask,
        "part": made.part,
        "mm_per_px": made.mm_per_px,
        "kind": np.array(["dent"] * n),
        "blueprint": np.array(["dent_soft"] * n),
    }
    path = tmp_path / "pairs-00001.npz"
    spoilt = {
        "lacking": {k: v for k, v in whole.items() if k != "part"},
        "pickled": whole | {"clean": np.array([object()], dtype=object)},
        "flat": whole | {"mask": made.mask[0]}, "other type": whole | {"clean": made.clean.astype(np.float32)},
        "other size": whole | {"part": made.part[:, :8]},
    }  # fmt: skip
    np.savez(path, **spoilt.get(fault, whole))
    if fault in ("broken", "cut"):
        path.write_bytes(b"PK\x03\x04broken" if fault == "broken" else path.read_bytes()[:-200])
    if fault == "name":
        path.rename(tmp_path / "pairs-new.npz")
    with pytest.raises(InputError, match="has no number" if fault == "name" else r"00001\.npz holds no pairs"):
        read_pairs(tmp_path, held_out=False)


@pytest.mark.parametrize("kind", ["net", "mean", "exp_avg", "exp_avg_sq", "step"])
@pytest.mark.parametrize("fault", ["missing", "of another shape"])
def test_a_checkpoint_with_other_tensors_is_refused(tmp_path: Path, kind: str, fault: str) -> None:
    data, how = pairs(2), replace(HOW, steps=1)
    train(tmp_path, data, None, SMALL, how, lambda line: None)
    tensors = load_file(tmp_path / CHECKPOINT)
    with safe_open(tmp_path / CHECKPOINT, "pt") as stream:
        told = stream.metadata()
    name = next(k for k in sorted(tensors) if k.startswith(f"{kind}."))
    spoilt = tensors.pop(name)
    if fault != "missing":
        tensors[name] = spoilt[None].repeat(2, *[1] * spoilt.ndim)
    save_file(tensors, tmp_path / CHECKPOINT, told)
    with pytest.raises(InputError, match=f"{kind} has 1 {fault}"):
        train(tmp_path, data, None, SMALL, replace(how, steps=2), lambda line: None)


@pytest.mark.parametrize("told", [{"training": "[]"}, {"training": "7"}, {"line": "[1]"}, {"line": "{}"},
                                  {"line": '{"step": 9}'}, {"training": "[" * 100000}])  # fmt: skip
def test_a_checkpoint_that_tells_of_no_training_is_refused(tmp_path: Path, told: dict[str, str]) -> None:
    data, how = pairs(2), replace(HOW, steps=1)
    train(tmp_path, data, None, SMALL, how, lambda line: None)
    with safe_open(tmp_path / CHECKPOINT, "pt") as stream:
        before = stream.metadata()
    save_file(load_file(tmp_path / CHECKPOINT), tmp_path / CHECKPOINT, before | told)
    with pytest.raises(InputError, match="no checkpoint"):
        train(tmp_path, data, None, SMALL, replace(how, steps=2), lambda line: None)


def test_a_configuration_that_cannot_be_is_refused() -> None:
    for wrong in ({"size": 100}, {"blocks": (1,)}, {"types": ("dent",)}):
        with pytest.raises(ValueError, match=r"size|blocks|types"):
            TinyConfig(**wrong)  # type: ignore[arg-type]
