"""Log records that were held back on a native thread, and the greenlets that hand them on."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import deque

from .._base.log import say
from . import hub
from .log_handlers import Origin
from .native import new_lock
from .parker import Parker, new_parker

_LIMIT = 1000
"""Records kept at most for one exporter, so that nobody has to handle more in one go."""


class Records:
    """Records that were held back and are not handed on yet.

    Args:
        name: For the log line about records that were dropped.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._kept: deque[tuple[Origin, logging.LogRecord]] = deque()
        self._dropped = 0
        self._handing_on = new_lock()
        self._hands_on: object = None
        self._waiting: list[Parker] = []
        self._start_greenlet: hub.StartGreenlet | None = None

    def hand_on_by(self, start_greenlet: hub.StartGreenlet | None) -> None:
        """Hand records on in greenlets that this function starts; without one, in :meth:`wait`."""
        self._start_greenlet = start_greenlet
        self._start()

    def keep(self, origin: Origin, record: logging.LogRecord) -> None:
        """Hold `record` back from `origin`, which gets it later. Called on the thread that logs it."""
        if len(self._kept) >= _LIMIT:
            self._dropped += 1
            return
        self._kept.append((origin, record))
        if len(self._kept) == 1:
            self._start()

    def wait(self, timeout: float) -> None:
        """Wait until all records are handed on, for so many seconds at most; the rest follows after that."""
        if not self._kept and self._hands_on is None:
            return
        if self._start_greenlet is None:
            self._hand_on()
        elif hub.is_cooperative() and not hub.must_not_wait() and self._hands_on != hub.caller():
            self._wait(time.monotonic() + timeout)

    def _wait(self, deadline: float) -> None:
        parker = new_parker()
        self._waiting.append(parker)
        try:
            while (self._kept or self._hands_on) and (left := deadline - time.monotonic()) > 0:
                self._start()
                parker.park(left)
        finally:
            self._waiting.remove(parker)

    def _start(self) -> None:
        if self._kept and self._start_greenlet is not None:
            with contextlib.suppress(Exception):  # of a hub that has ended: the next call brings another
                self._start_greenlet(self._hand_on)

    def _hand_on(self) -> None:
        while self._kept and self._handing_on.acquire(False):
            self._hands_on = hub.caller()
            try:
                self._hand_on_kept()
            finally:
                self._hands_on = None
                self._handing_on.release()
                for parker in list(self._waiting):
                    parker.unpark()

    def _hand_on_kept(self) -> None:
        while self._kept:
            origin, record = self._kept.popleft()
            with contextlib.suppress(Exception):  # a handler that raises is its owner's
                origin.handle(record)
        if dropped := self._dropped:
            self._dropped = 0
            say(
                logging.WARNING,
                "%s: %d log records were dropped: the logging handlers were too slow for them",
                self._name,
                dropped,
            )
