"""Few-shot examples on disk, in both layouts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.errors import InputError
from defects.generative.examples import print_of, read_examples, types_of

MASK = cv2.circle(np.zeros((24, 32), np.uint8), (14, 12), 5, (255,), -1)


def add(folder: Path, masks: Path, count: int, mask: np.ndarray = MASK) -> None:
    for path in (folder, masks):
        path.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        cv2.imwrite(str(folder / f"{k}.png"), np.full((24, 32, 3), 90 + k, np.uint8))
        cv2.imwrite(str(masks / f"{k}_mask.png"), mask)


def layout(root: Path, name: str, kind: str) -> tuple[Path, Path]:
    if name == "folders":
        return root / kind, root / kind
    return root / "test" / kind, root / "ground_truth" / kind


@pytest.mark.parametrize("name", ["mvtec", "folders"])
def test_a_type_without_a_usable_example_is_not_left_out_silently(tmp_path: Path, name: str) -> None:
    add(*layout(tmp_path, name, "dent"), 3)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "test" / "good").mkdir(parents=True) if name == "mvtec" else (tmp_path / "good").mkdir()
    assert [e.damage for e in read_examples(tmp_path)] == ["dent"] * 3
    add(*layout(tmp_path, name, "stain"), 4, 0 * MASK)
    with pytest.raises(InputError, match=r"holds 0 of stain: expected at least 3"):
        read_examples(tmp_path)
    layout(tmp_path, name, "chip")[0].mkdir()
    with pytest.raises(InputError, match=r"holds 0 of chip, 0 of stain"):
        read_examples(tmp_path, least=1)


def test_a_folder_without_any_damage_is_said_as_such(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(InputError, match="no example of a damage"):
        read_examples(tmp_path)


def test_both_layouts_give_the_same_examples(tmp_path: Path) -> None:
    for name in ("mvtec", "folders"):
        for kind in ("scratch", "dent"):
            add(*layout(tmp_path / name, name, kind), 3)
    add(tmp_path / "mvtec" / "train" / "good", tmp_path / "away", 2)
    add(tmp_path / "folders" / "good", tmp_path / "away", 2)
    one, two = (read_examples(tmp_path / name) for name in ("mvtec", "folders"))
    assert [print_of(e) for e in one] == [print_of(e) for e in two]
    assert types_of(one) == ("good", "dent", "scratch") and [e.damage for e in one][-2:] == ["good"] * 2
