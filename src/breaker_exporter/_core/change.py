"""Waiting for something to change, by greenlets and by threads."""

from __future__ import annotations

from collections.abc import Callable

from .._concurrency import hub
from .._concurrency.parker import Parker, new_blocking_parker, new_parker

LOOKS_AGAIN = 0.25
"""Seconds after which who waits looks for itself: a clock may jump, and a fork may have come between."""


class Change:
    """Wakes all who wait for it."""

    def __init__(self) -> None:
        self._waiting: list[Parker] = []

    def happened(self) -> None:
        """Wake those who wait. Any thread may call this."""
        for parker in list(self._waiting):
            parker.unpark()

    def wait(self, is_over: Callable[[], bool], timeout: float) -> None:
        """Wait until it has happened, unless `is_over` already, for so many seconds at most."""
        parker = _place_to_wait()
        self._waiting.append(parker)
        try:
            if not is_over():
                parker.park(timeout)
        finally:
            self._waiting.remove(parker)

    def pause(self, timeout: float) -> None:
        """Wait so many seconds, or until it has happened."""
        self.wait(lambda: False, timeout)


def _place_to_wait() -> Parker:
    """Of the caller; of its whole thread where it may not switch to others."""
    return new_blocking_parker() if hub.must_not_wait() else new_parker()
