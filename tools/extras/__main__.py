"""``python -m tools.extras``: runs all checks, three environments at a time, and reports them."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from breaker_exporter._harness.interruption import Interrupted, Interruption

from .check import Check
from .environment import Environment, build, fetch
from .plan import CASES, Case
from .processes import Failed, Processes

T = TypeVar("T")
INSTALL = "pip install"
_LOOK = 0.2
"""Seconds between two checks for a signal."""
_TAIL = 40
"""Lines of a log that are printed."""


@dataclass(frozen=True)
class Result:
    """The result of a check or of an installation, with the seconds that it took and its failure, if any."""

    case: str
    check: str
    seconds: float
    failure: Failed | None = None

    @property
    def verdict(self) -> str:
        return "FAILED" if self.failure else "ok    "


def main() -> int:
    """Try all cases; return the exit status."""
    options = _parser().parse_args()
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        sys.stderr.write(f"none of these is {options.only!r}: {', '.join(case.name for case in CASES)}\n")
        return 2
    began = time.monotonic()
    try:
        with Interruption() as interruption:
            results = _tried(cases, options.jobs, interruption.check)
    except Interrupted as interrupted:
        sys.stderr.write(f"{interrupted}; no process is left\n")
        return interrupted.status
    except Failed as failure:
        _say(failure.log, f"the wheel cannot be built, or what it requires not be fetched: {failure}")
        return 1
    return _concluded(results, time.monotonic() - began)


def _tried(cases: list[Case], jobs: int, check: Callable[[], None]) -> list[Result]:
    """Return the results of all cases, `jobs` at a time; an exception of `check` ends the run."""
    processes = Processes()
    results: list[Result] = []
    with TemporaryDirectory(prefix="extras-") as name, ThreadPoolExecutor(jobs) as lanes:
        directory = Path(name)
        try:
            _say("building the wheel")
            (wheel,) = _watched([lanes.submit(build, processes, directory)], check)
            _say("fetching what it requires")
            # Apart, as instrumentations lag behind the newest SDK: the others are tried with that.
            kinds = sorted({bool(case.more) for case in cases})
            fetched = _watched(
                [lanes.submit(fetch, processes, directory, _required(cases, kind, wheel)) for kind in kinds],
                check,
            )
            wheels = dict(zip(kinds, fetched, strict=True))
            _watched(
                [
                    lanes.submit(_try, processes, directory, wheel, wheels[bool(case.more)], case, results)
                    for case in cases
                ],
                check,
            )
        except BaseException:
            processes.end()
            lanes.shutdown(cancel_futures=True)
            raise
    return results


def _watched(futures: list[Future[T]], check: Callable[[], None]) -> list[T]:
    left = set(futures)
    while left:
        check()
        left = wait(left, _LOOK, FIRST_EXCEPTION).not_done
    check()  # what a signal has ended has not failed
    return [future.result() for future in futures]


def _required(cases: list[Case], has_more: bool, wheel: Path) -> list[str]:
    """Return the requirements of all cases with more packages than this one, or of all without."""
    found = (case.requirements(wheel) for case in cases if bool(case.more) is has_more)
    return sorted(set(itertools.chain.from_iterable(found)))


def _try(
    processes: Processes, directory: Path, wheel: Path, wheels: Path, case: Case, results: list[Result]
) -> None:
    """Install a case and run its checks; print each result at once."""
    with TemporaryDirectory(dir=directory, ignore_cleanup_errors=True) as name:
        environment = Environment(processes, Path(name))
        steps = [Check(INSTALL, lambda made: made.install(case.requirements(wheel), wheels)), *case.checks]
        for step in steps:
            began = time.monotonic()
            failure = _failure_of(step, environment)
            if processes.is_over:
                return
            result = Result(case.name, step.name, time.monotonic() - began, failure)
            results.append(result)
            _say(f"{result.verdict} {result.seconds:5.1f} s  {case.name}: {step.name}")
            if failure and step.name == INSTALL:
                return


def _failure_of(step: Check, environment: Environment) -> Failed | None:
    try:
        step.run(environment)
    except Failed as failure:
        return failure
    except Exception as error:
        return Failed(f"{type(error).__name__}: {error}")
    return None


def _concluded(results: list[Result], seconds: float) -> int:
    """Print failures and a table of all results; return the exit status."""
    failures = [result for result in results if result.failure]
    for result in failures:
        assert result.failure is not None
        tail = result.failure.log.splitlines()[-_TAIL:]
        _say("", f"{result.case}: {result.check}: {result.failure}", *(f"    {line}" for line in tail))
    widths = [
        max(map(len, column)) for column in zip(*((each.case, each.check) for each in results), strict=True)
    ]
    _say("")
    for result in sorted(results, key=lambda each: each.case):
        names = f"{result.case:<{widths[0]}}  {result.check:<{widths[1]}}"
        _say(f"{names}  {result.verdict} {result.seconds:5.1f} s")
    said = f"{len(failures)} of {len(results)} failed" if failures else f"all {len(results)} passed"
    _say("", f"{said}; took {seconds:.0f} s")
    return 1 if failures else 0


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.extras", description=__doc__)
    parser.add_argument("--only", default="", metavar="TEXT", help="only the cases whose name contains this")
    parser.add_argument(
        "--jobs", type=int, default=3, metavar="N", help="environments at a time (default: 3)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
