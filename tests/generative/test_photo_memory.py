"""Memory that runs out: once in tiles and slices, on the record; then one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("diffusers")
pytest.importorskip("peft")

import torch

from core.errors import RenderError
from defects.generative.memory import HOST, fitted
from defects.generative.paint import paint_photo
from defects.generative.painter import GOOD, Crop
from defects.generative.sd15 import backend
from defects.generative.sd15.backend import Sd15Painter
from defects.generative.sd15.files import find_base
from defects.generative.sd15.lean import one_by_one, spare_memory
from defects.generative.sd15.models import Networks, networks
from tests.generative.small_sd import save_base

SHORT = [torch.cuda.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError(f"DefaultCPUAllocator: {HOST}")]
USES = [("sd15", 9), ("sd15-controlnet", 4)]


def nets(folder: Path, use: Any, channels: int) -> Networks:
    base = find_base(str(save_base(folder, channels)), use)
    made = networks(base, use, (GOOD, "scratch"), tokens=2, rank=2, seed=1)
    for module in made.modules():
        module.requires_grad_(False).eval()
    return made


def painter(made: Networks, size: int = 128) -> Sd15Painter:
    """As one that was loaded: it may change its networks."""
    found = Sd15Painter.of(made, size, steps=2, guidance=3.0)
    found._whole = False
    return found


def a_crop(size: int = 128) -> Crop:
    image = np.linspace(0.2, 0.8, size * size * 3).reshape(size, size, 3)
    mask = np.zeros((size, size), bool)
    mask[40:70, 30:90] = True
    return Crop(image, mask, np.ones_like(mask))


@pytest.mark.parametrize("error", SHORT, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize(("use", "channels"), USES)
def test_it_goes_on_in_tiles_and_says_so(
    tmp_path: Path, monkeypatch, use: Any, channels: int, error: Exception
) -> None:
    calls, real = [], backend.sampled

    def short_once(*given: Any, **named: Any) -> np.ndarray:
        calls.append(1)
        if len(calls) == 1:
            raise error
        return real(*given, **named)

    monkeypatch.setattr(backend, "sampled", short_once)
    one, crop = painter(nets(tmp_path, use, channels)), a_crop()
    assert "memory" not in one.facts
    (made,) = one.paint([crop], ["scratch"], [1])
    assert made.shape == crop.image.shape and np.isfinite(made).all() and len(calls) == 2
    assert one.facts["memory"] == "tiles of 64 px" and one.facts["steps"] == 2
    assert one._nets.vae.use_tiling and one._nets.vae.tile_sample_min_size == 64
    one.paint([crop], ["scratch"], [2])
    assert len(calls) == 3, "from then on in tiles at once"


def test_the_record_of_an_image_says_so(tmp_path: Path, monkeypatch) -> None:
    """Also where memory runs out in the middle of an image, after its pass without damage."""
    real, calls = backend.sampled, []

    def short_later(pipe: Any, net: Any, image: np.ndarray, mask: np.ndarray, damage: str, *given: Any, **named: Any):
        calls.append(damage)
        if len(calls) == 2:
            raise MemoryError
        return np.where(
            mask[..., None] & (damage != GOOD), 1 - image, real(pipe, net, image, mask, damage, *given, **named)
        )

    monkeypatch.setattr(backend, "sampled", short_later)
    made = paint_photo(
        np.full((140, 150, 3), 60, np.uint8), np.pad(np.ones((30, 30), bool), ((50, 60), (60, 60))), "scratch",
        painter(nets(tmp_path, "sd15", 9), 64), 1,
    )  # fmt: skip
    assert made.facts["memory"] == "tiles of 64 px" and calls[:2] == [GOOD, "scratch"]


@pytest.mark.parametrize("error", SHORT, ids=lambda e: type(e).__name__)
def test_what_does_not_fit_in_tiles_either_is_one_sentence(tmp_path: Path, monkeypatch, error: Exception) -> None:
    def short(*_: Any, **__: Any) -> np.ndarray:
        raise error

    monkeypatch.setattr(backend, "sampled", short)
    one = painter(nets(tmp_path, "sd15", 9))
    with pytest.raises(RenderError, match=r"a crop of 128 px, even in tiles of 64 px, does not fit.*--size 64"):
        one.paint([a_crop()], ["scratch"], [1])
    strips = Sd15Painter.of(one._nets, 128, steps=2, guidance=3.0)
    with pytest.raises(RenderError, match=r"a crop of 128 px does not fit"):
        strips.paint([a_crop()], ["scratch"], [1])


def test_another_fault_is_no_lack_of_memory() -> None:
    def broken() -> int:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        fitted(broken)
    assert fitted(lambda: 3) == 3


@pytest.mark.parametrize(("use", "channels"), USES)
def test_tiles_and_slices_paint_nearly_the_same(tmp_path: Path, use: Any, channels: int) -> None:
    made, crop = nets(tmp_path, use, channels), a_crop()
    (whole,) = painter(made).paint([crop], ["scratch"], [3])
    lean = painter(made)
    lean._tile = spare_memory(lean._pipe, made, 128)
    sizes: list[tuple[int, ...]] = []
    made.vae.decoder.register_forward_pre_hook(lambda _, given: sizes.append(tuple(given[0].shape)))
    rows: list[int] = []
    made.unet.conv_in.register_forward_pre_hook(lambda _, given: rows.append(len(given[0])))
    (tiled,) = lean.paint([crop], ["scratch"], [3])
    assert len(sizes) > 1 and max(max(s[2:]) for s in sizes) <= 8, "no tile is larger than half the crop"
    assert set(rows) == {1} and len(rows) == 4, "guidance runs one after the other"
    assert np.abs(whole - tiled).mean() < 0.15 and (whole != tiled).any()


def test_one_by_one_is_the_whole_batch() -> None:
    def forward(x: torch.Tensor, t: torch.Tensor, words: torch.Tensor, more: tuple[torch.Tensor, ...]) -> Any:
        return [x + words.sum(1)[:, None] + t, more[0] * x], x - t

    x, words, more = torch.randn(3, 4), torch.randn(3, 5), (torch.randn(3, 4),)
    want, got = forward(x, torch.tensor(7.0), words, more), one_by_one(forward)(x, torch.tensor(7.0), words, more)
    for a, b in ((want[0][0], got[0][0]), (want[0][1], got[0][1]), (want[1], got[1])):
        torch.testing.assert_close(a, b)
