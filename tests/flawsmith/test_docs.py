"""What the pages show is true: recipes parse, commands exist, every field of the manifest is explained."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from core.record import DatasetHeader, DefectRecord, ImageRecord
from flawsmith import cli
from flawsmith.recipe import Recipe
from flawsmith.resolve import library_names

DOCS = Path(__file__).resolve().parents[2] / "docs"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", blocks("recipe.md", "yaml"))
def test_recipes_in_the_docs_parse_and_name_what_ships(text: str) -> None:
    recipe = Recipe.model_validate(yaml.safe_load(text))
    named = {
        "materials": recipe.material, "stations": recipe.station, "cameras": recipe.camera,
        "backdrops": recipe.backdrop, "blueprints": tuple(b.name for b in recipe.blueprints),
    }  # fmt: skip
    for folder, names in named.items():
        assert set(names) <= set(library_names(folder)), folder


def test_the_table_of_keys_is_complete_and_its_defaults_are_right() -> None:
    text = (DOCS / "recipe.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", text, re.MULTILINE))
    assert set(rows) == set(Recipe.model_fields)
    for key, shown in rows.items():
        default = Recipe.model_fields[key]
        assert (shown == "needed") == default.is_required(), key
        if shown.lower() in ("true", "false") or re.fullmatch(r"-?\d+", shown):
            value = getattr(default.default, "constant", default.default)
            value = value[0] if isinstance(value, tuple) else value
            assert float(value) == float(yaml.safe_load(shown)), key


@pytest.mark.parametrize("model", [ImageRecord, DefectRecord, DatasetHeader])
def test_every_field_of_the_manifest_is_explained(model: type) -> None:
    text = (DOCS / "dataset-format.md").read_text(encoding="utf-8")
    missing = [n for n in model.model_fields if f"`{n}`" not in text]  # type: ignore[attr-defined]
    assert not missing


COMMANDS = [line for block in blocks("cli.md", "sh") for line in block.splitlines() if line.startswith("flawsmith")]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_in_the_docs_exist_with_their_options(line: str) -> None:
    result = CliRunner().invoke(cli.app, [*shlex.split(line)[1:], "--help"])
    assert result.exit_code == 0, result.output


def test_every_command_and_option_is_in_the_docs() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name in ("run", "preview", "import", "check", "list", "doctor"):
        section = re.search(rf"^## {name}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
        assert section, name
        shown = CliRunner().invoke(cli.app, [name, "--help"]).output
        for option in set(re.findall(r"(--[a-z][a-z-]+)", shown)) - {"--help", "--quiet", "--json", "--device"}:
            assert option in text, (name, option)
