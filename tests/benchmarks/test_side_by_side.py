"""Services that are measured side by side: real ones, under one load."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.figures import figures_of
from benchmarks.measure import measure_together
from benchmarks.plan import WARM_UP, cost_cells
from breaker_exporter.testing import FaultyCollector


def test_cells_side_by_side_have_the_same_load_and_each_its_own_figures() -> None:
    cells = [
        replace(cell, rate=20, seconds=(1.5, 0.0, 0.0, 0.0)) for cell in cost_cells(0, ("none", "hooks"))
    ]

    with FaultyCollector() as collector:
        found = measure_together([(cell, None) for cell in cells], collector, lambda: None)

    assert [observed.cell.contender for observed in found] == ["none", "hooks"]
    for observed in found:
        assert {status for _, status in observed.latencies.values()} == {200}
        assert len(observed.latencies) == 20 * (WARM_UP + 1.5)
        assert observed.started > 0
        figures: Any = figures_of(observed)
        assert figures["phases"]["healthy"]["cpu"] > 0


def test_each_contender_comes_first_once() -> None:
    """A place in the load's turn favours who has it."""
    names = ("none", "A", "B")

    rounds = [[cell.contender for cell in cost_cells(number, names)] for number in range(4)]

    assert [each[0] for each in rounds] == ["none", "A", "B", "none"]
    assert all(sorted(each) == sorted(names) for each in rounds)
