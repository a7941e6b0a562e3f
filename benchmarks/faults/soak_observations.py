"""The observations of a soak: reports of workers, counts, and the promises that did not hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .disk.contents import NOTHING, Contents
from .disk.journal import Ended
from .disk.lost import IN_HAND, lost_of
from .judge_others import other_signals
from .other_signals import NOTHING_RECEIVED, OtherSignals, Received

_WARM_UP = 30.0
"""Seconds after which the memory of a worker whose queue was once full must not grow. Until then it
grows: what 2,048 spans took is not returned to the system (7 MB were measured)."""
_QUEUE = 2048
"""Spans; OpenTelemetry's default."""
_GROWTH = 1.05
"""Memory at the end may be this many times that of a warm worker."""
_MORE = 12
"""Threads or descriptors that may be there at the end and not at the beginning."""
_CUT = 50
"""Requests that may be lost with a killed worker."""
_UNANSWERED = 0.001
"""Share of the requests that may meet a worker which is just ending."""


@dataclass(slots=True)
class Worker:
    """The reports of one worker.

    Attributes:
        began: Time of the first report (s, monotonic clock).
        was_full: True once its queue of spans was full.
        warm: The first report from which on its memory must not grow; empty before.
        latest: The latest report.
        last: The report as it ended; empty before.
    """

    began: float
    was_full: bool = False
    warm: Mapping[str, Any] = field(default_factory=dict)
    latest: Mapping[str, Any] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)

    @property
    def health(self) -> Mapping[str, Any]:
        """The latest health."""
        health: Mapping[str, Any] = (self.last or self.latest).get("health", {})
        return health

    def record(self, line: Mapping[str, Any]) -> None:
        """Record a report."""
        self.latest = line
        health = line["health"]
        self.was_full |= line["started"] - health["received"] >= _QUEUE
        is_warm = self.was_full and health["state"] == "closed" and line["at"] - self.began > _WARM_UP
        if is_warm and not self.warm:
            self.warm = line


@dataclass(slots=True)
class Soak:
    """The observations of a run."""

    workers: dict[int, Worker] = field(default_factory=dict)
    killed: dict[int, float] = field(default_factory=dict)
    """Monotonic seconds at which workers were killed, by process id."""
    requests: int = 0
    answered: int = 0
    faults: int = 0
    blows: Counter[str] = field(default_factory=Counter)
    ended: Mapping[str, Ended] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    left: Contents = NOTHING
    duplicates: int = 0
    others: Received = NOTHING_RECEIVED
    """Log records and metrics that arrived."""
    output: str = ""

    @property
    def alive(self) -> list[int]:
        """Process ids of the workers that have neither ended nor been killed."""
        return [pid for pid, worker in self.workers.items() if not worker.last and pid not in self.killed]

    @property
    def missing(self) -> set[str]:
        """The spans that ended and did not arrive."""
        return {*self.ended} - self.taken

    @property
    def lost(self) -> set[str]:
        """Those of them that do not lie on disk either, and that a killed worker may not lose."""
        return lost_of(self.missing - {*self.left.ids}, self.ended, self.killed)

    @property
    def others_of_living(self) -> OtherSignals:
        """Counts of log records and metrics, of the workers that were not killed."""
        lasts = [worker.last for pid, worker in self.workers.items() if pid not in self.killed]
        return other_signals([last for last in lasts if last], self.others)

    def note_killed(self, pids: Iterable[int]) -> None:
        """Note that these workers are killed now."""
        self.killed.update(dict.fromkeys(pids, time.monotonic()))

    def broken(self) -> list[str]:
        """Return the promises that did not hold."""
        found = [
            text
            for pid, worker in self.workers.items()
            if pid not in self.killed
            for text in _broken(pid, worker)
        ]
        exported, resent = self.counted("exported"), self.counted("resent")
        counted, took = sum(self.counted_lost.values()), len(self.taken)
        others = self.others_of_living
        checks = {
            f"{self.requests - self.answered} of {self.requests} requests were not answered": self.answered
            < self.requests * (1 - _UNANSWERED) - _CUT * len(self.killed),
            f"{self.duplicates} spans were delivered twice": self.duplicates
            > resent + IN_HAND * len(self.killed),
            f"{exported} spans count as exported, and the collector took {took}": exported > took,
            f"{len(self.lost)} spans were lost, and {counted} count as lost": len(self.lost) > counted,
            f"{others.lost} log records were lost, and {others.counted_lost} count as lost": others.lost
            > others.counted_lost,
            f"the sums of {others.wrong_sums} workers are wrong": others.wrong_sums > 0,
            f"{len(self.left.ids)} spans still lie on disk": bool(self.left.ids),
            f"{self.left.damaged} files are damaged": self.left.damaged > 0,
            "an error of this package is in the output": "/breaker_exporter/" in self.output,
        }
        return found + [text for text, holds in checks.items() if holds]

    def record(self, line: Mapping[str, Any]) -> None:
        """Record a line of a worker or of the load."""
        if line["kind"] == "requests":
            self.answered += sum(status == 200 for *_, status in line["done"])
        elif line["kind"] == "last":
            self._worker(line).last = line
        elif line["kind"] == "facts" and line["health"]:
            self._worker(line).record(line)

    def counted(self, name: str) -> int:
        """Return a count of the exporter's health, over all workers."""
        return sum(worker.health.get(name, 0) for worker in self.workers.values())

    @property
    def counted_lost(self) -> dict[str, int]:
        """The spans that count as lost, by how."""
        lasts = [worker.last for worker in self.workers.values() if worker.last]
        queue = sum(last["started"] - last["health"]["received"] for last in lasts)
        return {
            **{name: self.counted(name) for name in ("failed", "refused", "dropped")},
            "dropped by the SDK's queue": queue,
        }

    def _worker(self, line: Mapping[str, Any]) -> Worker:
        return self.workers.setdefault(line["pid"], Worker(line["at"]))


def _broken(pid: int, worker: Worker) -> list[str]:
    last, warm = worker.last, worker.warm
    if not last:
        return [f"worker {pid} wrote no last report"]
    health = last["health"]
    checks = {
        "received + recovered is not exported + failed + refused + dropped + spooled": health["received"]
        + health["recovered"]
        != sum(health[name] for name in ("exported", "failed", "refused", "dropped", "spooled")),
    }
    if warm:
        grown = worker.latest["resident"] / warm["resident"]
        checks |= {
            f"its memory grew to {grown:.2f} times": grown > _GROWTH,
            "threads were leaked": last["threads"] > warm["threads"] + _MORE,
            "descriptors were leaked": last["descriptors"] > warm["descriptors"] + _MORE,
        }
    return [f"worker {pid}: {text}" for text, holds in checks.items() if holds]
