"""The house's import rules, read from the sources: downward only, bpy in one place, no hidden randomness."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = {"parts", "recon", "defects", "scenes", "render", "detect"}
HOUSE = {"core", "flawsmith", *STAGES}
ALLOWED = {"core": {"core"}, "flawsmith": HOUSE} | {stage: {stage, "core"} for stage in STAGES}
LIGHT = {"numpy", "pydantic", "yaml"}
BLENDER_MAY = {"bpy", "mathutils", "numpy"}
GLOBAL_RANDOM = {"seed", "default_rng", "RandomState", "rand", "randn", "randint", "random", "normal", "uniform",
                 "choice", "shuffle", "permutation", "standard_normal", "set_state", "get_state"}  # fmt: skip


def sources(*packages: str) -> list[Path]:
    return sorted(p for package in packages for p in (ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute dotted name) of everything imported anywhere in a file; relative imports are resolved."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join([*base, *filter(None, [node.module])])


def breaches(path: Path, allowed: set[str], among: set[str] | None = None) -> list[str]:
    """`file:line imports name` for every import whose top package is not allowed (and is one of `among`)."""
    found = []
    for line, name in imports(path):
        top = name.split(".")[0]
        if top not in allowed and (among is None or top in among):
            found.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    return found


@pytest.mark.parametrize("package", sorted(HOUSE))
def test_imports_run_downward_only(package: str) -> None:
    found = [b for path in sources(package) for b in breaches(path, ALLOWED[package], HOUSE)]
    assert not found, "\n".join(found)


def test_nothing_imports_the_tests_the_tools_or_the_examples() -> None:
    among = {"tests", "tools", "examples", "benchmarks"}
    found = [b for path in sources(*HOUSE) for b in breaches(path, set(), among)]
    assert not found, "\n".join(found)


def test_bpy_is_imported_only_under_render_blender() -> None:
    inside = ROOT / "render" / "blender"
    outside = [p for p in sources(*HOUSE) if inside not in p.parents]
    blender = {"bpy", "mathutils", "bmesh", "gpu", "aud", "idprop", "bpy_extras"}
    found = [b for path in outside for b in breaches(path, set(), blender)]
    assert not found, "\n".join(found)


def test_render_blender_needs_nothing_that_blender_does_not_bring() -> None:
    """So that the same files run inside another Blender's Python."""
    import sys

    allowed = set(sys.stdlib_module_names) | BLENDER_MAY
    for path in sources("render/blender"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1, f"{path}:{node.lineno} leaves the package"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                for name in names:
                    own = name == "render.blender" or name.startswith("render.blender.")
                    assert own or name.split(".")[0] in allowed, f"{path}:{node.lineno} imports {name}"


def test_core_is_light() -> None:
    import sys

    allowed = set(sys.stdlib_module_names) | LIGHT | {"core"}
    found = [b for path in sources("core") for b in breaches(path, allowed)]
    assert not found, "\n".join(found)


def test_randomness_is_never_global() -> None:
    """`random` is not imported and `np.random` makes nothing but the generators of `core.seeds`."""
    found = []
    for path in sources(*HOUSE):
        found += [f"{path.relative_to(ROOT)}:{line}" for line, name in imports(path) if name.split(".")[0] == "random"]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in GLOBAL_RANDOM and _is_numpy_random(node.value):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno} uses np.random.{node.attr}")
    assert not found, "\n".join(found)


def _is_numpy_random(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "random"
        and isinstance(node.value, ast.Name)
        and node.value.id in ("np", "numpy")
    )


def test_the_rules_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_imports.ROOT", tmp_path)
    stage = tmp_path / "parts"
    stage.mkdir()
    (stage / "wrong.py").write_text("from scenes import compose\nfrom ..render import x\nimport core.mesh\n")
    found = breaches(stage / "wrong.py", ALLOWED["parts"], HOUSE)
    assert [f.split(" imports ")[1] for f in found] == ["scenes", "render"]


def test_a_run_from_cad_loads_neither_torch_nor_warp():
    """They take seconds and hundreds of megabytes, and only reconstruction and painting need them."""
    asked = (
        "import sys, flawsmith.pipeline; print([m for m in ('torch', 'warp', 'diffusers', 'bpy') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "[]"
