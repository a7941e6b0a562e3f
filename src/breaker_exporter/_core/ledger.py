"""Counts of the items by outcome, and of losses that have not been logged yet.

No lock and no I/O: the owner's lock guards them, and writes the lines they return outside of it.
"""

from __future__ import annotations

import enum
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from .._base.log import Line, counted
from .replay import Replay

if TYPE_CHECKING:
    from .settlement import Settlement

_SUMMARY_EVERY = 60.0
"""Seconds."""


class Loss(enum.StrEnum):
    """Kinds of loss, as the line at the stop calls them."""

    FAILED = "failed"
    REJECTED = "rejected by the backend"
    UNSENT = "impossible to send"
    REFUSED_IN_OUTAGE = "refused while the circuit was open"
    REFUSED = "refused with the circuit closed"
    EVICTED = "dropped since the memory for what is kept was full"
    EXPIRED = "dropped for their age"
    STOPPED = "dropped since the process ended"


class Ledger:
    """Counts of items: each received item ends in exactly one of exported, failed, refused (P3).

    Args:
        unit: The name of an item, in the plural.
        in_outage: True where the circuit is not closed as this process begins.

    Attributes:
        lost_in_outage: Items lost to failures since the last success, and refused since the circuit opened.
        retained: Items that are kept for another call.
        resent: Items sent again that the backend may have had already.
        outages: Number of outages that have ended.
    """

    def __init__(self, unit: str, *, in_outage: bool = False) -> None:
        self._unit = unit
        self.received = 0
        self.exported = 0
        self.failed = 0
        self.refused = 0
        self.dropped = 0
        self.retained = 0
        self.resent = 0
        self.lost_in_outage = 0
        self.last_error: str | None = None
        self.last_success_at: float | None = None
        self.last_failure_at: float | None = None
        self.outages = 0
        self._in_outage = in_outage
        self._replay = Replay(unit)
        self._losses: Counter[Loss] = Counter()
        self._summary = _Summary(unit)
        self._pending = _Pending()

    @property
    def in_flight(self) -> int:
        ended = self.exported + self.failed + self.refused + self.dropped
        return self.received - ended - self.retained

    def receive(self, items: int) -> None:
        self.received += items

    def settle(self, exported: int, lost: int, reason: str, kind: Loss, now: float) -> None:
        """Account for a batch whose call has ended; a backend that rejects has done its work."""
        lived = kind is Loss.REJECTED
        self.exported += exported
        if lived and not self._in_outage:
            self._summary.add(*self._pending.taken(), now)  # failures before it that opened no circuit
            self.lost_in_outage = 0
        if exported or (lived and not lost):
            self.last_success_at = time.time()
        if lost or not lived:
            self.fail(lost, reason, kind, now)

    def fail(self, items: int, reason: str, kind: Loss, now: float) -> None:
        self.failed += items
        self._losses[kind] += items
        self.last_error = reason
        self.last_failure_at = time.time()
        if kind is not Loss.FAILED:
            self._summary.add(items, reason, now)
            return
        self.lost_in_outage += items
        if not self._in_outage:
            self._pending.add(items, reason, now)

    def settle_parcel(self, outage: int, found: Settlement, resent: int, now: float) -> None:
        """Account for a call with a parcel that came after so many outages had ended."""
        self.resent += resent
        if found.left is not None:
            self.retained += found.left.items
            self.last_error, self.last_failure_at = found.report.reason, time.time()
        if found.accepted or found.lost:
            self.settle(found.accepted, found.lost, found.report.reason, found.kind, now)
        if outage < self.outages:
            self._replay.settle(found.accepted, found.lost)

    def drop(self, items: int, outage: int, reason: str, kind: Loss, now: float) -> None:
        """Account for items that were kept until they had to go."""
        self.retained -= items
        self.dropped += items
        self._losses[kind] += items
        if self._in_outage:
            self.lost_in_outage += items
        if outage < self.outages:
            self._replay.settle(0, items)
        if kind is not Loss.STOPPED:
            self._summary.add(items, reason, now)

    def refuse(self, items: int, reason: str, now: float) -> None:
        self.refused += items
        if self._in_outage:
            self._losses[Loss.REFUSED_IN_OUTAGE] += items
            self.lost_in_outage += items
        else:
            self._losses[Loss.REFUSED] += items
            self._summary.add(items, reason, now)

    def open(self) -> None:
        """Note that the circuit has opened: from now on, losses are part of this outage."""
        self._in_outage = True
        self._pending.taken()

    def close(self) -> None:
        """Note that the outage is over."""
        self._in_outage = False
        self.lost_in_outage = 0
        self.outages += 1
        self._replay.begin(self.retained)

    def due(self, now: float) -> Line | None:
        """The line about loss that has opened no circuit, if one is due (G3)."""
        if self._pending.since is not None and now - self._pending.since >= _SUMMARY_EVERY:
            self._summary.add(*self._pending.taken(), now)
        return self._replay.due() or self._summary.due(now)

    def balance(self) -> Line:
        """The line at the stop (G2)."""
        lost = self.failed + self.refused + self.dropped
        waiting = f", {counted(self.in_flight, self._unit)} still in a call" if self.in_flight else ""
        exported = counted(self.exported, self._unit)
        if not lost:
            return Line(logging.INFO, "stopped: %s exported, none lost%s", (exported, waiting))
        has_failed = self.last_error is not None and (self.failed or self.dropped)
        kinds = ", ".join(f"{self._losses[kind]} {kind}" for kind in Loss if self._losses[kind])
        return Line(
            logging.WARNING,
            "stopped: %s exported, %d lost since this process began: %s%s%s",
            (exported, lost, kinds, waiting, f"; the last error: {self.last_error}" if has_failed else ""),
        )


class _Pending:
    """Failures while the circuit is closed: it may still open, and then they are part of that outage."""

    def __init__(self) -> None:
        self.since: float | None = None
        self._items = 0
        self._reason = ""

    def add(self, items: int, reason: str, now: float) -> None:
        self.since = now if self.since is None else self.since
        self._items += items
        self._reason = reason

    def taken(self) -> tuple[int, str]:
        taken = self._items, self._reason
        self.since, self._items, self._reason = None, 0, ""
        return taken


class _Summary:
    """Loss that opens no circuit: a line as it begins, one a minute while it lasts, one when it is over."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._items = 0
        self._reason = ""
        self._told = 0
        self._began: float | None = None
        self._last_at = 0.0
        self._said_at = 0.0

    def add(self, items: int, reason: str, now: float) -> None:
        if items:
            self._items += items
            self._reason = reason
            self._last_at = now

    def due(self, now: float) -> Line | None:
        if self._began is None:
            if not self._items:
                return None
            self._began = now
            text = "%s lost: %s; this opens no circuit, a line a minute follows while it lasts"
            return self._line(now, text, counted(self._items, self._unit), self._reason)
        elapsed = now - self._said_at
        if elapsed < _SUMMARY_EVERY:
            return None
        if self._items:
            text = "%s lost in the last %.0f s, %d since this began %.0f s ago; the last reason: %s"
            lost, total = counted(self._items, self._unit), self._told + self._items
            return self._line(now, text, lost, elapsed, total, now - self._began, self._reason)
        text = "the loss that opened no circuit is over: %s lost in %.0f s; the last reason: %s"
        lost = counted(self._told, self._unit)
        line = self._line(now, text, lost, self._last_at - self._began, self._reason)
        self._told, self._began = 0, None
        return line

    def _line(self, now: float, text: str, *args: object) -> Line:
        self._told += self._items
        self._items = 0
        self._said_at = now
        return Line(logging.WARNING, text, args)
