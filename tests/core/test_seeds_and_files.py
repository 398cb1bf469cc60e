"""Named seeds and files that are whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import FlawsmithError, InputError, PlacementError
from core.files import atomic_path, canonical_json, read_yaml, sha256_json, sweep_parts, write_text
from core.seeds import child, child_seed


def test_a_childs_seed_is_pinned() -> None:
    """Datasets made by an older version stay reproducible."""
    digest = hashlib.sha256(b"7\x1fstr:image\x1fint:17").digest()
    assert child_seed(7, "image", 17) == int.from_bytes(digest[:8], "little") == 5754809367457834800


@given(st.integers(0, 2**63), st.text(max_size=8), st.text(max_size=8))
def test_children_with_different_names_differ(root: int, a: str, b: str) -> None:
    assert (child_seed(root, a) == child_seed(root, b)) == (a == b)
    assert child_seed(root, a, b) != child_seed(root, a)
    assert child_seed(root, 1) != child_seed(root, "1")


def test_children_do_not_depend_on_each_other() -> None:
    alone = child(3, "image", 5).normal(size=4)
    for i in range(5):
        child(3, "image", i).normal(size=100)
    assert np.array_equal(child(3, "image", 5).normal(size=4), alone)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(RuntimeError), atomic_path(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no folder here that takes no files")
def test_a_folder_that_takes_no_files_refuses_the_writer() -> None:
    with pytest.raises(PermissionError, match="takes no files"):
        write_text(Path("/proc/a.txt"), "x")


def test_canonical_json_is_one_text_per_value() -> None:
    assert canonical_json({"b": 1, "a": [1.5, "é"]}) == '{"a":[1.5,"é"],"b":1}'
    assert sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


@pytest.mark.parametrize(
    "text", ["a: !!python/name:os.system", "a: [1", "- 1", "\x00", "", "a: 1\na: 2", "a: {b: 1, b: 1}"]
)
def test_yaml_from_strangers_is_data_or_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(InputError):
        read_yaml(tmp_path / "x.yaml")


def test_errors_say_given_expected_and_do() -> None:
    error = PlacementError("a 50 mm scratch on a 10 mm face", "a face that holds it", "shorten it")
    assert str(error) == "a 50 mm scratch on a 10 mm face: expected a face that holds it; shorten it."
    assert isinstance(error, FlawsmithError) and error.exit_code == 2


def test_leftovers_of_a_killed_process_are_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    kept = [tmp_path / "depth" / n for n in ("000001.exr", ".hidden", "a.part.exr", ".x.part")]
    left = [tmp_path / "depth" / ".000001.10055.part.exr", tmp_path / ".manifest.7.part"]
    for path in (*kept, *left):
        path.touch()
    sweep_parts(tmp_path)
    assert all(p.exists() for p in kept) and not any(p.exists() for p in left)
