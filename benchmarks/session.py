"""The session around measured cells: a collector, pinned cores, progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeVar

from breaker_exporter._harness.processes import allow_many_sockets
from breaker_exporter.testing import FaultyCollector

from .cores import cores


class Planned(Protocol):
    """A cell that is still to be measured."""

    @property
    def key(self) -> str:
        """The name of this cell, different from all others."""

    @property
    def estimate(self) -> float:
        """Seconds it takes, about."""


P = TypeVar("P", bound=Planned)


@contextlib.contextmanager
def session() -> Iterator[FaultyCollector]:
    """Run a collector that serves all cells; load and collector use the cores that the worker does not."""
    allow_many_sockets()
    pinned = cores()
    if pinned:
        os.sched_setaffinity(0, pinned[1])  # all children inherit it; the worker goes to the other core
        os.environ["BENCH_CORE"] = str(pinned[0])
    with FaultyCollector() as collector:
        yield collector


def with_progress(planned: Sequence[P], check: Callable[[], None]) -> Iterable[P]:
    """Yield the cells one by one, with a progress bar on a terminal and a line for each elsewhere.

    Args:
        planned: The cells to measure.
        check: Called before each; an exception of it ends the run.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    is_terminal = sys.stdout.isatty()
    left = sum(cell.estimate for cell in planned)
    with Progress(*columns, disable=not is_terminal) as progress:
        task = progress.add_task("measuring", total=len(planned))
        for cell in planned:
            check()
            progress.update(task, description=cell.key)
            if not is_terminal:
                print(f"{cell.key}; {left / 60:.0f} minutes left", flush=True)
            yield cell
            left -= cell.estimate
            progress.advance(task)
