"""``make soak``: random faults and random restarts of workers under load, and at the end every promise."""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter._harness.official import ALL_SIGNALS
from breaker_exporter._harness.processes import allow_many_sockets
from breaker_exporter.testing import Fault, FaultyCollector

from ..measure import CellFailed
from .cell import Step
from .conditions import OTHER_SIGNALS, SETTINGS
from .disk.directory import Directory
from .disk.journal import VARIABLE, ended_spans
from .other_signals import received_by
from .rows import ROWS
from .soak_observations import Soak
from .soak_run import Blow, SoakRun


def soak(
    minutes: float, seed: int, check: Callable[[], None], say: Callable[[str], None], kills: int = 0
) -> Soak:
    """Run services through random faults and restarts, with batches kept on disk.

    Args:
        minutes: The time it takes, and as long as what is on disk then takes to arrive.
        seed: The same seed gives the same faults and restarts.
        check: Called many times a second; an exception of it ends the run.
        say: Called with a line for each fault.
        kills: Number of SIGKILLs that come first, one in each fault.

    Raises:
        CellFailed: Service or load did not run.
    """
    chance = random.Random(seed)
    seconds = minutes * 60
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(FaultyCollector())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-soak-")))
        disk = stack.enter_context(Directory(folder / "disk"))
        journal = folder / "journal"
        journal.mkdir()
        environment = {
            **SETTINGS,
            **disk.environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "FAULTS_WIRING": "hooks",
            "FAULTS_PRELOAD": "",
            **ALL_SIGNALS,
            **OTHER_SIGNALS,
            "OTEL_METRIC_EXPORT_INTERVAL": _METRICS_EVERY,
            VARIABLE: str(journal),
        }
        run = stack.enter_context(SoakRun(folder, environment, seconds, chance, check))
        end = time.monotonic() + seconds
        while (left := end - min(_quiet(kills), seconds / 4) - time.monotonic()) > 0:
            is_killing = kills_of(run.seen) < kills
            _one_fault(run, collector, chance, left, say, KILLS if is_killing else (None, *Blow))
        run.pump(end + 12.0 - time.monotonic(), until=lambda: not run.has_load)
        _wait_until_empty(run, disk)
        run.stop()
        run.seen.taken, run.seen.duplicates = collector.span_ids, collector.counts().duplicates
        run.seen.others = received_by(collector)
        run.seen.ended, run.seen.left = ended_spans(journal), disk.contents()
        return run.seen


def _wait_until_empty(run: SoakRun, disk: Directory) -> None:
    """Return once nothing lies on disk, or less and less does not any more."""
    left = len(disk.files())
    while left:
        before = left
        run.pump(_PATIENCE, until=lambda: not disk.files())
        left = len(disk.files())
        if left >= before:
            return


def _quiet(kills: int) -> float:
    """Return the seconds without a fault at the end.

    Each kill leaves some: a process replays slowly at first, and is killed before it is faster.
    """
    return _QUIET + kills * _QUIET_PER_KILL


def kills_of(seen: Soak) -> int:
    """Return the number of SIGKILLs: one to all of Gunicorn is one."""
    return sum(seen.blows[blow.value] for blow in KILLS)


def _one_fault(
    run: SoakRun,
    collector: FaultyCollector,
    chance: random.Random,
    left: float,
    say: Callable[[str], None],
    blows: Sequence[Blow | None],
) -> None:
    """Go through a fault in which something happens to the processes, and the seconds after."""
    step, blow = chance.choice(STEPS), chance.choice(blows)
    before, after, healthy = chance.uniform(0.5, 3), chance.uniform(0.5, 3), chance.uniform(2, 6)
    if blows is KILLS:
        healthy /= 2  # some are to fall while what lies on disk is replayed
    fault = f"{step.fault.value} {dict(step.settings) or ''}".rstrip()
    say(f"{left / 60:.1f} minutes left; {fault}{f'; {blow.value}' if blow else ''}")
    step.put_on(collector)
    run.seen.faults += 1
    run.pump(min(left, before))
    if blow:
        run.pump(_BOOTED_WITHIN, until=lambda: bool(run.seen.alive))
        run.seen.blows[blow.value] += run.strike(blow)
    run.pump(after)
    collector.set_fault(Fault.NONE)
    run.pump(healthy)


