"""Tells whether answers to replayed batches take long, by those to live batches at the same time.

Where new batches wait behind the kept ones, or few come, none is live. Then the answers at the first pace are
the measure: what has been slow since before the replay is not slow because of it.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import NamedTuple

_SLOW = 2.0
"""Times the usual median, from which the median of the latest answers is slow."""
_LATEST = 5
"""Answers to replayed batches: on a busy machine one in thirty takes twice as long whatever is replayed."""
_ENOUGH = 5
"""Answers at least, for a median that means something."""
_USUAL = 11
"""Answers that are the measure, at most: older ones say nothing of how fast the backend is now."""


class AnswerTimes:
    """The answers since a replay has begun. All times are in seconds."""

    def __init__(self) -> None:
        self._live: deque[_Answer] = deque(maxlen=_USUAL)
        self._first: deque[_Answer] = deque(maxlen=_USUAL)
        self._latest: deque[_Answer] = deque(maxlen=_LATEST)

    def begin(self) -> None:
        """A replay begins: answers from before the outage are no measure."""
        self._live.clear()
        self._first.clear()
        self._latest.clear()

    def live(self, items: int, seconds: float) -> None:
        """Note the answer to a live batch of so many items."""
        self._live.append(_Answer(items, seconds))

    def replayed(self, items: int, seconds: float, *, at_first_pace: bool) -> None:
        """Note the answer to a replayed batch of so many items."""
        is_measure = len(self._live) < _ENOUGH and (at_first_pace or len(self._first) < _ENOUGH)
        (self._first if is_measure else self._latest).append(_Answer(items, seconds))

    def are_slow(self) -> bool:
        """True where the latest answers to replayed batches take too long."""
        # Copies: other threads note answers meanwhile.
        live, first, latest = [*self._live], [*self._first], [*self._latest]
        usual = live if len(live) >= _ENOUGH else first
        if len(usual) < _ENOUGH or len(latest) < _LATEST:
            return False
        items = median(answer.items for answer in usual)
        # More items may take longer. Fewer need not take less.
        scaled = (answer.seconds / max(1.0, answer.items / items) for answer in latest)
        return median(scaled) > _SLOW * median(answer.seconds for answer in usual)

    def measure_anew(self) -> None:
        """The replay is slower from now on: the latest answers say nothing of that."""
        self._latest.clear()


class _Answer(NamedTuple):
    items: int
    seconds: float
