"""Pairs that Flawsmith renders for the embedded model, and the sheet that shows what it makes of them."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import trimesh

from core.models import load
from defects.generative.painter import Crop
from defects.generative.tiny.pairs import read_pairs
from defects.generative.tiny.strips import HEIGHT, sheet
from render.client import Renderer
from scenes import library
from tests.generative.tiny_models import SIDE, pairs

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_pairs.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pairs", TOOL)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_damage_is_put_only_on_finishes_that_can_have_it(tool: ModuleType) -> None:
    def names(finish: str) -> set[str]:
        return {b.name for b in tool.possible(load(tool.Material, library.folder("materials") / f"{finish}.yaml"))}

    steel, paint, rubber = names("milled_steel"), names("gloss_paint_blue"), names("rubber")
    assert "paint_peel" in paint - steel and "scratch_deep" in steel & paint
    assert not tool.UNLIKE & (steel | paint | rubber) and "weld_tint" in steel - rubber


def test_simple_parts_are_closed_and_of_the_size_of_a_hand(tool: ModuleType, tmp_path: Path) -> None:
    paths = tool.simple_parts(tmp_path)
    assert len(paths) == 4 and tool.simple_parts(tmp_path) == paths
    for path in paths:
        mesh = trimesh.load_mesh(path)
        assert mesh.is_watertight and mesh.volume > 0 and 20 < mesh.extents.max() < 100


@pytest.mark.render
def test_a_shard_holds_pairs_that_differ_at_the_defect_and_comes_out_the_same_again(
    tool: ModuleType, tmp_path: Path
) -> None:
    plan = tool.Plan(tmp_path, seed=5, side=48, samples=1, per_shard=4)
    parts = tool.simple_parts(tmp_path / "parts")
    with Renderer() as renderer:
        for name in ("pairs-00001.npz", "again.npz"):
            tool.make_shard(plan, 1, tmp_path / name, parts, renderer)
    with np.load(tmp_path / "pairs-00001.npz") as one, np.load(tmp_path / "again.npz") as two:
        assert set(one) == set(tool.SHARD)
        assert all(np.array_equal(one[k], two[k]) for k in one)
    made = read_pairs(tmp_path, held_out=False)
    assert 1 <= len(made) <= 4 and made.clean.shape[1:] == (48, 48, 3)
    for i in range(len(made)):
        changed = np.abs(made.change[i]).max(2)
        assert tool.LEAST_PX <= made.mask[i].sum() <= tool.MOST_SHARE * 48**2
        assert np.percentile(changed[made.mask[i]], 90) >= tool.LEAST_CHANGE
        assert 1e-3 < made.mm_per_px[i] < 5 and (made.part[i] | ~made.mask[i]).all()
        image = made.clean[i] + made.change[i]
        assert image.min() >= 0 and image.max() <= 255


def test_lost_draws_are_counted_not_made(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: Counter[str] = Counter()
    answers = iter(["faint", {"kind": "dent"}, tool.PlacementError("a", "b", "c"), "size"])

    def pair(*_: object) -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(tool, "draw_shot", lambda *_: None)
    monkeypatch.setattr(tool, "pair", pair)
    made = list(tool.pairs(tool.Plan(Path(), 0, 48, 1, 4), 0, None, None, lost))
    assert made == [{"kind": "dent"}] and lost == {"faint": 1, "PlacementError": 1, "size": 1}


def test_a_sheet_shows_every_type_beside_its_truth(tmp_path: Path) -> None:
    class Brighter:
        name, size, types, facts = "tiny", SIDE, ("good", "dent", "scratch"), {}

        def paint(self, crops: list[Crop], damage: list[str], seeds: list[int]) -> list[np.ndarray]:
            return [np.where(c.mask[..., None], 1.0, c.image) for c in crops]

    made = pairs(5)
    assert sheet(tmp_path / "sheet.png", Brighter(), made, each=2, columns=2) == 4
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture.shape == (2 * (SIDE + HEIGHT), 2 * 5 * SIDE, 3)
    first = picture[HEIGHT : HEIGHT + SIDE, ..., ::-1]
    clean, mask, truth, sample = (first[:, k * SIDE : (k + 1) * SIDE] for k in range(4))
    assert np.array_equal(clean, made.clean[0]) and np.array_equal(mask[..., 0] > 0, made.mask[0])
    assert np.array_equal(truth, made.clean[0] + made.change[0])
    assert (sample[made.mask[0]] == 255).all() and np.array_equal(sample[~made.mask[0]], clean[~made.mask[0]])
