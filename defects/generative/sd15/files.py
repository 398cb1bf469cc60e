"""Checkpoint folders of strangers: safetensors only, the right model, every key there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from core.errors import InputError
from core.files import sha256_json

Use = Literal["sd15", "sd15-controlnet"]
CHANNELS: Mapping[Use, int] = {"sd15": 9, "sd15-controlnet": 4}
Kind = Literal[Use, "controlnet"]
"""What a folder is read for: a backend's base, or a ControlNet to start from."""
PUBLISHED: Mapping[Use, str] = {
    "sd15": "stable-diffusion-v1-5/stable-diffusion-inpainting",
    "sd15-controlnet": "stable-diffusion-v1-5/stable-diffusion-v1-5",
}
CONTROLNET = "lllyasviel/control_v11p_sd15_seg"
READERS: Mapping[Kind, str] = {
    "sd15": "StableDiffusionInpaintPipeline", "sd15-controlnet": "StableDiffusionPipeline",
    "controlnet": "ControlNetModel",
}  # fmt: skip
"""Of diffusers: what reads a whole checkpoint from one file."""
NAMES = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
PREDICTED = ("epsilon", "v_prediction")
"""By the U-Nets that can be trained on."""
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
RENAMED = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""The published autoencoder still has the first names of its attention; diffusers renames them on reading."""


@dataclass(frozen=True)
class Base:
    """A checked folder. weights: file of each model."""

    folder: Path
    configs: Mapping[str, Mapping[str, Any]]
    weights: Mapping[str, Path]

    @property
    def print(self) -> str:
        """A fingerprint of U-Net, autoencoder and the noise that they were trained with."""
        scheduler = scheduler_of(self.configs["scheduler"], str(self.folder))
        noise = {"betas": scheduler.betas.tolist(), "predicts": scheduler.config.prediction_type}
        return sha256_json([fingerprint(self.weights["unet"]), fingerprint(self.weights["vae"]), noise])

    def variant(self, name: str) -> str | None:
        """How diffusers calls the file of a model: "fp16" or None."""
        return variant_of(self.weights[name])


def variant_of(weights: Path) -> str | None:
    return "fp16" if weights.name == NAMES[1] else None


def fingerprint(weights: Path) -> str:
    """Of a safetensors file: names and shapes of its tensors, and the first row of each. Whole files take seconds to
    hash; no training leaves the first row of every tensor as it was."""
    from safetensors import safe_open

    told = hashlib.sha256()
    head = header(weights)
    told.update(json.dumps({k: v["shape"] for k, v in head.items()}, sort_keys=True).encode())
    with safe_open(str(weights), framework="pt") as stored:
        for key in sorted(head):
            row = stored.get_slice(key)[:1] if head[key]["shape"] else stored.get_tensor(key)
            told.update(row.to(torch.float32).numpy().tobytes())
    return told.hexdigest()


def scheduler_of(config: Mapping[str, Any], where: str) -> Any:
    """The noise of a base, sampled as DDIM. InputError for a configuration of something else. Levels are counted from
    1, as the pipelines of diffusers do whatever is written there."""
    with buildable(f"the scheduler's configuration of {where}"):
        made = diffusers().DDIMScheduler.from_config(dict(config), clip_sample=False, steps_offset=1)
        made.set_timesteps(2)
    if made.config.prediction_type not in PREDICTED:
        raise InputError(
            f"the scheduler of {where} has the prediction_type '{made.config.prediction_type}'",
            f"one of {', '.join(PREDICTED)}", "take all of one checkpoint of SD 1.5",
        )  # fmt: skip
    return made


def find_base(given: str, use: Use) -> Base:
    """A local folder, or a hub id whose files are in the local cache. InputError names what is wrong and what to do.

    Nothing is downloaded. The folder needs unet/, vae/ and scheduler/; text encoder, tokenizer and safety checker are
    not used.
    """
    folder = _folder(given, use)
    configs, weights = {}, {}
    for name in ("unet", "vae"):
        configs[name] = _config(folder / name / "config.json", use)
        weights[name] = weights_of(folder / name, use)
    configs["scheduler"] = _config(folder / "scheduler" / "scheduler_config.json", use)
    check_unet(configs["unet"], use, given)
    for name in ("unet", "vae"):
        check_keys(configs[name], header(weights[name]), name, str(weights[name]))
    scheduler_of(configs["scheduler"], str(folder))
    return Base(folder, configs, weights)


def check_controlnet(folder: Path) -> Path:
    """The weights of a published ControlNet for SD 1.5. InputError when a file or a tensor is missing
    or unlike its configuration: diffusers would only warn, and train what it made up."""
    config = _config(folder / "config.json", "controlnet")
    weights = weights_of(folder, "controlnet")
    if config.get("in_channels") != 4 or "conditioning_embedding_out_channels" not in config:
        raise InputError(
            f"{folder} is no ControlNet for SD 1.5", "a folder with its config.json and safetensors",
            download("controlnet"),
        )  # fmt: skip
    check_keys(config, header(weights), "controlnet", str(weights))
    return weights


def weights_of(folder: Path, use: Kind) -> Path:
    """The safetensors file of one model. InputError for pickles, which can run code, and for nothing at all."""
    for name in NAMES:
        if (folder / name).is_file():
            return folder / name
    pickles = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICKLES)
    if pickles:
        refuse_pickle(pickles[0], use)
    raise InputError(f"{folder} holds no {NAMES[0]}", "the model's weights as safetensors", download(use))


def refuse_pickle(path: Path, use: Kind) -> None:
    """Always raises: how to convert a pickle without running what is in it. One model's tensors stay one file; a whole
    checkpoint has other names and becomes a folder."""
    command = f"save_file(torch.load('{path}', weights_only=True), '{path.with_suffix('.safetensors')}')"
    command = f'python -c "import torch; from safetensors.torch import save_file; {command}"'
    raise InputError(
        f"{path} is a pickle, which can run code when it is read", "safetensors",
        f"convert it where you trust it: {command if path.suffix.lower() == '.bin' else unpacking(path, use)}",
    )  # fmt: skip


def unpacking(path: Path, use: Kind) -> str:
    """The command that makes a folder of a whole checkpoint in one file."""
    reader, folder = READERS[use], path.with_suffix("")
    return (
        f'python -c "from diffusers import {reader}; '
        f"{reader}.from_single_file('{path}').save_pretrained('{folder}', safe_serialization=True)\", "
        f"then use the folder {folder}"
    )


def check_unet(config: Mapping[str, Any], use: Use, given: str) -> None:
    """InputError unless the U-Net has the right inputs; names what it is and which backend fits it."""
    channels, width = config.get("in_channels"), config.get("cross_attention_dim", 0)
    if not (isinstance(channels, int) and isinstance(width, int)):
        raise InputError(
            f"{given} has a U-Net with in_channels {channels} and cross_attention_dim {width}", "two whole numbers",
            download(use),
        )  # fmt: skip
    if config.get("addition_embed_type") or config.get("class_embed_type"):
        raise InputError(
            f"{given} is no SD 1.5 (its U-Net wants {config.get('addition_embed_type') or 'classes'} beside the text; "
            "SDXL does)", "a U-Net with text conditions alone", download(use),
        )  # fmt: skip
    if channels == CHANNELS[use]:
        return
    is_a = {9: "an inpainting U-Net", 4: "a text-to-image U-Net", 8: "an image-editing U-Net"}
    fits = next((u for u, n in CHANNELS.items() if n == channels), None)
    do = f"use it with --backend {fits}, or {download(use)}" if fits else download(use)
    raise InputError(
        f"{given} has {channels} input channels: {is_a.get(channels, 'another kind of U-Net')}",
        f"{CHANNELS[use]} input channels for {use}", do,
    )  # fmt: skip


def expected_shapes(config: Mapping[str, Any], name: str) -> dict[str, tuple[int, ...]]:
    """Every tensor that the model of this configuration has. name: unet, vae or controlnet. No memory is used."""
    with torch.device("meta"):
        made = model_class(name).from_config(dict(config))
    return {k: tuple(v.shape) for k, v in made.state_dict().items()}


def check_keys(config: Mapping[str, Any], stored: Mapping[str, Any], name: str, where: str) -> None:
    """InputError when weights lack a tensor of the model, have one more, or one of another shape; or when the
    configuration is of no model at all."""
    with buildable(f"the configuration of {where}"):
        wanted = expected_shapes(config, name)
    there = {_renamed(k) if name == "vae" else k: tuple(v["shape"]) for k, v in stored.items()}
    for what, names in (("lacks", wanted.keys() - there.keys()), ("has also", there.keys() - wanted.keys())):
        if names:
            some = ", ".join(sorted(names)[:3])
            raise InputError(
                f"{where} {what} {len(names)} tensors ({some})", f"the {len(wanted)} tensors of its configuration",
                "take configuration and weights from one checkpoint",
            )  # fmt: skip
    for key, shape in wanted.items():
        # 1 x 1 convolutions and linear layers are stored either way
        if _squeezed(there[key]) != _squeezed(shape):
            raise InputError(f"{where} has {key} of shape {there[key]}", f"{shape}", "take both from one checkpoint")


def header(path: Path, do: str = "download it again") -> dict[str, Any]:
    """Names and shapes of the tensors in a safetensors file, without reading them. InputError unless the file is as
    long as its header says."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as stored:
            return {k: {"shape": stored.get_slice(k).get_shape()} for k in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error})", "a whole safetensors file", do) from error


