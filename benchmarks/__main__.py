"""``python -m benchmarks``: ``run`` measures, ``report`` renders again what was measured.

``compare A B`` is for a developer before and after a change, ``instructions`` counts what encoding and
sending a batch executes, ``start`` measures alone what ``run`` measures too: a start with files on disk.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from breaker_exporter._harness.interruption import Interrupted, Interruption

from .compare import Side, compare, side
from .contenders import ALL
from .installed import CannotInstall
from .instructions import STEPS, CannotCount, counts
from .measure import CellFailed
from .plan import SUITES, USUAL, cells, quick_cells, together
from .plots import draw
from .report import markdown
from .session import session
from .single_steps import ESTIMATE, single_steps
from .starts import ROUNDS, estimate, said, starts
from .store import Store, load
from .suites import measure_cells, measure_until_decided

_HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="measure, then report")
    run.add_argument("--quick", action="store_true", help="few contenders, one round, into benchmarks/out")
    run.add_argument("--rounds", type=_positive, default=5, help="5 by default")
    run.add_argument("--suites", type=_listed(SUITES), default=USUAL, help=f"of {','.join(SUITES)}")
    run.add_argument("--only", type=_listed(ALL), default=(), help="contenders, with commas between")
    run.add_argument("--no-micro", action="store_true", help="leave single steps and starts out")
    run.add_argument("--resume", action="store_true", help="keep what was measured before")
    run.add_argument("--into", type=Path, default=_HERE, metavar="FOLDER", help="benchmarks by default")
    run.add_argument(
        "--dry-run", action="store_true", help="say what would be measured, and how long it takes"
    )
    again = commands.add_parser("report", help="render results.json again")
    again.add_argument("--into", type=Path, default=_HERE, metavar="FOLDER", help="where it is")
    both = commands.add_parser("compare", help="two contenders, or one at two commits: NAME or NAME@COMMIT")
    both.add_argument("sides", nargs=2, type=_side, metavar="NAME[@COMMIT]")
    both.add_argument("--rounds", type=_positive, default=6, help="6 by default, two minutes each")
    counted = commands.add_parser("instructions", help="count what a batch executes, by valgrind or perf")
    counted.add_argument("--steps", type=_listed(STEPS), default=tuple(STEPS), help=f"of {','.join(STEPS)}")
    started = commands.add_parser(
        "start", help="the first answer with ten thousand files on disk, and without"
    )
    started.add_argument("--rounds", type=_positive, default=ROUNDS, help=f"{ROUNDS} by default")
    options = parser.parse_args(arguments)
    if options.command == "start":
        return _interruptible(lambda check: print(_started(options.rounds, check)))
    if options.command == "report":
        return _report(load(options.into / "results.json"), options.into)
    if options.command == "instructions":
        return _interruptible(lambda check: print(counts(options.steps, check)))
    if options.command == "compare":
        return _interruptible(lambda check: print(compare(tuple(options.sides), options.rounds, check)))
    return _run_suites(options)


def _run_suites(options: argparse.Namespace) -> int:
    planned = quick_cells() if options.quick else cells(options.rounds, options.suites, options.only)
    total = sum(group.estimate for group in together(planned))
    rounds = 0 if options.no_micro or options.quick else ROUNDS
    total += estimate(rounds) + (0 if options.no_micro else ESTIMATE)
    print(f"{len(planned)} cells, about {total / 60:.0f} minutes", flush=True)
    if options.dry_run:
        print(*(cell.key for cell in planned), sep="\n")
        return 0
    folder = _HERE / "out" if options.quick else options.into
    command = "make bench-quick" if options.quick else _said(options)
    store = Store(folder / "results.json", command, resume=options.resume)

    def measured(check: Callable[[], None]) -> None:
        with session() as collector:
            measure_cells(store, planned, collector, check)
            if not (options.quick or options.only):
                measure_until_decided(store, options.suites, collector, check)
            if rounds:
                store.data["starts"] = starts(rounds, collector, check)
                store.save()
        if not options.no_micro:
            store.data["micro"] = single_steps(check)
            store.save()

    status = _interruptible(measured)
    if status:
        print("what was measured is kept, --resume goes on", file=sys.stderr)
        return status
    return _report(store.data, folder)


def _started(rounds: int, check: Callable[[], None]) -> str:
    with session() as collector:
        return said(starts(rounds, collector, check))


def _interruptible(work: Callable[[Callable[[], None]], object]) -> int:
    """Do the work until it is done or a signal comes; return the exit status."""
    try:
        with Interruption() as interruption:
            work(interruption.check)
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.status
    except (CellFailed, CannotCount, CannotInstall) as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def _said(options: argparse.Namespace) -> str:
    parts = ["python -m benchmarks run"]
    if options.rounds != 5:
        parts.append(f"--rounds {options.rounds}")
    if tuple(options.suites) != USUAL:
        parts.append(f"--suites {','.join(options.suites)}")
    if options.only:
        parts.append(f"--only {','.join(options.only)}")
    return "make bench" if len(parts) == 1 else " ".join(parts)


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
