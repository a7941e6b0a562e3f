"""``make soak``: random faults and random restarts of workers under load, and at the end every promise."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter._harness.line_reader import LineReader
from breaker_exporter._harness.processes import Child, allow_many_sockets, start_load
from breaker_exporter.testing import Fault, FaultyCollector

from ..measure import CellFailed
from .cell import Step
from .conditions import SETTINGS
from .measure import service as start_service
from .rows import ROWS
from .soak_observations import Soak

_RATE = 200.0
"""Requests a second, to all workers together."""
_WORKERS = 2


def soak(minutes: float, seed: int, check: Callable[[], None], say: Callable[[str], None]) -> Soak:
    """Run services through random faults and restarts.

    Args:
        minutes: The time it takes.
        seed: The same seed gives the same faults and restarts.
        check: Called many times a second; an exception of it ends the run.
        say: Called with a line for each fault.

    Raises:
        CellFailed: Service or load did not run.
    """
    chance = random.Random(seed)
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(FaultyCollector())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="breaker-exporter-soak-")))
        environment = {
            **SETTINGS,
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http_base,
            "FAULTS_WIRING": "hooks",
            "FAULTS_PRELOAD": "",
        }
        service, port = start_service(
            directory / "service", environment, "gevent", "--workers", str(_WORKERS)
        )
        stack.enter_context(service)
        load = stack.enter_context(
            start_load(directory / "load", {"it": port}, _RATE, minutes * 60, wait=10.0)
        )
        reader = stack.enter_context(LineReader({"service": service.lines, "load": load.lines}))
        run = _Run(Soak(), service, load, reader, check)
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            left = end - time.monotonic()
            step = chance.choice(STEPS)
            say(f"{left / 60:.1f} minutes left; {step.fault.value} {dict(step.settings) or ''}")
            collector.set_fault(step.fault, connections=step.connections, **step.settings_now())  # type: ignore[arg-type]
            run.seen.faults += 1
            if chance.random() < 0.3 and run.alive:
                os.kill(chance.choice(run.alive), signal.SIGTERM)
                run.seen.restarts += 1
            run.pump(min(left, chance.uniform(1, 6)))
            collector.set_fault(Fault.NONE)
            run.pump(min(max(0.0, end - time.monotonic()), chance.uniform(2, 6)))
        run.pump(12.0, until=lambda: load.ended)
        service.terminate()
        run.pump(20.0, until=lambda: service.ended)
        counts = collector.counts()
        run.seen.taken, run.seen.duplicates = len(collector.span_ids), counts.duplicates
        run.seen.requests = int(_RATE * minutes * 60)
        run.seen.output = service.output
        return run.seen


STEPS: tuple[Step, ...] = tuple(
    step for row in ROWS if len(row.steps) == 1 for step in row.steps if isinstance(step.fault, Fault)
)
"""The faults that it draws from."""


class _Run:
    def __init__(
        self,
        seen: Soak,
        service: Child,
        load: Child,
        reader: LineReader,
        check: Callable[[], None],
    ) -> None:
        self.seen = seen
        self._service = service
        self._load = load
        self._reader = reader
        self._check = check

    @property
    def alive(self) -> list[int]:
        """Process ids of the workers that have not ended."""
        return [pid for pid, worker in self.seen.workers.items() if not worker.last]

    def pump(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Record what the processes report for so many seconds, or until `until` is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._check()
            if self._load.failed:
                raise CellFailed(f"{self._service.output}\n{self._load.output}")
            for _, line in self._reader.read(0.05):
                self.seen.record(line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; status 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=_positive, default=10.0, help="10 by default")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="to have it once more")
    options = parser.parse_args(arguments)
    print(f"{options.minutes:g} minutes, --seed {options.seed}", flush=True)
    allow_many_sockets()
    try:
        with Interruption() as interruption:
            seen = soak(
                options.minutes, options.seed, interruption.check, lambda text: print(text, flush=True)
            )
    except Interrupted as interrupted:
        print(interrupted, file=sys.stderr)
        return interrupted.status
    broken = seen.broken()
    lived = [worker for worker in seen.workers.values() if worker.warm]
    for worker in lived:
        begin, end = worker.warm, worker.latest
        print(
            f"a worker, {begin['at'] - worker.began:.0f} to {end['at'] - worker.began:.0f} s old: "
            f"{begin['resident'] / 1e6:.1f} to {end['resident'] / 1e6:.1f} MB"
        )
    print(
        f"{seen.requests:,} requests, {seen.faults} faults, {seen.restarts} restarts, "
        f"{len(seen.workers)} workers; {seen.taken:,} spans at the collector"
    )
    print(*(broken or ["every promise held"]), sep="\n")
    return int(bool(broken))


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
