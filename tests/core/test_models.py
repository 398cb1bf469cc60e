"""Files from people: what is wrong is named with the nearest right word; blueprints judge their own marks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.blueprint import Blueprint, Limit
from core.errors import InputError, RecipeError
from core.models import load, parse
from core.part import Part, Region
from core.seeds import child
from tests import shapes

BLUEPRINT = {
    "name": "scratch", "version": 3, "kind": "scratch", "text": "A scratch.",
    "parameters": {"length_mm": {"uniform": [1, 9]}, "width_mm": 0.2, "branching": True, "style": "long"},
    "placement": {"edge_distance_mm": {"min": 1}},
    "limits": {"accept": {"length_mm": {"max": 2}, "width_mm": {"max": 0.3}}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "key", "near"),
    [
        ({"verson": 1}, "'verson'", "'version'"),
        ({"placement": {"edge_distance": 1}}, "'placement.edge_distance'", "'edge_distance_mm'"),
        ({"placement": {"facing": {"directon": [0, 0, 1]}}}, "'placement.facing.directon'", "'direction'"),
        ({"limits": {"accept": {"length_mm": {"maximum": 1}}}}, "maximum", "'max'"),
    ],
)
def test_unknown_keys_name_the_nearest(changed: dict, key: str, near: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse(Blueprint, BLUEPRINT | changed, "x.yaml")
    assert str(caught.value).startswith("x.yaml") and key in str(caught.value) and near in str(caught.value)


def test_a_wrong_value_names_its_key_and_itself() -> None:
    with pytest.raises(RecipeError, match=r"'version' is 'three'.*valid integer"):
        parse(Blueprint, BLUEPRINT | {"version": "three"}, "x.yaml")


def test_models_are_frozen(tmp_path: Path) -> None:
    import yaml
    from pydantic import ValidationError

    (tmp_path / "b.yaml").write_text(yaml.safe_dump(BLUEPRINT))
    blueprint = load(Blueprint, tmp_path / "b.yaml")
    assert blueprint == parse(Blueprint, BLUEPRINT, "x")
    with pytest.raises(ValidationError):
        blueprint.version = 4


def test_a_blueprint_samples_in_the_order_of_names() -> None:
    blueprint = parse(Blueprint, BLUEPRINT, "x")
    drawn = blueprint.sample(child(1, "a"))
    assert list(drawn) == ["branching", "length_mm", "style", "width_mm"]
    assert 1 <= drawn["length_mm"] <= 9 and drawn["width_mm"] == 0.2 and drawn["branching"] is True
    assert drawn == blueprint.sample(child(1, "a"))


def test_a_mark_is_acceptable_only_when_every_limit_holds() -> None:
    blueprint = parse(Blueprint, BLUEPRINT, "x")
    assert blueprint.verdict({"length_mm": 2.0, "width_mm": 0.3}) == "acceptable"
    assert blueprint.verdict({"length_mm": 2.1, "width_mm": 0.3}) == "defect"
    assert blueprint.verdict({"length_mm": 1.0}) == "defect", "a limit on what was not measured does not hold"
    assert parse(Blueprint, BLUEPRINT | {"limits": {}}, "x").verdict({}) == "defect"
    assert Limit(min=1).holds(1) and not Limit(min=1).holds(0.99) and Limit().holds(np.inf)


def test_regions_are_selected_by_pattern_and_removed_by_mark() -> None:
    mesh = shapes.box()
    m = len(mesh.faces)
    masks = {f"face:{i}": np.arange(m) == i for i in range(3)}
    part = Part("p", mesh, "0" * 64, "p.step", regions={n: Region(n, "face", k) for n, k in masks.items()})
    assert part.select().all()
    assert np.flatnonzero(part.select("face:*")).tolist() == [0, 1, 2]
    assert np.flatnonzero(part.select("face:*", "!face:1")).tolist() == [0, 2]
    assert part.select("!face:0").sum() == m - 1
    with pytest.raises(InputError, match=r"region 'fac\?' matches nothing.*face:0"):
        part.select("fac?")
