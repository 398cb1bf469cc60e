"""The networks of one backend, put together from a base and from what was learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from core.errors import InputError
from defects.generative.sd15.files import (
    Base,
    Use,
    check_controlnet,
    diffusers,
    find_base,
    model_class,
    scheduler_of,
    variant_of,
)
from defects.generative.sd15.learned import (
    CONTROL,
    LORA,
    TABLE,
    add_lora,
    load_exactly,
    load_tensors,
    read_about,
    set_lora,
)
from defects.generative.sd15.table import DamageTable

Precision = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(eq=False)
class Networks:
    """unet, vae: frozen, save the adapters. controlnet: None for inpainting. scheduler: of the base, as DDIM.

    rank: of the adapters, 0 for none. base_print: which U-Net they sit on.
    """

    use: Use
    unet: Any
    vae: Any
    scheduler: Any
    table: DamageTable
    controlnet: Any
    rank: int
    base_print: str

    @property
    def cell(self) -> int:
        """Pixels a latent cell."""
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def modules(self) -> Iterator[nn.Module]:
        yield from (m for m in (self.unet, self.vae, self.table, self.controlnet) if m is not None)

    def to(self, device: str, dtype: torch.dtype) -> Networks:
        """Frozen weights in `dtype`, learned ones stay float32 (a pipeline casts what it needs)."""
        for module in (self.unet, self.vae):
            module.to(device)
            for p in module.parameters():
                if not p.requires_grad:
                    p.data = p.data.to(dtype)
        self.table.to(device)
        if self.controlnet is not None:
            self.controlnet.to(device)
        return self

    def learned(self) -> dict[str, nn.Parameter]:
        """Every trained parameter by name, in a fixed order."""
        found = {f"table.{n}": p for n, p in self.table.named_parameters()}
        if self.controlnet is not None:
            found |= {f"controlnet.{n}": p for n, p in self.controlnet.named_parameters()}
        return found | {f"unet.{n}": p for n, p in self.unet.named_parameters() if p.requires_grad}


def networks(
    base: Base, use: Use, types: tuple[str, ...], *, tokens: int, rank: int, seed: int, controlnet: Path | None = None
) -> Networks:
    """Fresh adapters, table and, for ControlNet, a copy of the U-Net's encoder or a published one, ready to train."""
    d = diffusers()
    unet, vae = (
        kind.from_pretrained(
            str(base.folder), subfolder=name, local_files_only=True, use_safetensors=True, variant=base.variant(name)
        )
        for name, kind in (("unet", d.UNet2DConditionModel), ("vae", d.AutoencoderKL))
    )
    scheduler = scheduler_of(base.configs["scheduler"], str(base.folder))
    for module in (unet, vae):
        module.requires_grad_(False).eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        table = DamageTable(types, tokens, int(unet.config.cross_attention_dim))
        control = None
        if use == "sd15-controlnet":
            control = _controlnet(unet, controlnet)
    if rank:
        add_lora(unet, rank, seed)
    return Networks(use, unet, vae, scheduler, table, control, rank, base.print)


def trained_networks(folder: Path, base_given: str) -> tuple[Networks, dict[str, Any]]:
    """What training left in `folder`, on its base. InputError when the base is another one, or any key is off."""
    about = read_about(folder)
    use: Use = about["use"]
    base = find_base(base_given, use)
    found = networks(base, use, tuple(about["types"]), tokens=about["tokens"], rank=about["rank"], seed=0)
    if found.base_print != about["base_print"]:
        raise InputError(
            f"{base_given} is not the base that {folder} was trained on", f"the U-Net {about['base_print'][:12]}...",
            "give the same base, or train again on this one",
        )  # fmt: skip
    load_exactly(found.table, load_tensors(folder / TABLE), str(folder / TABLE))
    if about["rank"]:
        set_lora(found.unet, load_tensors(folder / LORA), str(folder / LORA))
    if found.controlnet is not None:
        load_exactly(found.controlnet, load_tensors(folder / CONTROL), str(folder / CONTROL))
    for module in found.modules():
        module.requires_grad_(False).eval()
    return found, about


def _controlnet(unet: Any, published: Path | None) -> Any:
    """Three equal channels show the mask, as published segmentation ControlNets take them."""
    kind = model_class("controlnet")
    if published is None:
        return kind.from_unet(unet, conditioning_channels=3)
    variant = variant_of(check_controlnet(published))
    made = kind.from_pretrained(str(published), local_files_only=True, use_safetensors=True, variant=variant)
    if made.config.cross_attention_dim != unet.config.cross_attention_dim or made.config.in_channels != 4:
        raise InputError(
            f"{published} is a ControlNet for another model", "one for SD 1.5", "for instance control_v11p_sd15_seg"
        )
    return made
