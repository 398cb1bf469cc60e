"""A part in one colour: faint unevenness goes, marks stay."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.seeds import child
from recon.plain import ENOUGH, FAINT, colour_of, evened, one_coloured

GREY = torch.tensor([0.4, 0.5, 0.45])


@pytest.mark.parametrize(("apart", "least", "most"), [(0.1, 0.0, 0.05), (FAINT, 0.49, 0.51), (2.0, 0.9, 1.0)])
def test_what_departs_less_is_drawn_back_more(apart, least, most):
    for sign in (-1, 1):
        left = torch.log(evened(GREY[None] * np.exp(sign * apart), GREY) / GREY) * sign / apart
        assert least <= float(left.min()) and float(left.max()) <= most


def test_the_part_s_own_colour_stays():
    assert torch.allclose(evened(GREY.repeat(5, 1), GREY), GREY.repeat(5, 1))


def test_a_coloured_mark_keeps_its_hue():
    """One factor for all channels of a departure, so that rust does not turn grey on its way."""
    rust = torch.tensor([[0.5, 0.1, 0.03]])
    before, after = torch.log(rust / GREY), torch.log(evened(rust, GREY) / GREY)
    assert torch.allclose(after / before, (after / before).mean().expand_as(after), atol=1e-5)


def test_a_second_finish_or_colour_is_no_error_of_the_fit():
    rng = child(0, "uneven")
    uneven = GREY * torch.exp(torch.as_tensor(0.2 * rng.standard_normal((1000, 1))).float())
    seen = np.full(1000, ENOUGH)
    assert one_coloured(uneven, seen)
    machined, red = uneven.clone(), uneven.clone()
    machined[:200] *= 1.7
    red[:50, 0] *= 1.5
    assert not one_coloured(machined, seen) and not one_coloured(red, seen)
    assert not one_coloured(uneven, np.zeros(1000, int)), "nothing seen, nothing known"


def test_black_is_not_divided_by():
    assert torch.isfinite(evened(torch.zeros(3, 3), torch.zeros(3))).all()


def test_the_colour_is_that_of_what_was_seen():
    albedo = torch.cat([GREY.repeat(3, 1), torch.full((9, 3), 0.9)])
    views = np.array([ENOUGH] * 3 + [0] * 9)
    assert torch.allclose(colour_of(albedo, views), GREY)
    assert torch.allclose(colour_of(albedo, np.zeros(12, int)), torch.full((3,), 0.9)), "nothing seen: all count"
