"""Weights of the embedded model as one safetensors file: tensors in half precision, the configuration in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from core.errors import InputError
from core.files import write_bytes
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.texture import checked

WEIGHTS = Path(__file__).resolve().parents[1] / "weights" / "tiny.safetensors"
"""The shipped weights."""
CONFIG = "flawsmith_tiny"
TEXTON = "texton."
"""Begins the names of tensors that are no part of the network: textons (`tiny.texture`), one tensor a type."""
PICKLED = {".pt", ".pth", ".ckpt", ".bin", ".pkl"}


def save_weights(
    path: Path, tensors: Mapping[str, torch.Tensor], config: TinyConfig, about: Mapping[str, str],
    textons: Mapping[str, np.ndarray] | None = None,
) -> None:  # fmt: skip
    """Write tensors (named as `TinyNet.state_dict`) and textons (by type) in float16. about: further header entries,
    texts."""
    every = {**tensors, **{TEXTON + kind: torch.from_numpy(kernels) for kind, kernels in (textons or {}).items()}}
    halves = {k: v.detach().to("cpu", torch.float16).contiguous() for k, v in sorted(every.items())}
    write_bytes(path, same_order(save(halves, {**about, CONFIG: config.model_dump_json()})))


def same_order(data: bytes) -> bytes:
    """The same safetensors file with its header's texts in order of their names: the library writes them in another
    order every time, and equal weights would not be equal files."""
    length = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + length])
    head["__metadata__"] = dict(sorted(head.get("__metadata__", {}).items()))
    told = json.dumps(head, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    return len(told).to_bytes(8, "little") + told + data[8 + length :]


def load_weights(path: Path = WEIGHTS) -> tuple[TinyNet, TinyConfig, dict[str, str]]:
    """The network in float32, its configuration and the other header entries. InputError for a file that is missing,
    pickled, damaged, no embedded model, or whose tensors are not exactly the network's."""
    tensors, config, header = _read(path)
    tensors = {name: v for name, v in tensors.items() if not name.startswith(TEXTON)}
    with torch.device("meta"):
        refuse_unlike(path.name, tensors, TinyNet(config).state_dict())
    if spoilt := sorted(name for name, v in tensors.items() if not v.isfinite().all()):
        raise InputError(
            f"{path.name} has values that are no numbers in {len(spoilt)} tensors ({spoilt[0]})", "finite weights",
            "teach it again, with a lower --learning-rate",
        )  # fmt: skip
    net = TinyNet(config)
    net.load_state_dict(tensors)
    return net.eval(), config, {k: v for k, v in header.items() if k != CONFIG}


def load_textons(path: Path = WEIGHTS) -> dict[str, np.ndarray]:
    """Type -> textons, float32; none where no large damage was ever taught. InputError as `load_weights`."""
    tensors, config, _ = _read(path)
    found = {name[len(TEXTON) :]: v.numpy() for name, v in tensors.items() if name.startswith(TEXTON)}
    if wrong := checked(found, config.types):
        raise InputError(f"{path.name} has {wrong}", "textons as train-inpaint writes them", "teach it again")
    return found


def _read(path: Path) -> tuple[dict[str, torch.Tensor], TinyConfig, dict[str, str]]:
    if not path.is_file():
        raise InputError(
            f"{path} does not exist", "weights of the embedded model", "reinstall flawsmith, or run tools/train_tiny.py"
        )
    if path.suffix in PICKLED:
        raise InputError(
            f"{path.name} is a pickled file, which can run code when it is read", "a .safetensors file",
            "take the .safetensors file that training wrote: it writes no other",
        )  # fmt: skip
    try:
        with safe_open(path, "pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name).float() for name in stream.keys()}  # noqa: SIM118
        config = TinyConfig.model_validate_json(header[CONFIG])
    except (SafetensorError, KeyError, ValidationError) as error:
        raise InputError(
            f"{path.name} holds no embedded model ({' '.join(str(error).split())[:120]})",
            f"a safetensors file with '{CONFIG}' in its header", "use the file that tools/train_tiny.py wrote",
        ) from error  # fmt: skip
    return tensors, config, header


def refuse_unlike(name: str, given: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> None:
    """InputError unless both hold the same names with the same shapes: nothing is left as it was initialised."""
    missing, more = sorted(wanted.keys() - given.keys()), sorted(given.keys() - wanted.keys())
    other = [k for k in wanted if k in given and given[k].shape != wanted[k].shape]
    if missing or more or other:
        groups = {"missing": missing, "unknown": more, "of another shape": other}
        told = [f"{len(names)} {what} ({names[0]})" for what, names in groups.items() if names]
        raise InputError(f"{name} has {', '.join(told)} tensors", "exactly the network's", "use matching weights")
