"""Whatever the mask and the photograph: not one pixel outside the mask changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from inpaint_data import random_case

from core.errors import RenderError
from core.seeds import child
from defects.generative.crop import windows
from defects.generative.memory import HOST, enough_memory
from defects.generative.paint import _pass, paint_photo
from defects.generative.painter import GOOD, Painter
from defects.generative.photo import Photo
from defects.generative.rules import Overlay
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.config import TinyConfig
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.weights import save_weights
from tests.generative.painters import Wild
from tests.generative.test_photo_paint import grainy

COUNT = int(os.environ.get("FLAWSMITH_RANDOM_MASKS", "40"))
"""Random masks of a learned backend, a tenth of a second each: 1,000 take minutes. The weights that ship take a second
or two, and get an eighth of them."""
SMALL = TinyConfig(size=32, widths=(16, 24), blocks=(1, 1), embedding=32, steps=2)


def broken(painter: Painter, count: int, side: int) -> list[int]:
    """Numbers of the random cases in which a pixel outside the mask changed; all work counts, shown or not."""
    images, bad = [grainy(120, 140, 3, k) for k in range(4)], []
    types = [t for t in painter.types if t != GOOD]
    for k in range(count):
        rng = child(11, "exact", k)
        image, mask = random_case(images, rng, side)
        before = image.copy()
        places = windows(mask, painter.sizes, painter.cell)
        damage = types[int(rng.integers(len(types)))]
        made = _pass(Photo("p", image), np.ones_like(mask), mask, places, damage, painter, k, float("nan"))
        if (made[~mask] != before[~mask]).any() or (image != before).any():
            bad.append(k)
    return bad


@pytest.mark.slow
def test_a_thousand_random_masks_of_the_drawn_backend() -> None:
    assert broken(Overlay(size=32), 1000, 48) == []


def test_random_masks_of_a_backend_gone_wild() -> None:
    """Noise far out of range over the whole crop, with cells of 8 pixels, so that masks are magnified and tiled."""
    assert broken(Wild(32, 8), 100, 48) == []


@pytest.fixture(scope="module")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> TinyPainter:
    """The embedded model's architecture with random weights: it changes everything that it may."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = TinyNet(SMALL)
        state = {k: 0.2 * torch.randn_like(v) for k, v in net.state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(path, state, SMALL, {})
    return TinyPainter(path)


def test_random_masks_of_an_untaught_model(untaught: TinyPainter) -> None:
    assert broken(untaught, COUNT, 40) == []


@pytest.mark.slow
def test_random_masks_of_the_weights_that_ship() -> None:
    assert broken(TinyPainter(), -(-COUNT // 8), 64) == []


def test_random_masks_of_stable_diffusion_in_miniature(tmp_path: Path) -> None:
    """Its autoencoder, with random weights, gives back no pixel as it was; nothing of that may get past the mask."""
    pytest.importorskip("diffusers")
    pytest.importorskip("peft")
    from defects.generative.sd15.backend import Sd15Painter
    from defects.generative.sd15.files import find_base
    from defects.generative.sd15.settings import TrainSettings
    from defects.generative.sd15.train import train
    from tests.generative.small_sd import examples, save_base

    base = save_base(tmp_path / "base")
    how = TrainSettings(steps=1, size=64, tokens=2, rank=2, batch=1, accumulate=1, strips_every=0, seed=3)
    learned = train(examples(), find_base(str(base), "sd15"), "sd15", tmp_path / "learned", how)
    assert broken(Sd15Painter(learned, str(base), steps=1), -(-COUNT // 2), 40) == []


def test_thin_masks_are_magnified_for_the_embedded_model(untaught: TinyPainter) -> None:
    """Its first layer sees blocks of 2 x 2: a line of one pixel must span two of them."""
    assert untaught.cell == 2
    mask = np.zeros((96, 96), bool)
    mask[40:42, 30:32] = True
    (place,) = windows(mask, untaught.sizes, untaught.cell)
    assert place.scale >= 2, "two pixels span two blocks"


def test_too_little_memory_is_one_sentence_with_a_setting(untaught: TinyPainter, monkeypatch) -> None:
    def full(*_: object, **__: object) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("defects.generative.tiny.backend.sample", full)
    image = grainy(40, 40, 3)
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    with pytest.raises(RenderError, match=r"a crop of 32 px does not fit into memory.*--device cpu"):
        paint_photo(image, mask, "dent", untaught, 1)
    with pytest.raises(RenderError, match="use less"), enough_memory("this", "use less"):
        raise RuntimeError(f"DefaultCPUAllocator: {HOST}")
    with pytest.raises(RuntimeError, match="another"), enough_memory("this", "use less"):
        raise RuntimeError("another fault")
