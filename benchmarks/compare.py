"""Two contenders, or one contender at two commits, side by side: for a developer who changes the package.

A contender is a name, or ``name@commit``. CPU is measured with no exporter, A and B in the same seconds. For
latency each has the machine to itself in turn, every other round backwards, so that a speed that drifts
favours neither.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .contenders import ALL
from .figures import figures_of
from .installed import exists, installed
from .measure import measure_together
from .plan import Cell, cost_cells, together
from .results import Results
from .session import session, with_progress
from .spreads import spread

_OUTAGE = (8.0, 4.5, 2.5, 3.0)
"""Seconds of the phases of a cell that measures latency."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: a contender, at a commit or as it stands here."""

    contender: str
    commit: str | None

    def __str__(self) -> str:
        return self.contender if self.commit is None else f"{self.contender}@{self.commit}"


def side(text: str) -> Side:
    """Read ``name`` or ``name@commit``.

    Raises:
        ValueError: No contender has this name, or git knows no such commit.
    """
    name, at, commit = text.partition("@")
    if name not in ALL:
        raise ValueError(f"contender must be of {', '.join(ALL)}, not {name!r}")
    if at and not exists(commit):
        raise ValueError(f"commit must be one that git knows, not {commit!r}")
    return Side(name, commit if at else None)


def compare(sides: tuple[Side, Side], rounds: int, check: Callable[[], None]) -> str:
    """Measure both sides in turn, and no exporter beside them.

    Args:
        sides: A and B.
        rounds: Number of rounds; each side has two cells in a round.
        check: Called many times a second; an exception of it ends the run.

    Returns:
        The figures as Markdown.

    Raises:
        CellFailed: A service or the load did not run.
        CannotInstall: A side could not be installed.
    """
    names = {"none": Side("none", None), "A": sides[0], "B": sides[1]}
    planned = [cell for number in range(rounds) for cell in _round(number)]
    data: dict[str, Any] = {"cells": {}, "micro": {}, "skipped": {}}
    with session() as collector, contextlib.ExitStack() as stack:
        by_commit = {
            commit: stack.enter_context(installed(commit))
            for commit in dict.fromkeys(each.commit for each in names.values())
        }
        for group in with_progress(together(planned), check):
            sided = [
                (_of(cell, it.contender), by_commit[it.commit])
                for cell in group.cells
                for it in [names[cell.contender]]
            ]
            observed = measure_together(sided, collector, check)
            for cell, raw in zip(group.cells, observed, strict=True):
                data["cells"][cell.key] = {**figures_of(raw), "contender": cell.contender}
    return "\n".join(lines(sides, rounds, Results(data)))


def _round(number: int) -> Iterator[Cell]:
    """Cells whose contenders are the labels none, A and B."""
    labels = ("none", "A", "B")
    yield from cost_cells(number, labels)
    for label in labels[::-1] if number % 2 else labels:
        yield Cell("outage", label, "gevent", "blackhole", 150, number, seconds=_OUTAGE)


def _of(cell: Cell, contender: str) -> Cell:
    return Cell(cell.suite, contender, cell.worker, cell.fault, cell.rate, cell.round, cell.seconds)


_FIGURES = (
    ("request p99, ms", "outage", "healthy", "p99_ms", 1.0),
    ("hub p99.9, ms", "outage", "healthy", "hub_p99.9_ms", 1.0),
    ("largest hub gap in a blackhole, ms", "outage", "fault", "hub_p100_ms", 1.0),
    ("CPU of the worker, %", "cost", "healthy", "cpu", 100.0),
    ("memory, MB", "outage", "healthy", "resident_mb", 1.0),
)
"""The figures compared: title, suite, phase, name, and the factor to the unit."""


def lines(sides: Sequence[Side], rounds: int, results: Results) -> Iterator[str]:
    """Yield the comparison as Markdown, from cells of the contenders none, A and B."""
    yield f"A is `{sides[0]}`, B is `{sides[1]}`; {rounds} rounds, interleaved; ratios within a round."
    yield ""
    yield "| figure | none | A | B | A / B |"
    yield "| --- | --- | --- | --- | --- |"
    for title, suite, phase, name, unit in _FIGURES:
        where = {"suite": suite, "fault": "none" if suite == "cost" else "blackhole"}
        columns = [_column(results, label, phase, name, unit, where) for label in ("none", "A", "B")]
        yield _row(title, *columns, results.ratios(phase, name, "A", "B", **where))
    costs = [
        [100 * cost for number in results.rounds() if (cost := results.cost(label, number)) is not None]
        for label in ("A", "B")
    ]
    yield _row("CPU of exporting, %", [], *costs, results.costs("A", "B"))
    if late := results.lateness():
        yield from ("", f"{late} Measure again on a machine that does nothing else.")


def _column(
    results: Results, label: str, phase: str, name: str, unit: float, where: Mapping[str, str]
) -> list[float]:
    found = (results.figure(label, number, phase, name, **where) for number in results.rounds())
    return [unit * value for value in found if value is not None]


def _row(title: str, *columns: Sequence[float]) -> str:
    return f"| {title} | {' | '.join(map(spread, columns))} |"
