"""The command line: sentences instead of tracebacks, exit codes, JSON, and no heavy import before it is needed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import trimesh
from typer.testing import CliRunner

from core.record import DatasetSummary
from flawsmith import cli
from flawsmith.finish import finish
from flawsmith.listing import FOLDERS, entries
from flawsmith.progress import speed
from tests.flawsmith import synthetic
from tests.flawsmith.test_recipe import recipe_file

COMMANDS = ("run", "import", "preview", "check", "list", "doctor")
HEAVY = ("bpy", "numpy", "scipy", "cv2", "trimesh", "pydantic", "OpenImageIO")
runner = CliRunner()


def test_help_lists_every_command_and_each_has_help() -> None:
    listed = runner.invoke(cli.app, ["--help"]).output
    for name in COMMANDS:
        assert name in listed
        shown = runner.invoke(cli.app, [name, "--help"])
        assert shown.exit_code == 0 and "Usage" in shown.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['flawsmith', '--help']\n"
        "from flawsmith.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_version() -> None:
    result = runner.invoke(cli.app, ["--version"])
    assert result.exit_code == 0 and result.output.startswith("flawsmith 0.")


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "nowhere.yaml"],
        ["preview", "nowhere.yaml"],
        ["import", "nowhere.step"],
        ["check", "nowhere"],
    ],
)
def test_a_missing_file_is_one_sentence_and_exit_code_2(arguments: list[str]) -> None:
    result = runner.invoke(cli.app, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: nowhere") and result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments", [["list", "stations", "--sheet"], ["import", "cube.stl", "--unit", "mm", "--out"]]
)
def test_a_place_that_cannot_be_written_is_one_sentence(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trimesh.creation.box((10, 10, 10)).export("cube.stl")
    Path("file").write_text("in the way")
    result = runner.invoke(cli.app, [*arguments, "file/under.png"])
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr and "Traceback" not in result.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"cube.stl", "file"}


@pytest.mark.parametrize("name", ["sheet", "sheet.xyz"])
def test_a_picture_of_no_known_format_is_refused_before_it_is_made(tmp_path: Path, name: str) -> None:
    asked = (["list", "stations", "--sheet"], ["preview", str(recipe_file(tmp_path / "r")), "--out"])
    for arguments in asked:
        result = runner.invoke(cli.app, [*arguments, str(tmp_path / name)])
        assert result.exit_code == 2 and "is no name of a picture" in result.stderr
    assert {p.name for p in tmp_path.iterdir()} == {"r"}


def test_a_wrong_recipe_key_reaches_the_user_with_its_brackets(tmp_path: Path) -> None:
    path = recipe_file(tmp_path, size_px=[1, 2])
    result = runner.invoke(cli.app, ["run", str(path)])
    assert result.exit_code == 2 and "[1, 2]" in result.stderr


def test_run_passes_on_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict = {}

    def fake(recipe: object, out: Path, **options: object) -> DatasetSummary:
        seen.update(recipe=recipe, out=out, **options)
        options["progress"](2, 4)  # type: ignore[operator]
        return DatasetSummary(path=str(out), images=4, made=2, kept=2, defects=3, verdicts={"defect": 4}, seconds=10.0)

    monkeypatch.setattr("flawsmith.pipeline.run", fake)
    path = recipe_file(tmp_path)
    arguments = ["run", str(path), "--out", str(tmp_path / "o"), "--images", "4", "--seed", "9", "--device", "cpu"]
    result = runner.invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert (seen["out"], seen["images"], seen["seed"], seen["device"]) == (tmp_path / "o", 4, 9, "cpu")
    assert "4 images (4 defect; 2 made, 2 kept, 0.20 images/s), 3 labels" in result.stdout
    quiet = runner.invoke(cli.app, [*arguments, "--quiet"])
    assert quiet.stdout == "" and quiet.stderr == ""
    value = json.loads(runner.invoke(cli.app, [*arguments, "--json"]).stdout)
    assert (value["images"], value["defects"]) == (4, 3)


def test_an_interruption_is_exit_code_130(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def fake(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("flawsmith.pipeline.run", fake)
    result = runner.invoke(cli.app, ["run", str(recipe_file(tmp_path))])
    assert result.exit_code == 130 and "goes on from what is whole" in result.stderr


def test_a_polite_end_is_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM, as a batch system sends it, in the middle of a run."""

    def fake(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        raise AssertionError("went on")

    monkeypatch.setattr("flawsmith.pipeline.run", fake)
    monkeypatch.setattr(sys, "argv", ["flawsmith", "run", str(recipe_file(tmp_path))])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 130


def test_check_says_what_is_wrong_and_how_it_ends(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 3)
    finish(tmp_path / "d", ("coco",))
    fine = runner.invoke(cli.app, ["check", str(tmp_path / "d")])
    assert fine.exit_code == 0 and "no fault" in fine.stdout
    (tmp_path / "d" / "masks" / "000001.png").unlink()
    broken = runner.invoke(cli.app, ["check", str(tmp_path / "d")])
    assert broken.exit_code == 1 and "masks/000001.png is missing or changed" in broken.stdout
    listed = json.loads(runner.invoke(cli.app, ["check", str(tmp_path / "d"), "--json"]).stdout)
    assert listed == [{"where": "000001", "what": "masks/000001.png is missing or changed"}]


def test_list_names_what_the_library_holds(tmp_path: Path) -> None:
    shown = runner.invoke(cli.app, ["list", "stations"])
    assert shown.exit_code == 0 and "low_angle_dark_field" in shown.stdout
    listed = json.loads(runner.invoke(cli.app, ["list", "blueprints", "--json"]).stdout)
    assert {"name", "version", "kind", "text"} == set(listed[0])
    assert runner.invoke(cli.app, ["list", "stations", "--sheet", str(tmp_path / "s.png")]).exit_code == 0
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert runner.invoke(cli.app, ["list", "spells"]).exit_code == 2


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_every_file_of_the_library_has_a_thumbnail(folder: str) -> None:
    """Made by tools/make_thumbnails.py. A captured finish looks like its part, and has none of its own."""
    missing = [e.name for e in entries(folder) if e.thumbnail is None]
    assert missing == (["as_captured"] if folder == "materials" else [])


def test_import_reports_the_part(tmp_path: Path) -> None:
    import trimesh

    trimesh.creation.box((10, 20, 30)).export(tmp_path / "box.stl")
    without = runner.invoke(cli.app, ["import", str(tmp_path / "box.stl")])
    assert without.exit_code == 2 and "no unit" in without.stderr
    told = runner.invoke(
        cli.app, ["import", str(tmp_path / "box.stl"), "--unit", "mm", "--out", str(tmp_path / "part.json")]
    )
    assert told.exit_code == 0 and "10 x 20 x 30 mm" in told.stdout and "planar" in told.stdout
    assert json.loads((tmp_path / "part.json").read_text())["size_mm"] == [10.0, 20.0, 30.0]


def test_the_speed_line() -> None:
    assert speed(0, 5, 1.0) == ""
    assert speed(4, 12, 20.0) == "0.20 images/s, 1:00 left"
    assert speed(1, 100, 60.0) == "0.02 images/s, 1:40:00 left"
