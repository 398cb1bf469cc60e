"""The labels in other tools' formats, read back with other tools where there are any."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from core.record import ImageRecord
from flawsmith import images
from flawsmith.dataset import read_manifest
from flawsmith.exports import Linker, held_out, labels_of
from flawsmith.exports_coco import export_coco
from flawsmith.exports_mvtec import export_mvtec
from flawsmith.exports_yolo import export_yolo
from tests.flawsmith import synthetic


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    synthetic.write(tmp_path / "d", 12)
    return tmp_path / "d"


def ids_of(dataset: Path, record: ImageRecord) -> np.ndarray:
    return images.read_grey(dataset / record.files["mask"].path)


def test_coco_opens_in_pycocotools_and_masks_are_exact(dataset: Path, capsys: pytest.CaptureFixture) -> None:
    export_coco(dataset)
    coco = COCO(str(dataset / "coco" / "instances.json"))
    names = {c["id"]: c["name"] for c in coco.loadCats(coco.getCatIds())}
    seen = 0
    for record in read_manifest(dataset):
        assert (dataset / coco.imgs[record.index]["file_name"]).is_file()
        labels = {d.id: d for d in labels_of(record)}
        for annotation in coco.loadAnns(coco.getAnnIds(imgIds=[record.index])):
            label = labels.pop(annotation["attributes"]["defect_id"])
            assert np.array_equal(coco.annToMask(annotation) > 0, ids_of(dataset, record) == label.id)
            assert annotation["area"] == label.area_px
            assert tuple(annotation["bbox"]) == label.box
            assert names[annotation["category_id"]] == label.kind
            seen += 1
        assert not labels
    assert seen == 8


def test_acceptable_marks_are_left_out_unless_asked_for(dataset: Path) -> None:
    export_coco(dataset)
    assert len(json.loads((dataset / "coco" / "instances.json").read_text())["annotations"]) == 8
    export_coco(dataset, acceptable=True)
    annotations = json.loads((dataset / "coco" / "instances.json").read_text())["annotations"]
    assert sum(a["attributes"]["verdict"] == "acceptable" for a in annotations) == 4


def test_mvtec_layout(dataset: Path) -> None:
    assert export_mvtec(dataset) == []
    root = dataset / "mvtec" / "plate"
    records = {r.name: r for r in read_manifest(dataset)}
    trained = {p.stem for p in (root / "train" / "good").iterdir()}
    tested = {p.stem: p.parent.name for p in (root / "test").glob("*/*.png")}
    assert len(trained) == 4 and trained.isdisjoint(tested) and trained | set(tested) == set(records)
    for name, kind in tested.items():
        labels = labels_of(records[name])
        truth = root / "ground_truth" / kind / f"{name}_mask.png"
        assert truth.exists() == bool(labels)
        assert kind == {0: "good", 1: "scratch", 2: "combined"}[len(labels)]
        if labels:
            mask = cv2.imread(str(truth), cv2.IMREAD_UNCHANGED)
            assert set(np.unique(mask)) == {0, 255}
            assert np.array_equal(mask > 0, ids_of(dataset, records[name]) > 0)
    for link in [*(root / "train").rglob("*.png"), *(root / "test").rglob("*.png")]:
        assert link.is_symlink() and not link.readlink().is_absolute() and link.exists()
    for name in trained:
        shown = (root / "train" / "good" / f"{name}.png").resolve().parent.name
        assert shown == ("clean" if labels_of(records[name]) else "images")


def test_yolo_polygons_fill_to_the_masks(dataset: Path) -> None:
    export_yolo(dataset)
    names = yaml.safe_load((dataset / "yolo" / "data.yaml").read_text())["names"]
    by_name = {r.name: r for r in read_manifest(dataset)}
    for text in (dataset / "yolo" / "labels").glob("*/*.txt"):
        record = by_name[text.stem]
        assert (dataset / "yolo" / "images" / text.parent.name / f"{record.name}.png").exists()
        for line, label in zip(text.read_text().splitlines(), labels_of(record), strict=True):
            number, *values = line.split()
            corners = np.array(values, float).reshape(-1, 2) * (record.width, record.height)
            x, y = corners.T
            area = abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
            assert names[int(number)] == label.kind
            assert area == pytest.approx(label.area_px, abs=1e-3)
    assert {p.parent.name for p in (dataset / "yolo" / "labels").glob("*/*.txt")} == {"train", "val"}


def test_exports_can_be_written_again(dataset: Path) -> None:
    for export in (export_mvtec, export_coco, export_yolo):
        export(dataset)
        before = sorted(p.relative_to(dataset).as_posix() for p in dataset.rglob("*"))
        export(dataset)
        assert sorted(p.relative_to(dataset).as_posix() for p in dataset.rglob("*")) == before


def test_all_views_of_a_specimen_fall_on_one_side(dataset: Path) -> None:
    records = [r.model_copy(update={"specimen": r.index // 3}) for r in read_manifest(dataset)]
    aside = held_out(records, 0.25, "test")
    assert {r.specimen for r in records if r.index in aside}.isdisjoint(
        {r.specimen for r in records if r.index not in aside}
    )
    assert len(aside) == 3
    assert held_out(records[:1], 0.5, "test") == frozenset()


def test_without_symbolic_links_it_copies_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (tmp_path / "a").write_text("x")
    link = Linker()
    link(tmp_path / "a", tmp_path / "b" / "c")
    link(tmp_path / "a", tmp_path / "b" / "d")
    assert (tmp_path / "b" / "d").read_text() == "x"
    assert [n.split(" here")[0] for n in link.notes] == ["no symbolic links", "no hard links"]
