"""The pace of an export: slices of work with pauses between, which get shorter under pressure."""

from __future__ import annotations

import time

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
        self._until = 0.0
        self._at_work_since = 0.0

    def begin(self, deadline: float) -> None:
        """A batch begins; it pauses no more after half of its time (monotonic seconds) is gone."""
        now = self._at_work_since = time.monotonic()
        self._in_a_row = self._in_a_row + 1 if now - self._ended < _AT_ONCE else 0
        if not self._in_a_row:
            self._pressure = max(self._pressure - 1, 0)
        elif self._in_a_row % _PATIENCE == 0:
            self._pressure = min(self._pressure + 1, _MOST)
        self._until = now + (deadline - now) / 2

    def rest(self) -> None:
        """Let others run, where this thread has been at work for long enough.

        Greenlets where gevent has patched ``time``, elsewhere threads.
        """
        now = time.monotonic()
        if now - self._at_work_since >= _WORK * (1 << self._pressure):
            time.sleep(_PAUSE / (1 << self._pressure) if now < self._until else 0.0)
            self._at_work_since = time.monotonic()

    def end(self) -> None:
        """The batch is done."""
        self._ended = time.monotonic()
