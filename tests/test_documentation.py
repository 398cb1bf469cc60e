"""What the pages and examples show is true: links lead somewhere, commands parse, recipes resolve, tables are whole."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from core.blueprint import Blueprint, Limits, Placement
from core.files import read_yaml
from core.models import FileModel, load, parse
from core.record import DatasetHeader
from defects.procedural.catalogue import PLACES, check
from defects.procedural.kinds import KINDS
from flawsmith import cli
from flawsmith.recipe import Recipe
from flawsmith.resolve import library_names, resolve
from scenes import library

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
RECIPES = sorted((ROOT / "examples").glob("*.yaml"))
FROM_PHOTOGRAPHS = sorted((ROOT / "examples" / "captures").glob("*.yaml"))
OURS = ("core", "parts", "recon", "defects", "scenes", "render", "flawsmith")


def label(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(language: str, *pages: Path) -> list[tuple[str, str]]:
    """(page, content) of every fenced block whose first line is exactly ```language."""
    fence = re.compile(rf"^```{re.escape(language)}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [(label(p), b) for p in pages or PAGES for b in fence.findall(p.read_text(encoding="utf-8"))]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


def rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the table under a heading of a page, without its head."""
    section = re.search(rf"^##+ {re.escape(heading)}$(.*?)(?=^##|\Z)", text_of(page), re.MULTILINE | re.DOTALL)
    assert section, f"{page} has no heading '{heading}'"
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def words(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


LINKS = [(label(p), link) for p in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", prose(p))]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_links_lead_somewhere(page: str, link: str) -> None:
    if link.startswith(("https://", "http://")):
        return
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page
    assert target.resolve().is_relative_to(ROOT), f"{link} leaves the repository"
    assert target.exists(), f"{page} links to {link}"
    if anchor:
        assert anchor in anchors(target), f"{page} links to {link}"


def test_every_page_can_be_reached_from_the_front_page() -> None:
    found, todo = {ROOT / "README.md"}, [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        for owner, link in LINKS:
            target = ((ROOT / owner).parent / link.partition("#")[0]).resolve()
            if ROOT / owner == page and target.suffix == ".md" and target not in found and target.is_file():
                found.add(target)
                todo.append(target)
    assert {label(p) for p in PAGES} == {label(p) for p in found}


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_pages_name_no_path_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", page.read_text(encoding="utf-8"))


COMMANDS = [
    (page, line.split(" #")[0].strip())
    for page, block in blocks("sh")
    for line in block.splitlines()
    if line.strip() and not line.lstrip().startswith("#")
]


def test_there_are_commands() -> None:
    assert {"README.md", "examples/README.md", "docs/cli.md"} <= {page for page, _ in COMMANDS}


COMMAND_LINE: Any = typer.main.get_command(cli.app)
UsageError = typer.BadParameter.__bases__[0]


def run_line(line: str) -> None:
    """Parse a command line as the shell and the command would, without running it."""
    program, *arguments = shlex.split(line)
    if program == "make":
        targets = re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif Path(program).name == "python":
        assert (ROOT / arguments[0]).is_file()
    else:
        assert Path(program).name == "flawsmith", program
        name, *rest = arguments
        COMMAND_LINE.commands[name].make_context(name, rest)
    for argument in arguments:
        if argument.startswith("examples/"):
            assert (ROOT / argument).exists(), argument


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_commands_parse(page: str, line: str) -> None:
    run_line(line)


WRONG = ["flawsmith run examples/demo.yaml --imagse 3", "flawsmith rnu examples/demo.yaml", "make dmeo", "python no.py"]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, KeyError, UsageError)):
        run_line(line)


PYTHON = blocks("python")


@pytest.mark.parametrize(("page", "code"), PYTHON)
def test_python_compiles_and_imports_what_exists(page: str, code: str) -> None:
    tree = ast.parse(code, page)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                assert importlib.util.find_spec(alias.name) is not None, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            if node.module.startswith("render.blender"):  # needs bpy, which stays out of this process
                folder = ROOT / node.module.replace(".", "/")
                assert all((folder / f"{a.name}.py").is_file() for a in node.names)
                continue
            module = importlib.import_module(node.module)
            missing = [a.name for a in node.names if not hasattr(module, a.name)]
            assert not missing, f"{node.module} has no {missing}"


def runnable(page: str) -> list[str]:
    return [code for owner, code in PYTHON if owner == page]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder to write in where `examples/` is at hand."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def execute(code: str, folder: Path) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.render
def test_the_scene_of_an_image_opens_in_blender(elsewhere: Path) -> None:
    job, scene, _ = runnable("docs/render.md")
    execute(job, elsewhere)
    execute(scene, elsewhere)
    path = str(elsewhere / "scene.blend")
    look = f"import bpy; bpy.ops.wm.open_mainfile(filepath={path!r}); s = bpy.data.scenes['fs_beauty']\n"
    found = execute(look + "print('FOUND', s.camera.name, sorted(o.name for o in s.objects))", elsewhere)
    assert "FOUND fs_camera" in found and "fs_clean" in found and "fs_label" not in found.split("FOUND")[1]


@pytest.mark.parametrize(("page", "text"), blocks("yaml recipe"))
def test_recipes_in_the_docs_name_what_ships(page: str, text: str) -> None:
    recipe = parse(Recipe, yaml.safe_load(text), page)
    named = {
        "materials": recipe.material, "stations": recipe.station, "cameras": recipe.camera,
        "backdrops": recipe.backdrop, "blueprints": tuple(b.name for b in recipe.blueprints),
    }  # fmt: skip
    for folder, names in named.items():
        assert set(names) <= set(library_names(folder)), folder


@pytest.mark.parametrize(("page", "text"), blocks("yaml blueprint"))
def test_blueprints_in_the_docs_fit_their_kinds(page: str, text: str) -> None:
    check(parse(Blueprint, yaml.safe_load(text), page), page)


@pytest.mark.parametrize(("page", "text"), blocks("yaml"))
def test_all_yaml_is_yaml(page: str, text: str) -> None:
    assert isinstance(yaml.safe_load(text), dict)


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_examples_resolve_and_their_blueprints_fit(path: Path) -> None:
    recipe = Recipe.load(path)
    resolved = resolve(recipe, KINDS.__getitem__)
    for entry in resolved.blueprints:
        kind = check(entry.blueprint, str(path))
        fine = [m for m in resolved.materials if kind.lacks is None or _carries(entry.blueprint, m)]
        assert fine, f"{entry.blueprint.name} cannot exist on any material of {path.name}"
    assert recipe.name and len(resolved.sha256) == 64


def _carries(blueprint: Blueprint, material) -> bool:
    kind = KINDS[blueprint.kind]
    values = {k: v.bounds()[0] if hasattr(v, "bounds") else v for k, v in blueprint.parameters.items()}
    assert kind.lacks is not None
    return kind.lacks(kind.parameters(values, blueprint.name), material) is None


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.name)
def test_regions_of_the_examples_exist_and_hold_a_site(path: Path, housing, shaft) -> None:
    recipe = Recipe.load(path)
    part = {"bearing_housing.step": housing, "stepped_shaft.step": shaft}[Path(recipe.part.path).name]
    allowed = part.select(*recipe.part.regions)
    for entry in resolve(recipe, KINDS.__getitem__).blueprints:
        both = allowed & part.select(*entry.blueprint.placement.regions)
        assert both.any(), f"{entry.blueprint.name} and {recipe.part.regions} have no face in common"


def test_the_demo_is_what_the_front_page_says() -> None:
    demo = resolve(Recipe.load(ROOT / "examples" / "demo.yaml"))
    assert demo.recipe.images >= 24 and demo.recipe.size_px == (384, 384)
    assert len({b.blueprint.kind for b in demo.blueprints}) >= 4
    assert len(demo.stations) == 4
    assert f"{demo.recipe.images} labelled images" in text_of("README.md")
    assert "fifteen more kinds" in text_of("README.md") and len(KINDS) == 4 + 15


def test_every_example_is_listed() -> None:
    listed = set(re.findall(r"\]\(([\w/]+\.\w+)\)", text_of("examples/README.md")))
    assert {p.name for p in (ROOT / "examples").iterdir() if p.suffix in (".yaml", ".py")} <= listed
    named = {b.name for p in RECIPES for b in Recipe.load(p).blueprints}
    own = {f"blueprints/{p.name}" for p in (ROOT / "examples" / "blueprints").iterdir()}
    assert own <= named, "a blueprint that no example uses"


@pytest.mark.parametrize(("heading", "model"), [("Keys", Blueprint), ("placement", Placement), ("limits", Limits)])
def test_the_blueprint_reference_is_complete(heading: str, model: type[FileModel]) -> None:
    table = {words(cells[0])[0]: cells for cells in rows("docs/blueprints.md", heading)}
    assert list(table) == list(model.model_fields)
    for name, cells in table.items():
        field = model.model_fields[name]
        if len(cells) == 3:
            assert (cells[1] == "needed") == field.is_required(), name
            shown = cells[1].strip("`")
            if isinstance(field.default, bool | float | str):
                assert yaml.safe_load(shown) == field.default, name


def test_the_table_of_kinds_is_what_ships() -> None:
    table = {words(cells[0])[0]: cells for cells in rows("docs/blueprints.md", "Kinds")}
    assert list(table) == sorted(KINDS)
    shipped: dict[str, list[str]] = {name: [] for name in KINDS}
    for name in library_names("blueprints"):
        blueprint = load(Blueprint, library.folder("blueprints") / f"{name}.yaml")
        shipped[blueprint.kind].append(blueprint.name)
    for kind, cells in table.items():
        assert cells[1].split()[0].rstrip(",") == PLACES.get(kind, "face"), kind
        assert words(cells[2]) == sorted(shipped[kind]), kind


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.name)
def test_every_parameter_of_every_kind_is_explained(kind) -> None:
    pages = "".join(text_of(f"docs/kinds-{page}.md") for page in ("mechanical", "surface", "solid"))
    section = re.search(rf"^## {kind.name}$(.*?)(?=^## |\Z)", pages, re.MULTILINE | re.DOTALL)
    assert section, f"no page explains {kind.name}"
    missing = [f.name for f in fields(kind.params) if f"`{f.name}`" not in section[1]]
    assert not missing


def test_every_finish_is_listed() -> None:
    page = text_of("docs/materials.md")
    assert not [name for name in library_names("materials") if f"`{name}`" not in page]


def test_the_licence_page_names_every_dependency() -> None:
    import tomllib

    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    page = text_of("docs/licences.md").lower()
    wanted = [*project["dependencies"], *project["optional-dependencies"]["model"]]
    names = [re.split(r"[=<>;\[ ]", d)[0].lower() for d in wanted]
    assert not [n for n in names if n not in page]


def test_the_changelog_has_the_version_that_is_built() -> None:
    import tomllib

    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", text_of("CHANGELOG.md"), re.MULTILINE)


def test_yaml_in_examples_is_read_as_the_recipes_are() -> None:
    for path in [*RECIPES, *FROM_PHOTOGRAPHS, *(ROOT / "examples" / "blueprints").iterdir()]:
        assert read_yaml(path)


def test_the_format_is_named_in_its_page() -> None:
    assert f"`{DatasetHeader.model_fields['format'].default}`" in text_of("docs/dataset-format.md")
