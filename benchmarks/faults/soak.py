"""``make soak``: random faults and random restarts of workers under load, and at the end every promise."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import selectors
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from breaker_exporter._harness.interruption import Interrupted, Interruption
from breaker_exporter._harness.pipe import Lines
from breaker_exporter._harness.processes import Child, allow_many_sockets, start_load
from breaker_exporter.testing import Fault, FaultyCollector

from ..measure import CellFailed
from .measure import service as start_service
from .plan import ROWS, SETTINGS, Step

_RATE = 200.0
"""Requests a second, to all workers together."""
_WORKERS = 2
_WARM_UP = 30.0
"""Seconds after which a worker has all that it will keep, once its queue was full: what 2,048 spans take is
not given back to the system (7 MB were measured). Its memory is compared with that from then on."""
_QUEUE = 2048
"""Spans; OpenTelemetry's default."""
_GROWTH = 1.05
_MORE = 12
"""Threads or descriptors that may be there at the end and not at the beginning."""
_UNANSWERED = 0.001
"""Share of the requests that may meet a worker which is just ending."""


@dataclass(slots=True)
class Worker:
    """The reports of one worker."""

    began: float
    was_full: bool = False
    warm: dict[str, Any] = field(default_factory=dict)
    latest: dict[str, Any] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Soak:
    """The observations of a run."""

    workers: dict[int, Worker] = field(default_factory=dict)
    requests: int = 0
    answered: int = 0
    faults: int = 0
    restarts: int = 0
    taken: int = 0
    duplicates: int = 0
    output: str = ""

    def broken(self) -> list[str]:
        """Return the promises that did not hold."""
        found = [text for pid, worker in self.workers.items() for text in _broken(pid, worker)]
        exported = sum(worker.last.get("health", {}).get("exported", 0) for worker in self.workers.values())
        checks = {
            f"{self.requests - self.answered} of {self.requests} requests were not answered": self.answered
            < self.requests * (1 - _UNANSWERED),
            f"{self.duplicates} spans were delivered twice": self.duplicates > 0,
            f"exported {exported}, and the collector holds {self.taken}": exported > self.taken,
            "something of ours was raised": "/breaker_exporter/" in self.output,
        }
        return found + [text for text, holds in checks.items() if holds]


def _broken(pid: int, worker: Worker) -> list[str]:
    last, warm = worker.last, worker.warm
    if not last:
        return [f"worker {pid} had no last word"]
    health = last["health"]
    checks = {
        "received is not exported + failed + refused": health["received"]
        != health["exported"] + health["failed"] + health["refused"],
    }
    if warm:
        grown = worker.latest["resident"] / warm["resident"]
        checks |= {
            f"its memory grew to {grown:.2f} times": grown > _GROWTH,
            "threads are left over": last["threads"] > warm["threads"] + _MORE,
            "descriptors are left over": last["descriptors"] > warm["descriptors"] + _MORE,
        }
    return [f"worker {pid}: {text}" for text, holds in checks.items() if holds]


def soak(minutes: float, seed: int, check: Callable[[], None], say: Callable[[str], None]) -> Soak:
    """Run it.

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
        run = _Run(Soak(), collector, service, load, check)
        stack.enter_context(run.listening())
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


class _Run:
    def __init__(
        self,
        seen: Soak,
        collector: FaultyCollector,
        service: Child,
        load: Child,
        check: Callable[[], None],
    ) -> None:
        self.seen = seen
        self._collector = collector
        self._service = service
        self._load = load
        self._check = check
        self._selector = selectors.DefaultSelector()

    def listening(self) -> selectors.DefaultSelector:
        for child in (self._service, self._load):
            self._selector.register(child.lines, selectors.EVENT_READ)
        return self._selector

    @property
    def alive(self) -> list[int]:
        return [pid for pid, worker in self.seen.workers.items() if not worker.last]

    def pump(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Takes what is told, for so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self._check()
            if self._load.failed:
                raise CellFailed(f"{self._service.output}\n{self._load.output}")
            for key, _ in self._selector.select(0.05):
                lines = key.fileobj
                assert isinstance(lines, Lines)
                told = lines.read()
                if told is None:
                    self._selector.unregister(lines)
                for line in told or ():
                    self._take(line)

    def _take(self, line: dict[str, Any]) -> None:
        kind = line["kind"]
        if kind == "requests":
            self.seen.answered += sum(status == 200 for *_, status in line["done"])
        elif kind in ("facts", "last"):
            worker = self.seen.workers.setdefault(line["pid"], Worker(line["at"]))
            if kind == "last":
                worker.last = line
                return
            worker.latest = line
            health = line["health"]
            worker.was_full |= line["started"] - health["received"] >= _QUEUE
            is_warm = worker.was_full and health["state"] == "closed" and line["at"] - worker.began > _WARM_UP
            if is_warm and not worker.warm:
                worker.warm = line


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
