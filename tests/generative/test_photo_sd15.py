"""Stable Diffusion 1.5 end to end on random weights in miniature: teach, save, load, sample, go on; and bases that do
not fit, said in a sentence."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("diffusers")
pytest.importorskip("peft")

import diffusers
import torch
from safetensors.torch import load_file, save_file

from core.errors import InputError
from core.files import sha256_file
from defects.generative.crop import windows
from defects.generative.paint import _pass
from defects.generative.painter import GOOD, Crop
from defects.generative.photo import Photo
from defects.generative.sd15.backend import Sd15Painter, generate
from defects.generative.sd15.blend import Blend, blocks, spread
from defects.generative.sd15.files import (
    PUBLISHED,
    check_controlnet,
    check_keys,
    check_unet,
    download,
    expected_shapes,
    find_base,
    weights_of,
)
from defects.generative.sd15.learned import ABOUT, LORA, TABLE
from defects.generative.sd15.settings import TrainSettings
from defects.generative.sd15.table import NULL, DamageTable, dropped
from defects.generative.sd15.train import STATE, told_in, train
from tests.generative.small_sd import examples, save_base

FACTS = json.loads((Path(__file__).parent / "published_sd15.json").read_text())
SMALL = TrainSettings(steps=2, size=64, tokens=2, rank=2, batch=1, accumulate=2, save_every=1, strips_every=0,
                      sample_steps=2, learning_rate=1e-2, seed=3)  # fmt: skip


def steps(n: int, **changed) -> TrainSettings:
    return TrainSettings(**{**SMALL.__dict__, "steps": n, **changed})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("inpainting"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("text-to-image"), channels=4)


@pytest.fixture(scope="module")
def learned(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(examples(), find_base(str(base), "sd15"), "sd15", tmp_path_factory.mktemp("run") / "out", SMALL)


def a_crop(size: int = 64) -> Crop:
    e = examples(1)[0]
    mask = np.zeros((size, size), bool)
    mask[30:34, 10:50] = True
    return Crop(e.image[:size, :size] / 255.0, mask, np.ones_like(mask))


def test_training_changes_table_and_adapters_and_nothing_else(base: Path, learned: Path) -> None:
    found = find_base(str(base), "sd15")
    assert found.print == json.loads((learned / ABOUT).read_text())["base_print"]
    keys = load_file(str(learned / LORA))
    assert keys and all("lora" in k for k in keys)
    assert any(float(v.abs().max()) > 0 for k, v in keys.items() if "lora_B" in k)
    about = json.loads((learned / ABOUT).read_text())
    assert about["types"] == [GOOD, "scratch", "stain"] and about["steps"] == 2
    assert load_file(str(learned / TABLE))["rows.weight"].shape == (4, 2 * 12)
    assert not any("base" in p.name or p.suffix in (".bin", ".pt") for p in learned.iterdir())


def test_going_on_equals_going_through(base: Path, learned: Path, tmp_path: Path) -> None:
    """Stopped after one step and continued: the same files, bit for bit."""
    found = find_base(str(base), "sd15")
    out = train(examples(), found, "sd15", tmp_path / "out", steps(1))
    assert told_in(out / STATE)["step"] == 1
    train(examples(), found, "sd15", out, steps(2))
    for name in (LORA, TABLE):
        assert (out / name).read_bytes() == (learned / name).read_bytes()
    with pytest.raises(InputError, match="another base"):
        train(examples(), found, "sd15", out, steps(3, learning_rate=0.5))


def test_a_painter_loads_what_was_saved_and_repeats_itself(base: Path, learned: Path) -> None:
    one = Sd15Painter(learned, str(base), steps=3)
    two = Sd15Painter(learned, str(base), steps=3)
    crop = a_crop()
    a, b = one.paint([crop, crop], ["scratch", GOOD], [7, 8])
    (c,) = two.paint([crop], ["scratch"], [7])
    assert a.shape == (64, 64, 3) and (a == c).all() and (a != b).any()
    assert (two.paint([crop], ["stain"], [7])[0] != c).any(), "the damage must reach the U-Net"
    assert one.facts["weights_sha256"] == two.facts["weights_sha256"]
    with pytest.raises(InputError, match="one of good, scratch, stain"):
        one.paint([crop], ["rust"], [1])


def test_what_was_learned_reaches_the_picture(base: Path, learned: Path) -> None:
    """An adapter that is lost on loading, as it is when a whole U-Net is saved with one, would not show here."""
    crop = a_crop()
    painter = Sd15Painter(learned, str(base), steps=2)
    with_lora = painter.paint([crop], ["scratch"], [7])[0]
    with torch.no_grad():
        for name, p in painter._nets.unet.named_parameters():
            if "lora_B" in name:
                p.zero_()
    assert (painter.paint([crop], ["scratch"], [7])[0] != with_lora).any()


def test_painting_a_photograph_keeps_every_pixel_outside(base: Path, learned: Path) -> None:
    painter = Sd15Painter(learned, str(base), steps=2)
    image, mask = examples(1)[0].image, np.zeros((80, 96), bool)
    mask[40:44, 30:60] = True
    places = windows(mask, painter.sizes, painter.cell)
    assert places[0].scale >= 4, "four pixels must span cells"
    made = _pass(Photo("p", image), np.ones_like(mask), mask, places, "scratch", painter, 1, float("nan"))
    assert (made[~mask] == image[~mask]).all() and (made[mask] != image[mask]).any()


@pytest.mark.parametrize("harm", ["missing", "unexpected", "shape"])
def test_learned_files_that_are_off_are_refused(base: Path, learned: Path, tmp_path: Path, harm: str) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(learned, bad)
    state = load_file(str(bad / LORA))
    first = sorted(state)[0]
    if harm == "missing":
        del state[first]
    elif harm == "unexpected":
        state["stranger"] = torch.zeros(1)
    else:
        state[first] = torch.zeros(1, 1)
    save_file(state, str(bad / LORA))
    with pytest.raises(InputError, match="does not hold what its"):
        Sd15Painter(bad, str(base))
    about = json.loads((bad / ABOUT).read_text())
    about["files"][LORA] = sha256_file(bad / LORA)
    (bad / ABOUT).write_text(json.dumps(about))
    with pytest.raises(InputError, match={"missing": "lacks 1", "unexpected": "has also 1", "shape": "of shape"}[harm]):
        Sd15Painter(bad, str(base))


@pytest.mark.parametrize(
    "told",
    [{"rank": 2.5}, {"rank": True}, {"rank": -1}, {"tokens": 10**9}, {"base_print": 7}, {"use": ["sd15"]},
     {"files": {}}],
)  # fmt: skip
def test_a_json_that_tells_of_no_training_is_refused(base: Path, learned: Path, tmp_path: Path, told: dict) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(learned, bad)
    (bad / ABOUT).write_text(json.dumps(json.loads((bad / ABOUT).read_text()) | told))
    with pytest.raises(InputError, match="of no training that is known"):
        Sd15Painter(bad, str(base))


@pytest.mark.parametrize(("model", "key"), [("unet", "conv_out.bias"), ("vae", "decoder.conv_out.bias")])
def test_a_base_of_other_values_anywhere_is_another_base(base: Path, tmp_path: Path, model: str, key: str) -> None:
    other = tmp_path / "base"
    shutil.copytree(base, other)
    path = other / model / "diffusion_pytorch_model.safetensors"
    state = load_file(str(path))
    save_file(state | {key: 2 * state[key] + 1}, str(path))
    assert find_base(str(other), "sd15").print != find_base(str(base), "sd15").print


def test_checkpointing_covers_every_network_that_is_trained(plain: Path, tmp_path: Path, monkeypatch) -> None:
    told: list[str] = []
    for net in ("UNet2DConditionModel", "ControlNetModel"):
        kind = getattr(diffusers, net)
        monkeypatch.setattr(kind, "enable_gradient_checkpointing", lambda self, net=net: told.append(net))
    how = replace(SMALL, steps=1, checkpointing=True)
    train(examples(), find_base(str(plain), "sd15-controlnet"), "sd15-controlnet", tmp_path / "out", how)
    assert told == ["UNet2DConditionModel", "ControlNetModel"]


def test_another_base_is_refused(learned: Path, tmp_path: Path) -> None:
    other = save_base(tmp_path)
    state = load_file(str(other / "unet" / "diffusion_pytorch_model.safetensors"))
    save_file({k: v + 1 for k, v in state.items()}, str(other / "unet" / "diffusion_pytorch_model.safetensors"))
    with pytest.raises(InputError, match="not the base that"):
        Sd15Painter(learned, str(other))


def test_outside_the_mask_the_latents_are_the_photographs() -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler(clip_sample=False)
    scheduler.set_timesteps(4)
    pipe = type("Pipe", (), {"scheduler": scheduler})()
    clean, cells = torch.randn(1, 4, 8, 8), torch.zeros(1, 1, 8, 8)
    cells[..., 2:4, 2:4] = 1
    blend = Blend(clean, cells, torch.Generator().manual_seed(1))
    wild = torch.full((1, 4, 8, 8), 99.0)
    for step, t in enumerate(scheduler.timesteps):
        out = blend(pipe, step, t, {"latents": wild})["latents"]
        assert (out[..., 2:4, 2:4] == 99).all()
        if step < 3:
            level = scheduler.alphas_cumprod[scheduler.timesteps[step + 1]]
            own = level.sqrt() * clean + (1 - level).sqrt() * blend.noise
            torch.testing.assert_close(out * (1 - cells), own * (1 - cells))
    assert (out * (1 - cells) == clean * (1 - cells)).all(), "clean at the last step"


def test_thin_masks_reach_the_latents() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 30, 5] = 1
    cells = blocks(mask, 8)
    assert cells.sum() == 1 and cells[0, 0, 3, 0] == 1
    again = torch.nn.functional.interpolate(spread(cells, 8), size=(8, 8))
    assert (again == cells).all(), "what the pipeline does with the mask loses nothing"


def test_the_table_drops_to_the_null_type() -> None:
    table = DamageTable((GOOD, "scratch"), 3, 5)
    assert table.of([None, GOOD, "scratch"]).shape == (3, 3, 5)
    rows = torch.full((4000,), 2)
    share = (dropped(rows, 0.1, torch.Generator().manual_seed(0)) == NULL).float().mean()
    assert 0.08 < float(share) < 0.12


def test_a_controlnet_is_taught_and_generates_pairs(plain: Path, tmp_path: Path) -> None:
    found = find_base(str(plain), "sd15-controlnet")
    out = train(examples(), found, "sd15-controlnet", tmp_path / "out", steps(1, rank=0))
    painter = Sd15Painter(out, str(plain), steps=2, guidance=2.0)
    crop = a_crop()
    assert painter.paint([crop], ["stain"], [4])[0].shape == (64, 64, 3)
    made = generate(painter, crop.mask, "stain", 5)
    assert (made.image == made.clean)[~crop.mask].all() and not (made.label & ~crop.mask).any()
    assert 0 <= made.outside <= 1
    free = generate(painter, crop.mask, "stain", 5, paste=False)
    assert (free.clean == made.clean).all() and (free.image[crop.mask] == made.image[crop.mask]).all()


def test_inpainting_makes_no_whole_pictures(base: Path, learned: Path) -> None:
    with pytest.raises(InputError, match="sd15-controlnet"):
        generate(Sd15Painter(learned, str(base)), a_crop().mask, "stain", 5)


def test_validation_strips_show_every_type(base: Path, tmp_path: Path) -> None:
    train(examples(), find_base(str(base), "sd15"), "sd15", tmp_path / "out", steps(1, strips_every=1))
    (sheet,) = (tmp_path / "out" / "validation").iterdir()
    assert cv2.imread(str(sheet)).shape == (2 * 64, 4 * 64, 3)


@pytest.mark.parametrize(("channels", "use", "fits"), [(4, "sd15", "sd15-controlnet"), (9, "sd15-controlnet", "sd15")])
def test_the_wrong_channel_count_names_the_command_that_fits(channels: int, use, fits: str) -> None:
    with pytest.raises(InputError, match=f"{channels} input channels.*--backend {fits}"):
        check_unet({"in_channels": channels}, use, "base")
    with pytest.raises(InputError, match="hf download"):
        check_unet({"in_channels": 8}, use, "base")
    with pytest.raises(InputError, match="SDXL"):
        check_unet({"in_channels": 4, "addition_embed_type": "text_time"}, use, "base")


def test_what_is_missing_is_said_with_the_command(tmp_path: Path, base: Path) -> None:
    with pytest.raises(InputError, match="hf download stable-diffusion-v1-5/stable-diffusion-inpainting"):
        find_base(str(tmp_path / "nowhere"), "sd15")
    with pytest.raises(InputError, match="hf download some-body/some-model"):
        find_base("some-body/some-model", "sd15")
    with pytest.raises(InputError, match=r"unet/config\.json"):
        find_base(str(tmp_path), "sd15")
    (tmp_path / "one.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="from_single_file"):
        find_base(str(tmp_path / "one.safetensors"), "sd15")


def test_pickles_are_refused_with_the_way_to_convert(tmp_path: Path) -> None:
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="weights_only=True"):
        weights_of(tmp_path, "sd15")
    (tmp_path / "model.ckpt").write_bytes(b"x")
    with pytest.raises(InputError, match="is a pickle"):
        find_base(str(tmp_path / "model.ckpt"), "sd15")


def test_published_configurations_give_the_published_models() -> None:
    """Configurations, counts and names as published; nothing is downloaded and no weight is made."""
    for use, name in PUBLISHED.items():
        assert name in FACTS["sources"][use]
        assert name in download(use)
    for use, channels, count in (("sd15", 9, 859_535_364), ("sd15-controlnet", 4, 859_520_964)):
        config = FACTS["unet"] | {"in_channels": channels}
        check_unet(config, use, "published")
        shapes = expected_shapes(config, "unet")
        assert len(shapes) == 686 and sum(math.prod(s) for s in shapes.values()) == count
        for key, shape in FACTS["unet_tensors"].items():
            wanted = [320, channels, 3, 3] if key == "conv_in.weight" else shape
            assert list(shapes[key]) == wanted, key
    vae = expected_shapes(FACTS["vae"], "vae")
    assert sum(math.prod(s) for s in vae.values()) == 83_653_863


def test_a_published_controlnet_is_the_published_model(tmp_path: Path) -> None:
    """The names and the number of parameters of SD 1.5's ControlNet; a file that lacks a tensor is refused."""
    shapes = expected_shapes(FACTS["controlnet"], "controlnet")
    assert sum(math.prod(s) for s in shapes.values()) == 361_279_120
    for key, shape in FACTS["controlnet_tensors"].items():
        assert list(shapes[key]) == shape, key
    stored = {k: {"shape": list(s)} for k, s in shapes.items()}
    check_keys(FACTS["controlnet"], stored, "controlnet", "published")
    stored.pop("controlnet_mid_block.weight")
    with pytest.raises(InputError, match=r"lacks 1 tensors \(controlnet_mid_block"):
        check_keys(FACTS["controlnet"], stored, "controlnet", "published")
    (tmp_path / "config.json").write_text(json.dumps(FACTS["unet"] | {"in_channels": 4}))
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="is a pickle"):
        check_controlnet(tmp_path)
    save_file({"x": torch.zeros(1)}, str(tmp_path / "diffusion_pytorch_model.safetensors"))
    with pytest.raises(InputError, match="no ControlNet for SD"):
        check_controlnet(tmp_path)


