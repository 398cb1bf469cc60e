"""Quantities: what is written is what is drawn, and wrong ones are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy import stats

from core.distributions import Distribution, Quantity, constant
from core.models import FileModel
from core.seeds import child


class Holder(FileModel):
    width_mm: Quantity


def draws(n: int = 4000, **spec: object) -> np.ndarray:
    distribution = Distribution.model_validate(spec)
    rng = child(1, "draws", str(sorted(spec)))
    return np.array([distribution.sample(rng) for _ in range(n)])


def test_a_plain_number_is_a_constant() -> None:
    assert Holder(width_mm=2).width_mm == constant(2.0)  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Holder(width_mm=True)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spec", "law"),
    [
        ({"uniform": (1, 4)}, stats.uniform(1, 3)),
        ({"log_uniform": (0.1, 2)}, stats.loguniform(0.1, 2)),
        ({"normal": (3, 0.5)}, stats.norm(3, 0.5)),
        ({"log_normal": (2.0, 0.4)}, stats.lognorm(0.4, scale=2.0)),
    ],
)
def test_samples_follow_the_law(spec: dict, law: object) -> None:
    """Kolmogorov-Smirnov at 4000 draws; the cut at three sigma moves 0.3 % of the mass."""
    assert stats.kstest(draws(**spec), law.cdf).pvalue > 1e-3  # type: ignore[attr-defined]


@given(
    st.sampled_from(["uniform", "log_uniform", "normal", "log_normal", "integers", "choice"]),
    st.integers(1, 50), st.integers(0, 50), st.integers(0, 1000),
)  # fmt: skip
def test_samples_stay_inside_the_bounds(name: str, low: int, more: int, seed: int) -> None:
    values = (low, more / 25) if name.endswith("normal") else (low, low + more)
    distribution = Distribution.model_validate({name: values})
    least, most = distribution.bounds()
    rng = child(seed, "bounds")
    for _ in range(20):
        value = distribution.sample(rng)
        assert least - 1e-12 <= value <= most + 1e-9 * abs(most)
        assert name != "integers" or value == int(value)


def test_both_ends_of_integers_and_every_choice_are_drawn() -> None:
    assert set(draws(200, integers=(1, 3))) == {1.0, 2.0, 3.0}
    assert set(draws(200, choice=(1, 5, 9))) == {1.0, 5.0, 9.0}


@pytest.mark.parametrize(
    "spec",
    [
        {}, {"uniform": (1, 2), "constant": 1}, {"uniform": (2, 1)}, {"log_uniform": (0, 1)}, {"normal": (0, -1)},
        {"log_normal": (-1, 1)}, {"choice": ()}, {"unifrom": (1, 2)}, {"constant": float("nan")},
        {"constant": float("inf")},
    ],
)  # fmt: skip
def test_wrong_ones_are_refused(spec: dict) -> None:
    with pytest.raises(ValidationError):
        Distribution.model_validate(spec)
