"""Work side by side: the same numbers as one after the other, in the same order, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pytest
import torch
import trimesh

from recon.fit import Settings, Stage
from recon.solve import solve
from recon.volume import VolumeSettings
from recon.workers import averaged, each, workers
from tests.recon.painted import photographed
from tests.recon.synthetic import turntable


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    count = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(count)


def test_results_come_in_order_and_from_several_threads() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def work(item: int) -> tuple[int, str, int]:
        meeting.wait()  # only passed when three work at once
        return item, threading.current_thread().name, torch.get_num_threads()

    with workers():
        done = each(work, range(3))
    assert [item for item, _, _ in done] == [0, 1, 2]
    assert len({name for _, name, _ in done}) == 3
    assert {count for _, _, count in done} == {1}


def test_torchs_threads_are_given_back_also_after_an_error() -> None:
    def fails(item: int) -> int:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"), workers():
        assert torch.get_num_threads() == 1
        with workers():  # nested: the same
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
        each(fails, range(4))
    assert torch.get_num_threads() == 3
    here = threading.current_thread().name
    assert each(lambda _: threading.current_thread().name, range(4)) == [here] * 4


def test_work_may_ask_for_work() -> None:
    with workers():
        assert each(lambda a: sum(each(lambda b: a * b, range(4))), range(9)) == [6 * a for a in range(9)]


def loss(item: int, shared: Sequence[torch.Tensor]) -> torch.Tensor:
    a, b, _ = shared
    return torch.stack([(a * item + b).sin().sum(), (a**2).mean() * item])


def test_a_mean_has_the_gradients_that_plain_autograd_gives() -> None:
    a, b = (torch.randn(50, generator=torch.Generator().manual_seed(k)).requires_grad_() for k in (1, 2))
    still = torch.ones(3)
    items, weights = [1, 4, 2, 7, 3], (1.0, 0.25)
    plain = torch.stack([loss(i, (a, b, still)) for i in items]).mean(0)
    expected = torch.autograd.grad((plain * torch.tensor(weights)).sum() * 3, [a, b])
    found = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        with workers():
            total, terms = averaged(loss, items, (a, b, still), weights)
        assert not terms.requires_grad
        torch.testing.assert_close(terms, plain.detach())
        found.append(torch.autograd.grad(total * 3, [a, b]))
    for one, other in zip(found[0], expected, strict=True):
        torch.testing.assert_close(one, other)
    for others in found[1:]:
        assert all(torch.equal(x, y) for x, y in zip(found[0], others, strict=True))


def test_what_no_item_uses_has_no_gradient() -> None:
    used, unused = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    total, _ = averaged(lambda item, shared: (shared[0] * item).sum()[None], [1, 2], (used, unused), (1.0,))
    total.backward()
    assert unused.grad is None
    assert used.grad is not None and torch.equal(used.grad, torch.full((4,), 1.5))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "painted"])
def test_a_whole_fit_is_the_same_with_any_number_of_threads(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hull, opening (with the hash grid's albedo on the painted part), stereo and the fit, with its bounces."""
    monkeypatch.setattr("recon.solve.VolumeSettings", partial(VolumeSettings, steps=60, side_px=48))
    capture = turntable(trimesh.creation.torus(0.014, 0.006), views=8, size=64)
    capture = capture if kind == "plain" else photographed(views=9, size=72)
    stages = (Stage(48, 0.14, 8, 3e-2, still=2), Stage(64, 0.1, 6, 2e-2))
    brief = Settings("brief", stages, hull_resolution=40, opening_cells=12, settling_steps=4)
    found = []
    for count in (1, 3):
        torch.set_num_threads(count)
        found.append(solve(capture, brief, seed=5))
    one, other = found
    assert one.facts["opening"] == "opened"
    for name in ("vertices", "faces", "albedo", "roughness", "environment"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
