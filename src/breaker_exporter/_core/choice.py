"""Which parcel is sent next, and when: new ones first, every fourth time the oldest kept one (K3, K14)."""

from __future__ import annotations

import math

from .backlog import Backlog, Parcel
from .replay_pace import ReplayPace

_STAYS_NEW = 1.0
"""Seconds."""
_EVERY = 4
"""Calls, of which one is for what was kept while new parcels wait too."""
_FIRST_RETRY, _LONGEST_RETRY = 0.1, 5.0
"""Seconds from a failure that left the circuit closed to the next call for what was kept."""


class Choice:
    """Chooses the parcel of the next call.

    Args:
        backlog: What waits.
        pace: Of the replay.
    """

    def __init__(self, backlog: Backlog, pace: ReplayPace) -> None:
        self._backlog = backlog
        self._pace = pace
        self._calls = 0
        self._retry_after = _FIRST_RETRY
        self._retry_at = 0.0
        self._failed_probe: Parcel | None = None

    def next(self, probe_in: float | None, now: float) -> tuple[Parcel | None, float]:
        """The parcel to send now, or none, and the seconds until it is worth asking again.

        Args:
            probe_in: Seconds until the circuit takes a probe; ``None`` where it is closed.
            now: Monotonic seconds.
        """
        if probe_in is not None:
            self._pace.end()
            self._backlog.keep_new(math.inf)
            # The newest: the backend is asked for what it will get next. Not the one that it has just failed
            # on, which may be why.
            return (None, probe_in) if probe_in > 0 else (self._backlog.newest(self._failed_probe), 0.0)
        self._backlog.keep_new(now - _STAYS_NEW)
        new, kept = self._backlog.first_new(), self._backlog.oldest_kept()
        wait = max(self._pace.wait(now), self._retry_at - now) if kept else math.inf
        if new is not None and (wait > 0 or self._calls % _EVERY != _EVERY - 1):
            return new, 0.0
        return (kept, 0.0) if wait <= 0 else (None, wait)

    def settled(self, parcel: Parcel, now: float, *, was_probe: bool, failed: bool) -> None:
        """Learn from a call that was made."""
        self._calls += 1
        if was_probe:
            self._failed_probe = parcel if failed else None
        if failed:
            self._retry_at = now + self._retry_after
            self._retry_after = min(self._retry_after * 2, _LONGEST_RETRY)
        else:
            self._retry_at, self._retry_after = 0.0, _FIRST_RETRY
