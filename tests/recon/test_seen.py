"""Where albedo may step: at marks that last while the light turns, on flat surface."""

from __future__ import annotations

import torch

from recon.fit.seen import evenness, mean_colour

UP, SIDE = [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]
FLAT_PAIR = torch.tensor([UP, UP])
EDGE = torch.tensor([[0, 1]])
LIGHT = torch.tensor([1.0, 0.4, 0.7, 0.2, 0.9, 0.5])


def pair(ratios: torch.Tensor) -> torch.Tensor:
    """(views, 2, 3): one vertex under a light that changes, its neighbour so many times as bright."""
    first = 0.5 * LIGHT[: len(ratios)]
    return torch.stack([first, first * ratios], 1)[..., None].expand(-1, -1, 3)


def test_a_contrast_that_lasts_is_a_mark() -> None:
    assert float(evenness(pair(torch.full((6,), 0.4)), FLAT_PAIR, EDGE)) < 0.01


def test_a_contrast_that_comes_and_goes_is_light() -> None:
    assert float(evenness(pair(torch.tensor([1.0, 0.3, 0.9, 0.2, 1.6, 0.5])), FLAT_PAIR, EDGE)) > 0.95


def test_a_lasting_contrast_at_an_edge_may_be_light() -> None:
    assert float(evenness(pair(torch.full((6,), 0.4)), torch.tensor([UP, SIDE]), EDGE)) == 1


def test_a_faint_contrast_is_kept_even() -> None:
    assert float(evenness(pair(torch.full((6,), 0.97)), FLAT_PAIR, EDGE)) > 0.95


def test_few_views_prove_nothing() -> None:
    assert float(evenness(pair(torch.full((3,), 0.4)), FLAT_PAIR, EDGE)) == 1


def test_the_mean_counts_only_views_that_see() -> None:
    colours = torch.full((2, 2, 3), torch.nan)
    colours[0, 0], colours[1, 0] = 0.2, 0.4
    assert torch.allclose(mean_colour(colours)[0], torch.full((3,), 0.3))
