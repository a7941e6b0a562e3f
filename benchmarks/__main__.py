"""``python -m benchmarks``: ``run`` measures, ``report`` renders again what was measured.

``compare A B`` is for a developer before and after a change, ``instructions`` counts what encoding and
sending a batch executes.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter.testing import FaultyCollector

from .compare import Side, compare, side
from .figures import figures_of
from .instructions import STEPS, CannotCount, counts
from .measure import CellFailed, measure
from .plan import ALL, SUITES, Cell, cells, cost_cells, quick_cells
from .plots import draw
from .report import markdown
from .session import session, with_progress
from .store import Store, load
from .targets import Results, cost_verdicts

_HERE = Path(__file__).parent
_MICRO = 20.0
"""Seconds the single steps take, about."""
_MOST_ROUNDS = 15
"""Of the suite ``cost``, however wide the spread still is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, then report")
    run.add_argument("--quick", action="store_true", help="few contenders, one round, into benchmarks/out")
    run.add_argument("--rounds", type=_positive, default=5, help="5 by default")
    run.add_argument("--suites", type=_listed(SUITES), default=SUITES, help=f"of {','.join(SUITES)}")
    run.add_argument("--only", type=_listed(ALL), default=(), help="contenders, with commas between")
    run.add_argument("--no-micro", action="store_true", help="leave the single steps out")
    run.add_argument("--resume", action="store_true", help="keep what was measured before")
    run.add_argument(
        "--dry-run", action="store_true", help="say what would be measured, and how long it takes"
    )
    commands.add_parser("report", help="render results.json again")
    both = commands.add_parser("compare", help="two contenders, or one at two commits: NAME or NAME@COMMIT")
    both.add_argument("sides", nargs=2, type=_side, metavar="NAME[@COMMIT]")
    both.add_argument("--rounds", type=_positive, default=6, help="6 by default, two and a half minutes each")
    counted = commands.add_parser("instructions", help="count what a batch executes, by valgrind or perf")
    counted.add_argument("--steps", type=_listed(STEPS), default=tuple(STEPS), help=f"of {','.join(STEPS)}")
    options = parser.parse_args(arguments)
    if options.command == "report":
        return _report(load(_HERE / "results.json"), _HERE)
    if options.command == "instructions":
        return _interruptible(lambda check: print(counts(options.steps, check)))
    if options.command == "compare":
        return _interruptible(lambda check: print(compare(tuple(options.sides), options.rounds, check)))
    return _run_suites(options)


def _run_suites(options: argparse.Namespace) -> int:
    planned = quick_cells() if options.quick else cells(options.rounds, options.suites, options.only)
    total = sum(cell.estimate for cell in planned) + (0 if options.no_micro else _MICRO)
    print(f"{len(planned)} cells, about {total / 60:.0f} minutes", flush=True)
    if options.dry_run:
        print(*(cell.key for cell in planned), sep="\n")
        return 0
    folder = _HERE / "out" if options.quick else _HERE
    command = "make bench-quick" if options.quick else _said(options)
    store = Store(folder / "results.json", command, resume=options.resume)

    def measured(check: Callable[[], None]) -> None:
        with session() as collector:
            _measure(store, planned, collector, check)
            if "cost" in options.suites and not options.quick:
                _measure_until_decided(store, collector, check)
        if not options.no_micro:
            store.data["micro"] = _micro(check)
            store.save()

    status = _interruptible(measured)
    if status:
        print("what was measured is kept, --resume goes on", file=sys.stderr)
        return status
    return _report(store.data, folder)


def _interruptible(work: Callable[[Callable[[], None]], object]) -> int:
    """Do it until it is done or a signal comes; the exit status."""
    try:
        with Interruption() as interruption:
            work(interruption.check)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.status
    except (CellFailed, CannotCount) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _said(options: argparse.Namespace) -> str:
    parts = ["python -m benchmarks run"]
    if options.rounds != 5:
        parts.append(f"--rounds {options.rounds}")
    if tuple(options.suites) != SUITES:
        parts.append(f"--suites {','.join(options.suites)}")
    if options.only:
        parts.append(f"--only {','.join(options.only)}")
    return "make bench" if len(parts) == 1 else " ".join(parts)


def _measure(
    store: Store, planned: Sequence[Cell], collector: FaultyCollector, check: Callable[[], None]
) -> None:
    for cell in with_progress(planned, check):
        if not store.has(cell.key):
            _measure_cell(store, cell, collector, check)


def _measure_until_decided(store: Store, collector: FaultyCollector, check: Callable[[], None]) -> None:
    """More rounds of the suite ``cost`` while the spread of one of its targets straddles the limit."""
    results = Results(store.data)
    while len(results.rounds()) < _MOST_ROUNDS and not all(
        verdict.is_decided for verdict in cost_verdicts(results)
    ):
        _measure(store, cost_cells(len(results.rounds())), collector, check)
        results = Results(store.data)


def _measure_cell(store: Store, cell: Cell, collector: FaultyCollector, check: Callable[[], None]) -> None:
    if cell.contender == "logfire" and importlib.util.find_spec("logfire") is None:
        store.skip(cell.key, "logfire is not installed")
        return
    try:
        store.add(figures_of(measure(cell, collector, check)))
    except CellFailed as failure:
        print(failure, file=sys.stderr)
        store.skip(cell.key, "its service did not run")
        time.sleep(1)


def _micro(check: Callable[[], None]) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "micro.json"
        command = [
            sys.executable,
            "-m",
            "pytest",
            str(_HERE / "micro"),
            "-q",
            "--no-header",
            "-p",
            "no:xdist",
        ]
        _run([*command, f"--benchmark-json={path}"], check)
        found: dict[str, float] = {}
        for benchmark in json.loads(path.read_text())["benchmarks"]:
            seconds = benchmark["extra_info"].get("seconds", benchmark["stats"]["median"])
            found[benchmark["name"].removeprefix("test_")] = seconds
    return found


def _run(command: Sequence[str], check: Callable[[], None]) -> None:
    """Run it in a group of its own, of which nothing is left."""
    process = subprocess.Popen(command, cwd=_HERE.parent, start_new_session=True)
    try:
        while process.poll() is None:
            check()
            time.sleep(0.1)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def _report(data: dict[str, Any], folder: Path) -> int:
    text = markdown(data)
    (folder / "RESULTS.md").write_text(text)
    drawn = draw(data, folder / "plots")
    print(text)
    print("written:", folder / "RESULTS.md", *drawn, sep="\n  ")
    return 0


def _positive(text: str) -> int:
    if not text.isdigit() or text == "0":
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")
    return int(text)


def _side(text: str) -> Side:
    try:
        return side(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _listed(allowed: Collection[str]) -> Any:
    def parse(text: str) -> tuple[str, ...]:
        names = tuple(name.strip() for name in text.split(","))
        for name in names:
            if name not in allowed:
                raise argparse.ArgumentTypeError(f"must be of {', '.join(allowed)}, not {name!r}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main())
