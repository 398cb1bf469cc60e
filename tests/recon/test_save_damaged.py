"""A folder that `save` did not leave so is refused in one sentence, whatever is in it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from core.seeds import child
from flawsmith.reconstruction import NO_PROBE, TakenFolder, _kept
from recon.save import ARRAYS, REPORT, read
from tests.recon.known import ring

SOUND: Mapping[str, Any] = {
    "capture": {"name": "ball", "sha256": "0" * 64, "metric": True, "scale_from": "constructed", "light": "room"},
    "verdict": {"outcome": "accepted", "reasons": [], "measures": {}},
    "maps": {"sha256": {}, "size": 256},
    "provenance": {"asked": {}},
}
N, M = 4, 2
WHOLE: Mapping[str, np.ndarray] = {
    "vertices": np.eye(N, 3), "faces": np.array([[0, 1, 2], [1, 2, 3]]), "albedo": np.ones((N, 3)),
    "roughness": np.ones(N), "metallic": np.zeros(N), "confidence": np.ones(N), "uv": np.zeros((M, 3, 2)),
}  # fmt: skip


def write(folder: Path, facts: Any = SOUND, **changed: np.ndarray) -> Path:
    (folder / REPORT).write_text(facts if isinstance(facts, str) else json.dumps(facts))
    np.savez_compressed(folder / ARRAYS, **{**WHOLE, **changed})
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        _kept(folder, ring(), NO_PROBE)
    assert type(caught.value) is InputError and str(folder) in caught.value.given
    assert "\n" not in str(caught.value) and "another folder" in caught.value.do
    return caught.value.given


def test_a_sound_folder_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    assert _kept(tmp_path, ring(), NO_PROBE).usable
    np.testing.assert_array_equal(read(tmp_path).faces, WHOLE["faces"])
    write(tmp_path, {**SOUND, "capture": {**SOUND["capture"], "sha256": "1" * 64}})
    with pytest.raises(TakenFolder):
        _kept(tmp_path, ring(), NO_PROBE)


@pytest.mark.parametrize("key", SOUND)
@pytest.mark.parametrize("value", [None, [1], "word", 3])
def test_a_key_that_is_something_else(key: str, value: Any, tmp_path: Path) -> None:
    assert key in refusal(write(tmp_path, {**SOUND, key: value}))


@pytest.mark.parametrize("key", SOUND)
def test_a_key_that_is_missing(key: str, tmp_path: Path) -> None:
    assert f"'{key}' is missing" in refusal(write(tmp_path, {k: v for k, v in SOUND.items() if k != key}))


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([1], "holds a list"), ("null", "holds a NoneType"), ("3", "holds a int"), ("{", "cannot be read"),
        ("", "cannot be read"), ("[" * 2000 + "]" * 2000, "recursion"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "recursion"),
        ({**SOUND, "maps": {"sha256": [1]}}, "maps.sha256"), ({**SOUND, "provenance": {"asked": None}}, "asked"),
        ({**SOUND, "verdict": {"outcome": "fine", "reasons": [], "measures": {}}}, "verdict.outcome"),
        ({**SOUND, "capture": {"sha256": "0" * 64}}, "capture.name"),
    ],
    ids=lambda v: str(v)[:20],
)  # fmt: skip
def test_a_report_that_nobody_wrote(facts: Any, told: str, tmp_path: Path) -> None:
    assert told in refusal(write(tmp_path, facts))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("faces", np.full((M, 3), "a")), ("faces", np.full((M, 3), -9)), ("faces", np.full((M, 3), N)),
        ("faces", np.zeros((M, 3))), ("faces", np.zeros((M, 4), int)), ("faces", np.zeros((0, 3), int)),
        ("faces", np.array(1)), ("vertices", np.full((N, 3), np.nan)), ("vertices", np.full((N, 3), "a")),
        ("vertices", np.array(1.0)), ("vertices", np.zeros((N, 2))), ("vertices", np.zeros((0, 3))),
        ("roughness", np.ones(N + 1)), ("confidence", np.full(N, np.nan)), ("uv", np.zeros((M, 3))),
        ("albedo", np.ones((N, 3), complex)), ("albedo", np.full((N, 3), None)),
    ],
)  # fmt: skip
def test_arrays_that_are_no_mesh(name: str, array: np.ndarray, tmp_path: Path) -> None:
    assert ARRAYS in refusal(write(tmp_path, **{name: array}))


def test_arrays_that_are_damaged_anywhere(tmp_path: Path) -> None:
    """Read as they were, or refused."""
    whole, rng = (write(tmp_path) / ARRAYS).read_bytes(), child(1, "damage")
    for _ in range(300):
        data = np.frombuffer(whole, np.uint8).copy()
        data[rng.integers(0, len(data), rng.integers(1, 40))] = rng.integers(0, 256)
        (tmp_path / ARRAYS).write_bytes(data.tobytes())
        try:
            _kept(tmp_path, ring(), NO_PROBE)
        except InputError as error:
            assert ARRAYS in error.given


def test_archives_of_something_else(tmp_path: Path) -> None:
    path = write(tmp_path) / ARRAYS
    one = io.BytesIO()
    np.save(one, WHOLE["vertices"])
    for data in (b"", b"PK", one.getvalue(), path.read_bytes()[:300]):
        path.write_bytes(data)
        assert ARRAYS in refusal(tmp_path)
    huge = one.getvalue().replace(b"(4, 3), ", b"(" + b"9" * 12 + b",)").replace(b"}" + b" " * 6, b"}", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name in WHOLE:
            archive.writestr(f"{name}.npy", huge)
    assert ARRAYS in refusal(tmp_path)
