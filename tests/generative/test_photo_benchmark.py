"""The benchmark prints a whole table, and its painters change nothing outside their masks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.generative.small_sd import examples

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "inpaint.py"


def write_examples(root: Path) -> None:
    for e in examples(6):
        folder = root / e.damage
        folder.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"{e.name}.jpg"), e.image)
        if e.mask.any():
            cv2.imwrite(str(folder / f"{e.name}.png"), e.mask.astype(np.uint8) * 255)


def test_a_row_that_is_not_there_is_said_before_anything_is_painted(tmp_path: Path) -> None:
    write_examples(tmp_path)
    command = [sys.executable, str(BENCHMARK), "--data", str(tmp_path), "--rows", "perlin,nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2 and "rows nobody: expected of perlin, copy-paste, overlay" in done.stderr


@pytest.mark.slow
def test_the_tables_are_whole(tmp_path: Path) -> None:
    write_examples(tmp_path)
    command = [sys.executable, str(BENCHMARK), "--data", str(tmp_path), "--quick", "--tiny", str(tmp_path / "none")]
    command += ["--taught", "1", "--keep", str(tmp_path / "taught")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    painted, taught, cost = (rows(part) for part in done.stdout.split("###")[1:])
    assert float(painted.pop("what they are to look like")[3]) > 1
    assert set(painted) == set(cost) == {"perlin", "copy-paste", "overlay", "opencv", "tiny taught"}
    assert all(cells[0] == "0" for cells in painted.values()) and all(cells[2] == "0" for cells in cost.values())
    assert 50 < float(cost["overlay"][3]) < 2000
    assert {"perlin", "overlay", "given real defects"} <= set(taught)
    assert "left out: tiny" in done.stdout and "left out: sd15" in done.stdout


def rows(printed: str) -> dict[str, list[str]]:
    lines = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")][2:]
    return {cells[0].strip(): [c.strip() for c in cells[1:]] for cells in lines}
