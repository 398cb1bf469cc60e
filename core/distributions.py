"""Quantities in people's files: a constant or a distribution, always sampled with an explicit generator.

A number may be written as `2.5`, `{uniform: [1, 4]}`, `{log_uniform: [0.1, 2]}`, `{normal: [3, 0.5]}`
(cut at three sigma), `{log_normal: [2.0, 0.4]}` (median, sigma of the logarithm; cut at three sigma),
`{integers: [1, 5]}` (both ends included) or `{choice: [1, 2, 4]}`.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from core.models import FileModel


class Distribution(FileModel):
    """Exactly one of the fields is set. Units are those of the key that holds it."""

    constant: float | None = None
    uniform: tuple[float, float] | None = None
    log_uniform: tuple[float, float] | None = None
    normal: tuple[float, float] | None = None
    log_normal: tuple[float, float] | None = None
    integers: tuple[int, int] | None = None
    choice: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _one_and_ordered(self) -> Distribution:
        given = [n for n in type(self).model_fields if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of {', '.join(type(self).model_fields)}, got {given or 'none'}")
        for name in ("uniform", "log_uniform", "integers"):
            pair = getattr(self, name)
            if pair is not None and pair[0] > pair[1]:
                raise ValueError(f"{name} needs low <= high, got {list(pair)}")
        if self.log_uniform is not None and self.log_uniform[0] <= 0:
            raise ValueError("log_uniform needs positive bounds")
        if self.log_normal is not None and (self.log_normal[0] <= 0 or self.log_normal[1] < 0):
            raise ValueError("log_normal needs a positive median and a sigma >= 0")
        if self.normal is not None and self.normal[1] < 0:
            raise ValueError("normal needs a sigma >= 0")
        if self.choice is not None and not self.choice:
            raise ValueError("choice needs at least one value")
        return self

    def bounds(self) -> tuple[float, float]:
        """The least and greatest value that `sample` can return."""
        if self.constant is not None:
            return self.constant, self.constant
        if self.normal is not None:
            mean, sigma = self.normal
            return mean - 3 * sigma, mean + 3 * sigma
        if self.log_normal is not None:
            median, sigma = self.log_normal
            return median * float(np.exp(-3 * sigma)), median * float(np.exp(3 * sigma))
        if self.choice is not None:
            return min(self.choice), max(self.choice)
        pair = self.uniform or self.log_uniform or self.integers
        assert pair is not None
        return float(pair[0]), float(pair[1])

    def sample(self, rng: np.random.Generator) -> float:
        """One value."""
        low, high = self.bounds()
        if self.constant is not None:
            return self.constant
        if self.uniform is not None:
            return float(rng.uniform(low, high))
        if self.log_uniform is not None:
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))
        if self.normal is not None:
            return float(np.clip(rng.normal(*self.normal), low, high))
        if self.log_normal is not None:
            median, sigma = self.log_normal
            return float(np.clip(median * np.exp(rng.normal(0.0, sigma)), low, high))
        if self.integers is not None:
            return float(rng.integers(self.integers[0], self.integers[1], endpoint=True))
        assert self.choice is not None
        return float(self.choice[int(rng.integers(len(self.choice)))])


def _from_number(value: Any) -> Any:
    return {"constant": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Quantity = Annotated[Distribution, BeforeValidator(_from_number), Field(description="number or distribution")]


def refuse_below(least: float, **quantities: Distribution | None) -> None:
    """ValueError that names the first quantity which can be drawn below `least`. None: not given."""
    for name, quantity in quantities.items():
        if quantity is not None and quantity.bounds()[0] < least:
            raise ValueError(f"{name} of at least {least:g}, got {quantity.bounds()[0]:g}")


def refuse_zero(**quantities: Distribution | None) -> None:
    """ValueError that names the first quantity which can be drawn as zero or less. None: not given."""
    for name, quantity in quantities.items():
        if quantity is not None and quantity.bounds()[0] <= 0:
            raise ValueError(f"{name} above 0, got {quantity.bounds()[0]:g}")


def constant(value: float) -> Distribution:
    return Distribution(constant=value)
