"""A folder of blueprints, checked against the kinds they name before anything is sampled."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from core.blueprint import Blueprint
from core.distributions import Distribution
from core.errors import InputError, RecipeError
from core.models import load
from defects.procedural.kind import Kind
from defects.procedural.kinds import KINDS

PLACES = {"chip": "edge", "burr": "edge", "missing_feature": "feature"}
"""Kinds that need one sort of place; every other kind marks a face."""

MEASURED = ("length_mm", "width_mm", "depth_mm", "label_area_mm2", "volume_mm3", "attempts")
"""Sizes that are measured on finished marks, see docs/kinds-solid.md."""


def load_catalogue(folder: Path) -> Mapping[str, Blueprint]:
    """Every `*.yaml` of `folder`, by blueprint name, sorted. InputError or RecipeError, one sentence each."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "a folder of blueprints (*.yaml)", "check the path")
    found: dict[str, Blueprint] = {}
    origins: dict[str, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        blueprint = load(Blueprint, path)
        check(blueprint, str(path))
        if blueprint.name in found:
            raise RecipeError(
                f"{path} defines '{blueprint.name}' again",
                f"one file for each name (the other is {origins[blueprint.name]})",
                "rename one of them",
            )
        found[blueprint.name], origins[blueprint.name] = blueprint, path.name
    if not found:
        raise InputError(f"{folder} holds no blueprint", "at least one *.yaml file", "check the path")
    return dict(sorted(found.items()))


def check(blueprint: Blueprint, origin: str) -> Kind:
    """The blueprint's kind, after its parameters have been tried on it. RecipeError says what does not fit."""
    kind = KINDS.get(blueprint.kind)
    if kind is None:
        near = difflib.get_close_matches(blueprint.kind, KINDS, n=1, cutoff=0.0)
        raise RecipeError(
            f"{origin}: unknown kind '{blueprint.kind}'", f"one of {', '.join(KINDS)}", f"did you mean '{near[0]}'"
        )
    place = PLACES.get(kind.name, "face")
    if blueprint.placement.on != place:
        raise RecipeError(
            f"{origin}: kind '{kind.name}' with placement 'on: {blueprint.placement.on}'",
            f"'on: {place}'",
            "correct placement.on",
        )
    _types(blueprint, kind, origin)
    _limits(blueprint, kind, origin)
    for end in (0, 1):
        params = _params(blueprint, kind, end, origin)
        if not kind.reach_mm(params) > 0:
            raise RecipeError(f"{origin}: reach of {kind.reach_mm(params)} mm", "sizes above 0", "correct parameters")
    return kind


def _limits(blueprint: Blueprint, kind: Kind, origin: str) -> None:
    """Limits judge a parameter or a measured size: a misspelt one would pass, or fail, every mark."""
    known = [*(f.name for f in fields(kind.params)), *MEASURED]
    for key in (*blueprint.limits.accept, *blueprint.limits.reject):
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise RecipeError(
                f"{origin}: a limit for '{key}', which kind '{kind.name}' does not have",
                f"one of {', '.join(dict.fromkeys(known))}",
                f"did you mean '{near[0]}'",
            )


def _params(blueprint: Blueprint, kind: Kind, end: int, origin: str) -> Any:
    """The kind's parameters at the low (0) or high (1) end of every range."""
    values = {k: v.bounds()[end] if isinstance(v, Distribution) else v for k, v in blueprint.parameters.items()}
    try:
        return kind.parameters(values, origin)
    except RecipeError as error:
        if origin in error.given:
            raise
        raise RecipeError(f"{origin}: {error.given}", error.expected, error.do) from error


def _types(blueprint: Blueprint, kind: Kind, origin: str) -> None:
    """Numbers where the kind takes numbers, words where it takes words."""
    defaults = {f.name: f.default for f in fields(kind.params)}
    for key, value in blueprint.parameters.items():
        if key not in defaults:
            near = difflib.get_close_matches(key, defaults, n=1, cutoff=0.0)
            raise RecipeError(
                f"{origin}: kind '{kind.name}' has no parameter '{key}'",
                f"one of {', '.join(defaults)}",
                f"did you mean '{near[0]}'",
            )
        wanted = type(defaults[key])
        number = isinstance(value, Distribution)
        fits = isinstance(value, wanted) if wanted in (str, bool) else number
        if not fits:
            expected = {str: "a word", bool: "true or false"}.get(wanted, "a number or distribution")
            raise RecipeError(f"{origin}: '{key}' is {value!r}", expected, f"correct '{key}'")
