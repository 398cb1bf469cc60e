"""The painters without weights paint inside the mask, visibly, and are what their names say."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.errors import InputError
from defects.generative.paint import paint_photo
from defects.generative.painter import GOOD, Crop
from defects.generative.rules import ANY, CopyPaste, InpaintFloor, Overlay, PerlinBlend
from tests.generative.small_sd import examples
from tests.generative.test_photo_paint import grainy


def crop(n: int = 64) -> Crop:
    mask = cv2.ellipse(np.zeros((n, n), np.uint8), (32, 30), (18, 8), 20, 0, 360, 1, -1).astype(bool)
    return Crop(grainy(n, n, 4) / 255.0, mask, np.ones((n, n), bool))


@pytest.mark.parametrize(
    "painter", [PerlinBlend(size=64), InpaintFloor(size=64), Overlay(size=64)], ids=lambda p: p.name
)
def test_only_the_mask_changes_and_seeds_repeat(painter) -> None:
    c = crop()
    a, b, other = painter.paint([c, c, c], ["scratch"] * 3, [1, 1, 2])
    assert (a[~c.mask] == c.image[~c.mask]).all() and (a == b).all() and (a[c.mask] != c.image[c.mask]).any()
    assert painter.name == "opencv" or (a != other).any()
    assert (painter.paint([c], [GOOD], [1])[0] == c.image).all()
    with pytest.raises(InputError):
        painter.paint([c], ["unheard-of"], [1])


@pytest.mark.parametrize("damage", [d for d in ANY if d != GOOD])
def test_drawn_damage_shows(damage: str) -> None:
    image, mask = grainy(128, 128, 3), np.zeros((128, 128), bool)
    mask[50:70, 40:80] = True
    shown = [paint_photo(image, mask, damage, Overlay(), s).facts["label_iou"] for s in range(4)]
    assert np.mean(shown) > 0.5


def test_pasted_damage_is_that_of_an_example() -> None:
    painter = CopyPaste(examples(), 64)
    assert painter.types == (GOOD, "scratch", "stain")
    c = crop()
    dark, bright = painter.paint([c, c], ["scratch", "stain"], [1, 1])
    assert dark[c.mask].mean() < c.image[c.mask].mean() < bright[c.mask].mean()
