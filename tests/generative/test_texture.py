"""Texture of damage, measured on examples and drawn anew."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example
from defects.generative.paint import paint_photo
from defects.generative.painter import GOOD
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.net import TinyNet
from defects.generative.tiny.texture import FULL_PX, MOST, RIM_PX, SIDE, texton_of, textons_of, textured
from defects.generative.tiny.weights import load_textons, load_weights, save_weights
from tests.generative.tiny_models import SMALL

LEVEL, GRAIN, STRIPES = 120, 3.0, 12.0
LARGE = np.zeros((192, 160), bool)
LARGE[30:150, 20:130] = True


def ground(number: int, grain: float = GRAIN) -> np.ndarray:
    """(192, 160, 3) uint8, grey, with white grain."""
    noise = child(0, "ground", number).normal(LEVEL, grain, LARGE.shape)
    return np.repeat(np.rint(np.clip(noise, 0, 255)).astype(np.uint8)[..., None], 3, 2)


def ground_down(number: int) -> Example:
    """A patch of upright stripes, a few pixels apart, on such a ground."""
    rows = child(1, "stripes", number).normal(0, 1, (1, LARGE.shape[1]))
    stripes = STRIPES * rows / rows.std() + child(2, "own", number).normal(0, GRAIN, LARGE.shape)
    image = np.where(LARGE[..., None], np.clip(LEVEL + stripes, 0, 255)[..., None], ground(number))
    return Example(np.rint(image).astype(np.uint8), LARGE, np.ones_like(LARGE), "uneven", f"n{number}")


def deep(mask: np.ndarray, by: int) -> np.ndarray:
    return cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((2 * by + 1,) * 2))[1:-1, 1:-1] > 0


def told(image: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Strength of the detail deep inside, and how much stronger it runs across than along."""
    grey = image[..., 0].astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), 5)
    inner = deep(mask, 9)
    across, along = (np.abs(np.diff(fine, axis=a, append=0))[inner].mean() for a in (1, 0))
    return float(fine[inner].std()), float(across / along)


@pytest.mark.parametrize("grain", [GRAIN, 2 * GRAIN])
def test_the_field_is_as_strong_and_runs_the_same_way_as_on_the_examples(grain: float) -> None:
    examples = [ground_down(n) for n in range(3)]
    textons = textons_of(examples, 0)["uneven"]
    clean = ground(9, grain)
    dark = np.where(LARGE[..., None], clean - 20, clean)  # what a network told: a level, with the ground's own grain
    part = np.ones_like(LARGE)
    out = textured(dark, clean, LARGE, part, textons, child(5))
    wanted = np.mean([told(e.image, LARGE) for e in examples], axis=0)
    mine = np.mean([told(textured(dark, clean, LARGE, part, textons, child(k)), LARGE) for k in range(4)], axis=0)
    assert mine[0] == pytest.approx(wanted[0] * grain / GRAIN, rel=0.2), "as strong against its surroundings"
    assert told(dark, LARGE)[1] < 1.2 < 0.7 * wanted[1] < mine[1], "stripes run as they did"
    inner = deep(LARGE, 9)
    assert out[inner].mean() == pytest.approx(dark[inner].mean(), abs=1.0), "the level is the network's"
    assert (out[..., 0] == out[..., 1]).all() and (out[..., 0] == out[..., 2]).all()


def test_rims_and_all_outside_are_the_networks_own() -> None:
    textons = textons_of([ground_down(0)], 0)["uneven"]
    clean = ground(4)
    painted = np.where(LARGE[..., None], clean // 2, clean)
    out = textured(painted, clean, LARGE, np.ones_like(LARGE), textons, child(1))
    rim = ~deep(LARGE, int(RIM_PX))
    assert np.array_equal(out[rim], painted[rim]) and (out != painted).any(2)[deep(LARGE, int(FULL_PX))].mean() > 0.9
    assert np.array_equal(out, textured(painted, clean, LARGE, np.ones_like(LARGE), textons, child(1)))
    assert not np.array_equal(out, textured(painted, clean, LARGE, np.ones_like(LARGE), textons, child(2)))


def test_damage_up_to_the_photographs_border_has_texture_there_too() -> None:
    mask = np.zeros_like(LARGE)
    mask[:80] = True
    textons = textons_of([ground_down(0)], 0)["uneven"]
    clean = ground(4)
    out = textured(clean, clean, mask, np.ones_like(mask), textons, child(1))
    assert (out[0] != clean[0]).any(1).mean() > 0.8


def test_small_damage_and_sound_surface_have_none() -> None:
    small = np.zeros_like(LARGE)
    small[60:70, 60:70] = True
    part = np.ones_like(LARGE)
    assert texton_of(ground(0).astype(np.float32) / 255, small, part, child(0)) is None
    sound = Example(ground(1), LARGE, part, GOOD)
    assert textons_of([Example(ground(0), small, part, "pit"), sound], 0) == {}
    assert len(textons_of([ground_down(n) for n in range(MOST + 4)], 0)["uneven"]) == MOST


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """An untaught network that knows `uneven` by its texture alone."""
    config = SMALL.model_copy(update={"types": (*SMALL.types, "uneven")})
    path = tmp_path / "w.safetensors"
    save_weights(path, TinyNet(config).state_dict(), config, {}, textons_of([ground_down(0)], 0))
    return path


def test_weights_keep_textons_and_the_painter_uses_them(plain: Path) -> None:
    assert load_textons(plain)["uneven"].shape == (1, SIDE, SIDE, 3)
    net, _, about = load_weights(plain)
    assert not [k for k in net.state_dict() if k.startswith("texton")] and about == {}
    clean = ground(6)
    one, two = (paint_photo(clean, LARGE, "uneven", TinyPainter(plain), s, tries=1) for s in (1, 1))
    assert np.array_equal(one.image, two.image) and np.array_equal(one.image[~LARGE], clean[~LARGE])
    assert told(one.image, LARGE)[1] > 1.5


@pytest.mark.parametrize(
    ("kind", "kernels", "said"),
    [
        ("rusty", np.zeros((1, SIDE, SIDE, 3)), "none of its types"),
        (GOOD, np.zeros((1, SIDE, SIDE, 3)), "none of its types of damage"),
        ("pit", np.zeros((1, 8, 8, 3)), "shape (1, 8, 8, 3)"),
        ("pit", np.zeros((MOST + 1, SIDE, SIDE, 3)), "shape"),
        ("pit", np.full((1, SIDE, SIDE, 3), np.nan), "no numbers"),
    ],
)
def test_textons_of_strangers_are_checked(tmp_path: Path, kind: str, kernels: np.ndarray, said: str) -> None:
    path = tmp_path / "w.safetensors"
    with torch.random.fork_rng():
        save_weights(path, TinyNet(SMALL).state_dict(), SMALL, {}, {kind: kernels})
    with pytest.raises(InputError, match=r"w\.safetensors") as refused:
        TinyPainter(path)
    assert said in str(refused.value)
