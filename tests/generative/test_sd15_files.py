"""Folders of strangers that are cut, no model at all, pickled or not there: one sentence, with what helps."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("diffusers")
pytest.importorskip("peft")

import diffusers
import torch
from safetensors.torch import load_file

from core.errors import InputError
from defects.generative.sd15.backend import check_sampling
from defects.generative.sd15.files import NAMES, check_controlnet, find_base, header, weights_of
from defects.generative.sd15.models import networks
from defects.generative.sd15.sampling import pipeline
from tests.generative.small_sd import save_base


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("inpainting"))


@pytest.fixture
def base(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "base"))


def changed(base: Path, folder: str, **entries: object) -> None:
    path = base / folder / ("scheduler_config.json" if folder == "scheduler" else "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize("model", ["unet", "vae"])
def test_weights_that_are_cut_behind_their_header(base: Path, model: str) -> None:
    path = base / model / NAMES[0]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"{model}/{NAMES[0]} cannot be read.*download"):
        find_base(str(base), "sd15")


@pytest.mark.parametrize("text", [b"[]", b"null", b"7", b'{"x": 1}', b'{"x": {"dtype": "F32", "shape": [1]}}', b"\xff"])
def test_a_header_that_is_none(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / NAMES[0]
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(InputError, match="a whole safetensors file"):
        header(path)


@pytest.mark.parametrize(
    ("folder", "entries"),
    [
        ("unet", {"in_channels": None}),
        ("unet", {"in_channels": "nine"}),
        ("unet", {"cross_attention_dim": [12, 12]}),
        ("unet", {"block_out_channels": [8, 17]}),
        ("unet", {"block_out_channels": [8]}),
        ("unet", {"block_out_channels": None}),
        ("unet", {"down_block_types": ["Love", "DownBlock2D"]}),
        ("vae", {"norm_num_groups": 0}),
        ("vae", {"latent_channels": "four"}),
        ("scheduler", {"beta_schedule": "love"}),
        ("scheduler", {"num_train_timesteps": None}),
        ("scheduler", {"num_train_timesteps": 0}),
        ("scheduler", {"prediction_type": "sample"}),
        ("scheduler", {"timestep_spacing": "love"}),
    ],
)
def test_a_configuration_that_fits_no_model(base: Path, folder: str, entries: dict) -> None:
    changed(base, folder, **entries)
    with pytest.raises(InputError, match="base"):
        find_base(str(base), "sd15")


def test_a_configuration_nested_without_end(base: Path) -> None:
    (base / "unet" / "config.json").write_text("[" * 100000)
    with pytest.raises(InputError, match="is no JSON"):
        find_base(str(base), "sd15")


@pytest.mark.parametrize("halved", [("unet",), ("vae",), ("unet", "vae")])
def test_weights_in_half_precision_beside_whole_ones(base: Path, halved: tuple[str, ...]) -> None:
    """Each model is read from the file that is there."""
    known = networks(find_base(str(base), "sd15"), "sd15", ("good", "dent"), tokens=2, rank=2, seed=0)
    for model in halved:
        (base / model / NAMES[0]).rename(base / model / NAMES[1])
    found = networks(find_base(str(base), "sd15"), "sd15", ("good", "dent"), tokens=2, rank=2, seed=0)
    for one, other in ((known.unet, found.unet), (known.vae, found.vae)):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert found.base_print == known.base_print


@pytest.mark.parametrize("entries", [{"prediction_type": "v_prediction"}, {"beta_end": 0.02}])
def test_a_base_of_other_noise_is_another(base: Path, entries: dict) -> None:
    before = find_base(str(base), "sd15").print
    changed(base, "scheduler", skip_prk_steps=False)
    assert find_base(str(base), "sd15").print == before, "nothing that training sees"
    changed(base, "scheduler", **entries)
    assert find_base(str(base), "sd15").print != before


@pytest.mark.parametrize("offset", [0, 1, 5])
def test_noise_levels_are_counted_from_one_as_the_pipelines_do(base: Path, offset: int) -> None:
    changed(base, "scheduler", steps_offset=offset)
    nets = networks(find_base(str(base), "sd15"), "sd15", ("good", "dent"), tokens=2, rank=2, seed=0)
    assert pipeline(nets).scheduler.config.steps_offset == nets.scheduler.config.steps_offset == 1


def test_the_sampler_takes_as_many_steps_as_the_base_was_trained_on(base: Path) -> None:
    nets = networks(find_base(str(base), "sd15"), "sd15", ("good", "dent"), tokens=2, rank=2, seed=0)
    for steps in (0, 1000, 1001):
        with pytest.raises(InputError, match="1 to 999"):
            check_sampling(nets, 64, steps, 4.0)
    for guidance in (0.5, float("nan"), float("inf")):
        with pytest.raises(InputError, match="guidance"):
            check_sampling(nets, 64, 30, guidance)
    for steps in range(1, 1000):
        check_sampling(nets, 64, steps, 4.0)
        nets.scheduler.set_timesteps(steps)
        assert nets.scheduler.timesteps.min() >= 0 and nets.scheduler.timesteps.max() < 1000


def command(error: InputError) -> str:
    """The Python that the sentence says to run."""
    found = re.search(r'python -c "([^"]+)"', str(error))
    assert found
    return found[1]


def test_a_pickled_model_is_converted_by_the_command_that_is_printed(base: Path) -> None:
    file = base / "unet" / NAMES[0]
    state = load_file(str(file))
    torch.save(state, file.with_suffix(".bin"))
    file.unlink()
    with pytest.raises(InputError, match="is a pickle") as refused:
        find_base(str(base), "sd15")
    exec(command(refused.value))
    find_base(str(base), "sd15")
    assert all(torch.equal(v, state[k]) for k, v in load_file(str(file)).items())


@pytest.mark.parametrize(
    ("use", "reader"),
    [("sd15", "StableDiffusionInpaintPipeline"), ("sd15-controlnet", "StableDiffusionPipeline")],
)
@pytest.mark.parametrize("name", ["model.ckpt", "model.safetensors"])
def test_a_whole_checkpoint_is_unpacked_by_diffusers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use, reader: str, name: str
) -> None:
    path, calls = tmp_path / name, []
    path.write_bytes(b"x")
    with pytest.raises(InputError) as refused:
        find_base(str(path), use)

    class Read:
        def save_pretrained(self, folder: str, safe_serialization: bool) -> None:
            calls.append((folder, safe_serialization))

    monkeypatch.setattr(getattr(diffusers, reader), "from_single_file", lambda file: calls.append(file) or Read())
    exec(command(refused.value))
    assert calls == [str(path), (str(tmp_path / "model"), True)]


def test_a_controlnet_that_is_missing_is_said_with_its_own_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="hf download lllyasviel/control") as refused:
        check_controlnet(tmp_path / "nowhere")
    assert "unet/" not in str(refused.value)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="hf download lllyasviel/control"):
        check_controlnet(tmp_path)
    (tmp_path / "control.ckpt").write_bytes(b"x")
    with pytest.raises(InputError, match="ControlNetModel"):
        weights_of(tmp_path, "controlnet")
