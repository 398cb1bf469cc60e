"""What makes one embedded model: its widths, its types of damage, its schedule. Stored in the weights' header."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from core.models import FileModel
from defects.generative.painter import GOOD

TYPES = (
    GOOD, "burr", "chatter", "chip", "crack", "dent", "filiform", "foreign", "gouge", "heat_tint", "paint_run", "peel",
    "pit", "porosity", "print_fault", "rust", "scratch", "scuff", "stain", "white_rust",
)  # fmt: skip
"""Damage that the shipped model knows: the procedural kinds, with two looks of the kind rust taken apart."""
OWN_TYPE = {"filiform_threads": "filiform", "white_rust": "white_rust"}


def type_of(kind: str, blueprint: str = "") -> str:
    """The type of damage of a procedural defect."""
    return OWN_TYPE.get(blueprint, kind)


Width = Annotated[int, Field(ge=8, le=1024, multiple_of=8)]
"""Channels are normalised in eight groups."""
Blocks = Annotated[int, Field(ge=1, le=8)]


class TinyConfig(FileModel):
    """size: side of the crops it was trained on, pixels. widths, blocks: channels and residual blocks per level; the
    first level works at half the crop's resolution. change_scale: sRGB change that the diffusion variable calls 1.
    steps, guidance: of sampling, unless said otherwise. trained: training steps behind the weights.
    """

    size: int = Field(default=128, ge=8, le=1024)
    widths: tuple[Width, ...] = Field(default=(48, 80, 128, 160), min_length=1, max_length=6)
    blocks: tuple[Blocks, ...] = (1, 2, 2, 1)
    embedding: int = Field(default=192, ge=1, le=4096)
    types: tuple[str, ...] = Field(default=TYPES, max_length=1000)
    change_scale: float = Field(default=0.25, gt=0, allow_inf_nan=False)
    steps: int = Field(default=16, ge=1, le=1000)
    guidance: float = Field(default=1.5, ge=0, allow_inf_nan=False)
    trained: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _possible(self) -> TinyConfig:
        if len(self.widths) != len(self.blocks):
            raise ValueError("widths and blocks need as many entries as there are levels")
        if self.size % self.stride:
            raise ValueError(f"size must be a multiple of {self.stride}")
        if GOOD not in self.types:
            raise ValueError(f"types must hold '{GOOD}'")
        return self

    @property
    def stride(self) -> int:
        """The crop's side must be a multiple of it."""
        return 2 ** len(self.widths)

    @property
    def sizes(self) -> range:
        """Sides of crops that it can paint: the network knows no places, so that larger ones cost memory and time only.
        Twice the side that it was trained on is as far as was tried."""
        return range(self.size, 2 * self.size + 1, self.stride)

    @property
    def null(self) -> int:
        """Row of the embedding table that stands for no type at all: condition dropout, and the base of guidance."""
        return len(self.types)
