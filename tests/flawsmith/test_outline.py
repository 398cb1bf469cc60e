"""Outlines along pixel edges: filled again at pixel centres they give the mask back."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from core.seeds import child
from flawsmith.exports_yolo import polygons
from flawsmith.outline import outlines

EIGHT = np.ones((3, 3))


def filled(loops: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Pixels with a nonzero winding number in any loop: vertical edges to their right, summed by direction."""
    result = np.zeros(shape, bool)
    for loop in loops:
        winding = np.zeros(shape, int)
        for (x0, y0), (x1, y1) in zip(loop, np.roll(loop, -1, axis=0)):
            if x0 == x1:
                winding[min(y0, y1) : max(y0, y1), :x0] += 1 if y1 > y0 else -1
        result |= winding != 0
    return result


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 2.5), st.floats(-0.5, 1.0))
def test_outlines_fill_back_to_the_mask(seed: int, blur: float, level: float) -> None:
    noise = ndimage.gaussian_filter(child(seed, "mask").normal(size=(23, 31)), blur)
    mask = noise > level * noise.std()
    loops = outlines(mask)
    assert len(loops) == ndimage.label(mask, EIGHT)[1]
    pieces, count = ndimage.label(mask, EIGHT)
    solid = np.zeros_like(mask)
    for k in range(1, count + 1):
        solid |= ndimage.binary_fill_holes(pieces == k, ndimage.generate_binary_structure(2, 1))
    assert (filled(loops, mask.shape) == solid).all()


def test_one_pixel_keeps_its_whole_area() -> None:
    mask = np.zeros((5, 5), bool)
    mask[2, 3] = True
    (loop,) = outlines(mask)
    assert {tuple(p) for p in loop} == {(3, 2), (4, 2), (4, 3), (3, 3)}


def test_straight_runs_are_merged_and_polygons_are_normalised() -> None:
    mask = np.zeros((10, 20), bool)
    mask[2:6, 4:14] = True
    (loop,) = outlines(mask)
    assert len(loop) == 4
    values = np.array(polygons(mask)[0].split(), float).reshape(-1, 2)
    assert np.allclose(sorted(values[:, 0]), [0.2, 0.2, 0.7, 0.7])
    assert np.allclose(sorted(values[:, 1]), [0.2, 0.2, 0.6, 0.6])


def test_an_empty_mask_has_no_outline() -> None:
    assert outlines(np.zeros((4, 4), bool)) == []
