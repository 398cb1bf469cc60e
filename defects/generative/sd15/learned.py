"""What training leaves: LoRA (or a ControlNet), the damage table and a JSON beside them. Never the whole U-Net."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import InputError
from core.files import atomic_path, sha256_bytes, sha256_file, write_json
from defects.generative.painter import GOOD
from defects.generative.sd15.files import CHANNELS, diffusers, header
from defects.generative.sd15.table import DamageTable

TARGETS = ("to_q", "to_k", "to_v", "to_out.0")
"""Attention layers that LoRA adapts."""
LORA, TABLE, CONTROL, ABOUT = "lora.safetensors", "table.safetensors", "controlnet.safetensors", "learned.json"
MOST = 1 << 16
"""Of tokens, widths, ranks and sides; what is larger would be made before its file is found to be smaller."""
PRINT = re.compile("[0-9a-f]{64}")
AGAIN = "copy it again, or train into another folder"


def add_lora(unet: Any, rank: int, seed: int) -> None:
    """Adapters on every attention layer, `rank` wide, that change nothing yet; the rest is frozen."""
    diffusers()
    from peft import LoraConfig

    unet.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(TARGETS))
        )
    for p in unet.parameters():
        if p.requires_grad:
            p.data = p.data.float()


def lora_state(unet: Any) -> dict[str, torch.Tensor]:
    """The adapters alone."""
    from peft import get_peft_model_state_dict

    return {k: v.detach() for k, v in get_peft_model_state_dict(unet).items()}


def set_lora(unet: Any, state: Mapping[str, torch.Tensor], where: str) -> None:
    """Fill adapters that `add_lora` made. InputError for any missing, unexpected or misshapen tensor."""
    from peft import set_peft_model_state_dict

    refuse_other_keys(lora_state(unet), state, where)
    set_peft_model_state_dict(unet, dict(state))


def load_exactly(module: nn.Module, state: Mapping[str, torch.Tensor], where: str) -> None:
    """`load_state_dict` that fails in a sentence on any missing, unexpected or misshapen tensor."""
    refuse_other_keys(module.state_dict(), state, where)
    module.load_state_dict(dict(state), strict=True)


def refuse_other_keys(wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], where: str) -> None:
    for what, names in (("lacks", wanted.keys() - given.keys()), ("has also", given.keys() - wanted.keys())):
        if names:
            raise InputError(
                f"{where} {what} {len(names)} tensors ({', '.join(sorted(names)[:3])})",
                f"the {len(wanted)} tensors that training wrote", "train again, or use the base it was trained on",
            )  # fmt: skip
    wrong = [k for k in wanted if tuple(wanted[k].shape) != tuple(given[k].shape)]
    if wrong:
        raise InputError(
            f"{where} has {wrong[0]} of shape {tuple(given[wrong[0]].shape)}", f"{tuple(wanted[wrong[0]].shape)}",
            "use the base that it was trained on",
        )  # fmt: skip


def save_tensors(path: Path, state: Mapping[str, torch.Tensor], about: dict[str, str] | None = None) -> None:
    """about: texts for the file's header."""
    from safetensors.torch import save

    data = save({k: v.detach().to("cpu").contiguous().clone() for k, v in state.items()}, about)
    with atomic_path(path) as part:
        part.write_bytes(data)


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """InputError for a file that is cut or missing."""
    from safetensors.torch import load_file

    header(path, AGAIN)
    return load_file(str(path))


def load_texts(path: Path) -> dict[str, str]:
    """The texts in a file's header."""
    from safetensors import safe_open

    header(path, AGAIN)
    with safe_open(str(path), framework="pt") as stored:
        return stored.metadata() or {}


def save_learned(
    out: Path, table: DamageTable, about: Mapping[str, Any], unet: Any = None, controlnet: nn.Module | None = None
) -> None:
    """Write what was learned into `out`; the JSON comes last and names the hash of each file."""
    out.mkdir(parents=True, exist_ok=True)
    files = [TABLE]
    save_tensors(out / TABLE, table.state_dict())
    if unet is not None:
        save_tensors(out / LORA, lora_state(unet))
        files.append(LORA)
    if controlnet is not None:
        save_tensors(out / CONTROL, controlnet.state_dict())
        files.append(CONTROL)
    told = {"types": list(table.types), "tokens": table.tokens, "width": table.width, **about}
    write_json(out / ABOUT, told | {"files": {n: sha256_file(out / n) for n in files}})


def read_about(folder: Path) -> dict[str, Any]:
    """learned.json. InputError where training left nothing, or files that are not the ones it names."""
    path = folder / ABOUT
    if not path.is_file():
        raise InputError(
            f"{folder} holds no {ABOUT}", "a folder that flawsmith train-inpaint wrote",
            "train first: flawsmith train-inpaint DATASET --base FOLDER --out THIS",
        )  # fmt: skip
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        files = dict(about["files"])
        whole = _is_whole(about)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error})", "what training wrote", "train again") from error
    if not whole:
        raise InputError(f"{path} tells of no training that is known", "what this Flawsmith wrote", "train again")
    spoilt = [n for n, h in files.items() if "/" in n or not (folder / n).is_file() or sha256_file(folder / n) != h]
    if spoilt:
        raise InputError(
            f"{folder} does not hold what its {ABOUT} says ({', '.join(spoilt)})", "whole files", "copy or train again"
        )
    return about


def _is_whole(about: Mapping[str, Any]) -> bool:
    """Whether everything that loading needs is there and may be so."""
    types = about["types"]
    named = isinstance(types, list) and types[:1] == [GOOD] and all(isinstance(t, str) for t in types)
    named = named and len(set(types)) == len(types)
    counts = all(_is_count(about[k]) and about[k] > 0 for k in ("tokens", "width", "size"))
    files = {TABLE} | ({LORA} if about["rank"] else set()) | ({CONTROL} if about["use"] == "sd15-controlnet" else set())
    named &= _is_count(about["rank"]) and isinstance(about["use"], str) and about["use"] in CHANNELS
    return named and counts and files <= set(about["files"]) and bool(PRINT.fullmatch(str(about["base_print"])))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def weights_hash(about: Mapping[str, Any]) -> str:
    """One hash of everything that was learned, and of the base."""
    return sha256_bytes(json.dumps([about["files"], about["base_print"]], sort_keys=True).encode())
