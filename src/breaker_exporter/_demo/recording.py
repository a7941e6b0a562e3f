"""The recording of a run: all measurements, in the order in which they came in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._harness.load import due_after
from .plan import LABELS, OURS, WARM_UP, Plan


@dataclass(frozen=True, slots=True)
class Beat:
    """One line of a worker's meter, as far as it is of one signal; times are seconds of the run.

    Attributes:
        at: Time of the line.
        gap_began: Begin of the longest gap of the hub since the previous line.
        gap: Length of that gap.
        started: Items started: spans, or log records.
        dropped: Items that the SDK's queue dropped; ``None`` where the SDK does not count them.
        failed: Items whose export failed as the SDK counts them, likewise.
        health: Our exporter's health, as a mapping; ``None`` for the bare one.
    """

    at: float
    gap_began: float
    gap: float
    started: int
    dropped: int | None
    failed: int | None
    health: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the circuit's state."""

    at: float
    old: str
    new: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The different items of a signal that a collector had taken at a moment, and its duplicates."""

    at: float
    items: int
    duplicates: int


@dataclass(slots=True)
class Items:
    """What became of a signal's items; times are seconds of the run, which begins with its first phase."""

    beats: list[Beat] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    stopped: bool = False
    """True once the last line of the service has come."""
    earlier: dict[str, int] = field(default_factory=dict)
    """Counts of the workers before the one whose lines come."""
    held: int = 0
    """Items that a killed worker had in its memory, and nobody else anywhere."""


@dataclass(slots=True)
class Contender(Items):
    """The measurements of one service: its spans, and all else."""

    latencies: dict[int, float] = field(default_factory=dict)
    """Seconds by the number of the request, of answered ones alone."""
    errors: set[int] = field(default_factory=set)
    """Numbers of the requests that were answered with another status than 200, or not at all."""
    changes: list[Change] = field(default_factory=list)
    log_records: Items = field(default_factory=Items)
    counted: dict[int, int] = field(default_factory=dict)
    """Requests that its counter has counted, by the worker's process id."""
    counts_received: dict[int, tuple[int, int]] = field(default_factory=dict)
    """The same as the collector knows it in the end: by the counter, and by the histogram."""
    stopped_after: float | None = None
    """Seconds from ``SIGTERM`` to the end of the process; ``None`` where it had to be killed."""
    worker: int | None = None
    """Process id of the worker whose lines come."""


@dataclass(slots=True)
class Recording:
    """A run.

    Attributes:
        plan: The plan of the run.
        start: Start of the first phase on this machine's monotonic clock.
        contenders: The measurements of each service, by its name.
        load_late: Largest number of seconds by which the load sent a request too late.
        now: The second of the run up to which it has been measured.
        told_to_stop: The second at which both services were told to stop; ``None`` before.
        killed: The second at which both workers were killed; ``None`` before, and where they are not.
    """

    plan: Plan
    start: float = 0.0
    contenders: dict[str, Contender] = field(default_factory=lambda: {name: Contender() for name in LABELS})
    load_late: float = 0.0
    now: float = -WARM_UP
    told_to_stop: float | None = None
    killed: float | None = None

    @property
    def ours(self) -> Contender:
        """The guarded service."""
        return self.contenders[OURS]

    def due(self, name: str, index: int) -> float:
        """Return the second of the run at which a request was due."""
        return due_after(index, list(LABELS).index(name), len(LABELS), self.plan.rate) - WARM_UP

    def requests(self, name: str, begin: float, end: float) -> range:
        """Return the numbers of the requests due in ``[begin, end)``."""
        place, rate = list(LABELS).index(name) / len(LABELS), self.plan.rate
        first, last = (math.ceil((moment + WARM_UP) * rate - place - 1e-9) for moment in (begin, end))
        return range(first, last)

    @property
    def measured_until(self) -> float:
        """The second of the run up to which measurements count: the stop of the services does not."""
        return self.now if self.told_to_stop is None else self.told_to_stop

    def latency(self, name: str, index: int) -> float:
        """Return the seconds that a request took, or has waited so far."""
        known = self.contenders[name].latencies.get(index)
        return max(0.0, self.measured_until - self.due(name, index)) if known is None else known
