"""Gradient descent as every solver here does it: some views a step, in a shuffled order that comes round to each; a
step that is no number is skipped and counted; a deadline can only end it early."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from core.errors import GeometryError

SKIPPED_LIMIT = 0.01


class Diverged(GeometryError):
    """Too many steps of a fit had a loss or gradient that is no number."""


@dataclass(eq=False)
class Tally:
    """Steps done, steps skipped because loss or gradient was not finite, and whether a deadline came before the end."""

    steps: int = 0
    skipped: int = 0
    stopped_early: bool = False

    def refuse_skipped(self, advice: str) -> None:
        """Diverged when more than 1 % of the steps were skipped."""
        if self.skipped > SKIPPED_LIMIT * max(self.steps, 1):
            raise Diverged(
                f"{self.skipped} of {self.steps + self.skipped} steps were not finite", f"at most {SKIPPED_LIMIT:.0%}",
                advice,
            )  # fmt: skip


@dataclass(eq=False)
class Descent:
    """shape: optimisers of what stands still for the first steps. rest: the others. views, per_step: how many there
    are, and how many a step sees. deadline: time.monotonic() at which it ends; None: never."""

    shape: Sequence[torch.optim.Optimizer]
    rest: Sequence[torch.optim.Optimizer]
    views: int
    per_step: int
    rng: np.random.Generator
    tally: Tally
    deadline: float | None = None

    def __post_init__(self) -> None:
        self._order: list[int] = []

    def rounds(self, steps: range) -> Iterator[tuple[int, list[int]]]:
        """Step after step with the views that it sees."""
        for step in steps:
            if self.deadline is not None and time.monotonic() > self.deadline:
                self.tally.stopped_early = True
                return
            while len(self._order) < self.per_step:
                self._order += [int(i) for i in self.rng.permutation(self.views)]
            chosen, self._order = self._order[: self.per_step], self._order[self.per_step :]
            yield step, chosen

    def down(self, total: torch.Tensor, moving: bool = True) -> bool:
        """One step down `total` (); False where it was skipped. moving: whether the shape takes it, too."""
        every = [*self.shape, *self.rest]
        for optimiser in every:
            optimiser.zero_grad()
        total.backward()
        gradients = [p.grad for o in every for g in o.param_groups for p in g["params"] if p.grad is not None]
        if not (bool(torch.isfinite(total)) and all(bool(torch.isfinite(g).all()) for g in gradients)):
            self.tally.skipped += 1
            return False
        for optimiser in every if moving else self.rest:
            optimiser.step()
        self.tally.steps += 1
        return True
