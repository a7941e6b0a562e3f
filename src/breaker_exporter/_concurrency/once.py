"""One call that several threads may ask for at the same time: the first makes it, the others wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import hub
from .parker import Parker, new_parker
from .state_lock import new_state_lock
from .thrown import passing_on


class Once:
    """Runs one call once."""

    def __init__(self) -> None:
        self._lock = new_state_lock()
        self._caller: object = None
        self._ended = False
        self._waiting: list[Parker] = []

    def run(self, call: Callable[[], object], seconds: float) -> None:
        """Make `call`, or wait until the first caller's is over, for `seconds` at most.

        A signal handler that interrupts the first caller does not wait: the call goes on when it returns.
        """
        with self._lock:
            first = self._caller is None
            if first:
                self._caller = hub.caller()
        if first:
            try:
                call()
            finally:
                with self._lock:
                    self._ended = True
                for parker in self._waiting:
                    parker.unpark()
        elif self._caller != hub.caller() and not hub.must_not_wait():
            self._wait(time.monotonic() + seconds)

    def _wait(self, deadline: float) -> None:
        parker = new_parker()
        with self._lock:
            self._waiting.append(parker)
        with passing_on():
            while not self._ended and (left := deadline - time.monotonic()) > 0:
                parker.park(left)
