"""The benchmarks start, and a tiny run of each prints a whole table of plausible figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


def called(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCHMARKS / name), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def table(printed: str, head: str) -> dict[str, list[str]]:
    """Rows of the first markdown table whose header starts with `head`: first cell -> the others."""
    lines = printed.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {head}"))
    rows: dict[str, list[str]] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (c.strip() for c in line.strip("|").split("|"))
        rows[name] = cells
    return rows


@pytest.mark.parametrize("name", ["render_throughput.py", "memory.py", "real_cad.py", "finishes.py"])
def test_help_names_the_options(name: str) -> None:
    done = called(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout and "--" in done.stdout


def test_memory_refuses_an_early_image_after_the_last() -> None:
    done = called("memory.py", "--frames", "4", "--early", "4")
    assert done.returncode == 2
    assert "expected 0 < early < frames" in done.stderr


@pytest.mark.slow
@pytest.mark.render
def test_throughput_prints_every_row() -> None:
    done = called("render_throughput.py", "--size", "64", "--samples", "1", "--rounds", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = table(done.stdout, "row")
    bare, labels, twin = (float(cells[0]) for cells in rows.values())
    assert 0 < bare < min(labels, twin)
    assert float(rows["bare bpy"][4]) == 1.0
    assert "skipped" in done.stdout
    spent = table(done.stdout, "where")
    assert {"build", "label", "coverage", "amodal", "beauty", "twin"} <= set(spent)
    assert float(spent["twin"][0]) == 0.0 < float(spent["twin"][1])
    assert sum(float(cells[1]) for cells in spent.values()) == pytest.approx(twin, abs=0.1)


@pytest.mark.slow
@pytest.mark.render
def test_memory_prints_both_processes() -> None:
    done = called("memory.py", "--size", "48", "--frames", "3", "--early", "1")
    assert done.returncode == 0, done.stderr[-2000:]
    rows = table(done.stdout, "process")
    worker, parent, both, held = (float(cells[1]) for cells in rows.values())
    assert worker > 50 and parent >= held > 50
    assert both == pytest.approx(worker + parent, abs=2)


@pytest.mark.slow
@pytest.mark.render
def test_finishes_cost_little_more_than_a_plain_material() -> None:
    """The dearest ones of their sort; a generous bound, for shared machines."""
    names = "milled_steel,sand_cast_iron,galvanised"
    done = called(
        "finishes.py", "--size", "128", "--samples", "16", "--rounds", "1", "--field-mm", "20", "--only", names
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = table(done.stdout, "finish")
    assert set(rows) == set(names.split(","))
    for cells in rows.values():
        finish, plain, ratio = map(float, cells)
        assert ratio == pytest.approx(finish / plain, rel=0.05)
        assert 0.8 < ratio < 2.2