@contextmanager
def buildable(what: str) -> Iterator[None]:
    """InputError for whatever diffusers raises on a stranger's configuration: its classes check little, each its own
    way."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise InputError(f"{what} fits no model ({reason})", "that of SD 1.5", "take all of one checkpoint") from error


def model_class(name: str) -> Any:
    """unet, vae or controlnet -> the class of diffusers."""
    d = diffusers()
    return {"unet": d.UNet2DConditionModel, "vae": d.AutoencoderKL, "controlnet": d.ControlNetModel}[name]


def diffusers() -> Any:
    """The package, or the sentence that says how to install it."""
    try:
        import diffusers as package
        import peft  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"diffusers or peft is not installed ({error})", "the extra 'diffusion'",
            "run pip install 'flawsmith[diffusion]'",
        ) from error  # fmt: skip
    return package


def download(use: Kind) -> str:
    """The command that fetches what `use` needs, and nothing else."""
    name = CONTROLNET if use == "controlnet" else PUBLISHED[use]
    files = ("config.json", NAMES[0])
    if use != "controlnet":
        files = ("unet/*.safetensors", "vae/*.safetensors", "*/*config.json")
    wanted = " ".join(f"--include '{p}'" for p in files)
    return f"get it with: hf download {name} {wanted} --local-dir {name.split('/')[1]}"


def _folder(given: str, use: Use) -> Path:
    path = Path(given).expanduser()
    if path.is_dir():
        return path
    if path.is_file():
        if path.suffix.lower() in PICKLES:
            refuse_pickle(path, use)
        raise InputError(
            f"{path} is one file", "a folder with unet/, vae/ and scheduler/",
            f"convert it: {unpacking(path, use)}",
        )  # fmt: skip
    if given.count("/") == 1 and not given.startswith((".", "/", "~")):
        return _cached(given, use)
    raise InputError(f"{given} does not exist", "a folder, or the id of a model on the hub", download(use))


def _cached(name: str, use: Use) -> Path:
    diffusers()
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise InputError(f"{name} is neither a folder nor in the hub's cache", "weights on this disk",
                         download(use).replace(PUBLISHED[use], name, 1)) from error  # fmt: skip


def _config(path: Path, use: Kind) -> dict[str, Any]:
    if not path.is_file():
        holds = "config.json and its weights" if use == "controlnet" else "unet/, vae/, scheduler/"
        raise InputError(f"{path} does not exist", f"a folder of diffusers with {holds}", download(use))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON ({error})", "a model's configuration", download(use)) from error
    if not isinstance(found, dict):
        raise InputError(f"{path} is no mapping", "a model's configuration", download(use))
    return found


def _renamed(key: str) -> str:
    for old, new in RENAMED.items():
        if ".attentions." in key:
            key = key.replace(old, new)
    return key


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    while len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape
