"""The recording of a run: everything measured, in the order in which it comes in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._harness.load import due_after
from .plan import LABELS, OURS, WARM_UP, Plan


@dataclass(frozen=True, slots=True)
class Beat:
    """One line of a worker's meter; times are seconds of the run.

    Attributes:
        at: When.
        gap_began: When the longest gap of the hub since the line before began.
        gap: How long it was.
        started: Spans started.
        dropped: Spans that the SDK's queue dropped, or ``None`` where the SDK does not say.
        failed: Spans whose export failed, in the words of the SDK, likewise.
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
    """The spans a collector had taken at a moment: each once, and how many came again."""

    at: float
    spans: int
    duplicates: int


@dataclass(slots=True)
class Contender:
    """The measurements of one service; times are seconds of the run, which begins with the first phase."""

    latencies: dict[int, float] = field(default_factory=dict)
    """Seconds by the number of the request; without those not answered."""
    errors: set[int] = field(default_factory=set)
    """Those answered with anything but a 200, or with a closed connection."""
    beats: list[Beat] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    delivered: list[Delivered] = field(default_factory=list)
    stopped: bool = False
    """True once its last line has come."""
    stopped_after: float | None = None
    """Seconds from ``SIGTERM`` to the end of the process; ``None`` where it had to be killed."""


@dataclass(slots=True)
class Recording:
    """A run.

    Attributes:
        plan: What was to happen.
        start: The start of the first phase on this machine's monotonic clock.
        contenders: By name.
        load_late: By how many seconds at most the load sent a request after it was due.
        now: Until when it has been measured, in seconds of the run.
        told_to_stop: When both services were told to; ``None`` before.
    """

    plan: Plan
    start: float = 0.0
    contenders: dict[str, Contender] = field(default_factory=lambda: {name: Contender() for name in LABELS})
    load_late: float = 0.0
    now: float = -WARM_UP
    told_to_stop: float | None = None

    @property
    def ours(self) -> Contender:
        """The guarded service."""
        return self.contenders[OURS]

    def due(self, name: str, index: int) -> float:
        """Return the second of the run at which a request was due."""
        return due_after(index, list(LABELS).index(name), len(LABELS), self.plan.rate) - WARM_UP

    def requests(self, name: str, begin: float, end: float) -> range:
        """The numbers of the requests due in ``[begin, end)``."""
        place, rate = list(LABELS).index(name) / len(LABELS), self.plan.rate
        first, last = (math.ceil((moment + WARM_UP) * rate - place - 1e-9) for moment in (begin, end))
        return range(first, last)

    @property
    def measured_until(self) -> float:
        """Seconds of the run that count: how the services come to their ends is no part of it."""
        return self.now if self.told_to_stop is None else self.told_to_stop

    def latency(self, name: str, index: int) -> float:
        """Of a request; of one without an answer, how long it has been waited for."""
        known = self.contenders[name].latencies.get(index)
        return max(0.0, self.measured_until - self.due(name, index)) if known is None else known
