"""What painting costs over the bare inpainting pipeline of diffusers: the same networks, steps and guidance.

    python benchmarks/sd15_overhead.py [--size 256 --steps 10 --repeat 3 --device cpu]

Networks of Stable Diffusion 1.5's published architecture with random weights: time does not hang on their values. The
rows are interleaved; "bare" is called as the documentation of diffusers does, with the same embeddings. "ours, without
adapters" adds what keeps the photograph: its own latents at every step. "ours" has LoRA on all attention layers, too.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

UNET = {
    "sample_size": 64, "in_channels": 9, "out_channels": 4, "layers_per_block": 2, "cross_attention_dim": 768,
    "attention_head_dim": 8, "block_out_channels": (320, 640, 1280, 1280), "norm_num_groups": 32,
}  # fmt: skip
VAE = {
    "in_channels": 3, "out_channels": 3, "latent_channels": 4, "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2, "norm_num_groups": 32, "sample_size": 512,
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
}  # fmt: skip
RANK, TOKENS, GUIDANCE = 16, 4, 4.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--size", type=int, default=256)
    options.add_argument("--steps", type=int, default=10)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--device", default="cpu")
    chosen = options.parse_args()
    from defects.generative.painter import GOOD, Crop
    from defects.generative.sd15.backend import Sd15Painter
    from defects.generative.sd15.learned import add_lora
    from flawsmith.versions import commit

    nets = published(chosen.device, (GOOD, "scratch"))
    bare = bare_call(nets, chosen.size, chosen.steps)
    mask = np.zeros((chosen.size, chosen.size), bool)
    mask[chosen.size // 3 : chosen.size // 2, chosen.size // 4 : chosen.size // 2] = True
    crop = Crop(np.full((*mask.shape, 3), 0.5, np.float32), mask, np.ones_like(mask))

    def ours() -> None:
        painter = Sd15Painter.of(nets, chosen.size, steps=chosen.steps, guidance=GUIDANCE)
        painter.paint([crop], ["scratch"], [1])

    plain = compared({"bare": bare, "ours, without adapters": ours}, chosen.repeat)
    add_lora(nets.unet, RANK, 0)
    nets.to(chosen.device, torch.float32)
    rows = compared({"bare, with the same adapters": bare, "ours": ours}, chosen.repeat)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {chosen.device}"
    how = f"{chosen.size} px, {chosen.steps} steps, median of {chosen.repeat}, interleaved"
    print(f"{date.today()}, {machine}, commit {commit()[:10]}, {how}\n")
    print("| row | s | over the one above |\n| --- | --- | --- |")
    for pair in (plain, rows):
        (first, one), (second, two) = pair.items()
        print(f"| {first} | {median(one):.2f} | |")
        print(f"| {second} | {median(two):.2f} | {median(b / a for a, b in zip(one, two, strict=True)) - 1:+.1%} |")


def published(device: str, types: tuple[str, ...]):
    """Networks of the published architecture, random."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    from defects.generative.sd15.models import Networks
    from defects.generative.sd15.table import DamageTable

    torch.manual_seed(0)
    unet, vae = UNet2DConditionModel(**UNET), AutoencoderKL(**VAE)
    for module in (unet, vae):
        module.requires_grad_(False).eval()
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False,
        clip_sample=False,
    )  # fmt: skip
    nets = Networks("sd15", unet, vae, scheduler, DamageTable(types, TOKENS, UNET["cross_attention_dim"]), None, 0, "")
    return nets.to(device, torch.float32)


def bare_call(nets, size: int, steps: int) -> Callable[[], None]:
    from defects.generative.sd15.sampling import pipeline

    pipe, device = pipeline(nets), nets.table.rows.weight.device
    image = torch.full((1, 3, size, size), 0.5, device=device)
    mask = torch.zeros((1, 1, size, size), device=device)
    mask[..., size // 3 : size // 2, size // 4 : size // 2] = 1

    def call() -> None:
        with torch.no_grad():
            words, none = nets.table.of(["scratch"]), nets.table.of([None])
            pipe(
                prompt_embeds=words, negative_prompt_embeds=none, image=image, mask_image=mask, strength=1.0,
                height=size, width=size, num_inference_steps=steps, guidance_scale=GUIDANCE, output_type="np",
                generator=torch.Generator().manual_seed(1),
            )  # fmt: skip

    return call


def compared(calls: dict[str, Callable[[], None]], repeat: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn; a first round is not counted. CPU seconds where there is no GPU, as other work on
    the machine shifts wall time by more than what is measured."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeat + 1):
        for name, call in calls.items():
            start = clock()
            call()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                taken[name].append(clock() - start)
    return taken


if __name__ == "__main__":
    main()
