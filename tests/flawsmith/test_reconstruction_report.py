"""The report of a reconstruction asks for nothing and hides nothing; Cycles sees the part as the fit does."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import RenderError
from flawsmith.deliver import Outcome, deliver, need_blender
from flawsmith.history_chart import losses
from flawsmith.reconstruction_report import NAME, Story, page
from flawsmith.rerender import gaps, rerender
from recon.bake import Maps, bake
from recon.capture.model import Capture, View
from recon.result import Reconstruction, Shading
from recon.save import read, save_model
from recon.strips import chosen_views, strip, texture_measures
from recon.verdict import Verdict, judge
from tests.recon.known import masks
from tests.recon.painted import RADIUS, photographed, unpainted

HISTORY = [
    {"side_px": side, "step": step, "colour": 0.1 / (1 + step), "mask": 0.01, "smooth": 0.0, "seconds": 1.0}
    for side in (96, 192)
    for step in (0, 10, 20)
]


@pytest.fixture(scope="module")
def capture() -> Capture:
    torch.set_num_threads(1)
    return replace(photographed(views=12, size=48), name="ball <b>&amp", sha256="1" * 64)


@pytest.fixture(scope="module")
def found(capture: Capture) -> Reconstruction:
    views = [{"view": v.name, "held_out": v.held_out, "psnr_db": 30.0, "iou": 0.99} for v in capture.views]
    facts = {"views": views, "seed": 3, "steps": 42, "seconds": 7.0, "settings": {"name": "draft"}}
    return replace(unpainted(capture), facts=facts, history=HISTORY)


@pytest.fixture(scope="module")
def maps(capture: Capture, found: Reconstruction) -> Maps:
    return bake(capture, found, 256)


def told(capture: Capture, found: Reconstruction, maps: Maps, verdict: Verdict) -> str:
    strips = {i: strip(capture, found, maps, i) for i in chosen_views(capture, 6)}
    return page(Story(capture, found, verdict, maps, texture_measures(capture, found, maps), strips, {}, (), "test"))


class Tags(HTMLParser):
    """Checks that elements close in order, and collects what a browser would ask for."""

    VOID = ("meta", "img", "br", "col")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.asked: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.asked += [v or "" for k, v in attrs if k in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("line", "polyline")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_one_file_that_asks_for_nothing(capture: Capture, found: Reconstruction, maps: Maps) -> None:
    text = told(capture, found, maps, judge(capture, masks(12), found, 0.99))
    tags = Tags()
    tags.feed(text)
    assert not tags.open
    assert len(tags.asked) == 6 * 6 + 3
    assert all(a.startswith("data:image/jpeg;base64,") for a in tags.asked)
    assert "url(" not in text and "<script" not in text
    words = " ".join(tags.words)
    assert "ball <b>&amp" in words
    assert words.count("kept apart") == 1 + sum(capture.views[i].held_out for i in chosen_views(capture, 6))
    assert "difference x 4" in words and "preset draft" in words


def test_a_refusal_says_what_to_do(capture: Capture, found: Reconstruction, maps: Maps) -> None:
    verdict = judge(capture, masks(12, systematic_px=5.0), found, 0.99)
    text = told(capture, found, maps, verdict)
    assert "verdict refused" in text and "make tighter masks" in text
    assert text.index("make tighter masks") < text.index("<h2>Measures")


def test_what_could_not_be_measured_is_said(capture: Capture, found: Reconstruction, maps: Maps) -> None:
    """Here: no photograph was kept apart, and nothing tells how much was seen."""
    views = [{**v, "held_out": False} for v in found.facts["views"]]
    verdict = judge(capture, masks(12), replace(found, facts={**found.facts, "views": views}), 0.99)
    verdict = verdict.model_copy(update={"measures": {**verdict.measures, "seen_share": None}})
    text = told(capture, found, maps, verdict)
    assert "appearance could not be measured" in text and text.count("<td class='n'>not measured</td>") == 2
    assert "<b>not measured</b></div>" in text and "<b>not measured</b><span>seen by two views" in text


def test_losses_are_drawn_on_one_scale() -> None:
    drawn = losses(HISTORY)
    lines = re.findall(r"points='([^']*)'", drawn)
    assert len(lines) == 3
    colour, mask, _ = ([tuple(map(float, p.split(","))) for p in line.split()] for line in lines)
    across = [x for x, _ in colour]
    assert across == sorted(across) and len(set(across)) == 6
    assert len({y for _, y in mask}) == 1
    tenfold = mask[0][1] - colour[0][1]  # 0.01 lies below 0.1 by one power of ten
    assert colour[1][1] - colour[0][1] == pytest.approx(tenfold * np.log10(11), abs=0.2)
    assert "96 px" in drawn and "192 px" in drawn
    assert "no history" in losses([])


def test_a_delivery_is_whole(capture: Capture, found: Reconstruction, tmp_path: Path) -> None:
    verdict = judge(capture, masks(12), found, 0.99)
    deliver(tmp_path, Outcome(capture, found, verdict, {"by": "test"}))
    assert (tmp_path / NAME).stat().st_size > 50_000
    saved = read(tmp_path)
    measured = saved.facts["measured"]
    assert measured["held_out_maps_db"] > measured["held_out_vertices_db"] + 5
    assert json.loads((tmp_path / "reconstruction.json").read_text())["provenance"] == {"by": "test"}


def test_rerendering_needs_blender_before_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flawsmith.deliver.find_spec", lambda name: None)
    with pytest.raises(RenderError, match="bpy"):
        need_blender()


def lamp() -> np.ndarray:
    """(64, 128, 3) radiance as a Reconstruction has it: dark, but for a warm patch about azimuth 70 degrees."""
    light = np.full((64, 128, 3), 0.15, np.float32)
    light[12:30, 82:96] = [5.0, 4.0, 3.0]
    return light


def lambert(light: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n, 3) irradiance over pi at normals (n, 3) of the room, summed over the picture."""
    h, w, _ = light.shape
    polar, azimuth = (np.arange(h) + 0.5) / h * np.pi, (np.arange(w) + 0.5) / w * 2 * np.pi - np.pi
    p, a = np.meshgrid(polar, azimuth, indexing="ij")
    ways = np.stack([np.sin(p) * np.cos(a), np.sin(p) * np.sin(a), np.cos(p)], -1)
    share = np.sin(p) * (np.pi / h) * (2 * np.pi / w) / np.pi
    return np.clip(normals @ ways.reshape(-1, 3).T, 0, None) @ (light * share[..., None]).reshape(-1, 3)


