"""Colour all through a volume, finer than any mesh: hash tables of features at several resolutions, and a small network
that reads them (Müller, Evans, Schied, Keller: Instant Neural Graphics Primitives with a Multiresolution Hash Encoding,
2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

PRIMES = (1, 2654435761, 805459861)
"""Of the paper's spatial hash."""


@dataclass(frozen=True)
class HashLayout:
    """levels: of resolution, from `coarsest` to `finest` samples along the box' longest side, in equal ratios.
    features: of a sample. log2_entries: of the most that a level has of them; finer ones share entries by hash.
    hidden: width of the network's one hidden layer."""

    levels: int = 8
    coarsest: int = 8
    finest: int = 256
    features: int = 2
    log2_entries: int = 15
    hidden: int = 32

    def sides(self) -> list[int]:
        """Samples along the longest side, level by level."""
        ratio = (self.finest / self.coarsest) ** (1 / max(self.levels - 1, 1))
        return [round(self.coarsest * ratio**level) for level in range(self.levels)]


@dataclass(eq=False)
class HashGrid:
    """lower: (3,) corner of the box, extent: its longest side. tables: (levels, entries, features). weights: of the
    network, inward (levels features, hidden) and (hidden,), outward (hidden, 3) and (3,)."""

    layout: HashLayout
    lower: tuple[float, float, float]
    extent: float
    tables: torch.Tensor
    weights: tuple[torch.Tensor, ...]

    @staticmethod
    def start(
        layout: HashLayout, lower: Sequence[float], extent: float, logits: torch.Tensor, rng: np.random.Generator
    ) -> HashGrid:
        """One colour everywhere: logits (3,), to within 0.001 of them."""
        device = logits.device

        def drawn(reach: float, *shape: int) -> torch.Tensor:
            values = rng.uniform(-reach, reach, shape).astype(np.float32)
            return torch.as_tensor(values, device=device).requires_grad_()

        width = layout.levels * layout.features
        tables = drawn(1e-4, layout.levels, 2**layout.log2_entries, layout.features)
        inward, outward = drawn((6 / width) ** 0.5, width, layout.hidden), drawn(0.1, layout.hidden, 3)
        zero = torch.zeros(layout.hidden, device=device).requires_grad_()
        weights = (inward, zero, outward, logits.detach().clone().requires_grad_())
        x, y, z = (float(value) for value in lower)
        return HashGrid(layout, (x, y, z), extent, tables, weights)

    @property
    def raw(self) -> tuple[torch.Tensor, ...]:
        return self.tables, *self.weights

    def over(self, raw: Sequence[torch.Tensor]) -> HashGrid:
        """The same with other tensors in place of `raw`."""
        tables, *weights = raw
        return replace(self, tables=tables, weights=tuple(weights))

    def logits(self, points: torch.Tensor) -> torch.Tensor:
        """(n, 3) at points (n, 3); gradients to `raw` and to the points. Outside the box as at its border."""
        inward, shift, outward, last = self.weights
        return torch.relu(self.encoded(points) @ inward + shift) @ outward + last

    def encoded(self, points: torch.Tensor) -> torch.Tensor:
        """(n, levels features): of each level, trilinear between the eight samples about a point."""
        box = torch.as_tensor(self.lower, dtype=points.dtype, device=points.device)
        place = ((points - box) / self.extent).clamp(0.0, 1.0)
        found = [self._level(number, side, place) for number, side in enumerate(self.layout.sides())]
        return torch.cat(found, 1)

    def _level(self, number: int, side: int, place: torch.Tensor) -> torch.Tensor:
        scaled = place * (side - 1)
        low = scaled.detach().floor().clamp(max=side - 2)
        share = scaled - low
        corner = torch.as_tensor(np.indices((2, 2, 2)).reshape(3, 8).T.copy(), device=place.device)
        sample = low.long()[:, None] + corner
        weight = torch.where(corner.bool(), share[:, None], 1 - share[:, None]).prod(2)
        features = self.tables[number].index_select(0, self._entry(sample, side).reshape(-1))
        return (features.reshape(*weight.shape, -1) * weight[..., None]).sum(1)

    def _entry(self, sample: torch.Tensor, side: int) -> torch.Tensor:
        """(...,) of samples (..., 3): their number where the level fits its table, else their hash."""
        x, y, z = sample.unbind(-1)
        count = 2**self.layout.log2_entries
        if side**3 <= count:
            return (x * side + y) * side + z
        return ((x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])) & (count - 1)
