"""The measurement of a plan: cell after cell into the store, with more rounds where a target needs them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence

from breaker_exporter.testing import FaultyCollector

from .figures import figures_of
from .measure import CellFailed, measure
from .plan import Cell, cost_cells
from .results import Results
from .session import with_progress
from .store import Store
from .targets import cost_verdicts

_MOST_ROUNDS = 15
"""Rounds of the suite ``cost``, however wide the spread still is."""
_NEEDED = {"logfire": "logfire", "bare-http-rotel": "rotel"}
"""Packages that a contender cannot do without, and that are not installed everywhere."""


def measure_cells(
    store: Store, planned: Sequence[Cell], collector: FaultyCollector, check: Callable[[], None]
) -> None:
    """Measure the cells that the store does not have yet."""
    for cell in with_progress(planned, check):
        if not store.has(cell.key):
            _measure_cell(store, cell, collector, check)


def measure_until_decided(store: Store, collector: FaultyCollector, check: Callable[[], None]) -> None:
    """Add rounds of the suite ``cost`` while the spread of one of its targets includes the limit."""
    results = Results(store.data)
    while len(results.rounds()) < _MOST_ROUNDS and not all(
        verdict.is_decided for verdict in cost_verdicts(results)
    ):
        measure_cells(store, cost_cells(len(results.rounds())), collector, check)
        results = Results(store.data)


def _measure_cell(store: Store, cell: Cell, collector: FaultyCollector, check: Callable[[], None]) -> None:
    needed = _NEEDED.get(cell.contender)
    if needed and importlib.util.find_spec(needed) is None:
        store.skip(cell.key, f"{needed} is not installed")
        return
    try:
        store.add(figures_of(measure(cell, collector, check)))
    except CellFailed as failure:
        print(failure, file=sys.stderr)
        store.skip(cell.key, "its service did not run")
        time.sleep(1)
