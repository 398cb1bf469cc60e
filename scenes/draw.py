"""Draws from a file's quantities, and a note of every value drawn, in file units, for the manifest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.distributions import Distribution


@dataclass
class Draw:
    """Samples quantities with one generator and keeps what it drew under dotted names (`lamp.ring.distance_mm`)."""

    rng: np.random.Generator
    sampled: dict[str, Any] = field(default_factory=dict)

    def __call__(self, name: str, quantity: Distribution) -> float:
        value = quantity.sample(self.rng)
        self.sampled[name] = round(value, 9)
        return value

    def one_of(self, name: str, values: tuple[Any, ...]) -> Any:
        """One of `values`, each as likely; a single value costs no draw."""
        value = values[0] if len(values) == 1 else values[int(self.rng.integers(len(values)))]
        self.sampled[name] = value
        return value

    def note(self, name: str, value: Any) -> None:
        """Record a derived value (already in file units)."""
        self.sampled[name] = round(float(value), 9) if isinstance(value, float | np.floating) else value
