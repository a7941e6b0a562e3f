"""The steps of the sender: each makes one call with what waits, or says when to look again (K14)."""

from __future__ import annotations

import os

from . import deadline_clock as time
from .accounts import Accounts
from .choice import Choice
from .discards import Discards
from .parcel_calls import ParcelCalls
from .replay_pace import ReplayPace
from .rest import rest
from .runner import Runner
from .store import Store

_LOOK_AGAIN = 1.0
"""Seconds at most until the sender looks again, whatever it waits for: a clock may jump."""


class SenderSteps:
    """Sends what waits, one parcel a step.

    Args:
        accounts: Of the exporter, with its circuit.
        runner: Knows the call that is out.
        store: Holds what waits.
        pace: Of the replay.
        choice: Of the next parcel.
        calls: Makes the calls.
        discards: Gets what has grown too old.
        max_age: Seconds.
        attempt_timeout: Seconds that one call may take.
    """

    def __init__(
        self,
        accounts: Accounts,
        runner: Runner,
        store: Store,
        pace: ReplayPace,
        choice: Choice,
        calls: ParcelCalls,
        discards: Discards,
        max_age: float,
        attempt_timeout: float,
    ) -> None:
        self._accounts = accounts
        self._runner = runner
        self._store = store
        self._backlog = store.backlog
        self._pace = pace
        self._choice = choice
        self._calls = calls
        self._discards = discards
        self._max_age = max_age
        self._attempt_timeout = attempt_timeout
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
