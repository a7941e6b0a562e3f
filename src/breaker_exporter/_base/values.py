"""Public values of a circuit and its exporter: state, transition, health."""

from __future__ import annotations

import enum
from dataclasses import dataclass


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


PROBE_CANCELLED = "probe cancelled before it was sent"
"""The reason of a transition back to open in which the backend had no part."""


@dataclass(frozen=True, slots=True)
class CircuitTransition:
    """One change of a circuit's state, as listeners get it.

    Attributes:
        name: The exporter's name.
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

    In every snapshot ``received == exported + failed + refused + dropped + retained + in_flight``. All counts
    are of this process: a forked child starts at zero. Without retention, the fields that speak of what is
    kept are zero.

    Attributes:
        name: The exporter's name.
        state: The circuit's state.
        consecutive_failures: Failures in a row; one success sets it to zero.
        cooldown: The cooldown in force, in seconds, before jitter (which only ever shortens it).
        retry_in: Seconds until the next probe may run; ``None`` while closed.
        received: Items, such as spans, handed to ``export``.
        exported: Items the backend accepted.
        failed: Items whose export failed, overran or was cut off.
        refused: Items turned away without a call: circuit open, queue, shutdown.
        dropped: Items that were kept and had to go: no room, too old, or the process ended.
        retained: Items that are kept and wait for a call.
        retained_bytes: Memory that they take, as measured or estimated.
        oldest_at: Unix seconds at which the oldest of them came in, or ``None``.
        resent: Items sent again that the backend may have: nobody knows what became of the call before.
        in_flight: Items being encoded, waiting in ``export``, or in a call now.
        hung_calls: Number of calls given up and still stuck.
        opened: Number of times the circuit opened, failed probes included.
        blocked_reason: The reason why no probe may run although one is due, else ``None``.
        last_error: Short text without secrets, or ``None``.
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
    retained: int
    retained_bytes: int
    oldest_at: float | None
    resent: int
    in_flight: int
    hung_calls: int
    opened: int
    blocked_reason: str | None
    last_error: str | None
    last_success_at: float | None
    last_failure_at: float | None
