"""Views worked on side by side, one core each. How many cores there are changes no number: every view is a sum of its
own, and the sums are added in the order of the views."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Any, TypeVar

import torch

A = TypeVar("A")
B = TypeVar("B")

One = Callable[[Any, Sequence[torch.Tensor]], torch.Tensor]
"""Called with an item and the shared tensors; returns its loss terms (k,)."""

_pool: ThreadPoolExecutor | None = None
_here = local()


@contextmanager
def workers(device: str = "cpu") -> Iterator[None]:
    """Within, `each` has as many threads as torch had, and torch's own operations have one: threads within operations
    and threads that run operations would wait for each other. On a GPU, and within itself, it changes nothing."""
    global _pool
    if _pool is not None or not str(device).startswith("cpu"):
        yield
        return
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    _pool = ThreadPoolExecutor(count, "flawsmith", _begin) if count > 1 else None
    try:
        yield
    finally:
        if _pool is not None:
            _pool.shutdown(cancel_futures=True)
        _pool = None
        torch.set_num_threads(count)


def each(work: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """work(item) for each item, in their order; side by side within `workers`, but one after the other in work itself,
    whose threads would wait for each other. Work must not write what other work reads, and make no acceleration
    structure of Warp's: their making is not safe in threads, their reading is."""
    if _pool is None or getattr(_here, "working", False):
        return [work(item) for item in items]
    return list(_pool.map(work, items))


def _begin() -> None:
    _here.working = True
    torch.set_num_threads(1)


def averaged(
    one: One, items: Sequence[Any], shared: Sequence[torch.Tensor], weights: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean over the items of the loss terms' weighted sum (), differentiable by the shared tensors, and of the
    terms (k,) themselves, which are not. Every item's graph lives only while it is worked on."""
    return _Averaged.apply(one, items, tuple(weights), *shared)  # type: ignore[no-any-return]


class _Averaged(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, one: One, items: Sequence[Any], weights: Sequence[float], *shared: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        asked = [k for k, t in enumerate(shared) if t.requires_grad]

        def worked(item: Any) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
            own = [t.detach().requires_grad_(t.requires_grad) for t in shared]
            with torch.enable_grad():
                terms = one(item, own)
                loss = (terms * terms.new_tensor(weights)).sum() / len(items)
                found = torch.autograd.grad(loss, [own[k] for k in asked], allow_unused=True) if asked else ()
            return terms.detach(), found

        done = each(worked, items)
        terms = torch.stack([terms for terms, _ in done]).mean(0)
        gradients: list[torch.Tensor | None] = [None] * len(shared)
        for row, k in enumerate(asked):
            for _, found in done:
                one_more, so_far = found[row], gradients[k]
                if one_more is not None:
                    gradients[k] = one_more if so_far is None else so_far + one_more
        ctx.gradients = gradients
        ctx.mark_non_differentiable(terms)
        return (terms * terms.new_tensor(weights)).sum(), terms

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[Any, ...]:
        return None, None, None, *(None if g is None else g * gradients[0] for g in ctx.gradients)
