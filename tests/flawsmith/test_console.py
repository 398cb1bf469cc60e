"""What a user wrote comes out as it was written."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from core.errors import InputError
from flawsmith import cli
from flawsmith.console import plain

NAMES = (
    r"a\[/bold]x.png", r"a\\[bold]x.png", "[/]", "x[red", "[link=a]b[/link]", "folder\\", r"a\[1].png", "a[\nb]",
    "a:smile:.png", "[@click=f]b", "{a}",
)  # fmt: skip


def printed(*shown: object) -> str:
    console = Console(file=io.StringIO(), highlight=False, width=200)
    console.print(*shown, soft_wrap=True)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_it_is(name: str) -> None:
    assert printed(plain(name)) == name + "\n"
    assert printed(plain(name, "red"), plain("told")) == f"{name} told\n", "a backslash swallows no closing tag"


@given(st.text("a/[]\\:@#= .\n", max_size=12).filter(lambda t: t == t.rstrip()))
def test_any_text_is_printed_as_it_is(text: str) -> None:
    assert printed(plain(text)) == text + "\n"


@pytest.mark.parametrize("name", [r"a\[/bold]x.png", "[/]", "folder\\"])
def test_a_cell_holds_a_name_as_it_is(name: str) -> None:
    table = Table(box=None)
    table.add_row(plain(name))
    assert name in printed(table)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_names_a_file_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise InputError(f"{name} does not exist", "a photograph", "restore it")

    monkeypatch.setattr("flawsmith.check.check", broken)
    done = CliRunner().invoke(cli.app, ["check", "somewhere"])
    assert done.exit_code == 2
    assert done.stderr == f"error: {name} does not exist: expected a photograph; restore it.\n"


def test_a_fault_names_a_file_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from flawsmith.check import Fault

    monkeypatch.setattr("flawsmith.check.check", lambda *_: [Fault("images\\", r"a\[/bold]x.png is missing")])
    done = CliRunner().invoke(cli.app, ["check", "somewhere"])
    assert done.stdout.splitlines()[0] == r"images\ a\[/bold]x.png is missing"
