"""Where albedo may step: at marks on flat surface, not at edges of the part."""

from __future__ import annotations

import torch

from recon.fit.seen import evenness

UP, SIDE = [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]
EDGE = torch.tensor([[0, 1]])


def test_a_step_of_colour_on_a_flat_surface_is_a_mark() -> None:
    seen = torch.tensor([[0.5, 0.5, 0.5], [0.25, 0.5, 0.5]])
    assert float(evenness(seen, torch.tensor([UP, UP]), EDGE)) < 1e-6


def test_the_same_step_at_an_edge_may_be_light() -> None:
    seen = torch.tensor([[0.5, 0.5, 0.5], [0.25, 0.5, 0.5]])
    assert float(evenness(seen, torch.tensor([UP, SIDE]), EDGE)) == 1


def test_shading_that_hardly_changes_is_kept_even() -> None:
    seen = torch.tensor([[0.5, 0.5, 0.5], [0.49, 0.49, 0.49]])
    assert float(evenness(seen, torch.tensor([UP, UP]), EDGE)) > 0.95
