"""The backends `sd15` and `sd15-controlnet`: painters on Stable Diffusion 1.5 and what was learned from examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import InputError
from core.files import sha256_json
from defects.generative.label import grain_sigma, standing_out
from defects.generative.memory import enough_memory, fitted
from defects.generative.painter import GOOD, Crop
from defects.generative.ready import check_device
from defects.generative.sd15.lean import spare_memory
from defects.generative.sd15.learned import weights_hash
from defects.generative.sd15.models import Networks, Precision, trained_networks
from defects.generative.sd15.sampling import pipeline, sampled


class Sd15Painter:
    """learned: a folder that training wrote. base: the folder or hub id that it was trained on.

    size: side of the crops; None: as trained. steps, guidance: of the sampler; GOOD is sampled without guidance.

    Where memory is short it goes on in tiles and slices from then on, and `facts` say so (`memory`).
    """

    def __init__(
        self,
        learned: Path,
        base: str,
        *,
        size: int | None = None,
        steps: int = 30,
        guidance: float = 4.0,
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        check_device(device)
        if precision not in Precision:
            raise InputError(f"precision '{precision}'", f"one of {', '.join(Precision)}", "choose one")
        nets, about = trained_networks(learned, base)
        self._set(nets.to(device, Precision[precision]), size or about["size"], steps, guidance)
        self.facts = {
            "weights_sha256": weights_hash(about), "base_print": about["base_print"], "steps": steps,
            "guidance": guidance, "trained_steps": about.get("steps", 0), "precision": precision,
            "scheduler_sha256": sha256_json(dict(nets.scheduler.config)),
        }  # fmt: skip

    @classmethod
    def of(cls, nets: Networks, size: int, *, steps: int, guidance: float) -> Sd15Painter:
        """On networks at hand, as for the validation strips of a training; they are left as they are, come what may."""
        made = cls.__new__(cls)
        made._set(nets, size, steps, guidance)
        made.facts, made._whole = {"steps": steps, "guidance": guidance}, True
        return made

    def _set(self, nets: Networks, size: int, steps: int, guidance: float) -> None:
        check_sampling(nets, size, steps, guidance)
        self.name: str = nets.use
        self.size, self.types, self.cell = size, nets.table.types, nets.cell
        self.sizes: Sequence[int] = (size,)
        self._nets, self._pipe, self._steps, self._guidance = nets, pipeline(nets), steps, guidance
        self.facts: Mapping[str, Any] = {}
        self._whole = False
        self._tile: int | None = None

    def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
        """See `Painter.paint`. One crop at a time, so that memory does not hang on their number."""
        return [self._one(*given) for given in zip(crops, damage, seeds, strict=True)]

    def _one(
        self, crop: Crop, damage: str, seed: int, blended: bool = True, guidance: float | None = None
    ) -> np.ndarray:
        if damage not in self.types:
            raise InputError(f"damage '{damage}'", f"one of {', '.join(self.types)}", "train it, or choose a known one")
        if guidance is None:
            guidance = 1.0 if damage == GOOD else self._guidance
        smaller = max(64, self.size * 3 // 4 // 64 * 64)
        do = f"use --size {smaller}, --precision float16 or --device cpu"

        def work() -> np.ndarray:
            return sampled(
                self._pipe, self._nets, crop.image, crop.mask, damage, seed, steps=self._steps, guidance=guidance,
                blended=blended,
            )  # fmt: skip

        if self._tile is None and not self._whole:
            made = fitted(work)
            if made is not None:
                return made
            self._tile = spare_memory(self._pipe, self._nets, self.size)
            self.facts = {**self.facts, "memory": f"tiles of {self._tile} px"}
        tiles = "" if self._tile is None else f", even in tiles of {self._tile} px,"
        with enough_memory(f"a crop of {self.size} px{tiles}", do):
            return work()


def check_sampling(nets: Networks, size: int, steps: int, guidance: float) -> None:
    """InputError unless the networks' sampler can work so."""
    if size % 8 or size < 8 * nets.cell:
        raise InputError(f"size {size}", f"a multiple of 8, at least {8 * nets.cell}", "choose another --size")
    told = nets.scheduler.config
    most = told.num_train_timesteps - told.steps_offset  # noise levels are counted from the offset on
    if not 1 <= steps <= most:
        raise InputError(f"{steps} steps of the sampler", f"1 to {most}, as the base was trained", "correct --steps")
    if not 1 <= guidance < math.inf:
        raise InputError(f"guidance {guidance}", "a number of at least 1", "choose another --guidance")


@dataclass(frozen=True, eq=False)
class Generated:
    """A photograph that nobody took. image, clean: (n, n, 3) uint8, with and without the damage. label: (n, n) bool.

    outside: share of the pixels beyond the mask that differ visibly, before `image` was pasted together.
    """

    image: np.ndarray
    clean: np.ndarray
    label: np.ndarray
    iou: float
    outside: float


def generate(painter: Sd15Painter, mask: np.ndarray, damage: str, seed: int, paste: bool = True) -> Generated:
    """A whole new picture with `damage` in `mask` (n, n) bool, and its twin: the same noise and guidance, no mask,
    `good`.

    The label is what differs inside the mask by more than the two differ by accident outside it. paste: outside the
    mask the twin's pixels, so that the two are equal there. InputError for a backend that only inpaints.
    """
    if painter._nets.controlnet is None:
        raise InputError(f"backend {painter.name} for a whole picture", "sd15-controlnet", "train a ControlNet")
    n = painter.size
    if mask.shape != (n, n) or not mask.any() or mask.all():
        raise InputError(f"a mask of {mask.shape}", f"{n} x {n}, neither empty nor full", "draw another")
    blank = np.full((n, n, 3), 0.5, np.float32)
    everywhere = np.ones((n, n), bool)
    empty = Crop(blank, np.zeros((n, n), bool), everywhere)
    clean = _codes(painter._one(empty, GOOD, seed, blended=False, guidance=painter._guidance))
    image = _codes(painter._one(Crop(blank, mask, everywhere), damage, seed, blended=False))
    sigma = grain_sigma(clean, mask)
    beyond = ~mask
    by_accident = standing_out(image, clean, beyond, sigma)[beyond]
    k = max(1.0, 1.25 * float(np.quantile(by_accident, 0.99)))
    label = (standing_out(image, clean, mask, sigma) > k) & mask
    outside = float((by_accident > 1.0).mean())
    if paste:
        image = np.where(mask[..., None], image, clean)
    return Generated(image, clean, label, float(label.sum() / mask.sum()), outside)


def _codes(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
