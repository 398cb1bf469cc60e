"""Photograph and mask move alike, the mask is never lost, and nothing but geometry changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from core.errors import InputError
from core.seeds import child
from defects.generative.augment import Example, Moves, augmented


def example(h: int = 90, w: int = 120) -> Example:
    mask = cv2.line(np.zeros((h, w), np.uint8), (30, 40), (80, 55), 1, 4).astype(bool)
    image = np.where(mask[..., None], 200, 60).astype(np.uint8).repeat(3, axis=2)
    return Example(image, mask, np.ones((h, w), bool), "scratch")


def test_the_mask_stays_on_the_damage() -> None:
    """The damage is the only bright thing: where the moved picture is bright is where the moved mask must be."""
    for k in range(300):
        moved = augmented(example(), child(k, "augment"))
        bright = moved.image[..., 0] > 130
        both = (bright & moved.mask).sum() / (bright | moved.mask).sum()
        assert both > 0.85, k
        assert moved.mask.sum() > 0.4 * example().mask.sum()
        assert moved.image.min() >= 60 and moved.image.max() <= 200


def test_moves_of_whole_pixels_and_mirrors_are_exact() -> None:
    only = Moves(turn_deg=(0, 0), shift=0, crop=1, scale=1, chance=1)
    moved = augmented(example(), child(1, "x"), only)
    assert (moved.image == example().image[::-1, ::-1]).all() and (moved.mask == example().mask[::-1, ::-1]).all()
    still = augmented(example(), child(1, "x"), Moves(flips=(), turn_deg=(0, 0), shift=0, crop=1, scale=1))
    assert (still.image == example().image).all()


def test_rotation_is_by_10_to_30_degrees() -> None:
    only, seen = Moves(flips=(), shift=0, crop=1, scale=1, chance=1), []
    for k in range(60):
        rows, columns = np.nonzero(augmented(example(200, 200), child(k, "turn"), only).mask)
        way = np.linalg.svd(np.c_[columns, rows] - np.mean(np.c_[columns, rows], axis=0), full_matrices=False)[2][0]
        seen.append(np.rad2deg(np.arctan2(way[1], way[0])))
    turn = (np.array(seen) - np.rad2deg(np.arctan2(15, 50)) + 90) % 180 - 90
    assert (np.abs(turn) > 8).all() and (np.abs(turn) < 32).all() and (turn > 0).any() and (turn < 0).any()


def test_impossible_moves_are_refused() -> None:
    with pytest.raises(InputError):
        Moves(flips=("diagonal",))
    with pytest.raises(InputError):
        Moves(crop=0)
