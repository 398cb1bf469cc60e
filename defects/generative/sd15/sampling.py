"""One crop painted by a pipeline of diffusers without text encoder, tokenizer, safety checker and feature extractor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from defects.generative.painter import GOOD
from defects.generative.sd15.blend import Blend, blocks, spread
from defects.generative.sd15.files import diffusers
from defects.generative.sd15.models import Networks


def pipeline(nets: Networks) -> Any:
    d = diffusers()
    kw: dict[str, Any] = {
        "vae": nets.vae, "text_encoder": None, "tokenizer": None, "unet": nets.unet, "scheduler": nets.scheduler,
        "safety_checker": None, "feature_extractor": None, "requires_safety_checker": False,
    }  # fmt: skip
    if nets.controlnet is None:
        made = d.StableDiffusionInpaintPipeline(**kw)
    else:
        made = d.StableDiffusionControlNetPipeline(controlnet=nets.controlnet, **kw)
    made.set_progress_bar_config(disable=True)
    return made


def encoded(vae: Any, image: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) in [-1, 1] -> latents (n, 4, h / cell, w / cell), the mean, scaled for the U-Net."""
    return vae.encode(image.to(vae.dtype)).latent_dist.mean * vae.config.scaling_factor


@torch.no_grad()
def sampled(
    pipe: Any,
    nets: Networks,
    image: np.ndarray,
    mask: np.ndarray,
    damage: str,
    seed: int,
    *,
    steps: int,
    guidance: float,
    blended: bool = True,
) -> np.ndarray:
    """image: (h, w, 3) float32 in [0, 1], sides divisible by the cell. mask: (h, w) bool. Returns the painted image.

    Noise is drawn on the CPU from `seed` alone. blended: outside the mask the image's own latents at every step;
    without it (ControlNet) the whole image is made anew and `image` only gives its size.
    """
    device, cell = nets.table.rows.weight.device, nets.cell
    draws = torch.Generator().manual_seed(seed % 2**63)
    pixels = torch.from_numpy(np.moveaxis(image, 2, 0).copy())[None].to(device)
    wanted = torch.from_numpy(mask.astype(np.float32))[None, None].to(device)
    cells = blocks(wanted, cell)
    clean = encoded(nets.vae, pixels * 2 - 1)
    dtype = next(p.dtype for p in nets.unet.parameters() if not p.requires_grad)
    kw: dict[str, Any] = {
        "prompt_embeds": nets.table.of([damage]).to(dtype), "negative_prompt_embeds": nets.table.of([None]).to(dtype),
        "num_inference_steps": steps, "guidance_scale": guidance, "generator": draws, "output_type": "np",
        "height": image.shape[0], "width": image.shape[1],
    }  # fmt: skip
    if blended:
        kw |= {"callback_on_step_end": Blend(clean, cells, draws), "callback_on_step_end_tensor_inputs": ["latents"]}
    if nets.controlnet is None:
        # the pipeline picks every cell'th pixel of the mask: whole blocks lose none
        kw |= {"image": pixels.to(dtype), "mask_image": spread(cells, cell).to(dtype), "strength": 1.0}
    else:
        kw |= {"image": (wanted * (damage != GOOD)).repeat(1, 3, 1, 1).to(dtype)}
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        return np.asarray(pipe(**kw).images[0], np.float32)
