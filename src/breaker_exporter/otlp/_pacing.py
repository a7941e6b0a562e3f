"""The pace of an export: slices of work with pauses between, which get shorter under pressure."""

from __future__ import annotations

import time
from collections.abc import Callable

_WORK = 0.0004
"""Seconds of work between two pauses, well below a millisecond; each pause costs CPU, about 0.06 ms."""
_PAUSE = 0.002
"""Seconds: time for the hub, or for whoever waits for the GIL, to serve others."""
_MOST = 5
"""Steps of pressure: 13 ms of work, and pauses of next to nothing."""
_PATIENCE = 4
"""Batches that a queue of the usual size holds: so many after an outage are no lasting pressure."""
_AT_ONCE = 0.01
"""Seconds: an export that follows the last one so closely had a queue waiting for it."""


def every_so_often(rest: Callable[[], None]) -> Callable[[], None]:
    """Return a function to be called often, which calls `rest` where work has gone on for long enough."""
    at_work_since = time.monotonic()

    def rest_if_due() -> None:
        nonlocal at_work_since
        if time.monotonic() - at_work_since >= _WORK:
            rest()
            at_work_since = time.monotonic()

    return rest_if_due


class Pace:
    """The pace of one exporter's batches.

    The batch processor calls again at once while its queue holds another whole batch: then it is better to
    be done than to be polite. Each four such calls in a row double the work between two pauses and halve the
    pause, each other call undoes a step.
    """

    def __init__(self) -> None:
        self._pressure = 0
        self._in_a_row = 0
        self._ended = 0.0

    def begin(self, deadline: float) -> Stretch:
        """A new batch begins, with so much time (monotonic seconds)."""
        self._in_a_row = self._in_a_row + 1 if time.monotonic() - self._ended < _AT_ONCE else 0
        if not self._in_a_row:
            self._pressure = max(self._pressure - 1, 0)
        elif self._in_a_row % _PATIENCE == 0:
            self._pressure = min(self._pressure + 1, _MOST)
        return self.go_on(deadline)

    def go_on(self, deadline: float) -> Stretch:
        """Work on a batch that is not new: beside another one, perhaps."""
        return Stretch(1 << self._pressure, deadline, self._end)

    def _end(self, now: float) -> None:
        self._ended = now


class Stretch:
    """A stretch of work, with its pauses; it makes none any more after half of its time is gone.

    Args:
        pressure: The factor by which it works longer, and pauses less.
        deadline: Monotonic seconds.
        ended: Called at its end, with the time of that.
    """

    def __init__(self, pressure: int, deadline: float, ended: Callable[[float], None]) -> None:
        now = self._at_work_since = time.monotonic()
        self._pressure = pressure
        self._until = now + (deadline - now) / 2
        self._ended = ended

    def rest(self) -> None:
        """Let others run, where this thread has been at work for long enough.

        Greenlets where gevent has patched ``time``, elsewhere threads.
        """
        now = time.monotonic()
        if now - self._at_work_since >= _WORK * self._pressure:
            time.sleep(_PAUSE / self._pressure if now < self._until else 0.0)
            self._at_work_since = time.monotonic()

    def end(self) -> None:
        """The work is done."""
        self._ended(time.monotonic())
