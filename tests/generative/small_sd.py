"""Stable Diffusion in miniature: the published architecture with a few channels, random weights, saved as a base."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from core.seeds import child
from defects.generative.augment import Example
from defects.generative.painter import GOOD

UNET = {
    "sample_size": 8, "out_channels": 4, "layers_per_block": 1, "block_out_channels": [8, 16], "norm_num_groups": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": 12, "attention_head_dim": 4,
}  # fmt: skip
VAE = {
    "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": [4, 4, 8, 8],
    "layers_per_block": 1, "norm_num_groups": 4, "sample_size": 64,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
}  # fmt: skip
SCHEDULER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
             "steps_offset": 1, "set_alpha_to_one": False, "skip_prk_steps": True}  # fmt: skip


def save_base(folder: Path, channels: int = 9, **changed) -> Path:
    import torch
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel

    with torch.random.fork_rng():
        torch.manual_seed(5)
        UNet2DConditionModel(**UNET, **{"in_channels": channels, **changed}).save_pretrained(folder / "unet")
        AutoencoderKL(**VAE).save_pretrained(folder / "vae")
    PNDMScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    return folder


def examples(count: int = 3) -> list[Example]:
    """Grey plates with a dark line or a bright spot, and plain ones."""
    made = []
    for k in range(count):
        rng = child(k, "example")
        plain = np.clip(rng.normal(120, 5, (80, 96, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
        whole = np.ones((80, 96), bool)
        made.append(Example(plain, ~whole, whole, GOOD, f"good{k}"))
        line = cv2.line(np.zeros((80, 96), np.uint8), (20 + 5 * k, 30), (60, 40 + 3 * k), 1, 5).astype(bool)
        spot = cv2.circle(np.zeros((80, 96), np.uint8), (40 + 4 * k, 36), 8 + k, 1, -1).astype(bool)
        for name, mask, value in (("scratch", line, 30), ("stain", spot, 230)):
            image = np.where(mask[..., None], value, plain).astype(np.uint8)
            made.append(Example(image, mask, whole, name, f"{name}{k}"))
    return sorted(made, key=lambda e: (e.damage == GOOD, e.damage, e.name))
