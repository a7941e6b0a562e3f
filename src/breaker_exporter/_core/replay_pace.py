"""The pace at which kept items are replayed: slow at first, then faster, never so fast that anybody notices.

The measure is what the service sends by itself. Replay begins at a part of that, doubles after some time of
success, and halves when most answers take longer than those to live batches do now. A service that sends less
than it did is replayed faster by what it does not send: the backend has seen that load.
"""

from __future__ import annotations

import math

from .answer_times import AnswerTimes

_FIRST_SHARE = 0.3
"""Of the live rate."""
_LEAST_SHARE = 0.05
_DOUBLE_AFTER = 10.0
"""Seconds of success."""
_LONGEST_GAP = 1.0
"""Seconds between two replayed batches at most."""


class ReplayPace:
    """When the next batch may be replayed. All times are monotonic seconds.

    Args:
        most: The highest rate, in multiples of the live one.
        carries_live: True where new batches wait behind the others, so that the pace is that of both.
    """

    def __init__(self, most: float, *, carries_live: bool = False) -> None:
        self._most = most
        self._carries_live = carries_live
        self._first_share = self._share = min(_FIRST_SHARE, most)
        self._free_at = 0.0
        self._grows_at = math.inf
        self._is_replaying = False
        self._now = _Rate(over=10.0)
        self._usual = _Rate(over=60.0)
        self._times = AnswerTimes()

    def live(self, items: int, now: float) -> None:
        """Note that the service sends so many items by itself."""
        self._now.add(items, now)
        self._usual.add(items, now)

    def live_answered(self, items: int, seconds: float) -> None:
        """Note the time that the answer to a live batch of so many items took."""
        self._times.live(items, seconds)

    def wait(self, now: float) -> float:
        """Seconds until a batch may be replayed."""
        if not self._is_replaying:
            self._is_replaying = True
            self._times.begin()
            self._share = self._first_share
            self._grows_at = max(now, self._free_at) + _DOUBLE_AFTER
        return max(0.0, self._free_at - now)

    def replayed(self, items: int, seconds: float, now: float) -> None:
        """Note that a batch was replayed, whose answer took so many seconds."""
        self._times.replayed(items, seconds, at_first_pace=self._share <= self._first_share)
        if self._times.are_slow():
            self._share = max(self._share / 2, min(_LEAST_SHARE, self._most))
            self._times.measure_anew()
            self._grows_at = now + _DOUBLE_AFTER
        elif now >= self._grows_at:
            self._share = min(self._share * 2, self._most)
            self._grows_at = now + _DOUBLE_AFTER
        rate = self._rate(now)
        gap = min(items / rate, _LONGEST_GAP) if rate else _LONGEST_GAP
        self._free_at = max(now - seconds, self._free_at) + gap  # from its start: the answer is part of it

    def failed(self, now: float) -> None:
        """Note that a call with a replayed batch failed: the time of success begins anew."""
        self._grows_at = max(self._grows_at, now + _DOUBLE_AFTER)

    def pause(self, seconds: float, now: float) -> None:
        """Replay nothing for so long, and begin anew then."""
        self.end()
        self._free_at = max(self._free_at, now + seconds)

    def end(self) -> None:
        """Nothing is left to be replayed, or the circuit has opened: the next replay begins anew."""
        self._is_replaying = False

    def _rate(self, now: float) -> float:
        """Items a second."""
        usual, live = self._usual.at(now), self._now.at(now)
        return self._share * usual + max(usual, live) - (0.0 if self._carries_live else live)


class _Rate:
    """Items a second, over about so many seconds."""

    def __init__(self, *, over: float) -> None:
        self._over = over
        self._sum = 0.0
        self._began: float | None = None
        self._at = 0.0

    def add(self, items: int, now: float) -> None:
        if self._began is None:
            self._began = self._at = now
        self._decay(now)
        self._sum += items

    def at(self, now: float) -> float:
        if self._began is None:
            return 0.0
        self._decay(now)
        seen = self._over * (1 - math.exp(-max(now - self._began, 1.0) / self._over))
        return self._sum / seen

    def _decay(self, now: float) -> None:
        self._sum *= math.exp(-max(0.0, now - self._at) / self._over)
        self._at = now
