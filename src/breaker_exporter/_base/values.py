"""Public values of a circuit and its exporter: state, transition, health."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class CircuitState(enum.StrEnum):
    """State of a circuit, in the words of the circuit breaker pattern (Nygard, "Release It!").

    Each compares as its string, ``state == "closed"``, and can be written as JSON.
    """

    CLOSED = "closed"
    """Exports pass."""
    OPEN = "open"
    """Exports are refused at once; after the cooldown the next export is the probe."""
    HALF_OPEN = "half-open"
    """The probe is out; all other exports are refused."""


class DropReason(enum.StrEnum):
    """Reasons for which items are given up that were kept, as health and metrics name them."""

    EVICTED = "evicted"
    """There was no room for them."""
    EXPIRED = "expired"
    """They were too old."""
    SHUTDOWN = "shutdown"
    """The process ended."""


PROBE_CANCELLED = "probe cancelled before it was sent"
"""The reason of a transition back to open in which the backend had no part."""


@dataclass(frozen=True, slots=True)
class CircuitTransition:
    """One change of a circuit's state, as listeners get it.

    Attributes:
        name: The exporter's name, or that of the circuit that it shares.
        old: State before.
        new: State after.
        at: Time of the change in Unix seconds (wall clock; for display only).
        reason: Short text without secrets.
        cooldown: The cooldown in force after the change, in seconds.
        consecutive_failures: Failures in a row so far.
    """

    name: str
    old: CircuitState
    new: CircuitState
    at: float
    reason: str
    cooldown: float
    consecutive_failures: int


@dataclass(frozen=True, slots=True)
class ExporterHealth:
    """A consistent snapshot of an exporter.

    In every snapshot ``received + recovered == exported + failed + refused + dropped + spooled + retained +
    in_flight``. All counts are of this process: a forked child starts at zero. Without retention, the fields
    that speak of what is kept are zero, without a directory those that speak of the disk.

    Attributes:
        name: The exporter's name.
        state: The circuit's state. Of an exporter that shares a circuit, the worse of that and its own; the
            failures, the cooldown and the next probe are then those of the worse one.
        consecutive_failures: Failures in a row; one success sets it to zero.
        cooldown: The cooldown in force, in seconds, before jitter (which only ever shortens it).
        retry_in: Seconds until the next probe may run; ``None`` while closed.
        received: Items, such as spans, handed to ``export``.
        exported: Items the backend accepted.
        failed: Items whose export failed, overran or was cut off.
        refused: Items turned away without a call: circuit open, queue, shutdown.
        dropped: Items that were kept and had to go: no room, too old, or the process ended.
        dropped_by_reason: The same by each of ``evicted``, ``expired`` and ``shutdown``.
        spooled: Items written to disk, from where any process of the service delivers them.
        recovered: Items from the disk, of this process or another, that this one has settled.
        retained: Items that are kept in memory and wait for a call.
        retained_bytes: Memory that they take, as measured or estimated.
        disk_files: Files of this exporter on disk, those of all processes, where this one has counted them
            within the last 30 s: one process of a host does so. Else ``None``.
        disk_bytes: Bytes of all files of the service there; ``None`` as above.
        oldest_at: Unix seconds at which the oldest item in memory, or in those files, came in, or ``None``.
        resent: Items sent again that the backend may have: nobody knows what became of the call before.
        in_flight: Items being encoded, waiting in ``export``, or in a call now.
        hung_calls: Number of calls given up and still stuck.
        opened: Number of times the circuit opened, failed probes included.
        blocked_reason: The reason why no probe may run although one is due, else ``None``.
        last_error: Short text without secrets, or ``None``. That the shutdown has ended a call takes no place
            of a cause that is known since the last success.
        last_success_at: Unix seconds, or ``None``.
        last_failure_at: Unix seconds, or ``None``.
    """

    name: str
    state: CircuitState
    consecutive_failures: int
    cooldown: float
    retry_in: float | None
    received: int
    exported: int
    failed: int
    refused: int
    dropped: int
    spooled: int
    recovered: int
    dropped_by_reason: Mapping[str, int] = field(
        default_factory=lambda: {reason.value: 0 for reason in DropReason}, hash=False, kw_only=True
    )
    retained: int
    retained_bytes: int
    disk_files: int | None
    disk_bytes: int | None
    oldest_at: float | None
    resent: int
    in_flight: int
    hung_calls: int
    opened: int
    blocked_reason: str | None
    last_error: str | None
    last_success_at: float | None
    last_failure_at: float | None
