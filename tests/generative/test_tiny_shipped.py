"""The weights that Flawsmith ships: their size, their types, and that they change what the mask holds."""

from __future__ import annotations

import time

import numpy as np
import pytest

from defects.generative.painter import GOOD, Crop
from defects.generative.tiny.backend import TinyPainter
from defects.generative.tiny.config import TYPES
from defects.generative.tiny.weights import WEIGHTS
from tests.generative.tiny_models import disc, surface

pytestmark = pytest.mark.skipif(not WEIGHTS.is_file(), reason="no weights are shipped yet; see docs/models/tiny.md")
SIDE = 128


@pytest.fixture(scope="module")
def painter() -> TinyPainter:
    return TinyPainter()


def crop() -> Crop:
    return Crop(surface(0, SIDE), disc(SIDE, 22.0), np.ones((SIDE, SIDE), bool), 0.05)


def test_shipped_weights_are_small_and_know_all_types(painter: TinyPainter) -> None:
    assert WEIGHTS.stat().st_size <= 16e6
    assert painter.types == TYPES and painter.size == SIDE


def test_shipped_weights_paint_what_they_are_asked_for(painter: TinyPainter) -> None:
    """Rust is redder and darker than the grey it grows on, and a good crop changes far less than a damaged one."""
    here = crop()
    rust, good = painter.paint([here, here], ["rust", GOOD], [1, 1])
    change = (rust - here.image)[here.mask].mean(0)
    assert change[0] > change[2] + 0.03
    assert np.abs(good - here.image)[here.mask].mean() < 0.4 * np.abs(rust - here.image)[here.mask].mean()


def test_a_crop_takes_no_longer_than_a_laptop_user_waits(painter: TinyPainter) -> None:
    """1.5 s on two cores are 3 CPU seconds, in one of three tries: a busy machine makes it slower, never faster."""
    taken: list[float] = []
    while len(taken) < 3 and not (taken and taken[-1] <= 3.0):
        begun = time.process_time()
        painter.paint([crop()], ["rust"], [len(taken)])
        taken.append(time.process_time() - begun)
    assert taken[-1] <= 3.0, taken
