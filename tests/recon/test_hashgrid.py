"""Hash tables of colour: their samples, gradients, and what they hold that a plain grid of the same reach does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core.seeds import child
from recon.hashgrid import HashGrid, HashLayout

SMALL = HashLayout(levels=3, coarsest=4, finest=16, log2_entries=8, hidden=8)
GREY = torch.tensor([0.2, -0.1, 0.4])


def begun(layout: HashLayout = SMALL, seed: int = 0) -> HashGrid:
    return HashGrid.start(layout, (-1.0, -1.0, -1.0), 2.0, GREY, child(seed, "paint"))


def shaken(seed: int = 1) -> HashGrid:
    """Double precision, with features that differ."""
    rng = child(seed, "features")
    found = begun()
    raw = [t.detach().double() for t in found.raw]
    raw[0] = torch.as_tensor(rng.normal(size=tuple(raw[0].shape)))
    return found.over([t.requires_grad_() for t in raw])


def scattered(count: int, seed: int = 2) -> torch.Tensor:
    return torch.as_tensor(child(seed, "points").uniform(-0.98, 0.98, (count, 3)))


def test_begins_as_one_colour() -> None:
    found = begun().logits(scattered(200).float())
    assert torch.allclose(found, GREY.expand(200, 3), atol=1e-3) and found.std(0).max() > 0
    assert torch.equal(found, begun().logits(scattered(200).float()))


def test_levels_rise_in_equal_ratios() -> None:
    assert HashLayout(levels=4, coarsest=8, finest=64).sides() == [8, 16, 32, 64]
    assert HashLayout(levels=1, coarsest=8, finest=8).sides() == [8]


def test_at_a_sample_its_own_features() -> None:
    grid = shaken()
    x, y, z = 3, 1, 2
    point = -1 + 2 * torch.tensor([[x, y, z]]).double() / (SMALL.coarsest - 1)
    entry = (x * SMALL.coarsest + y) * SMALL.coarsest + z
    torch.testing.assert_close(grid.encoded(point)[0, :2], grid.tables[0, entry])
    assert SMALL.sides()[-1] ** 3 > 2**SMALL.log2_entries
    x, y, z = 5, 9, 14
    point = -1 + 2 * torch.tensor([[x, y, z]]).double() / (SMALL.finest - 1)
    entry = (x ^ (y * 2654435761) ^ (z * 805459861)) % 2**SMALL.log2_entries
    torch.testing.assert_close(grid.encoded(point)[0, -2:], grid.tables[-1, entry])


def test_colour_has_no_steps() -> None:
    """Across the walls of cells, and up to the box' border, beyond which it goes on as there."""
    grid = shaken()
    walls = -1 + 2 * torch.arange(SMALL.finest).double() / (SMALL.finest - 1)
    rows = torch.stack([walls, torch.full_like(walls, 0.31), torch.full_like(walls, -0.47)], 1)
    shift = torch.tensor([1e-9, 0, 0]).double()
    torch.testing.assert_close(grid.logits(rows - shift), grid.logits(rows + shift), atol=1e-6, rtol=0)
    corner = torch.ones(1, 3).double()
    torch.testing.assert_close(grid.logits(corner), grid.logits(5 * corner))


def test_gradients_against_finite_differences() -> None:
    grid, points = shaken(), scattered(12).requires_grad_()

    def colour(points: torch.Tensor, *raw: torch.Tensor) -> torch.Tensor:
        return grid.over(raw).logits(points)

    assert torch.autograd.gradcheck(colour, (points, *grid.raw), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("log2_entries", [15, 10])
def test_holds_what_is_finer_than_a_plain_grid(log2_entries: int) -> None:
    """Fields of an eighth of the box on a sphere, also where many samples share an entry."""

    def fields(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        points = torch.nn.functional.normalize(scattered(count, seed), dim=1).float() * 0.9
        odd = (torch.floor(points * 4).long().sum(1) % 2).float()[:, None]
        return points, (2 * odd - 1).expand(-1, 3)

    def left(layout: HashLayout) -> float:
        """Mean squared error at places never shown, of a variance of 1."""
        grid = begun(layout)
        rate = torch.optim.Adam(grid.raw, 0.02, eps=1e-15)
        for step in range(80):
            points, wanted = fields(4000, 10 + step)
            rate.zero_grad()
            ((grid.logits(points) - wanted) ** 2).mean().backward()
            rate.step()
        points, wanted = fields(4000, 3)
        with torch.no_grad():
            return float(((grid.logits(points) - wanted) ** 2).mean())

    layout = HashLayout(levels=5, coarsest=6, finest=64, log2_entries=log2_entries)
    fine, coarse = left(layout), left(replace(layout, levels=1, coarsest=6, finest=6))
    assert fine < 0.5 * coarse
