"""Base of every model read from a person's file: frozen, strict about keys, errors in one sentence."""

from __future__ import annotations

import difflib
import types
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import RecipeError
from core.files import read_yaml

M = TypeVar("M", bound="FileModel")
NAMES = {dict: "mapping", list: "list", tuple: "list", str: "long text"}


class FileModel(BaseModel):
    """A frozen value with no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def parse(model: type[M], data: dict[str, Any], origin: str) -> M:
    """Validate `data` from `origin` (a file name for the message). RecipeError names the key and the nearest known."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _sentence(model, error, origin) from error


def load(model: type[M], path: Path) -> M:
    """Read and validate one YAML file."""
    return parse(model, read_yaml(path), str(path))


def _sentence(model: type[BaseModel], error: ValidationError, origin: str) -> RecipeError:
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")  # a misspelt key explains a missing one
    where = ".".join(p for p in map(str, first["loc"]) if not p.startswith("function-"))  # pydantic's own words
    if first["type"] == "extra_forbidden":
        key, known = str(first["loc"][-1]), _known_keys(model, first["loc"][:-1])
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
        listed = ", ".join(sorted(known)) or "no keys here"
        do = f"did you mean '{near[0]}'?" if near else "remove it"
        return RecipeError(f"{origin}: unknown key '{where}'", f"one of {listed}", do.rstrip("?"))
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "missing":
        return RecipeError(f"{origin}: the key '{where}' is missing{more}", "a value for it", f"add '{where}'")
    if first["type"] == "union_tag_invalid" and "ctx" in first:
        given, known = first["ctx"]["tag"], first["ctx"]["expected_tags"]
        near = difflib.get_close_matches(given, known.replace("'", "").split(", "), n=1, cutoff=0.0)
        return RecipeError(f"{origin}: '{where}' is '{given}'{more}", f"one of {known}", f"did you mean '{near[0]}'")
    wanted = (
        first["msg"].removeprefix("Value error, ").removeprefix("Input should be ").removeprefix("Value should have ")
    )
    wanted = wanted.replace("a valid tuple", "a list").replace("a valid dictionary", "a mapping")
    if not where:
        return RecipeError(f"{origin} contradicts itself{more}", f"what makes sense together ({wanted})", "correct it")
    return RecipeError(f"{origin}: '{where}' is {_shown(first.get('input'))}{more}", wanted, f"correct '{where}'")


def _shown(given: Any) -> str:
    """A plain value as it was written; of anything longer, what sort of thing it is."""
    plain = given is None or isinstance(given, str | int | float)
    return repr(given) if plain and len(repr(given)) < 80 else f"a {NAMES.get(type(given), type(given).__name__)}"


def _known_keys(model: Any, loc: tuple[int | str, ...]) -> list[str]:
    """The field names of the model reached by walking `loc` from `model`; unions contribute all members."""
    candidates = [model]
    for step in loc:
        following: list[Any] = []
        for candidate in candidates:
            for kind in _models(candidate):
                if isinstance(step, str) and step in kind.model_fields:
                    following.append(kind.model_fields[step].annotation)
            if get_origin(candidate) in (list, tuple, dict):
                following.extend(get_args(candidate)[-1:] if get_origin(candidate) is dict else get_args(candidate))
        candidates = following or candidates
    return list(dict.fromkeys(name for c in candidates for kind in _models(c) for name in kind.model_fields))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType) or get_origin(annotation) is not None:
        if get_origin(annotation) in (list, tuple, dict):
            return []
        return [m for a in get_args(annotation) for m in _models(a)]
    return []
