"""Flawsmith: labelled defect images of industrial parts. `from flawsmith import run, Recipe`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flawsmith.pipeline import run
    from flawsmith.recipe import Recipe

__all__ = ["Recipe", "run"]


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used, so that `flawsmith --help` stays quick."""
    if name == "Recipe":
        from flawsmith.recipe import Recipe

        return Recipe
    if name == "run":
        from flawsmith.pipeline import run

        return run
    raise AttributeError(f"module 'flawsmith' has no attribute '{name}'")
