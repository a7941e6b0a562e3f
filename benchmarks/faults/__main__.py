"""``python -m benchmarks.faults`` measures the matrix; ``--report`` renders again what was measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter._harness.processes import allow_many_sockets
from breaker_exporter.testing import FaultyCollector

from ..measure import CellFailed
from ..session import with_progress
from ..store import Store, load
from .cell import Cell
from .measure import measure
from .names import can_be
from .plan import COLUMNS, cells, quick_cells
from .report import markdown
from .rows import ROWS
from .verdict import outcome_of

_HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; status 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few cells, into benchmarks/out")
    parser.add_argument(
        "--row", action="append", default=[], choices=[row.name for row in ROWS], metavar="FAULT"
    )
    parser.add_argument(
        "--column", action="append", default=[], choices=[column.name for column in COLUMNS], metavar="WAY"
    )
    parser.add_argument("--resume", action="store_true", help="keep what was measured before")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    folder = _HERE.parent / "out" / "faults" if options.quick or options.row or options.column else _HERE
    path = folder / "results.json"
    if options.report:
        return _report(load(path), folder)
    planned = quick_cells() if options.quick else cells(options.row, options.column)
    print(
        f"{len(planned)} cells, about {sum(cell.estimate for cell in planned) / 60:.0f} minutes", flush=True
    )
    store = Store(path, "make faults-quick" if options.quick else "make faults", resume=options.resume)
    try:
        with Interruption() as interruption:
            _measure(store, planned, interruption.check)
    except Interrupted as interrupted:
        print(f"{interrupted}; what was measured is kept, --resume goes on", file=sys.stderr)
        return interrupted.status
    return _report(store.data, folder)


def _measure(store: Store, planned: Sequence[Cell], check: Callable[[], None]) -> None:
    allow_many_sockets()
    with FaultyCollector() as collector:
        for cell in with_progress(planned, check):
            if cell.row.front == "name" and not can_be():
                store.skip(cell.key, "mounting and port 53 take privileges")
            elif cell.disk and not cell.disk.can_be():
                store.skip(cell.key, cell.disk.needs or "")
            elif not store.has(cell.key):
                outcome = _measured(cell, collector, check)
                store.add({"key": cell.key, **outcome})
                print(f"  {'; '.join(map(str, outcome['broken'])) or 'held'}", flush=True)


def _measured(cell: Cell, collector: FaultyCollector, check: Callable[[], None]) -> dict[str, list[str]]:
    return outcome_of(measure(cell, collector, check)).as_json()  # type: ignore[return-value]


def _report(data: dict[str, object], folder: Path) -> int:
    text = markdown(data)
    (folder / "RESULTS.md").write_text(text)
    print(text)
    print("written:", folder / "RESULTS.md")
    found: dict[str, dict[str, list[str]]] = data["cells"]  # type: ignore[assignment]
    return int(any(cell["broken"] for cell in found.values()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CellFailed as failure:
        sys.exit(f"a service did not run: {failure}")
