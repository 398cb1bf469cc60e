"""How a few-shot training runs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from core.errors import InputError
from defects.generative.augment import Moves
from defects.generative.ready import check_device
from defects.generative.sd15.models import Precision


@dataclass(frozen=True)
class TrainSettings:
    """size: side of the crops, px. tokens: of each type in the table. rank: of LoRA; 0 for none (ControlNet only).

    batch times accumulate crops a step. dropout: chance that a crop's type is replaced by the null type. ema: decay of
    the kept average. precision: of the frozen weights and of what is computed; float16 needs a GPU. save_every,
    strips_every: steps; 0 strips: none. sample_steps, guidance: of the validation strips.
    """

    steps: int = 2000
    size: int = 512
    tokens: int = 8
    rank: int = 16
    batch: int = 2
    accumulate: int = 4
    learning_rate: float = 1e-4
    table_rate: float = 1e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1
    outside_weight: float = 0.1
    ema: float = 0.995
    clip: float = 1.0
    seed: int = 0
    precision: str = "float32"
    checkpointing: bool = False
    save_every: int = 250
    strips_every: int = 250
    sample_steps: int = 20
    guidance: float = 4.0
    device: str = "cpu"
    moves: Moves = field(default_factory=Moves)

    def __post_init__(self) -> None:
        if self.precision not in Precision:
            raise InputError(f"precision '{self.precision}'", f"one of {', '.join(Precision)}", "choose one")
        check_device(self.device)
        if self.precision == "float16" and self.device.startswith("cpu"):
            raise InputError("precision float16 on the CPU", "float32 or bfloat16 there", "choose another precision")
        if self.size % 8 or self.size < 32:
            raise InputError(f"size {self.size}", "a multiple of 8 from 32 on", "choose another")
        if min(self.steps, self.batch, self.accumulate, self.tokens, self.save_every) < 1 or self.rank < 0:
            raise InputError(f"{self}", "steps, batch, accumulate, tokens and save_every of at least 1", "raise them")
        if not (0 < self.learning_rate < math.inf and 0 < self.table_rate < math.inf):
            rates = f"learning rate {self.learning_rate}, of the table {self.table_rate}"
            raise InputError(rates, "finite numbers above 0", "correct them")
        if not (0 <= self.dropout < 1 and 0 <= self.ema < 1):
            raise InputError(f"dropout {self.dropout}, ema {self.ema}", "both within 0 and 1", "correct them")

    def identity(self) -> dict[str, Any]:
        """What must be the same when a training goes on."""
        varying = ("steps", "save_every", "strips_every", "sample_steps", "guidance", "device", "checkpointing")
        return {k: v for k, v in asdict(self).items() if k not in varying}