def off_centre(view: View) -> View:
    """The same photograph with its principal point elsewhere, as cropping leaves it."""
    k = np.array(view.intrinsics)
    k[:2, 2] += [3.5, -2.0]
    return replace(view, intrinsics=k)


@pytest.mark.slow
@pytest.mark.render
def test_cycles_sees_the_part_as_the_fit_does(capture: Capture, found: Reconstruction, tmp_path: Path) -> None:
    """Grey, matte and without shadows of its own, under a lamp to one side: turned, mirrored or shifted pictures would
    differ from the fit's by 15 dB. The photographs count for nothing here."""
    n = len(found.vertices)
    normals, light = found.vertices / RADIUS, lamp()
    shadings = [
        Shading(lambert(light, normals @ v.room_from_part.T), np.zeros((n, 3)), np.array([0.8, 0.9, 1.0]))
        for v in capture.views
    ]
    matte = replace(
        found, shadings=shadings, environment=light, roughness=np.ones(n), albedo=np.full((n, 3), 0.4),
    )  # fmt: skip
    blind = capture.with_views([replace(off_centre(v), mask=np.zeros(v.size)) for v in capture.views])
    grey = bake(blind, matte, 256)
    save_model(tmp_path, matte, grey)
    taken = rerender(tmp_path, blind, matte, [1, 6], samples=16)
    shown = {i: strip(blind, matte, grey, i) for i in taken}
    for i, one in shown.items():
        whole = replace(one, mask=(one.alpha > 0.99).astype(np.float32))
        (gap,) = gaps({i: whole}, {i: taken[i]})
        assert gap.cycles_fit_db > 27, gap
        (mirrored,) = gaps({i: whole}, {i: taken[i][:, ::-1]})
        assert mirrored.cycles_fit_db < 22, mirrored
