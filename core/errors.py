"""The one tree of errors that cross a boundary. Each says what was given, what was expected, what to do."""

from __future__ import annotations


class FlawsmithError(Exception):
    """Base of every error that a user can cause; the command line prints it and exits with 2."""

    exit_code = 2

    def __init__(self, given: str, expected: str, do: str) -> None:
        self.given, self.expected, self.do = given, expected, do
        super().__init__(f"{given}: expected {expected}; {do}.")


class InputError(FlawsmithError):
    """A file or value from a user cannot be used."""


class UnitError(InputError):
    """A length has no unit, or one that cannot be right."""


class GeometryError(InputError):
    """A mesh or solid is not usable for what was asked."""


class RecipeError(InputError):
    """A recipe, blueprint, station or material file is wrong."""


class PlacementError(FlawsmithError):
    """No site on the part satisfies the constraints of a blueprint."""


class RenderError(FlawsmithError):
    """The renderer died or produced something that must not be shipped."""


class NothingVisible(RenderError):
    """What was made is whole but does not show what it must: another draw may."""


class DatasetError(FlawsmithError):
    """A dataset on disk is inconsistent, incomplete or cannot be written."""
