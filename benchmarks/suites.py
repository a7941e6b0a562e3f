"""The measurement of a plan: cell after cell into the store, with more rounds where a target needs them."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Collection, Sequence

from breaker_exporter.testing import FaultyCollector

from .figures import figures_of
from .measure import CellFailed, measure_together
from .plan import SIDE_BY_SIDE, Cell, cells_of, together
from .results import Results
from .session import with_progress
from .store import Store
from .targets import cost_verdicts

_MOST_ROUNDS = 15
"""Rounds of a suite that is measured side by side, however wide the spread still is."""
_NEEDED = {"logfire": "logfire", "bare-http-rotel": "rotel"}
"""Packages that a contender cannot do without, and that are not installed everywhere."""


def measure_cells(
    store: Store, planned: Sequence[Cell], collector: FaultyCollector, check: Callable[[], None]
) -> None:
    """Measure the cells that the store does not have yet."""
    for group in with_progress(together(planned), check):
        if not all(store.has(cell.key) for cell in group.cells):
            _measure_group(store, group.cells, collector, check)


def measure_until_decided(
    store: Store, suites: Collection[str], collector: FaultyCollector, check: Callable[[], None]
) -> None:
    """Add rounds of those suites that have a side by side, while a target's spread includes its limit."""
    for suite in (name for name in SIDE_BY_SIDE if name in suites):
        for number in range(_MOST_ROUNDS):
            results = Results(store.data)
            if all(verdict.is_decided for verdict in cost_verdicts(results)[suite]):
                break
            measure_cells(store, cells_of(suite, number), collector, check)


def _measure_group(
    store: Store, cells: Sequence[Cell], collector: FaultyCollector, check: Callable[[], None]
) -> None:
    needed = {_NEEDED.get(cell.contender) for cell in cells} - {None}
    if missing := [name for name in needed if name and importlib.util.find_spec(name) is None]:
        for cell in cells:
            store.skip(cell.key, f"{missing[0]} is not installed")
        return
    try:
        for observed in measure_together([(cell, None) for cell in cells], collector, check):
            store.add(figures_of(observed))
    except CellFailed as failure:
        print(failure, file=sys.stderr)
        for cell in cells:
            store.skip(cell.key, "its service did not run")
        time.sleep(1)
