"""The steps of the sender: each makes one call with what waits, or says when to look again (K14)."""

from __future__ import annotations

import os

from . import deadline_clock as time
from .custody_parts import CustodyParts
from .parcel_calls import ParcelCalls
from .rest import rest

_LOOK_AGAIN = 1.0
"""Seconds at most until the sender looks again, whatever it waits for: a clock may jump."""


class SenderSteps:
    """Sends what waits, one parcel a step.

    Args:
        parts: Of the custody.
        calls: Makes the calls.
    """

    def __init__(self, parts: CustodyParts, calls: ParcelCalls) -> None:
        self._accounts = parts.accounts
        self._runner = parts.runner
        self._store = parts.store
        self._backlog = parts.store.backlog
        self._pace = parts.pace
        self._choice = parts.choice
        self._calls = calls
        self._discards = parts.discards
        self._max_age = parts.settings.retention.max_age
        self._attempt_timeout = parts.settings.attempt_timeout
        self._pid = os.getpid()

    def make(self) -> float | None:
        """Make one step: the seconds until the next one; ``None`` where nothing is here."""
        self._runner.settle_late()
        now = time.monotonic()
        for expired in self._backlog.take_expired(now - self._max_age):
            self._discards.expired(expired)
        if self._store.is_empty:
            return self._wait_for_calls(now)
        parcel, wait = self._choice.next(self._accounts.probe_in(), now)
        self._backlog.pack(rest)
        if os.getpid() != self._pid:  # forked meanwhile: all of this is the parent's
            return None
        if parcel is None:
            return min(wait, _LOOK_AGAIN)
        if not self._calls.take(parcel):
            return 0.0
        # The call's own time is shorter: it is over when this ends.
        attempt = self._calls.make(parcel, now + 4 * self._attempt_timeout)
        return 0.0 if attempt.permit is not None else _LOOK_AGAIN

    def _wait_for_calls(self, now: float) -> float | None:
        """Nothing waits; what is in a call whose caller has left may come back."""
        self._pace.end()
        if self._backlog.is_idle:
            return None
        self._runner.wait_for_turn(now + _LOOK_AGAIN)
        return _LOOK_AGAIN if self._backlog.queue.is_empty and not self._backlog.is_idle else 0.0
