"""Surface kinds: the table, every blueprint by sampling, and what the documentation says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from surface_cases import (
    BLUEPRINTS,
    MM,
    MODULES,
    assert_sound,
    documented,
    ground_for,
)

from core.errors import RecipeError
from core.seeds import child
from defects.procedural.kinds import (
    KINDS,
)


def test_every_kind_is_in_the_table_and_has_blueprints() -> None:
    for name, module in MODULES.items():
        assert KINDS[name] is module.KIND and module.KIND.name == name
        assert any(b.kind == name for b in BLUEPRINTS.values())
    assert all(b.name == stem for stem, b in BLUEPRINTS.items())
    assert list(KINDS) == sorted(KINDS)
    used = {str(b.parameters["form"]) for b in BLUEPRINTS.values() if "form" in b.parameters}
    assert used >= {f for m in MODULES.values() for f in getattr(m, "FORMS", ())}


@pytest.mark.parametrize("name", sorted(BLUEPRINTS))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_blueprint_gives_sound_layers(name: str, seed: int) -> None:
    blueprint = BLUEPRINTS[name]
    kind = KINDS[blueprint.kind]
    params = kind.parameters(blueprint.sample(child(seed, "parameters")), name)
    assert kind.paint is not None
    layers = kind.paint(params, ground_for(blueprint.kind), child(seed, "paint"))
    assert_sound(layers, kind.reach_mm(params) * MM)
    assert layers.sdf_m.size < 1_000_000


@pytest.mark.parametrize("name", sorted(BLUEPRINTS))
def test_same_seed_same_arrays(name: str) -> None:
    blueprint = BLUEPRINTS[name]
    kind = KINDS[blueprint.kind]
    params = kind.parameters(blueprint.sample(child(3, "parameters")), name)
    assert kind.paint is not None
    first, again, other = (kind.paint(params, ground_for(kind.name), child(s, "paint")) for s in (5, 5, 6))
    assert np.array_equal(first.textures(), again.textures()) and first.origin_m == again.origin_m
    assert first.shape != other.shape or not np.array_equal(first.textures(), other.textures())


def test_accept_limits_name_parameters() -> None:
    for blueprint in BLUEPRINTS.values():
        assert set(blueprint.limits.accept) <= set(blueprint.parameters), blueprint.name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_documentation_names_every_parameter_default_and_range(name: str) -> None:
    params, table = KINDS[name].params, documented(name)
    assert {k: d for k, (d, _) in table.items()} == {f.name: str(f.default) for f in fields(params)}
    for key, (_, span) in table.items():
        if " to " not in span:
            with pytest.raises(RecipeError, match="did you mean"):
                params(**{key: "nonsense"})
            continue
        low, high = map(float, span.split(" to "))
        for outside in (low - 1, high + 1):
            with pytest.raises(RecipeError, match=key):
                params(**{key: outside})


@pytest.mark.parametrize("name", sorted(MODULES))
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_parameters_may_be_combined_freely(name: str, data: st.DataObject) -> None:
    """Anything inside the ranges, in any combination, gives sound layers or is refused with a reason."""
    kind, values = KINDS[name], {}
    named = {"form": "FORMS", "process": "PROCESSES", "content": "CONTENTS"}
    for key, (_, span) in documented(name).items():
        if " to " not in span:
            values[key] = data.draw(st.sampled_from(getattr(MODULES[name], named[key])))
        elif data.draw(st.booleans()):
            low, high = map(float, span.split(" to "))
            values[key] = low + (high - low) * data.draw(st.floats(0, 1)) ** 2
    seed = data.draw(st.integers(0, 99))
    assert kind.paint is not None
    try:
        params = kind.parameters(values, name)
        layers = kind.paint(params, ground_for(name), child(seed, "paint"))
    except RecipeError:
        return
    assert_sound(layers, kind.reach_mm(params) * MM)
