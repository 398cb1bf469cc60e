"""The learned words for damage: a table of embeddings in the place of a text encoder."""

from __future__ import annotations

import torch
from torch import nn

from defects.generative.painter import GOOD

NULL = 0
"""Row of the null type, which stands for no condition at all. Types start at row 1."""


class DamageTable(nn.Module):
    """types: names of damages, GOOD first. Rows (types + 1, tokens * width); the null type is row 0.

    Starts at unit variance, as the layer-normalised states of the text encoder are that the frozen attention expects.
    """

    def __init__(self, types: tuple[str, ...], tokens: int, width: int) -> None:
        super().__init__()
        if types[0] != GOOD or len(set(types)) != len(types):
            raise ValueError(f"types must be distinct and start with {GOOD}, got {types}")
        self.types, self.tokens, self.width = types, tokens, width
        self.rows = nn.Embedding(len(types) + 1, tokens * width)

    def row(self, damage: str | None) -> int:
        """None: the null type. ValueError for a type that it does not have."""
        return NULL if damage is None else self.types.index(damage) + 1

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(n,) int -> (n, tokens, width), what `prompt_embeds` takes."""
        return self.rows(rows).reshape(len(rows), self.tokens, self.width)

    def of(self, damage: list[str | None]) -> torch.Tensor:
        return self(torch.tensor([self.row(d) for d in damage], device=self.rows.weight.device))


def dropped(rows: torch.Tensor, share: float, draws: torch.Generator) -> torch.Tensor:
    """Rows with the chance `share` replaced by the null type, so that guidance has something to lead away from."""
    away = torch.rand(len(rows), generator=draws) < share
    return torch.where(away.to(rows.device), torch.full_like(rows, NULL), rows)
