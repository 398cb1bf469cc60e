"""The report asks for nothing, shows every image and says what is in it; the contact sheet has the right size."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from flawsmith.charts import histogram
from flawsmith.contact_sheet import contact_sheet
from flawsmith.dataset import read_manifest
from flawsmith.overlay import colours, overlay, rgb
from flawsmith.report import report
from tests.flawsmith import synthetic

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects attributes, and fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, k, v or "") for k, v in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, k, v or "") for k, v in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "d"
    synthetic.write(folder, 6)
    return folder


@pytest.fixture(scope="module")
def page(dataset: Path) -> Page:
    parsed = Page()
    parsed.feed(report(dataset).read_text(encoding="utf-8"))
    assert parsed.open == []
    return parsed


def test_nothing_is_loaded_from_anywhere(page: Page, dataset: Path) -> None:
    sources = [v for _, k, v in page.attributes if k in ("src", "srcset", "data", "poster", "action")]
    assert sources and all(v.startswith("data:image/") for v in sources)
    links = [v for _, k, v in page.attributes if k == "href"]
    assert links and all((dataset / v).is_file() for v in links)
    text = (dataset / "report.html").read_text()
    assert "http://" not in text and "https://" not in text and "url(" not in text


def test_every_image_is_there_with_its_labels(page: Page, dataset: Path) -> None:
    shots = [v for t, k, v in page.attributes if t == "article" and k == "data-tags"]
    expected = [" ".join(["all", r.verdict, *sorted({d.kind for d in r.labelled})]) for r in read_manifest(dataset)]
    assert shots == expected
    overlays = [v for t, k, v in page.attributes if t == "img" and v.startswith("data:image/png")]
    assert len(overlays) == sum(bool(r.labelled) for r in read_manifest(dataset))
    first = np.frombuffer(base64.b64decode(overlays[0].split(",")[1]), np.uint8)
    rgba = cv2.imdecode(first, cv2.IMREAD_UNCHANGED)
    assert rgba.shape == (360, 360, 4) and rgba[..., 3].any() and not rgba[:40, :, 3].any()


def test_counts_and_lineage_are_shown(dataset: Path, page: Page) -> None:
    text = re.sub(r"<[^>]+>", " ", (dataset / "report.html").read_text())
    text = " ".join(text.split())
    for words in (
        "6 images",
        "2 with defects",
        "6 labels",
        "2 tries thrown away",
        "scratch fine v2",
        "lamp.dome.radiance",
    ):
        assert words.replace(" fine", "_fine") in text, words


def test_what_a_recipe_says_cannot_break_the_page(dataset: Path) -> None:
    from flawsmith.dataset import read_header
    from flawsmith.report import page as render

    header = read_header(dataset).model_copy(update={"name": "<script>alert(1)</script>$x"})
    text = render(dataset, header, read_manifest(dataset), 2)
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;$x" in text


def test_the_contact_sheet_outlines_labels_in_their_colour(dataset: Path) -> None:
    with Image.open(contact_sheet(dataset, tile=128)) as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for kind, colour in colours(("dent", "scratch")).items():
        assert (pixels == rgb(colour)).all(axis=1).any(), kind


def test_the_outline_stands_off_from_the_label(dataset: Path) -> None:
    record = read_manifest(dataset)[1]
    drawn = overlay(dataset, record, (64, 64), colours(("dent", "scratch")), fill=0.0)
    ids = cv2.imread(str(dataset / record.files["mask"].path), cv2.IMREAD_UNCHANGED)
    ring = drawn[..., 3] == 255
    near = cv2.dilate((ids > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert ring.any() and not (ring & near).any()


def test_histograms_count_every_value() -> None:
    svg = histogram([0.0, 0.5, 1.0, 2.0, 40.0], "length in mm")
    assert sum(int(n) for n in re.findall(r": (\d+)</title>", svg)) == 4
    assert "1 at 0 not shown" in svg and "median 1.5" in svg
    assert "no length to show" in histogram([], "length")
    assert sum(int(n) for n in re.findall(r": (\d+)</title>", histogram([3.0] * 5, "x"))) == 5
