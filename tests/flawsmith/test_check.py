"""Whatever is tampered with is found; a dataset as written has no fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import DatasetError
from core.files import canonical_json, sha256_file, write_json
from core.record import ImageRecord
from flawsmith import images
from flawsmith.check import check
from flawsmith.dataset import read_header, read_manifest
from flawsmith.finish import finish
from tests.flawsmith import synthetic

EXPORTS = ("mvtec", "coco", "yolo")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    synthetic.write(tmp_path / "d")
    finish(tmp_path / "d", EXPORTS)
    return tmp_path / "d"


def whats(dataset: Path) -> str:
    return "\n".join(f"{f.where} {f.what}" for f in check(dataset))


def sign_again(dataset: Path, change: Callable[[dict], None] | None = None, index: int = 1) -> None:
    """Make hashes and manifest agree with the files again, after changing one record: only meaning is left to check."""
    records = [json.loads(line) for line in (dataset / "manifest.jsonl").read_text().splitlines()]
    for record in records:
        for entry in record["files"].values():
            path = dataset / entry["path"]
            entry |= {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    if change is not None:
        change(records[index])
    (dataset / "manifest.jsonl").write_text("".join(canonical_json(r) + "\n" for r in records))
    header = json.loads((dataset / "dataset.json").read_text())
    header["manifest_sha256"] = sha256_file(dataset / "manifest.jsonl")
    write_json(dataset / "dataset.json", header)


def path_of(dataset: Path, role: str, index: int = 1) -> Path:
    return dataset / read_manifest(dataset)[index].files[role].path


def test_a_dataset_as_written_has_no_fault(dataset: Path) -> None:
    assert check(dataset) == []
    sign_again(dataset)
    assert check(dataset) == []


@pytest.mark.parametrize(
    "role", ["image", "image16", "clean", "mask", "part", "depth", "normal", "coverage_1", "amodal_2"]
)
def test_one_flipped_byte_anywhere_is_found(dataset: Path, role: str) -> None:
    path = path_of(dataset, role)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert f"{path.relative_to(dataset)} is missing or changed" in whats(dataset)


def test_a_mask_moved_by_one_pixel_is_found(dataset: Path) -> None:
    path = path_of(dataset, "mask")
    path.write_bytes(images.ids_bytes(np.roll(images.read_grey(path), 1, axis=1)))
    sign_again(dataset)
    found = whats(dataset)
    assert "has another box" in found
    assert "coco/instances.json has another mask for defect 1" in found
    assert "yolo has other outlines" in found


def test_a_lost_and_an_invented_id_are_found(dataset: Path) -> None:
    path = path_of(dataset, "mask")
    ids = images.read_grey(path).copy()
    ids[ids == 2] = 9
    path.write_bytes(images.ids_bytes(ids))
    sign_again(dataset)
    assert "its mask shows ids [1, 9], its record names [1, 2]" in whats(dataset)


def test_a_twin_that_differs_outside_its_windows_is_found(dataset: Path) -> None:
    path = path_of(dataset, "clean")
    photo = images.read_photo(path).copy()
    photo[60, 60] ^= 1
    images_png = images._png(photo[..., ::-1], images.PHOTO)
    path.write_bytes(images_png)
    sign_again(dataset)
    assert "differs in 1 px outside the recorded windows" in whats(dataset)


def test_a_defect_that_is_not_in_the_picture_is_found(dataset: Path) -> None:
    path_of(dataset, "clean").write_bytes(path_of(dataset, "image").read_bytes())
    sign_again(dataset)
    assert "defect 1 is not in the picture" in whats(dataset)


def test_labels_off_the_part_are_found(dataset: Path) -> None:
    path = path_of(dataset, "part")
    path.write_bytes(images.bool_bytes(images.read_grey(path) > 255))
    sign_again(dataset, lambda r: r.update(part_px=0))
    assert "160 label pixels lie off the part" in whats(dataset)


def test_removed_material_may_leave_a_hole(dataset: Path) -> None:
    path = path_of(dataset, "part")
    path.write_bytes(images.bool_bytes(images.read_grey(path) > 255))

    def solid(record: dict) -> None:
        record["part_px"] = 0
        for mark in record["defects"]:
            mark["form"] = "solid"

    sign_again(dataset, solid)
    assert "lie off the part" not in whats(dataset)


def test_coverage_that_contradicts_the_mask_is_found(dataset: Path) -> None:
    path = path_of(dataset, "coverage_1")
    path.write_bytes(images.fraction_bytes(np.zeros((64, 64))))
    sign_again(dataset)
    found = whats(dataset)
    assert "the coverage of defect 1 sums to 0.000, its record says 80.0" in found
    assert "the coverage of defect 1 contradicts its mask" in found


def test_an_amodal_mask_that_misses_visible_pixels_is_found(dataset: Path) -> None:
    path_of(dataset, "amodal_1").write_bytes(images.bool_bytes(np.zeros((64, 64), bool)))
    sign_again(dataset, lambda r: r["defects"][0].update(amodal_px=0))
    assert "80 visible pixels of defect 1 are missing from its amodal mask" in whats(dataset)


def test_a_wrong_pixel_count_and_a_wrong_verdict_are_found(dataset: Path) -> None:
    sign_again(dataset, lambda r: (r["defects"][0].update(area_px=79), r.update(verdict="good")))
    found = whats(dataset)
    assert "defect 1 covers 80 px, its record says 79" in found
    assert "is called good, which its labels are not" in found


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("kind", "rust", "of the kind 'rust', which is none of the dataset's categories"),
        ("size_px", [21.0, 4.0], "another size in pixels"),
        ("mm_per_pixel", 0.26, "millimetres per pixel of defect 1"),
        ("area_mm2", 5.2, "covers 5 mm2, its record says 5.2"),
    ],
)
def test_a_label_whose_record_says_something_else_is_found(dataset: Path, field: str, value: object, said: str) -> None:
    sign_again(dataset, lambda record: record["defects"][0].update({field: value}))
    assert said in whats(dataset)


def test_a_wrong_scale_of_the_picture_is_found(dataset: Path) -> None:
    sign_again(dataset, lambda record: record.update(mm_per_pixel=0.251))
    assert "its millimetres per pixel are not those" in whats(dataset)


@pytest.mark.parametrize(("field", "value"), [("bbox", [9.0, 10.0, 20.0, 4.0]), ("area", 81), ("category_id", 1)])
def test_an_edited_annotation_is_found(dataset: Path, field: str, value: object) -> None:
    path = dataset / "coco" / "instances.json"
    coco = json.loads(path.read_text())
    coco["annotations"][0][field] = value
    write_json(path, coco)
    assert "for defect 1 of image 000001" in whats(dataset)


def test_a_part_without_depth_is_found(dataset: Path) -> None:
    images.write_exr(path_of(dataset, "depth"), np.full((64, 64, 1), np.inf, np.float32), ("Z",), "float")
    sign_again(dataset)
    assert "pixels without depth" in whats(dataset)


def test_strays_and_an_unfinished_run_are_found(dataset: Path) -> None:
    (dataset / "images" / "000099.png").write_bytes(b"x")
    header = json.loads((dataset / "dataset.json").read_text())
    write_json(dataset / "dataset.json", header | {"complete": False})
    found = whats(dataset)
    assert "images/000099.png is not in the manifest" in found
    assert "has not finished" in found


def test_an_edited_manifest_is_found(dataset: Path) -> None:
    manifest = dataset / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"image_seed":1001', '"image_seed":1002'))
    assert "manifest.jsonl is not the one that the run wrote" in whats(dataset)


def test_a_missing_export_and_a_broken_link_are_found(dataset: Path) -> None:
    (dataset / "coco" / "instances.json").write_text("{}")
    link = next((dataset / "yolo" / "images").glob("*/000001.png"))
    link.unlink()
    link.symlink_to("nowhere.png")
    other = next((dataset / "yolo" / "images").glob("*/000002.png"))
    other.unlink()
    other.symlink_to(dataset / "images" / "000003.png")
    found = whats(dataset)
    assert "coco/instances.json is damaged" in found
    assert "yolo has not exactly one image and one label file for image 000001" in found
    assert "yolo shows another picture for image 000002" in found


def test_something_else_is_not_a_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no dataset\.json"):
        check(tmp_path)
    (tmp_path / "dataset.json").write_text("[]")
    with pytest.raises(DatasetError, match="is damaged"):
        check(tmp_path)


def test_records_survive_the_round_trip(dataset: Path) -> None:
    for record in read_manifest(dataset):
        assert ImageRecord.model_validate_json(record.model_dump_json()) == record
    assert read_header(dataset).counts["kinds"] == {"dent": 2, "scratch": 4}
