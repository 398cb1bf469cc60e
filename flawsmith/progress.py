"""How far a run is: a bar with the time left and images per second, on standard error."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Report(Protocol):
    """Called with the number of finished images and of all, first with those that were there before."""

    def __call__(self, done: int, total: int) -> None: ...


class Bar:
    """A `Report` that draws. The rate counts only what this run made. Draws nothing when `quiet` or not a terminal."""

    def __init__(self, what: str, console: Console, quiet: bool = False) -> None:
        columns = (
            TextColumn("{task.description}", markup=False), BarColumn(None), MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"), TimeElapsedColumn(),
        )  # fmt: skip
        self._progress = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._task = self._progress.add_task(what, total=None, speed="")
        self._first: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._first is None:
            self._first = done
        elapsed = self._progress.tasks[0].elapsed or 0.0
        self._progress.update(
            self._task, completed=done, total=total, speed=speed(done - self._first, total - done, elapsed)
        )

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def speed(made: int, left: int, seconds: float) -> str:
    """`0.21 images/s, 2:05 left`; nothing before the first image."""
    if made <= 0 or seconds <= 0:
        return ""
    rest = round(left * seconds / made)
    clock = (
        f"{rest // 3600}:{rest % 3600 // 60:02d}:{rest % 60:02d}" if rest >= 3600 else f"{rest // 60}:{rest % 60:02d}"
    )
    return f"{made / seconds:.2f} images/s, {clock} left"