def test_the_commands_teach_and_use_a_controlnet(plain: Path, tmp_path: Path) -> None:
    """From examples on disk to a painted photograph, starting from a ControlNet saved as published ones are."""
    from diffusers import ControlNetModel, UNet2DConditionModel
    from typer.testing import CliRunner

    from flawsmith.cli import app

    for e in examples():
        folder = tmp_path / "few" / e.damage
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{e.name}.jpg"), e.image)
        if e.mask.any():
            cv2.imwrite(str(folder / f"{e.name}.png"), e.mask.astype(np.uint8) * 255)
    unet = UNet2DConditionModel.from_pretrained(str(plain), subfolder="unet")
    control = ControlNetModel.from_unet(unet, conditioning_channels=3)
    control.save_pretrained(tmp_path / "published")
    out, learned = tmp_path / "painted", tmp_path / "learned"
    teach = ["train-inpaint", str(tmp_path / "few"), "--base", str(plain), "--backend", "sd15-controlnet", "-q",
             "--controlnet", str(tmp_path / "published"), "--out", str(learned), "--steps", "1", "--size", "64",
             "--batch", "1", "--accumulate", "1", "--strips-every", "0", "--rank", "0"]  # fmt: skip
    done = CliRunner().invoke(app, teach)
    assert done.exit_code == 0, done.output
    photo = tmp_path / "few" / GOOD / "good0.jpg"
    mask = tmp_path / "few" / "stain" / "stain0.png"
    use = ["inpaint", str(photo), "--mask", str(mask), "--type", "stain", "--backend", "sd15-controlnet",
           "--learned", str(learned), "--base", str(plain), "--steps", "2", "--out", str(out), "--json"]  # fmt: skip
    done = CliRunner().invoke(app, use)
    if done.exit_code:  # one step teaches nothing that must show
        assert done.exit_code == 2 and "0 of 1 photographs painted" in " ".join(done.output.split()), done.output
    else:
        assert json.loads(done.stdout)["painted"] == 1
    wrong = CliRunner().invoke(app, [*use[:7], "sd15", *use[8:]])
    assert wrong.exit_code == 2 and "sd15-controlnet" in wrong.output.replace("\n", " ")
    (tmp_path / "published" / "config.json").unlink()
    lost = CliRunner().invoke(app, [*teach[:10], str(tmp_path / "other"), *teach[11:]])
    assert lost.exit_code == 2 and "config.json does not exist" in lost.output.replace("\n", " ")


def test_the_first_names_of_the_autoencoders_attention_are_known() -> None:
    shapes = expected_shapes(FACTS["vae"], "vae")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def first_name(key: str) -> str:
        for new, name in old.items():
            key = key.replace(f".{new}.", f".{name}.") if ".attentions." in key else key
        return key

    stored = {first_name(k): {"shape": list(s)} for k, s in shapes.items()}
    assert "encoder.mid_block.attentions.0.query.weight" in stored
    check_keys(FACTS["vae"], stored, "vae", "published")
    stored.pop("encoder.mid_block.attentions.0.query.weight")
    with pytest.raises(InputError, match="lacks 1 tensors"):
        check_keys(FACTS["vae"], stored, "vae", "published")


@pytest.mark.parametrize(
    "changed", [{"precision": "float16"}, {"precision": "half"}, {"size": 60}, {"steps": 0}, {"dropout": 1.0}]
)
def test_settings_that_cannot_be_are_refused(changed: dict) -> None:
    with pytest.raises(InputError):
        TrainSettings(**{**SMALL.__dict__, **changed})
