"""The backend `tiny`: a `Painter` on the embedded model, for a laptop without network or GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.errors import InputError
from core.files import sha256_file
from core.seeds import child
from defects.generative.memory import enough_memory
from defects.generative.painter import GOOD, Crop
from defects.generative.ready import check_device
from defects.generative.tiny.condition import condition, scale_code
from defects.generative.tiny.diffusion import sample
from defects.generative.tiny.grain import edited
from defects.generative.tiny.net import FOLD
from defects.generative.tiny.texture import textured
from defects.generative.tiny.weights import WEIGHTS, load_textons, load_weights


class TinyPainter:
    """cell: the first convolution sees blocks of this many pixels. weights: None for those that Flawsmith ships.
    steps, guidance: None for what the weights say.

    Each crop is sampled by itself, in float32 on the CPU unless `device` says otherwise, from noise that a generator
    on the CPU draws from its seed: the same crop, damage and seed give the same image whatever stands beside it.
    """

    name = "tiny"
    cell = FOLD

    def __init__(
        self,
        weights: Path | None = None,
        *,
        steps: int | None = None,
        guidance: float | None = None,
        device: str = "cpu",
    ) -> None:
        check_device(device)
        path = weights or WEIGHTS
        self._net, self._config, about = load_weights(path)
        self._textons = load_textons(path)
        self._net.to(device)
        self._device = device
        self.size, self.types = self._config.size, self._config.types
        self.sizes: Sequence[int] = self._config.sizes
        self.steps = steps or self._config.steps
        self.guidance = self._config.guidance if guidance is None else guidance
        self.facts: Mapping[str, Any] = {
            "weights_sha256": sha256_file(path), "trained_steps": self._config.trained, "steps": self.steps,
            "guidance": self.guidance, **about,
        }  # fmt: skip

    def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
        """See `Painter.paint`. GOOD is sampled without guidance. Pixels outside the mask come back as given."""
        if not len(crops) == len(damage) == len(seeds):
            raise ValueError(f"{len(crops)} crops, {len(damage)} types and {len(seeds)} seeds")
        for crop, kind in zip(crops, damage, strict=True):
            self._refuse(crop, kind)
        return [self._painted(*given) for given in zip(crops, damage, seeds, strict=True)]

    def finish(
        self, photo: np.ndarray, painted: np.ndarray, mask: np.ndarray, damage: str, seed: int, part: np.ndarray
    ) -> np.ndarray:
        """See `Finisher.finish`: detail deep inside damage that has a texture of its own is drawn anew."""
        textons = self._textons.get(damage)
        if textons is None:
            return painted
        return textured(painted, photo, mask, part, textons, child(seed, "texture"))

    def _painted(self, crop: Crop, kind: str, seed: int) -> np.ndarray:
        draws = torch.Generator().manual_seed(seed % 2**63)
        shape = (1, 3, *crop.mask.shape)
        noise, grain = torch.randn(shape, generator=draws), torch.randn(shape, generator=draws)
        with enough_memory(f"a crop of {len(crop.mask)} px", "end other programs, or use --device cpu"):
            change = self._change(crop, kind, noise)
        return edited(crop.image, _image(change), _image(grain))

    def _change(self, crop: Crop, kind: str, noise: torch.Tensor) -> torch.Tensor:
        return sample(
            self._net,
            torch.from_numpy(condition(crop.image, crop.mask, crop.part))[None].to(self._device),
            torch.from_numpy(crop.mask.astype(np.float32))[None, None].to(self._device),
            torch.tensor([self.types.index(kind)], device=self._device),
            torch.tensor([scale_code(crop.mm_per_px)], device=self._device),
            noise.to(self._device),
            null=self._config.null,
            change_scale=self._config.change_scale,
            steps=self.steps,
            guidance=1.0 if kind == GOOD else self.guidance,
        )

    def _refuse(self, crop: Crop, kind: str) -> None:
        if kind not in self.types:
            raise InputError(f"damage '{kind}'", f"one of {', '.join(self.types)}", "choose a type that tiny knows")
        if crop.mask.shape[0] != crop.mask.shape[1] or len(crop.mask) not in self.sizes:
            raise ValueError(f"a crop of {crop.mask.shape}, expected a square with a side of {list(self.sizes)}")


def _image(planes: torch.Tensor) -> np.ndarray:
    """(1, 3, n, n) -> (n, n, 3) float32."""
    return np.ascontiguousarray(np.moveaxis(planes[0].cpu().numpy(), 0, 2), np.float32)
