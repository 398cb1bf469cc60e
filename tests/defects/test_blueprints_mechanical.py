"""Mechanical kinds: determinism, every blueprint by sampling, and what the documentation says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mechanical_cases import (
    BARE,
    NAMES,
    blueprints,
    check,
    documented,
    own_paths,
    painted,
    rng,
)

from core.blueprint import Blueprint
from core.distributions import Distribution
from core.errors import RecipeError
from core.seeds import child
from defects.procedural.kind import MM
from defects.procedural.kinds import KINDS


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_arrays_and_another_seed_others(name: str) -> None:
    kind = KINDS[name]
    assert kind.paint is not None
    one, two, other = (kind.paint(kind.params(), BARE, rng(name, s)) for s in (1, 1, 2))
    assert np.array_equal(one.textures(), two.textures())
    assert one.origin_m == two.origin_m
    assert one.shape != other.shape or not np.array_equal(one.textures(), other.textures())


@pytest.mark.parametrize("name", NAMES)
def test_defaults_hold_together_on_bare_and_coated_ground(name: str) -> None:
    kind = KINDS[name]
    assert kind.paint is not None
    for ground in (BARE, painted(12)):
        check(kind.paint(kind.params(), ground, rng(name)), kind.reach_mm(kind.params()) * MM)


def test_every_kind_has_a_blueprint() -> None:
    assert {b.kind for b in blueprints()} == set(NAMES)
    assert all(b.name == path.stem for b, path in zip(blueprints(), own_paths(), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("blueprint", blueprints(), ids=lambda b: b.name)
def test_every_sample_of_every_blueprint_is_whole(blueprint: Blueprint) -> None:
    kind = KINDS[blueprint.kind]
    assert kind.paint is not None
    for seed in range(30):
        params = kind.parameters(blueprint.sample(child(seed, "values")), blueprint.name)
        ground = painted(25) if seed % 2 else BARE
        check(kind.paint(params, ground, child(seed, "paint")), kind.reach_mm(params) * MM)


def numbers(kind: str) -> st.SearchStrategy[dict[str, float]]:
    """Parameters anywhere within the bounds that the blueprints of a kind use, independently of each other."""
    bounds: dict[str, list[float]] = {}
    for blueprint in blueprints():
        for name, value in blueprint.parameters.items() if blueprint.kind == kind else ():
            if isinstance(value, Distribution):
                bounds.setdefault(name, []).extend(value.bounds())
    return st.fixed_dictionaries({n: st.floats(min(b), max(b)) for n, b in bounds.items()})


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_parameters_may_be_combined_freely(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    params = kind.parameters(data.draw(numbers(name)), name)
    assert kind.paint is not None
    try:
        layers = kind.paint(params, BARE, rng(name))
    except RecipeError as error:  # the length of one blueprint may meet the width of another: refused, and rightly
        assert "details of at least" in str(error)
        assume(False)
    check(layers, kind.reach_mm(params) * MM)


@pytest.mark.parametrize("blueprint", [b for b in blueprints() if b.limits.accept], ids=lambda b: b.name)
def test_accept_limits_split_the_samples(blueprint: Blueprint) -> None:
    verdicts = {blueprint.verdict(blueprint.sample(child(s, "values"))) for s in range(400)}
    assert verdicts == {"defect", "acceptable"}


def test_a_crack_is_never_acceptable() -> None:
    for blueprint in blueprints():
        if blueprint.kind == "crack":
            assert blueprint.severity == "critical"
            assert not blueprint.limits.accept


@pytest.mark.parametrize("name", NAMES)
def test_the_documentation_names_every_parameter_default_and_range(name: str) -> None:
    params = KINDS[name].params
    table = documented(name)
    assert {k: d for k, (d, _) in table.items()} == {f.name: str(f.default) for f in fields(params)}
    for key, (_, span) in table.items():
        if " to " not in span:
            continue
        low, high = map(float, span.split(" to "))
        for inside in (low, high):
            params(**{key: inside})
        for outside in (low - 1, high + 1):
            with pytest.raises(RecipeError):
                params(**{key: outside})
