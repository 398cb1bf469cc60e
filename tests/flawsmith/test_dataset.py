"""The dataset on disk: whole images or none, the same bytes whatever interrupted the writing."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetError
from core.files import sha256_file
from core.record import Versions
from flawsmith import dataset as module
from flawsmith import images
from flawsmith.dataset import DatasetWriter, read_header, read_manifest
from tests.flawsmith import synthetic


def tree(folder: Path) -> dict[str, str]:
    """Relative path -> hash of every file."""
    return {p.relative_to(folder).as_posix(): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_files_hold_what_the_frame_holds(tmp_path: Path) -> None:
    marks = synthetic.marks_of(1)
    frame = synthetic.frame(1, marks)
    writer = DatasetWriter(tmp_path / "d", synthetic.header())
    record = writer.add(frame, synthetic.facts(1), marks)
    files = {role: tmp_path / "d" / entry.path for role, entry in record.files.items()}
    assert set(files) == {
        "image", "image16", "clean", "mask", "part", "depth", "normal", "coverage_1", "coverage_2", "amodal_1",
        "amodal_2",
    }  # fmt: skip
    assert np.array_equal(images.read_grey(files["mask"]), frame.ids)
    assert np.array_equal(images.read_exr(files["depth"])[..., 0], frame.depth_m)
    assert np.array_equal(images.read_exr(files["normal"]), frame.normal)
    assert np.array_equal(images.read_grey(files["part"]) > 0, frame.part)
    assert np.array_equal(images.read_grey(files["coverage_2"]) == 65535, frame.ids == 2)
    assert np.array_equal(images.read_grey(files["amodal_1"]) > 0, frame.amodal[1])
    # IEC 61966-2-1, written out independently of core.colour
    srgb = np.where(frame.rgb <= 0.0031308, 12.92 * frame.rgb, 1.055 * frame.rgb ** (1 / 2.4) - 0.055)
    assert np.abs(images.read_photo(files["image"]) - srgb * 255).max() <= 0.5 + 1e-3
    assert np.abs(images.read_photo(files["image16"]) - srgb * 65535).max() <= 0.5 + 0.05


def test_depth_keeps_every_bit_and_infinity(tmp_path: Path, rng: np.random.Generator) -> None:
    depth = rng.uniform(0.1, 2.0, (17, 23, 1)).astype(np.float32)
    depth[3, 4] = np.inf
    images.write_exr(tmp_path / "z.exr", depth, ("Z",), "float")
    assert np.array_equal(images.read_exr(tmp_path / "z.exr"), depth)


def test_exr_bytes_do_not_depend_on_the_clock(tmp_path: Path) -> None:
    depth = np.ones((8, 8, 1), np.float32)
    images.write_exr(tmp_path / "a.exr", depth, ("Z",), "float")
    time.sleep(1.1)
    images.write_exr(tmp_path / "b.exr", depth, ("Z",), "float")
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
def test_bytes_do_not_depend_on_order_or_interruption(tmp_path: Path, order: list[int]) -> None:
    synthetic.write(tmp_path / "straight")
    first = DatasetWriter(tmp_path / "broken", synthetic.header())
    for index in order[:3]:
        marks = synthetic.marks_of(index)
        rejected = (synthetic.Rejected(reason="label is empty", count=2),) if index == 1 else ()
        first.add(synthetic.frame(index, marks), synthetic.facts(index, rejected), marks)
    manifest = tmp_path / "broken" / "manifest.jsonl"
    with manifest.open("ab") as stream:
        stream.write(b'{"index": 5, "torn')
    synthetic.write(tmp_path / "broken", order=order)
    assert tree(tmp_path / "straight") == tree(tmp_path / "broken")


def test_finished_images_are_kept_and_spoiled_ones_made_again(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d")
    before = tree(tmp_path / "d")
    (tmp_path / "d" / "images" / "000002.png").write_bytes(b"spoiled")
    (tmp_path / "d" / "depth" / "000004.exr").unlink()
    writer = DatasetWriter(tmp_path / "d", synthetic.header())
    assert writer.finished == {0, 1, 3, 5}
    assert not read_header(tmp_path / "d").complete
    summary = synthetic.write(tmp_path / "d")
    assert (summary.kept, summary.made, summary.images) == (4, 2, 6)
    assert tree(tmp_path / "d") == before


def test_more_images_do_not_change_those_that_are_there(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 3)
    three = read_manifest(tmp_path / "d")
    synthetic.write(tmp_path / "d", 6)
    assert read_manifest(tmp_path / "d")[:3] == three


def test_a_failure_half_way_leaves_no_line_and_no_part_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = DatasetWriter(tmp_path / "d", synthetic.header())
    marks = synthetic.marks_of(1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.images, "write_exr", full)
    with pytest.raises(DatasetError, match="No space left"):
        writer.add(synthetic.frame(1, marks), synthetic.facts(1), marks)
    assert writer.finished == frozenset()
    assert not [*(tmp_path / "d").iterdir()], "neither files of the image nor an empty dataset"
    monkeypatch.undo()
    writer.add(synthetic.frame(0, ()), synthetic.facts(0), ())
    before = tree(tmp_path / "d")
    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(DatasetError, match="No space left"):
        writer.add(synthetic.frame(1, marks), synthetic.facts(1), marks)
    assert tree(tmp_path / "d") == before, "the second image is gone, its line included; the first stays"
    monkeypatch.undo()
    assert synthetic.write(tmp_path / "d").images == 6


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seed": 8}, "another seed"),
        ({"recipe_sha256": "ef" * 32}, "another recipe sha256"),
        ({"versions": Versions(flawsmith="0.2.0")}, "another versions"),
    ],
)
def test_another_dataset_is_not_written_over(tmp_path: Path, change: dict, named: str) -> None:
    synthetic.write(tmp_path / "d", 2)
    before = tree(tmp_path / "d")
    with pytest.raises(DatasetError, match=named):
        DatasetWriter(tmp_path / "d", synthetic.header(**change))
    assert tree(tmp_path / "d") == before


def test_another_commit_may_go_on(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 2)
    later = synthetic.VERSIONS.model_copy(update={"commit": "1" * 40})
    assert DatasetWriter(tmp_path / "d", synthetic.header(versions=later)).finished == {0, 1}


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"holiday\.jpg"):
        DatasetWriter(tmp_path, synthetic.header())


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="cannot be written"):
        DatasetWriter(tmp_path / "file" / "d", synthetic.header())


def test_nothing_is_there_before_the_first_image(tmp_path: Path) -> None:
    DatasetWriter(tmp_path / "d", synthetic.header())
    assert not [*(tmp_path / "d").iterdir()]


def test_an_empty_folder_is_left_as_it_was_found(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    for name in ("theirs", "ours"):
        DatasetWriter(tmp_path / name, synthetic.header()).leave()
    synthetic.write(tmp_path / "full", 1)
    DatasetWriter(tmp_path / "full", synthetic.header()).leave()
    assert {p.name for p in tmp_path.iterdir()} == {"theirs", "full"}


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 2)
    manifest = tmp_path / "d" / "manifest.jsonl"
    manifest.write_bytes(b"{}\n" + manifest.read_bytes())
    with pytest.raises(DatasetError, match="line 1 is damaged"):
        DatasetWriter(tmp_path / "d", synthetic.header())


def test_a_frame_with_unknown_ids_never_reaches_the_disk(tmp_path: Path) -> None:
    marks = synthetic.marks_of(1)
    writer = DatasetWriter(tmp_path / "d", synthetic.header())
    with pytest.raises(DatasetError, match=r"ids \[2\]"):
        writer.add(synthetic.frame(1, marks), synthetic.facts(1), marks[:1])
    assert not (tmp_path / "d" / "images").exists()


def test_verdict_of_an_image_is_that_of_what_it_shows(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 3)
    assert [r.verdict for r in read_manifest(tmp_path / "d")] == ["good", "defect", "acceptable"]
    hidden = synthetic.defect(1)
    writer = DatasetWriter(tmp_path / "e", synthetic.header())
    record = writer.add(synthetic.frame(0, ()), synthetic.facts(0), (hidden,))
    assert (record.verdict, record.defects[0].area_px, record.labelled) == ("good", 0, ())


def test_the_manifest_is_plain_json_and_names_no_machine(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 3)
    text = (tmp_path / "d" / "manifest.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[1]["defects"][0]["parameters"] == {"length_mm": 5.0, "bent": True}
    assert str(tmp_path) not in text and os.uname().nodename not in (tmp_path / "d" / "dataset.json").read_text()


def test_outputs_choose_the_files(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "d", 2, outputs=("depth",))
    assert {p.name for p in (tmp_path / "d").iterdir() if p.is_dir()} == {"images", "masks", "depth"}


def test_writing_one_record_is_cheap(tmp_path: Path) -> None:
    """0.15 CPU seconds for 512 x 512 with every file; noise is the worst case for PNG."""
    marks = synthetic.marks_of(1)
    frame = synthetic.frame(1, marks, 512)
    writer = DatasetWriter(tmp_path / "d", synthetic.header())
    spent = []
    for index in range(7):
        start = time.process_time()
        writer.add(frame, synthetic.facts(index), marks)
        spent.append(time.process_time() - start)
    assert np.median(spent) < 0.3, "twice the budget of 0.15 s, so that a busy machine does not fail it"


def test_a_frame_without_twin_has_no_clean_file(tmp_path: Path) -> None:
    frame = dataclasses.replace(synthetic.frame(0, ()), clean=None)
    writer = DatasetWriter(tmp_path / "d", synthetic.header(twin="none"))
    assert "clean" not in writer.add(frame, synthetic.facts(0), ()).files
