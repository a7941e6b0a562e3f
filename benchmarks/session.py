"""The session around measured cells: a collector, pinned cores, progress."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from breaker_exporter._harness.processes import allow_many_sockets
from breaker_exporter.testing import FaultyCollector

from .cores import cores
from .plan import Cell


@contextlib.contextmanager
def session() -> Iterator[FaultyCollector]:
    """A collector that serves all cells; load and collector on the cores that the worker leaves them."""
    allow_many_sockets()
    pinned = cores()
    if pinned:
        os.sched_setaffinity(0, pinned[1])  # all children inherit it; the worker goes to the other core
        os.environ["BENCH_CORE"] = str(pinned[0])
    with FaultyCollector() as collector:
        yield collector


def with_progress(planned: Sequence[Cell], check: Callable[[], None]) -> Iterable[Cell]:
    """The cells one by one, with a progress bar on a terminal and a line each elsewhere.

    Args:
        planned: What is measured.
        check: Called before each; what it raises ends the run.
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
