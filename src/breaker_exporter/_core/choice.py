"""Which parcel is sent next, and when: new ones first, every fourth time the oldest kept one (K3, K14).

Where order matters, as backends of metrics refuse what is older than what they have: the oldest first.
"""

from __future__ import annotations

import math

from .disk_order import Reading
from .parcel import Parcel
from .replay_pace import ReplayPace
from .store import Store

_STAYS_NEW = 1.0
"""Seconds."""
_EVERY = 4
"""Calls, of which one is for what was kept while new parcels wait too."""
_READ_AHEAD = 0.05
"""Seconds."""
_ASK_DISK_AGAIN = 1.0
"""Seconds: who has read something says so."""
_FIRST_RETRY, _LONGEST_RETRY = 0.1, 5.0
"""Seconds from a failure that left the circuit closed to the next call for what was kept."""


class Choice:
    """Chooses the parcel of the next call.

    Args:
        store: Holds what waits.
        pace: Of the replay.
        in_order: True where parcels are to be sent in the order in which they came.
    """

    def __init__(self, store: Store, pace: ReplayPace, *, in_order: bool = False) -> None:
        self._store = store
        self._backlog = store.backlog
        self._queue = store.backlog.queue
        self._pace = pace
        self._in_order = in_order
        self._calls = 0
        self._retry_after = _FIRST_RETRY
        self._retry_at = 0.0
        self._closed_at = 0  # the last call with a closed circuit

    @property
    def has_untried(self) -> bool:
        """True where a parcel waits with which no probe has failed since the circuit opened."""
        return self._store.disk.has_untried or self._queue.has_unprobed(self._closed_at)

    @property
    def must_wait_for_disk(self) -> bool:
        """True where what lies on disk has to be sent before anything else."""
        return self._in_order and self._store.disk.has_readable_files

    @property
    def may_be_first(self) -> bool:
        """True where a batch that comes now may be sent at once: nothing is before it."""
        return self._queue.is_empty and not self._backlog.has_left and not self.must_wait_for_disk

    def put_in_order(self) -> None:
        """Where order matters, send kept batches before new ones."""
        if self._in_order:
            self._queue.keep_new(math.inf)

    def next(self, probe_in: float | None, now: float) -> tuple[Parcel | None, float]:
        """The parcel to send now, or none, and the seconds until it is worth asking again.

        Args:
            probe_in: Seconds until the circuit takes a probe; ``None`` where it is closed.
            now: Monotonic seconds.
        """
        if probe_in is None:
            return self._next_in_turn(now)
        self._pace.end()
        self._queue.keep_new(math.inf)
        if probe_in > 0:
            self._store.disk.want_nothing()
            return None, probe_in
        if self.must_wait_for_disk:
            return self._from_disk(Reading.FIRST)
        # The newest: the backend is asked for what it gets next. Not one that it has failed on since the
        # circuit opened: that may be why.
        chosen = self._queue.to_probe(self._closed_at, oldest=self._in_order)
        return (chosen, 0.0) if chosen is not None else self._from_disk(Reading.NEWEST)

    def _next_in_turn(self, now: float) -> tuple[Parcel | None, float]:
        self._queue.keep_new(math.inf if self._in_order else now - _STAYS_NEW)
        new, kept = self._queue.first_new(), self._queue.oldest_kept()
        is_any_kept = kept is not None or self._store.disk.has_files
        wait = max(self._pace.wait(now), self._retry_at - now) if is_any_kept else math.inf
        on_disk, ask_again = self._from_disk(Reading.OLDEST) if wait <= _READ_AHEAD else (None, math.inf)
        if new is not None and (wait > 0 or self._calls % _EVERY != _EVERY - 1):
            return new, 0.0
        if wait > 0:
            return None, wait
        oldest = on_disk or (None if self.must_wait_for_disk else kept)
        return (oldest, 0.0) if oldest is not None else (None, ask_again)

    def _from_disk(self, reading: Reading) -> tuple[Parcel | None, float]:
        """The parcel that was read, else the seconds until it is worth asking again."""
        disk = self._store.disk
        if disk.has_files and disk.ahead is None:
            disk.want(reading)
        return disk.ahead, _ASK_DISK_AGAIN

    def settled(
        self, parcel: Parcel, now: float, *, was_probe: bool, failed: bool, was_answered: bool = False
    ) -> None:
        """Learn from a call that was made.

        Args:
            parcel: Of the call.
            now: Monotonic seconds.
            was_probe: True for a probe.
            failed: True where any of the parcel is left.
            was_answered: True where the backend failed on it with an error of its own.
        """
        self._calls += 1
        if not was_probe:
            self._closed_at = self._calls
        elif failed and (was_answered or not self._in_order):
            parcel.probed_at = self._calls  # else out of order is worse than a probe with the same again
        if failed:
            self._retry_at = now + self._retry_after
            self._retry_after = min(self._retry_after * 2, _LONGEST_RETRY)
        else:
            self._retry_at, self._retry_after = 0.0, _FIRST_RETRY
