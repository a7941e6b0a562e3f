"""Counts of the items by outcome, and of losses that have not been logged yet.

No lock and no I/O: the owner's lock guards them, and writes the lines they return outside of it.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from .._base.log import Line, counted
from .drops import Drops
from .loss import DROPS, Loss
from .loss_summary import SUMMARY_EVERY, Pending, Summary
from .replay import Replay
from .report import AFTER_SHUTDOWN, ENDED_BY_SHUTDOWN

if TYPE_CHECKING:
    from .settlement import Settlement


class Ledger:
    """Counts of items: each received item ends in exactly one of exported, failed, refused (P3).

    Args:
        unit: The name of an item, in the plural.
        in_outage: True where the circuit is not closed as this process begins.

    Attributes:
        lost_in_outage: Items lost to failures since the last success, and refused since the circuit opened.
        retained: Items that are kept for another call.
        spooled: Items written to disk.
        recovered: Items of files on disk that this process has settled.
        resent: Items sent again that the backend may have had already.
        outages: Number of outages that have ended.
        in_outage: True where the circuit is not closed.
    """

    def __init__(self, unit: str, *, in_outage: bool = False) -> None:
        self._unit = unit
        self.received = 0
        self.exported = 0
        self.failed = 0
        self.refused = 0
        self.retained = 0
        self.spooled = 0
        self.recovered = 0
        self.resent = 0
        self.lost_in_outage = 0
        self.last_error: str | None = None
        self._has_cause = False
        self.last_success_at: float | None = None
        self.last_failure_at: float | None = None
        self.outages = 0
        self.in_outage = in_outage
        self._drops = Drops(unit)
        self._replay = Replay(unit)
        self._losses: Counter[Loss] = Counter()
        self._summary = Summary(unit)
        self._pending = Pending()

    @property
    def in_flight(self) -> int:
        ended = self.exported + self.failed + self.refused + self.dropped + self.spooled
        return self.received + self.recovered - ended - self.retained

    @property
    def kept(self) -> int:
        """Items that wait for another call: in memory, or on disk and of this process."""
        return self.retained + self._replay.on_disk

    @property
    def dropped(self) -> int:
        return sum(self.dropped_by_reason.values())

    @property
    def dropped_by_reason(self) -> dict[str, int]:
        return {reason.value: self._losses[kind] for reason, kind in DROPS.items()}

    @property
    def dropped_in_outage(self) -> int:
        """Items of `lost_in_outage` that were kept before."""
        return self._drops.items

    def receive(self, items: int) -> None:
        self.received += items

    def settle(self, exported: int, lost: int, reason: str, kind: Loss, now: float) -> None:
        """Account for a batch whose call has ended; a backend that rejects has done its work."""
        lived = kind is Loss.REJECTED
        self.exported += exported
        if lived and not self.in_outage:
            self._summary.add(*self._pending.taken(), now)  # failures before it that opened no circuit
            self.lost_in_outage = 0
        if exported or (lived and not lost):
            self.last_success_at = time.time()
            self._has_cause = False
        if lost or not lived:
            self.fail(lost, reason, kind, now)

    def fail(self, items: int, reason: str, kind: Loss, now: float) -> None:
        self.failed += items
        self._losses[kind] += items
        self._note_failure(reason)
        if kind is not Loss.FAILED:
            self._summary.add(items, reason, now)
            return
        self.lost_in_outage += items
        if not self.in_outage:
            self._pending.add(items, reason, now)

    def settle_parcel(self, outage: int, found: Settlement, resent: int, now: float) -> None:
        """Account for a call with a parcel that came after so many outages had ended."""
        self.resent += resent
        if found.left is not None:
            self.retained += found.left.items
            self._note_failure(found.report.reason)
        if found.accepted or found.lost:
            self.settle(found.accepted, found.lost, found.report.reason, found.kind, now)
        if outage < self.outages:
            self._replay.settle(found.accepted, found.lost)

    def drop(self, items: int, outage: int, reason: str, kind: Loss, now: float) -> None:
        """Account for items that were kept until they had to go."""
        self.retained -= items
        if outage < self.outages:
            self._replay.settle(0, items, dropped=items)
        self._lose_kept(items, reason, kind, now)

    def spool(self, items: int, *, were_kept: bool) -> None:
        """Account for items that lie on disk now, and are no longer this process's."""
        self.spooled += items
        if were_kept:
            self.retained -= items
        self._replay.spool(items, were_kept=were_kept)

    def fail_file(self, found: Settlement, resent: int) -> None:
        """Account for a call with a file that stays as it is: its items are counted when it goes."""
        self.resent += resent
        self._note_failure(found.report.reason)

    def recover(self, items: int, found: Settlement, resent: int, now: float) -> None:
        """Account for the items of a file that is removed, since a call with it was made."""
        self.recovered += items
        self.resent += resent
        left = items - found.accepted - found.lost
        self.spooled += left
        self._replay.recover(found.accepted, found.lost)
        self.settle(found.accepted, found.lost, found.report.reason, found.kind, now)

    def recover_dropped(self, items: int, reason: str, kind: Loss, now: float) -> None:
        """Account for the items of a file that had to go."""
        self.recovered += items
        self._replay.recover(0, items)
        self._lose_kept(items, reason, kind, now)

    def disk_is_empty(self) -> None:
        """Nothing lies on disk any more."""
        self._replay.disk_is_empty()

    def refuse(self, items: int, reason: str, now: float) -> None:
        self.refused += items
        if self.in_outage:
            self._losses[Loss.REFUSED_IN_OUTAGE] += items
            self.lost_in_outage += items
        else:
            self._losses[Loss.REFUSED] += items
            self._summary.add(items, reason, now)

    def open(self) -> None:
        """Note that the circuit has opened: from now on, losses are part of this outage."""
        if not self.in_outage:
            self._drops.begin()
        self.in_outage = True
        self._pending.taken()

    def close(self) -> None:
        """Note that the outage is over."""
        self.in_outage = False
        self.lost_in_outage = 0
        self.outages += 1
        self._replay.begin(self.retained)

    def due(self, now: float) -> Line | None:
        """The next line about loss, if one is due (G3), or about the end of a replay."""
        if self._pending.since is not None and now - self._pending.since >= SUMMARY_EVERY:
            self._summary.add(*self._pending.taken(), now)
        return self._drops.due() or self._replay.due() or self._summary.due(now, in_outage=self.in_outage)

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

    def _note_failure(self, reason: str) -> None:
        self.last_failure_at = time.time()
        # Why calls have failed since the last success tells more than that we have ended one.
        is_cause = reason not in (ENDED_BY_SHUTDOWN, AFTER_SHUTDOWN)
        if is_cause or not self._has_cause:
            self.last_error, self._has_cause = reason, is_cause

    def _lose_kept(self, items: int, reason: str, kind: Loss, now: float) -> None:
        self._losses[kind] += items
        if self.in_outage:
            self.lost_in_outage += items
        if kind is Loss.STOPPED:
            return  # another line counts them
        if self.in_outage:
            self._drops.add(items, reason, kind)
        else:
            self._summary.add(items, reason, now)