KILLS = (Blow.KILL, Blow.KILL_ALL)
_PER_KILL = 6.5
"""Seconds of a fault with a SIGKILL, and of the time after it, about."""
_BOOTED_WITHIN = 10.0
"""Seconds after which the workers of a new Gunicorn have reported."""
_METRICS_EVERY = "5000"
"""Milliseconds; the collector remembers 10,000 data points, which is an hour."""
_QUIET = 30.0
"""Seconds of load at the end without a fault: what is on disk is replayed beside it."""
_QUIET_PER_KILL = 1.0
"""Seconds of that for each SIGKILL that was asked for."""
_PATIENCE = 60.0
"""Seconds in which some of the rest has to arrive, until all of it has."""
STEPS: tuple[Step, ...] = tuple(
    step
    for row in ROWS
    if len(row.steps) == 1 and not row.disk
    for step in row.steps
    if isinstance(step.fault, Fault)
    and step.fault is not Fault.PARTIAL_SUCCESS
    and step.settings.get("status") not in (400, 413)
)
"""The faults that it draws from: those after which everything can be delivered."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; status 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=_positive, help="10 by default, or as --kills needs")
    parser.add_argument(
        "--kills",
        type=_count,
        default=0,
        help="so many SIGKILLs first, one in each fault; 100 take 13 minutes",
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to have it once more")
    options = parser.parse_args(arguments)
    minutes = options.minutes or minutes_for(options.kills)
    print(f"{minutes:.3g} minutes, --seed {options.seed}", flush=True)
    allow_many_sockets()
    try:
        with Interruption() as interruption:
            seen = soak(
                *(minutes, options.seed, interruption.check, lambda text: print(text, flush=True)),
                kills=options.kills,
            )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.status
    broken, others = seen.broken(), seen.others_of_living
    if kills_of(seen) < options.kills:
        broken.append(
            f"there was time for {kills_of(seen)} SIGKILLs, not for {options.kills}: give more --minutes"
        )
    lived = [worker for worker in seen.workers.values() if worker.warm]
    for worker in lived:
        begin, end = worker.warm, worker.latest
        print(
            f"a worker, {begin['at'] - worker.began:.0f} to {end['at'] - worker.began:.0f} s old: "
            f"{begin['resident'] / 1e6:.1f} to {end['resident'] / 1e6:.1f} MB"
        )
    print(
        f"{seen.requests:,} requests, {seen.faults} faults, {len(seen.workers)} workers; "
        f"{', '.join(f'{number} times {blow}' for blow, number in seen.blows.items()) or 'no blow'}"
    )
    print(
        f"{len(seen.ended):,} spans ended, {len(seen.taken):,} arrived, {seen.duplicates:,} of them twice; "
        f"{len(seen.missing):,} are missing, {len(seen.lost):,} of these not in the last moments of a killed "
        "worker"
    )
    print("counted as lost:", ", ".join(f"{number} {how}" for how, number in seen.counted_lost.items()))
    print(
        f"{others.written:,} log records written by workers that were not killed, {others.lost:,} of them "
        f"are missing, {others.duplicates:,} arrived twice; {others.wrong_sums} of their sums are wrong"
    )
    print(f"{seen.counted('spooled'):,} spooled, {seen.counted('recovered'):,} recovered,", end=" ")
    print(f"{seen.counted('resent'):,} resent")
    print(*(broken or ["every promise held"]), sep="\n")
    return int(bool(broken))


def minutes_for(kills: int) -> float:
    """Return the minutes that a run with so many SIGKILLs takes; 0: that of any length."""
    return (kills * _PER_KILL + _quiet(kills)) / 60 if kills else 10.0


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}")
    return int(text)


def _positive(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of minutes above 0, not {text!r}")
    return minutes


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CellFailed as failure:
        sys.exit(f"the service did not run: {failure}")
